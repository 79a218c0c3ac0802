"""How often the support check is wrong: false alarms on human summaries, planted errors found.

    python -m bench.support dialogsum.dev.jsonl qmsum_spans.val.jsonl

Each file has columns dialogue and summary. A human summary that is flagged counts as a false
alarm, even where the person who wrote it was wrong. Then one error is planted in each summary that
can hold it: a name or a number swapped for one of another dialogue, or a sentence replaced by one
of another summary. What is swapped is found by rules of this file, not by those it measures.
Shares with Wilson's 95 % intervals and n; the same seed gives the same table. On the two files
named above the shares flatter the check: its thresholds and words were chosen with both in view.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from humanalign.evaluate.honesty.support import FINDERS, Kind, unsupported
from humanalign.evaluate.statistics import wilson
from humanalign.rows import columns, read_rows

NUMBER_WORDS = "two three four five six seven eight nine ten twelve fifteen twenty thirty fifty"
NUMBER = re.compile(rf"(?<![\w#.])(?:\d[\d,:.]*\d|\d|{'|'.join(NUMBER_WORDS.split())})(?![\w#])")
# Words that the rule below would take for names; days and months are numbers to the check.
OTHERS = """Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April
May June July August September October November December Miss Mrs Mister Sir Madam Doctor Dear"""
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b")
SENTENCE = re.compile(r"(?:[^.!?]|(?<=\b[MD]r)\.|(?<=\bM[rs]s)\.)+[.!?]+\s*")


@dataclass(frozen=True)
class Pair:
    """A source and what somebody wrote of it."""

    source: str
    summary: str


Plant = Callable[[Pair, Sequence[str], random.Random], tuple[str, int, int] | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    for file in options.files:
        rows = read_rows(file)
        columns(rows, ("dialogue", "summary"), file)
        measure(file, [Pair(r["dialogue"], r["summary"]) for r in rows], options)


def measure(title: str, pairs: Sequence[Pair], options: argparse.Namespace) -> None:
    """Print one file's table."""
    print(f"{title}: {len(pairs)} human summaries")
    found = [unsupported(pair.source, pair.summary) for pair in pairs]
    _line("flagged, any kind", sum(bool(spans) for spans in found), len(pairs))
    for kind in FINDERS:
        _line(f"flagged, {kind}", sum(kind in {s[2] for s in spans} for spans in found), len(pairs))
    if options.show:
        for pair, spans in zip(pairs, found, strict=True):
            for start, end, kind in spans:
                print(f"    false {kind}: {pair.summary[start:end]!r}")
    plants: dict[Kind, tuple[Plant, list[str]]] = {
        "name": (plant_name, _pool(pairs, lambda p: _names(p))),
        "number": (plant_number, _pool(pairs, lambda p: NUMBER.findall(p.summary))),
        "claim": (plant_sentence, _pool(pairs, lambda p: SENTENCE.findall(p.summary))),
    }
    for kind, (plant, pool) in plants.items():
        _planted(kind, plant, pool, pairs, options)


def _planted(
    kind: Kind,
    plant: Plant,
    pool: Sequence[str],
    pairs: Sequence[Pair],
    options: argparse.Namespace,
) -> None:
    rng = random.Random(options.seed)
    hits = any_kind = tried = 0
    for pair in pairs:
        planted = plant(pair, pool, rng)
        if planted is None:
            continue
        text, start, end = planted
        spans = [s for s in unsupported(pair.source, text) if s[0] < end and s[1] > start]
        tried += 1
        hits += any(s[2] == kind for s in spans)
        any_kind += bool(spans)
        if options.show and not spans:
            print(f"    missed {kind}: {text[max(0, start - 30) : end + 30]!r}")
    _line(f"planted {kind} found as {kind}", hits, tried)
    _line(f"planted {kind} found as anything", any_kind, tried)


def plant_name(pair: Pair, pool: Sequence[str], rng: random.Random) -> tuple[str, int, int] | None:
    """A name of the source in the summary becomes one that the source never mentions."""
    here = [n for n in _names(pair) if re.search(rf"\b{n}\b", pair.summary)]
    strange = [n for n in pool if n.lower() not in pair.source.lower()]
    if not here or not strange:
        return None
    old, new = rng.choice(here), rng.choice(strange)
    place = rng.choice([m.start() for m in re.finditer(rf"\b{old}\b", pair.summary)])
    text = pair.summary[:place] + new + pair.summary[place + len(old) :]
    return text, place, place + len(new)


def plant_number(
    pair: Pair, pool: Sequence[str], rng: random.Random
) -> tuple[str, int, int] | None:
    """A number of the summary becomes one that the source does not spell."""
    here = list(NUMBER.finditer(pair.summary))
    strange = [n for n in pool if n not in pair.source]
    if not here or not strange:
        return None
    old, new = rng.choice(here), rng.choice(strange)
    text = pair.summary[: old.start()] + new + pair.summary[old.end() :]
    return text, old.start(), old.start() + len(new)


def plant_sentence(
    pair: Pair, pool: Sequence[str], rng: random.Random
) -> tuple[str, int, int] | None:
    """A sentence of the summary becomes one of another summary."""
    here = list(SENTENCE.finditer(pair.summary))
    strange = [s for s in pool if s not in pair.summary]
    if not here or not strange:
        return None
    old, new = rng.choice(here), rng.choice(strange)
    text = pair.summary[: old.start()] + new + pair.summary[old.end() :]
    return text, old.start(), old.start() + len(new)


def _names(pair: Pair) -> list[str]:
    """Words of both texts with a capital inside a sentence of the source, or before a colon."""
    said = set(NAME.findall(pair.source)) | set(re.findall(r"(?m)^([A-Z][a-z]+):", pair.source))
    said -= set(OTHERS.split())
    return sorted(n for n in said if re.search(rf"\b{n}\b", pair.summary))


def _pool(pairs: Sequence[Pair], of: Callable[[Pair], list[str]]) -> list[str]:
    return sorted({item for pair in pairs for item in of(pair)})


def _line(name: str, hits: int, n: int) -> None:
    if not n:
        print(f"  {name:34} none to try")
        return
    share = wilson(name, hits, n)
    print(f"  {name:34} {share.value:6.1%} [{share.ci_low:.1%}, {share.ci_high:.1%}] n={n}")


if __name__ == "__main__":
    main()
