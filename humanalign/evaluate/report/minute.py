"""The first minute of the report: what changed, what did not, what rang, how far to trust it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humanalign.evaluate.report.chapters import Chapter
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.curves import LEVELS, Alert
from humanalign.evaluate.report.honesty_exhibits import measured
from humanalign.evaluate.report.measures import Measure, headline, measure, measures, named
from humanalign.evaluate.report.results import is_number, rows_of, whole, with_interval, within
from humanalign.evaluate.report.stages import StageRun
from humanalign.evaluate.report.told import went_back
from humanalign.evaluate.report.versus import picture

MOST_TILES = 5


@dataclass(frozen=True)
class Minute:
    """The top of the page. `tiles`: (name, value, what it says); `doubts`: what got worse or was
    not shown; `trust`: (whom, how far); `alerts`: one sentence for each kind that rang."""

    title: str
    standfirst: str
    picture: Markup | None
    pictured: Measure | None
    tiles: tuple[tuple[str, str, str], ...]
    worse: tuple[Measure, ...]
    unclear: tuple[Measure, ...]
    margins: tuple[str, ...]
    compared: int
    alerts: tuple[tuple[str, str], ...]
    trust: tuple[tuple[str, str], ...]


def minute(chapters: Sequence[Chapter], name: str) -> Minute:
    """The first minute of these chapters; `name` heads a page that measures nothing."""
    found = _compared(chapters)
    main = found[0] if found else None
    return Minute(
        title=headline(main) if main else _title(chapters, name),
        standfirst=f"{_standfirst(main)}{_but(main, found)}" if main else "",
        picture=picture(main) if main else None,
        pictured=main,
        tiles=tuple(_tiles(chapters, found))[:MOST_TILES],
        worse=tuple(each for each in found if each.finding == "worse"),
        unclear=tuple(
            each
            for each in found
            if each.finding == "no difference shown" and each.better != "neither"
        ),
        margins=_margins(chapters),
        compared=len(found),
        alerts=_alerts(chapters),
        trust=tuple(_trust(chapters, main)),
    )


def _last(chapters: Sequence[Chapter], stage: str) -> StageRun | None:
    return next((told.run for told in reversed(chapters) if told.run.stage == stage), None)


def _compared(chapters: Sequence[Chapter]) -> list[Measure]:
    """Every overall measure that was compared: the evaluation's, honesty's, the red team's."""
    run, attacked = _last(chapters, "evaluate"), _last(chapters, "redteam")
    found = [*measures(run.summary), *measured(run.summary)] if run else []
    if attacked:
        read = (
            ("success", "attack_success", "Attack success"),
            ("over_refusal", "over_refusal", "Harmless requests refused"),
            ("degenerate", "degenerate", "Answers to attacks that are no answers"),
        )
        told = [measure(key, attacked.summary.get(at), name) for key, at, name in read]
        found += [each for each in told if each]
    return [each for each in found if each.before]


def _standfirst(main: Measure) -> str:
    count = number(main.after.get("n"))
    on = f"on {count} prompts that both models answered."
    if main.reduction and main.key == "toxicity" and main.finding != "no difference shown":
        told = main.reduction
        word = "reduction" if told["value"] > 0 else "increase"
        ends = sorted(abs(100 * told[end]) for end in ("ci_low", "ci_high"))
        return (
            f"A relative {word} of {abs(100 * told['value']):.0f}\u00a0% "
            f"(95\u00a0% interval {ends[0]:.0f} to {ends[1]:.0f}\u00a0%) {on}"
        )
    change = with_interval(main.difference) if main.difference else "unknown size"
    return f"A change of {change} {on}"


def _but(main: Measure, found: Sequence[Measure]) -> str:
    """What got worse beside the main measure, in the same breath as its success."""
    worse = [each for each in found if each.finding == "worse" and each is not main]
    if not worse:
        return ""
    named = ", ".join(each.name for each in worse[:3])
    more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
    return f" But {len(worse)} of {len(found)} measures got worse: {named}{more}."


def _margins(chapters: Sequence[Chapter]) -> tuple[str, ...]:
    """The names of what is not shown to be as good as before, by margins stated beforehand."""
    run = _last(chapters, "evaluate")
    rows = rows_of(run.summary.get("non_inferiority")) if run else ()
    return tuple(named(str(row.get("metric"))) for row in rows if row.get("shown") is False)


def _title(chapters: Sequence[Chapter], name: str) -> str:
    """What a page without an evaluation is headed by: a reward's accuracy, else the run's name."""
    said = [told.card.headline for told in chapters if told.card and told.card.headline]
    return said[-1] if said else f"Report of {name}"


