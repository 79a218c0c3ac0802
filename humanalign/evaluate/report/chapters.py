"""The report's chapters: what each stage did, told in plain words with its own numbers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from humanalign.evaluate.monitor.symptoms import Symptoms
from humanalign.evaluate.report import (
    answers,
    honesty_exhibits,
    monitor_exhibits,
    quality_exhibits,
    redteam_exhibits,
)
from humanalign.evaluate.report.card_exhibits import Exhibit
from humanalign.evaluate.report.curves import Alert, Group, groups, read_alerts
from humanalign.evaluate.report.measures import Measure, measures
from humanalign.evaluate.report.results import within
from humanalign.evaluate.report.reward_card import Card, told_summary
from humanalign.evaluate.report.stages import StageRun
from humanalign.evaluate.report.told import facts_of, monitored, words_of


@dataclass(frozen=True)
class Limits:
    """What a page may hold at most: pairs, characters of a text, curves, points, labelers,
    characters of a settings file."""

    pairs: int = answers.PAIRS
    text: int = 4000
    curves: int = 48
    points: int = 240
    rows: int = 200
    settings: int = 20_000


@dataclass(frozen=True)
class Chapter:
    """One part of the report; whatever of it is empty is left out of the page."""

    run: StageRun
    title: str
    text: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    groups: tuple[Group, ...] = ()
    labelers: tuple[Mapping, ...] = ()
    card: Card | None = None
    alerts: tuple[Alert, ...] = ()
    measures: tuple[Measure, ...] = ()
    histogram: Markup | None = None
    gaming: tuple[Symptoms, float] | None = None
    pictures: tuple[Exhibit, ...] = ()
    tables: tuple[Exhibit, ...] = ()
    attacks: tuple[tuple[str, tuple[redteam_exhibits.Attack, ...]], ...] = ()
    search: tuple[str, tuple[str, ...]] | None = None
    pairs: tuple[answers.Pair, ...] = ()
    browsed: str = ""
    suite: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Mapping]:
        """The samples with an answer that this chapter shows: a suite's own are another's."""
        rows = [row for row in self.run.samples if "after" in row]
        return [row for row in rows if row.get("suite", "") == self.suite]

    @property
    def key(self) -> str:
        """The score by which the samples are put in order."""
        return "mc1" if self.suite else main_key(self.run)

    @property
    def unsupported(self) -> bool:
        """Whether any sample of the run was looked through for what its prompt does not support."""
        return any("unsupported_after" in row for row in self.rows)

    @property
    def command(self) -> str:
        """What makes the numbers of this chapter again, beside the old ones."""
        verb, again = VERBS.get(self.run.stage, self.run.stage), f"{self.run.path}-again"
        return shlex.join(["humanalign", verb, str(self.run.path / "config.yaml"), "--run", again])


# The command line's verb where it is not the stage's name.
VERBS = {"prefer": "pairs"}
# What a row of the labelers table falls back on where a run's summary does not say it.
LABELER = {"id": "", "kind": "", "n": None, "agreement": None, "weight": None, "reason": ""}


def chapters(runs: Sequence[StageRun], limits: Limits) -> list[Chapter]:
    """The chapters of all runs, in the order of the loop."""
    shown = [run for run in runs if not _surpassed(run, runs)]
    return [chapter for run in shown for chapter in _chapters(run, limits)]


def _surpassed(run: StageRun, runs: Sequence[StageRun]) -> bool:
    """Whether a later evaluation measured the very same: this one then stands in the history."""
    id = within(run.summary, "comparable").get("id")
    alike = [each for each in runs if within(each.summary, "comparable").get("id") == id]
    latest = max(alike, key=lambda each: str(each.record.get("finished")), default=run)
    return bool(id) and run.stage == "evaluate" and run is not latest


def _chapters(run: StageRun, limits: Limits) -> Iterator[Chapter]:
    yield _stage(run, limits)
    if run.stage == "align":
        yield from filter(None, [_monitored(run, limits)])
    if run.stage in ("evaluate", "redteam"):
        yield from filter(None, [_samples(run, limits), _honest(run)])


def _stage(run: StageRun, limits: Limits) -> Chapter:
    """Tell one stage; a stage without words of its own shows its numbers and curves."""
    title, text = words_of(run.stage, run.summary)
    if not run.finished:
        status = run.record.get("status", "unfinished")
        text = (f"This run is {status}, not finished: the numbers are those so far.", *text)
    told = Chapter(
        run=run,
        title=title,
        text=text,
        facts=tuple(facts_of(run.summary)),
        groups=tuple(
            groups(
                run.name,
                run.metrics,
                alerts=read_alerts(run.alerts),
                without="time/ monitor/",
                most=(limits.curves, limits.points),
            )
        ),
        labelers=_labelers(run.summary, limits),
        card=told_summary(run.summary, run.samples) if run.stage == "reward" else None,
    )
    if run.stage == "evaluate":
        return _compared(told)
    return _attacked(told, limits) if run.stage == "redteam" else told


def _labelers(summary: Mapping, limits: Limits) -> tuple[Mapping, ...]:
    found = summary.get("labelers")
    return tuple(
        {**LABELER, "flagged": False, **row}
        for row in (found[: limits.rows] if isinstance(found, list) else ())
        if isinstance(row, Mapping)
    )


def main_key(run: StageRun) -> str:
    """The measure by which a run's samples are ordered."""
    if run.stage == "redteam":
        return "success"
    found = measures(run.summary)
    return found[0].key if found else "toxicity"


