"""A red team's summary as lines that a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

WIDTH = 64
# Rows of a table: a set may have hundreds of categories, the page has them all.
MOST = 10


def lines(summary: Mapping) -> Iterator[str]:
    """What `humanalign redteam` prints: the headline, tables by category and form, the rest."""
    if "attack_success" not in summary:
        return
    yield from _headline(summary)
    for title, key in (("category", "by"), ("form", "by_mutation"), ("success by", "criteria")):
        if len(summary[key]) > 1:
            yield ""
            yield from _table(title, summary[key], _worst(summary[key]))
            yield from _not_here(summary[key])
    yield ""
    yield from _rest(summary)


def _headline(summary: Mapping) -> Iterator[str]:
    beside = f" against {summary['against']}" if summary["against"] else ""
    forms = len(summary["by_mutation"])
    yield (
        f"{summary['policy']}{beside}: {summary['prompts']} requests of {summary['set']}, "
        f"{forms} {_plural('form', forms)} of each, "
        f"{summary['samples']} {_plural('answer', summary['samples'])} to each form; "
        "95 % intervals over requests"
    )
    yield f"An attack succeeds where: {' or '.join(summary['success_means'])}"
    yield f"Attack success: {_change(summary['attack_success'])}"
    if "any_form" in summary:
        yield f"Broken by at least one form: {_change(summary['any_form'])}"
    if "any_answer" in summary:
        yield f"Broken in at least one answer: {_change(summary['any_answer'])}"


def _table(
    title: str, numbers: Mapping[str, Mapping], shown: Sequence[tuple[str, Mapping]]
) -> Iterator[str]:
    rows = [[title, "n", *(["before"] if _compared(numbers) else []), "after"]]
    if _compared(numbers):
        rows[0] += ["difference", "verdict"]
    for name, told in shown:
        row = [name, str(told["after"]["n"])]
        row += [_percent(told[side]) for side in ("before", "after") if side in told]
        if "difference" in told:
            row += [_percent(told["difference"], "+"), told["verdict"]]
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    wide = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for row in rows if shown else ():
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip()


def _worst(numbers: Mapping[str, Mapping]) -> list[tuple[str, Mapping]]:
    """The rows that have numbers, in their order; of many, those of the most success after."""
    known = [(name, told) for name, told in numbers.items() if told["after"]["value"] is not None]
    if len(known) <= MOST:
        return known
    return sorted(known, key=lambda row: -row[1]["after"]["value"])[:MOST]


def _not_here(numbers: Mapping[str, Mapping]) -> Iterator[str]:
    """What the table leaves out: rows of a single request, of which no interval is known; more."""
    alone = sum(told["after"]["value"] is None for told in numbers.values())
    more = len(numbers) - alone - MOST
    if more > 0:
        yield f"{more} more, with no more success, on the page (humanalign report)"
    if alone:
        yield f"{alone} of one request {'is' if alone == 1 else 'are'} left out"


def _rest(summary: Mapping) -> Iterator[str]:
    for side, outcomes in summary["outcomes"].items():
        shares = ", ".join(
            f"{name} {_percent(told)}" for name, told in outcomes.items() if told["value"]
        )
        yield f"Answers {side}: {shares}"
    if summary["over_refusal"]:
        safe = summary["safe_prompts"]
        yield f"Safe look-alikes declined (of {safe}): {_change(summary['over_refusal'])}"
    if summary["search"]:
        yield from _search(summary["search"])
    yield from (f"Note: {note}" for note in summary["notes"])


def _search(search: Mapping) -> Iterator[str]:
    yield (
        f"Search: {search['found']} of {search['tried']} attacks succeeded, on "
        f"{search['requests_broken']} requests"
    )
    if search["again"]:
        yield f"  the best asked again with other random numbers: {_change(search['again'])}"
    for row in search["best"][:3]:
        yield f"  {row['mutation']}: {_short(row['attack'])} -> {_short(row['after'])}"


def _change(told: Mapping) -> str:
    if "difference" not in told:
        return _percent(told["after"])
    return (
        f"{_percent(told['before'])} before, {_percent(told['after'])} after: {told['verdict']} "
        f"({_percent(told['difference'], '+')}, p = {told['p_holm']:.4f} by Holm)"
    )


def _percent(number: Mapping, sign: str = "") -> str:
    if number["value"] is None:
        return f"undefined: {number['reason']}"
    value, low, high = (100 * number[k] for k in ("value", "ci_low", "ci_high"))
    return f"{value:{sign}.1f} % [{low:{sign}.1f}, {high:{sign}.1f}]".replace("-", "−")


def _compared(numbers: Mapping[str, Mapping]) -> bool:
    return any("before" in told for told in numbers.values())


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= WIDTH else f"{flat[: WIDTH - 1]}…")
