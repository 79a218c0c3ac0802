"""Numbers and moments as the owner's pages write them."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup

UNKNOWN = "–"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def count(number: int) -> str:
    """12345 as 12,345."""
    return f"{number:,}"


def percent(share: float | None, digits: int = 0) -> str:
    """0.726 as 73 %; a dash for what is not known. What is not all is never 100 %."""
    if share is None:
        return UNKNOWN
    text = f"{100 * share:.{digits}f}"
    if share < 1 and text == f"{100:.{digits}f}":
        text = f"{100 - 10**-digits:.{digits}f}"
    return f"{text} %".replace("-", "−")


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with a true minus; a dash for what is not known."""
    return UNKNOWN if value is None else f"{value:.{digits}f}".replace("-", "−")


def span(seconds: float | None) -> str:
    """A duration in its largest sensible unit: 42 s, 3 min, 5 h, 2 days."""
    if seconds is None:
        return UNKNOWN
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def moment(at: float | None) -> Markup | str:
    """A time element in UTC, which owner.js turns into the reader's own time."""
    if not at:
        return UNKNOWN
    when = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        when.isoformat(timespec="seconds"), when.strftime("%Y-%m-%d %H:%M UTC")
    )
