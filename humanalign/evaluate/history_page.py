"""The page of a history: each trend as a picture with its intervals, and the runs as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup

from humanalign.evaluate.history import History, Trend
from humanalign.evaluate.report import charts
from humanalign.evaluate.report.results import with_interval

STYLE = Path(charts.__file__).with_name("report.css")
# No script, nothing from elsewhere: only the page's own style.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
GOOD = {"lower": "less is better", "higher": "more is better"}


def page(history: History) -> str:
    """One self-contained HTML file."""
    figures = Markup("").join(_figure(trend, len(history.runs)) for trend in history.trends)
    rows = Markup("").join(
        Markup(
            '<tr><th class="n" scope="row">{}</th><td>{}</td><td dir="auto">{}</td>'
            '<td dir="auto">{}</td></tr>'
        ).format(
            at + 1,
            run.when[:16].replace("T", " "),
            run.model,
            f"{run.path}{', comparable with no other' if run in history.alone else ''}",
        )
        for at, run in enumerate(history.runs)
    )
    return str(
        WHOLE.format(
            policy=POLICY,
            style=Markup(STYLE.read_text("utf-8")),  # our own file, not a word of a user's
            folder=str(history.folder),
            n=len(history.runs),
            figures=figures,
            rows=rows,
        )
    )


def _figure(trend: Trend, runs: int) -> Markup:
    last = trend.points[-1][1]
    good = f", {GOOD[trend.better]}" if trend.better in GOOD else ""
    return Markup("<figure><figcaption><b>{}</b>{}<br>now {}</figcaption>{}</figure>").format(
        trend.metric, good, with_interval(last), drawn(trend, runs)
    )


def drawn(trend: Trend, runs: int) -> Markup:
    """The values of a trend with their whiskers, over the numbers of the runs."""
    at = np.array([place for place, _ in trend.points], float)
    value, low, high = (
        np.array([point[key] for _, point in trend.points], float)
        for key in ("value", "ci_low", "ci_high")
    )
    room = 0.08 * max(high.max() - low.min(), 1e-3 * max(1.0, abs(high.max())))
    across = charts.scale(
        0.0, max(1.0, runs - 1.0), charts.LEFT + 8, charts.WIDTH - charts.RIGHT - 8
    )
    bottom, top = low.min() - room, high.max() + room
    up = charts.scale(bottom, top, charts.HEIGHT - charts.BOTTOM, charts.TOP)
    body = charts.y_axis(bottom, top, up)
    body += Markup('<polyline class="line" points="{}"/>').format(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across(at), up(value), strict=True))
    )
    for place, v, a, b in zip(at, value, low, high, strict=True):
        body += Markup(
            '<line class="whisker after" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
            '<circle class="after" cx="{0:.1f}" cy="{3:.1f}" r="3.2"/>'
            '<text class="tick" x="{0:.1f}" y="{4:.1f}" text-anchor="middle">{5:.0f}</text>'
        ).format(
            float(across(place)),
            float(up(a)),
            float(up(b)),
            float(up(v)),
            charts.HEIGHT - 5,
            place + 1,
        )
    said = ", ".join(
        f"run {place + 1:.0f}: {charts.number(float(v))}"
        for place, v in zip(at, value, strict=True)
    )
    return charts.frame(f"{trend.metric} by run: {said}", body)


WHOLE = Markup(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>Evaluations over time</title>
<style>{style}</style>
</head>
<body>
<header>
<p class="kicker">humanalign <span aria-hidden="true">·</span>
history of <b dir="auto">{folder}</b></p>
<h1>Evaluations over time</h1>
<p class="standfirst">{n} evaluations, oldest first. Only what was measured on the same terms is
joined by a line: the same prompts, sampling and scorer. Whiskers are 95 % intervals of each run by
itself; two of them may overlap although the difference is shown, so compare two models by one
evaluation with <code>against=</code>.</p>
</header>
<main>
<section><h2>Measures</h2><div class="figures">{figures}</div></section>
<section><h2>Runs</h2><div class="scroll"><table>
<thead><tr><th scope="col">Run</th><th scope="col">Ended, UTC</th><th scope="col">Model</th>
<th scope="col">Folder</th></tr></thead><tbody>{rows}</tbody></table></div></section>
</main>
</body>
</html>
"""
)
