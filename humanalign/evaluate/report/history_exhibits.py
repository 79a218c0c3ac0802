"""Evaluations of one folder over time: a row each, and never two that measure unlike things."""

from __future__ import annotations

from collections.abc import Sequence

from humanalign.evaluate.report.card_charts import edges_of, strip, strip_axis
from humanalign.evaluate.report.card_exhibits import Exhibit, Line, mark
from humanalign.evaluate.report.measures import Measure, measures
from humanalign.evaluate.report.results import within
from humanalign.evaluate.report.stages import StageRun
from humanalign.evaluate.report.versus import spread


def history(runs: Sequence[StageRun]) -> tuple[Exhibit, ...]:
    """For each set of comparable evaluations with two or more in it: the main measure over time.

    Comparable: the same prompts, sampling and scorers, by the hash that the evaluation wrote.
    """
    alike: dict[str, list[StageRun]] = {}
    for run in runs:
        id = within(run.summary, "comparable").get("id")
        if run.stage == "evaluate" and run.finished and id:
            alike.setdefault(str(id), []).append(run)
    return tuple(_trend(each) for each in alike.values() if len(each) > 1 and _main(each[0]))


def _main(run: StageRun) -> Measure | None:
    return next(iter(measures(run.summary)), None)


def _trend(runs: Sequence[StageRun]) -> Exhibit:
    ordered = sorted(runs, key=lambda run: str(run.record.get("finished")))
    found = [(run, told) for run in ordered if (told := _main(run))]
    edges = edges_of([mark(told.after) for _, told in found])
    lines = tuple(
        Line(
            f"{run.name}, {str(run.record.get('finished') or '')[:10]}",
            (spread(told.after),),
            strip([mark(told.after)], edges, line=None),
        )
        for run, told in found
    )
    return Exhibit(
        f"{found[0][1].name} over time",
        "Evaluations of the same prompts with the same sampling and scorers, the oldest first.",
        ("After",),
        lines,
        "",
        strip_axis(edges),
    )
