"""One self-contained HTML page for a round of the loop, or for one run: no network, no server.

The page says what happened stage by stage, in words, numbers and pictures. Everything a model or
a labeler wrote is hostile text: escaped in the page, escaped again inside the script data, and a
content security policy lets only this page's own script and style run. It stays under 2 MB
whatever the runs hold, and says what it left out.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from humanalign.errors import RunError
from humanalign.evaluate.report.browsing import packed, script_data
from humanalign.evaluate.report.chapters import Chapter, Limits, chapters
from humanalign.evaluate.report.charts import bar, interval, number
from humanalign.evaluate.report.history_exhibits import history
from humanalign.evaluate.report.measures import Measure
from humanalign.evaluate.report.minute import minute
from humanalign.evaluate.report.results import is_number, with_interval
from humanalign.evaluate.report.stages import StageRun, read_stages
from humanalign.evaluate.report.versus import chance, spread
from humanalign.rows import write_bytes

HERE = Path(__file__).parent
# Bytes of the whole page, and how many of them are kept for the samples.
MOST, SAMPLES = 1_950_000, 400_000
# What a page is tried with, until it leaves room for the samples.
TRIES = (
    Limits(),
    Limits(text=1500, curves=32, points=150, rows=60),
    Limits(pairs=8, text=400, curves=12, points=60, rows=20, settings=4000),
    Limits(pairs=0, text=200, curves=0, rows=10, settings=0),
)
# No text of the page can hold these: every "<" in it is escaped.
SAMPLES_HERE, LEFT_OUT_HERE = "<!--samples-->", "<!--left out-->"


def report(path: Path | str, out: Path | str | None = None) -> Path:
    """Write the page for the round (a folder of runs) or the run in `path`; returns where it is.

    `out` is the file to write, report.html in `path` where None. RunError: no run there.
    """
    path = Path(path)
    target = Path(out) if out else path / "report.html"
    html = render(read_stages(path), path)
    # A lone surrogate in a model's output has no UTF-8; it becomes a question mark.
    return write_bytes(target, html.encode("utf-8", "replace"))


def render(runs: Sequence[StageRun], path: Path) -> str:
    """The page as a string, its samples packed into what room the rest leaves."""
    html, told, limits = "", [], TRIES[0]
    for limits in TRIES:
        told = chapters(runs, limits)
        html = _html(runs, told, path, limits)
        if _size(html) <= MOST - SAMPLES:
            break
    if _size(html) > MOST:
        raise RunError(
            f"{path} holds {len(runs)} runs, too much for a page of 2 MB; name one of its runs"
        )
    shortened = ["some curves, points of curves, and the ends of long texts"]
    # Who needs little is served first, and leaves the others more.
    browsed = sorted((c for c in told if c.browsed), key=lambda c: len(str(c.rows)))
    scripts, notes = _samples(browsed, MOST - _size(html), limits.text)
    left_out = _left_out([*(shortened if limits != TRIES[0] else []), *notes])
    return html.replace(LEFT_OUT_HERE, left_out, 1).replace(SAMPLES_HERE, scripts, 1)


def _samples(browsed: Sequence[Chapter], room: int, most: int) -> tuple[str, list[str]]:
    """The script elements with the samples of each run, and what had no room among them."""
    scripts, notes = "", []
    for place, chapter in enumerate(browsed):
        total = len(chapter.rows)
        # What is left is shared evenly; 300 bytes are the element around the data and its note.
        share = room // (len(browsed) - place) - 300
        data, kept = packed(chapter.rows, chapter.key, share, most)
        if data is not None:
            head = Markup('<script type="application/json" class="samples" id="{}" data-run="{}">')
            script = f"{head.format(f'samples-{place}', chapter.browsed)}{data}</script>\n"
            scripts, room = scripts + script, room - _size(script)
        if kept < total:
            left = f"{number(total - kept)} of the {number(total)} samples of {chapter.browsed}"
            notes.append(f"{left} (those kept are spread evenly over the change)")
    return scripts, notes


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _left_out(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    said = f"To stay under 2 MB this page leaves out {'; '.join(notes)}."
    return Markup("<p>{} The files of the runs hold everything.</p>").format(said)


def _html(runs: Sequence[StageRun], told: Sequence[Chapter], path: Path, limits: Limits) -> str:
    """The page without its samples."""
    style, script = _joined("css", STYLES), _joined("js", SCRIPTS)
    return (
        _environment()
        .get_template("report.html")
        .render(
            minute=minute(told, path.resolve().name),
            round=path.resolve().name,
            date=str(runs[-1].record.get("finished") or runs[-1].record.get("started") or "")[:10],
            policy=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            data=Markup(script_data(_cursors(told))),
            chapters=told,
            runs=runs,
            history=history(runs),
            seconds=_seconds(runs),
            again=shlex.join(["humanalign", "report", str(path)]),
            most_settings=limits.settings,
            samples_here=Markup(SAMPLES_HERE),
            left_out_here=Markup(LEFT_OUT_HERE),
        )
    )


STYLES = ("report", "report_figures", "report_samples", "report_print")
SCRIPTS = ("report", "report_samples")


def _joined(kind: str, names: Sequence[str]) -> str:
    return "\n".join((HERE / f"{name}.{kind}").read_text("utf-8") for name in names)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "interval": with_interval,
        "chance": chance,
        "spread": spread,
        "picture": _difference,
    }
    return environment


def _policy(style: str, script: str) -> str:
    """Content security policy: nothing but this page's own style and script, by their hashes."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _difference(measure: Measure) -> Markup:
    """The difference of a measure with its interval, on a scale of its own around 0."""
    told = measure.difference
    if not told:
        return Markup("")
    low, high = told["ci_low"], told["ci_high"]
    reach = 1.25 * max(abs(low), abs(high), 1e-9)
    return interval(told["value"], low, high, (-reach, reach))


def _cursors(told: Sequence[Chapter]) -> dict[str, dict]:
    """Run -> curve -> [(step, value)], for the cursor; where they stand is in the picture."""
    found: dict[str, dict] = {}
    for chapter in told:
        for group in chapter.groups:
            for curve in group.curves:
                points = [point[:2] for point in curve.points]
                found.setdefault(chapter.run.name, {})[curve.id] = points
    return found


def _seconds(runs: Sequence[StageRun]) -> list[tuple[StageRun, Markup, str]]:
    """(run, bar of its share, how the steps' time was spent) for each run."""
    total = sum(run.seconds for run in runs) or 1.0
    return [(run, bar(run.seconds / total), _clock(run)) for run in runs]


def _clock(run: StageRun) -> str:
    parts: dict[str, float] = {}
    for row in run.metrics:
        for name, value in row.items():
            if name.startswith("time/") and name != "time/step" and is_number(value):
                parts[name] = parts.get(name, 0.0) + value
    return ", ".join(f"{n.removeprefix('time/')} {number(s)} s" for n, s in parts.items())
