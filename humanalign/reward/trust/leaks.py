"""Has the reward seen the test? Prompts and answers that stand in both parts, or nearly so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from humanalign.reward.trust.scored import untied
from humanalign.reward.trust.shingles import near_pairs
from humanalign.types import PreferencePair

Pairs = Sequence[PreferencePair]
NOT_WORDS = re.compile(r"[\W_]+")
# Stock phrases ("I don't know.") come from every model and give nothing away.
FEWEST_WORDS = 6
EXAMPLES, SHOWN = 5, 80


def leaks(train: Pairs, test: Pairs) -> dict:
    """The card's part on leaks, all counted on the held-out side.

    `same_prompts` and `same_answers` are in both parts but for case, spaces and punctuation
    (answers of 6 words or more); `near_prompts` share 4 in 5 of their word triples with one of
    the training prompts; `contradictions` are training pairs that are judged both ways, which no
    reward can learn.
    """
    seen, asked = _forms(p.prompt for p in train), _forms(p.prompt for p in test)
    same = [form for form in asked if form in seen]
    rest = [form for form in asked if form not in seen]
    known = list(seen)
    near = [(rest[i], known[j]) for i, j in near_pairs(rest, known)]
    said = _forms(text for p in train for text in (p.chosen, p.rejected))
    answers = _forms(text for p in test for text in (p.chosen, p.rejected))
    twice = [form for form in answers if form in said and form.count(" ") + 1 >= FEWEST_WORDS]
    examples = [f"prompt in both parts: {_cut(asked[form])}" for form in same]
    examples += [f"nearly the same: {_cut(asked[a])} / {_cut(seen[b])}" for a, b in near]
    examples += [f"answer in both parts: {_cut(answers[form])}" for form in twice]
    return {
        "same_prompts": len(same),
        "near_prompts": len({a for a, _ in near}),
        "same_answers": len(twice),
        "contradictions": contradictions(train),
        "examples": examples[:EXAMPLES],
    }


def contradictions(pairs: Pairs) -> int:
    """How many times two answers to a prompt are ordered both ways, ties not counted."""
    kept = untied(pairs)
    said = {(p.criterion, p.prompt, p.chosen, p.rejected) for p in kept}
    return sum((c, prompt, b, a) in said for c, prompt, a, b in said) // 2


def plain(text: str) -> str:
    """`text` in lower case, its words one space apart, nothing else."""
    return NOT_WORDS.sub(" ", text.lower()).strip()


def _forms(texts: Iterable[str]) -> dict[str, str]:
    """The plain form of each text -> the first text of that form; empty forms are left out."""
    found: dict[str, str] = {}
    for text in texts:
        form = plain(text)
        if form:
            found.setdefault(form, text)
    return found


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else line[: SHOWN - 1] + "…")
