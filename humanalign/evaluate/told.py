"""An evaluation's summary, or a history, as lines that a person reads in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import is_number, known, rows_of, whole, within

ARROW = {"lower": "less is better", "higher": "more is better"}
NAMES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "length": "length, words"}
NAMES |= {"distinct1": "distinct words", "distinct2": "distinct pairs"}
NAMES |= {"distinct3": "distinct triples", "kl": "KL, nats an answer"}
PLAIN = ("length", "distinct1", "distinct2", "distinct3", "perplexity")
# Many rows that the page shows and a terminal need not.
NOT_HERE = ("by", "by_category", "by_mutation", "bins")
# Of fewer prompts the intervals are said to be rough; and the longest name in a table.
ROUGH, LONGEST = 100, 40
# Runs side by side in a terminal; the page has all of them.
RUNS = 4
Cells = Sequence[str]


def lines(summary: Mapping) -> Iterator[str]:
    """What `humanalign evaluate` prints."""
    if "history" in summary:
        yield from _history(summary)
        return
    yield from _head(summary)
    told, power = list(headlines(summary)), within(summary, "power")
    compared = any(whole(each.get("difference")) for _, each in told)
    yield from _compared(told, power) if compared else _alone(told)
    yield from _adjusted(power)
    if 1 < summary.get("prompts", 0) < ROUGH:
        yield f"Under {ROUGH} prompts the intervals are rough."
    by = list(_inside(within(summary, "hhh", "by"), "hhh"))
    if by:
        yield "\nExploratory: categories, their p adjusted among themselves only"
        yield from _compared(by, {}) if compared else _alone(by)
    yield from _details(told)
    yield from _win_rates(within(summary, "win_rate"))
    yield from _margins(list(rows_of(summary.get("non_inferiority"))))
    yield from _distance(within(summary, "kl"))
    if summary.get("run"):
        yield f"\nSamples and numbers: {summary['run']}    Page: humanalign report {summary['run']}"


def _head(summary: Mapping) -> Iterator[str]:
    after = summary.get("model") or summary.get("policy")
    before = summary.get("model_before") or summary.get("against")
    yield f"{after} (after) against {before} (before)" if before else str(after)
    if not summary.get("prompts"):
        return
    several = summary.get("samples", 1)
    answers = f"{several} answers to each" if several > 1 else "one answer to each"
    found = f"{number(summary['prompts'])} prompts, {answers}"
    left_out = summary.get("repeated_prompts_left_out")
    yield found + (f"; {left_out} repeated prompts left out" if left_out else "")


def headlines(summary: Mapping) -> Iterator[tuple[str, Mapping]]:
    """(name, what is told) of every measure, in the order of importance; no suite's categories."""
    yield "toxicity", within(summary, "toxicity")
    yield from ((str(name), told) for name, told in within(summary, "scorers").items())
    honesty = within(summary, "honesty")
    for kind, told in within(honesty, "support").items():
        yield (kind if kind == "supported" else f"supported {kind}"), within(told)
    yield from _inside({name: honesty[name] for name in honesty if name != "support"}, "")
    yield from _inside(within(summary, "hhh"), "hhh")
    yield from ((str(name), told) for name, told in within(summary, "quality").items())
    yield from ((name, within(summary, name)) for name in PLAIN)


def _inside(tree: Mapping, path: str) -> Iterator[tuple[str, Mapping]]:
    """The measures of a suite at any depth, named by their path."""
    for name, told in tree.items():
        if name not in NOT_HERE and isinstance(told, Mapping):
            here = f"{path} {name}".strip() if name != "overall" else path
            if "after" in told:
                yield here, told
            else:
                yield from _inside(told, here)