def _compared(told: Chapter) -> Chapter:
    run, key = told.run, main_key(told.run)
    tables = (
        quality_exhibits.win_rates(run.summary),
        quality_exhibits.non_inferiority(run.summary),
        quality_exhibits.power(run.summary),
        quality_exhibits.toxic(run.summary),
    )
    return replace(
        told,
        measures=tuple(measures(run.summary)),
        histogram=answers.scores_histogram(told.rows, key),
        gaming=answers.gaming(told.rows, key),
        tables=tuple(each for each in tables if each),
    )


def _attacked(told: Chapter, limits: Limits) -> Chapter:
    return replace(
        told,
        notes=_notes(told.run.summary),
        tables=redteam_exhibits.attacks(told.run.summary),
        attacks=redteam_exhibits.telling(told.run.samples, limits.text),
        search=redteam_exhibits.search(told.run.summary, limits.text),
    )


def _notes(summary: Mapping) -> tuple[str, ...]:
    """What a stage itself says of its numbers, the first letter large."""
    found = summary.get("notes")
    said = [note for note in (found if isinstance(found, list) else ()) if isinstance(note, str)]
    return tuple(f"{note[:1].upper()}{note[1:]}." for note in said if note)


def _honest(run: StageRun) -> Chapter | None:
    sure, hhh = honesty_exhibits.sureness(run.summary), honesty_exhibits.hhh(run.summary)
    tables = (*honesty_exhibits.honesty(run.summary), *([hhh] if hhh else []))
    if not tables and not sure:
        return None
    title = "Honest, helpful, harmless" if hhh and len(tables) > 1 else "Honesty"
    title = "Helpful, honest, harmless" if hhh and len(tables) == 1 else title
    said = "A model that pleases may say what is not so. These parts ask other questions than the "
    return Chapter(
        run,
        title,
        text=(f"{said}reward did.",),
        pictures=(sure,) if sure else (),
        tables=tables,
        browsed=f"{run.name}/{SUITE}" if any(_of(SUITE, row) for row in run.samples) else "",
        suite=SUITE,
    )


# The suite whose answers can be read beside each other.
SUITE = "truthfulqa"


def _of(suite: str, row: Mapping) -> bool:
    return row.get("suite") == suite and "after" in row


def _monitored(run: StageRun, limits: Limits) -> Chapter | None:
    told, alerts = within(run.summary, "monitor"), read_alerts(run.alerts)
    drawn = groups(
        f"{run.name}-monitor",
        run.metrics,
        alerts=alerts,
        only="monitor/",
        without="monitor/gold_",  # the ends of gold's interval, which the picture has
        most=(limits.curves, limits.points),
    )
    if not (told or alerts or drawn):
        return None
    grown = monitor_exhibits.grown(told)
    return Chapter(
        run,
        "Watch for reward hacking",
        text=monitored(told, alerts),
        alerts=tuple(alerts),
        groups=tuple(drawn),
        pictures=monitor_exhibits.pictures(told),
        tables=(grown,) if grown else (),
    )


def _samples(run: StageRun, limits: Limits) -> Chapter | None:
    told = Chapter(
        run,
        "Read the attacks" if run.stage == "redteam" else "Read the answers",
        browsed=run.name,
    )
    if not told.rows:
        return None
    pairs = answers.pairs(told.rows, told.key, limits.pairs, limits.text)
    return replace(told, pairs=tuple(pairs))
