"""The trend over finished evaluations: like beside like, and a refusal where nothing is alike.

A measure of two runs is compared only where both were made on the same terms (`comparable`): the
version, the prompts and the sampling, and for a scorer's measures the scorer itself; a suite's
measures ask for the same file only. Reads run.json alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from humanalign.errors import DataError
from humanalign.evaluate.report.results import whole, within

PLAIN = ("length", "distinct1", "distinct2", "distinct3")
# Where the measures of a suite stand in a summary, by the suite's name.
SUITES = {
    "truthfulqa": {
        "TruthfulQA MC1": ("honesty", "truthfulqa", "mc1"),
        "TruthfulQA MC2": ("honesty", "truthfulqa", "mc2"),
    },
    "hhh": {"helpful, honest, harmless": ("hhh", "overall")},
}
# What a red team tells; its own terms say what counts as success.
ATTACKS = {"attack success": "attack_success", "over-refusal": "over_refusal"}
STAGES = ("evaluate", "redteam")
Terms = tuple[str, ...]


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation: its folder, who was measured, when it ended (UTC), its summary."""

    path: Path
    model: str
    when: str
    summary: Mapping

    @property
    def terms(self) -> Mapping:
        """What its numbers depend on."""
        return within(self.summary, "comparable")


@dataclass(frozen=True)
class Trend:
    """One measure over the runs that are alike: [(number of the run, {value, ci_low, ...})]."""

    metric: str
    better: str
    points: tuple[tuple[int, Mapping], ...]


@dataclass(frozen=True)
class History:
    """`runs`, oldest first; `trends` name them by their place, from 0; `alone` are in none.

    `damaged` are the folders whose run.json is not that of a run.
    """

    folder: Path
    runs: tuple[Evaluated, ...]
    trends: tuple[Trend, ...]
    damaged: tuple[Path, ...] = ()

    @property
    def alone(self) -> list[Evaluated]:
        """The runs that are comparable with no other."""
        met = {at for trend in self.trends for at, _ in trend.points}
        return [run for at, run in enumerate(self.runs) if at not in met]

    def summary(self) -> dict:
        """The whole as JSON."""
        return {
            "history": str(self.folder),
            "evaluations": [
                {"run": str(run.path), "model": run.model, "when": run.when} for run in self.runs
            ],
            "trends": [
                {
                    "metric": trend.metric,
                    "better": trend.better,
                    "points": [{"evaluation": at, **point} for at, point in trend.points],
                }
                for trend in self.trends
            ],
            "alone": [str(run.path) for run in self.alone],
            "damaged": [str(path) for path in self.damaged],
        }


def trends(folder: Path) -> History:
    """The trends over the finished evaluations below `folder`.

    DataError: no folder, fewer than two evaluations that say what they were made of, or no two
    that are alike in any measure; the sentence names what differs.
    """
    if not folder.is_dir():
        raise DataError(f"history: there is no folder {folder}; name one that holds runs")
    runs, damaged = _evaluations(folder)
    if len(runs) < 2:
        also = f" ({', '.join(map(str, damaged))}: no run.json of a run)" if damaged else ""
        raise DataError(
            f"history: {folder} holds {len(runs)} finished evaluations that say what they were "
            f"made of{also}, and a trend needs 2; run `humanalign evaluate` first"
        )
    points: dict[tuple[str, Terms], list[tuple[int, Mapping]]] = {}
    good: dict[tuple[str, Terms], str] = {}
    for at, run in enumerate(runs):
        for metric, terms, told in _measures(run):
            points.setdefault((metric, terms), []).append((at, told["after"]))
            good[metric, terms] = str(told.get("better", ""))
    found = [
        Trend(key[0], good[key], tuple(series)) for key, series in points.items() if len(series) > 1
    ]
    if not found:
        raise DataError(f"history: {unlike(runs)}")
    return History(folder, tuple(runs), tuple(found), tuple(damaged))


def unlike(runs: Sequence[Evaluated]) -> str:
    """One sentence: no two runs are alike, and what differs between the last two."""
    first, second = runs[-2:]
    a, b = first.terms, second.terms
    differ = [key for key in ("version", "prompts", "sampling") if a.get(key) != b.get(key)]
    ours, theirs = within(a, "scorers"), within(b, "scorers")
    differ += [
        f"scorer {name}" for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)
    ]
    return (
        f"no two of the {len(runs)} evaluations are alike: {first.path} and {second.path} differ "
        f"in {', '.join(differ) or 'what they measured'}; evaluate on the same terms to compare"
    )


def _evaluations(folder: Path) -> tuple[list[Evaluated], list[Path]]:
    """Oldest first, and what was passed over; of a run that was copied, the copies are left out."""
    found: dict[tuple[str, str], Evaluated] = {}
    damaged: list[Path] = []
    for file in sorted(folder.rglob("run.json")):
        record = _record(file)
        if record is None:
            damaged.append(file.parent)
        elif record["stage"] in STAGES and record["status"] == "finished":
            summary, when = record["summary"], str(record.get("finished", record["started"]))
            model = str(summary.get("model") or summary.get("policy"))
            run = Evaluated(file.parent, model, when, summary)
            found.setdefault((str(record["id"]), when), run)
    runs = [run for run in found.values() if run.terms]
    return sorted(runs, key=lambda run: (run.when, str(run.path))), damaged


def _record(file: Path) -> Mapping | None:
    """A run.json with all that is read of it, None for anything else."""
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    if not (isinstance(record, Mapping) and isinstance(record.get("summary"), Mapping)):
        return None
    return record if {"stage", "status", "id", "started"} <= record.keys() else None


def _measures(run: Evaluated) -> Iterator[tuple[str, Terms, Mapping]]:
    """Every measure of a run with what it depends on: (name, terms, what is told)."""
    summary, terms = run.summary, run.terms
    base = tuple(str(terms.get(key)) for key in ("version", "prompts", "sampling"))
    scorers = within(terms, "scorers")
    found: list[tuple[str, Terms | None, Mapping]] = [
        (name, ("redteam", str(terms.get("id"))), within(summary, key))
        for name, key in ATTACKS.items()
    ]
    for name, told in {
        "toxicity": within(summary, "toxicity"),
        **within(summary, "scorers"),
    }.items():
        known = scorers.get(name)
        found.append((str(name), (*base, str(known)) if known else None, within(told)))
    found += [(str(name), base, within(told)) for name, told in within(summary, "quality").items()]
    supported = within(summary, "honesty", "support", "supported")
    found += [("supported", base, supported)]
    found += [(name, base, within(summary, name)) for name in PLAIN]
    for suite, places in SUITES.items():
        known = scorers.get(suite)
        asked = (base[0], suite, str(known)) if known else None
        found += [(name, asked, within(summary, *place)) for name, place in places.items()]
    for metric, asked, told in found:
        if asked is not None and whole(told.get("after")):
            yield metric, asked, told