def _compared(told: Sequence[tuple[str, Mapping]], power: Mapping) -> Iterator[str]:
    head = ("", "before", "after", "difference, 95 % interval", "p", "", "can show" * bool(power))
    smallest = within(power, "smallest")
    rows: list[Cells] = [head]
    for name, each in told:
        if not (whole(each.get("before")) and whole(each.get("after"))):
            if each.get("reason"):
                rows.append((called(name), "", "", f"undefined: {each['reason']}", "", "", ""))
            continue
        shown = smallest.get(name)
        rows.append(
            (
                called(name),
                number(each["before"]["value"]),
                number(each["after"]["value"]),
                _change(each) + _n(each, power),
                _p(each.get("p_holm")),
                str(each.get("verdict", "")),
                number(shown) if is_number(shown) else "",
            )
        )
    yield ""
    yield from _columns(rows, right=(1, 2, 6))


def _adjusted(power: Mapping) -> Iterator[str]:
    """What p in the table above is adjusted for."""
    if power.get("looks"):
        yield f"p is adjusted for all {power['looks']} measures of this table (Holm)."
    if within(power, "smallest"):
        yield (
            "can show: the smallest true difference that "
            f"{number(power.get('prompts'))} prompts find 4 times in 5."
        )


def _change(told: Mapping) -> str:
    return _interval(told["difference"], signed=True) if "difference" in told else "not compared"


def _n(told: Mapping, power: Mapping) -> str:
    """The number of prompts, where it is not that of the others."""
    n = told["after"].get("n")
    return "" if n == power.get("prompts") else f", n {number(n)}"


def _alone(told: Sequence[tuple[str, Mapping]]) -> Iterator[str]:
    rows = [
        (called(name), _interval(each["after"]), f"n {number(each['after']['n'])}")
        for name, each in told
        if whole(each.get("after"))
    ]
    if rows:
        yield ""
        yield from _columns([("", "value, 95 % interval", ""), *rows])


def _details(told: Sequence[tuple[str, Mapping]]) -> Iterator[str]:
    """What else is told of scores that are probabilities of something bad."""
    for name, each in told:
        reduction, half = each.get("relative_reduction"), within(each, "over_half")
        said = []
        if whole(reduction) and "over_half" in each:
            said.append(f"reduced by {_percent(reduction)}")
        if known(half.get("before")) and known(half.get("after")):
            before, after = (_percent(half[side]) for side in ("before", "after"))
            said.append(f"over one half in {before} of answers before, {after} after")
        elif whole(half):
            said.append(f"over one half in {_percent(half)} of answers")
        if said:
            yield f"\n{called(name)}: {'; '.join(said)}"


def _win_rates(found: Mapping) -> Iterator[str]:
    rows = []
    for name, each in found.items():
        if not whole(each.get("win_rate")):
            continue
        who = f"by {name}" if each.get("by") == "scorer" else f"by {each.get('by')}"
        met = f"{each['wins']} won, {each['ties']} tied, {each['losses']} lost"
        test = f"p {_p(each.get('p_holm', each.get('p')))} ({each.get('test')})"
        flips, asked = each.get("flips"), each.get("asked")
        more = [f"{asked} pairs asked, equal answers are not"] if asked is not None else []
        if whole(flips):
            more.append(f"order decided {_percent(flips)} of them, n {number(flips.get('n'))}")
        if is_number(each.get("p")) and each["p"] >= 0.05 and each.get("needed"):
            more.append(f"a share like this takes {number(each['needed'])} untied comparisons")
        rate = f"{_percent(each['win_rate'])}, n {number(each['win_rate'].get('n'))}"
        rows.append((f"  {who}", rate, met, test, "; ".join(more)))
    if rows:
        together = f"; p adjusted for these {len(rows)} (Holm)" if len(rows) > 1 else ""
        yield f"\nWin rate of the model after, a tie counting half{together}"
        yield from _columns(rows)