def _tiles(chapters: Sequence[Chapter], found: Sequence[Measure]) -> list[tuple[str, str, str]]:
    """The main measure, quality, what got worse, the distance; then whatever has room."""
    first = [each for each in found[1:] if each.key in TOLD_FIRST]
    first.sort(key=lambda each: (each.key != "rougeL", each.finding != "worse"))
    rows = [_tile(each) for each in [*found[:1], *first]]
    run = _last(chapters, "evaluate")
    kl = within(run.summary, "kl", "mean") if run else {}
    if whole(kl):
        said = f"nats an answer from the model before; {_spread(kl)}"
        rows.insert(3, ("Distance moved (KL)", number(kl["value"]), said))
    for told in chapters:
        accuracy = told.run.summary.get("accuracy")
        if told.run.stage == "reward" and whole(accuracy):
            of = "texts given the label of most votes"
            of = of if "auroc" in told.run.summary else "pairs in the labelers' order"
            said = f"of held-out {of}; {_spread(accuracy)}"
            rows.append(("Reward model accuracy", f"{100 * accuracy['value']:.0f}\u00a0%", said))
    return rows


def _tile(told: Measure) -> tuple[str, str, str]:
    before = number(told.before["value"]) if told.before else "–"
    change = f"; change {with_interval(told.difference)}" if told.difference else ""
    return told.name, f"{before} → {number(told.after['value'])}", f"{told.finding}{change}"


TOLD_FIRST = ("toxicity", "rougeL", "mc1", "supported", "overall", "success")


def _spread(result: Mapping) -> str:
    low, high = number(result.get("ci_low")), number(result.get("ci_high"))
    return f"95\u00a0% interval {low} to {high}, n\u00a0{number(result.get('n'))}"


def _alerts(chapters: Sequence[Chapter]) -> tuple[tuple[str, str], ...]:
    """(level, sentence) of the first alert of each rule in each run, the gravest first.

    It says how often the rule rang, and in which run where more than one was trained.
    """
    alerts = [(told.run.name, alert) for told in chapters for alert in told.alerts]
    several = len({told.run.name for told in chapters if told.run.stage == "align"}) > 1
    # Their sentences hold numbers, so that no two are alike: the rule tells their kind.
    kinds = [(run, alert.rule or alert.sentence) for run, alert in alerts]
    counts = Counter(kinds)
    first: dict[tuple[str, str], Alert] = {}
    for kind, (_, alert) in zip(kinds, alerts, strict=True):
        first.setdefault(kind, alert)
    ordered = sorted(first.items(), key=lambda item: LEVELS.index(item[1].level))
    return tuple(
        (
            alert.level,
            f"{alert.sentence} ({_when(alert, counts[kind], kind[0] if several else '')})",
        )
        for kind, alert in ordered
    )


def _when(alert: Alert, count: int, run: str) -> str:
    where = f"{run}, " if run else ""
    often = f", {count} times in all" if count > 1 else ""
    return f"{where}step {number(alert.step)}{often}"


def _trust(chapters: Sequence[Chapter], main: Measure | None) -> list[tuple[str, str]]:
    rows = []
    for told in chapters:
        if told.card and told.card.verdict:
            count = len(told.card.warnings)
            more = f" {count} warning{'s' if count > 1 else ''} in its chapter." if count else ""
            rows.append(("The reward", told.card.verdict[0] + more))
        if told.labelers:
            rows.append(("The labelers", _labelers(told.labelers)))
        if told.run.stage == "align" and told.facts and went_back(told.run.summary):
            rows.append((f"The weights of {told.run.name}", _kept(told.run.summary)))
    run = _last(chapters, "evaluate")
    smallest = within(run.summary, "power", "smallest").get(main.key) if run and main else None
    if run and main and is_number(smallest):
        prompts = number(within(run.summary, "power").get("prompts"))
        rows.append(
            (
                "The number of prompts",
                f"With {prompts} prompts a true difference of {number(smallest)} in "
                f"{main.name.lower()} is found four times in five; a smaller one may go unseen.",
            )
        )
    return rows


def _kept(summary: Mapping) -> str:
    step, last = number(summary["kept_step"]), number(summary["steps"])
    which = "the model before" if summary["kept_step"] == 0 else f"those of step {step}"
    return f"Training went on to step {last}; the weights that were kept are {which}."


def _labelers(rows: Sequence[Mapping]) -> str:
    flagged = [str(row["id"]) for row in rows if row["flagged"]]
    if not flagged:
        return f"All {len(rows)} agree with the others as far as the pool does."
    named = ", ".join(flagged[:4]) + (" and others" if len(flagged) > 4 else "")
    few = "is" if len(flagged) == 1 else "are"
    return f"{len(rows) - len(flagged)} of {len(rows)} are reliable; {named} {few} weighed down."