def _margins(found: Sequence[Mapping]) -> Iterator[str]:
    rows = []
    for each in found:
        unit = 100 if each.get("relative") else 1
        sign = " %" if each.get("relative") else ""
        way = {"fall": "may fall by", "rise": "may rise by"}.get(str(each.get("loss")), "may move")
        change = {key: unit * each["difference"][key] for key in ("value", "ci_low", "ci_high")}
        seen = _interval(change, signed=True, unit=sign)
        verdict = "not worse: shown" if each.get("shown") else "not worse: NOT shown"
        verdict += f", {each['obstacle']}" if each.get("obstacle") else ""
        rows.append(
            (
                f"  {called(str(each.get('metric')))}",
                f"{way} {unit * each['margin']:g}{sign}",
                seen,
                verdict,
            )
        )
    if rows:
        yield "\nQuality, by margins stated beforehand"
        yield from _columns(rows)


def _distance(kl: Mapping) -> Iterator[str]:
    if whole(kl.get("mean")):
        token = f", {_interval(kl['per_token'])} a token" if whole(kl.get("per_token")) else ""
        yield f"\nDistance from the model before: KL {_interval(kl['mean'])} nats an answer{token}"


def _history(summary: Mapping) -> Iterator[str]:
    runs = list(rows_of(summary.get("evaluations")))
    shown = list(range(len(runs)))[-RUNS:]
    yield f"{len(runs)} evaluations in {summary['history']}, oldest first\n"
    when = [str(run["when"])[:16].replace("T", " ") for run in runs]
    yield from _columns(
        [(str(at + 1), when[at], str(run["model"]), str(run["run"])) for at, run in enumerate(runs)]
    )
    rows: list[Cells] = [("", *(f"run {at + 1}" for at in shown), "")]
    for trend in rows_of(summary.get("trends")):
        points = {point["evaluation"]: point for point in rows_of(trend.get("points"))}
        cells = [_interval(points[at]) if at in points else "" for at in shown]
        if any(cells):
            good = ARROW.get(str(trend.get("better")), "")
            rows.append((called(str(trend["metric"])), *cells, good))
    yield ""
    yield from _columns(rows)
    if len(runs) > len(shown):
        yield f"{len(runs) - len(shown)} earlier runs are on the page."
    if summary.get("alone"):
        yield f"Comparable with no other: {', '.join(summary['alone'])}"
    if summary.get("damaged"):
        yield f"Passed over, as run.json is damaged or no run: {', '.join(summary['damaged'])}"
    yield f"\nPage: {summary.get('page')}"


def _columns(rows: Sequence[Cells], right: Sequence[int] = ()) -> Iterator[str]:
    """The rows with their cells under each other; the columns `right` end together."""
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(wide[i]) if i in right else cell.ljust(wide[i]) for i, cell in enumerate(row)
        ]
        yield "  ".join(cells).rstrip()


def called(name: str) -> str:
    """A measure as a reader calls it, cut where a file gave it a long name."""
    name = NAMES.get(name, name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _interval(result: object, *, signed: bool = False, unit: str = "") -> str:
    """ "0.308 [0.236, 0.386]", all three to the digit that the width of the interval calls for.

    An interval without width is none: then nothing varied.
    """
    if not whole(result):
        return "undefined"
    width = result["ci_high"] - result["ci_low"] or abs(result["value"]) or 1.0
    digits = min(4, max(0, math.ceil(1.5 - math.log10(width))))
    form = f"{'+' if signed else ''},.{digits}f"
    said = [f"{result[key]:{form}}" for key in ("value", "ci_low", "ci_high")]
    said = [text.lstrip("+-") if not text.strip("+-0.,") else text for text in said]
    if result["ci_low"] == result["ci_high"]:
        return f"{said[0]}{unit} (did not vary)".replace("-", "−")
    return f"{said[0]} [{said[1]}, {said[2]}]{unit}".replace("-", "−")


def _percent(result: Mapping) -> str:
    value, low, high = (100 * result[key] for key in ("value", "ci_low", "ci_high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]".replace("-", "−")


def _p(value: object) -> str:
    if not is_number(value):
        return ""
    return "< .0001" if value < 0.0001 else f"{value:.4f}".removeprefix("0")
