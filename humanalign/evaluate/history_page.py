"""The page of a history: each trend as a picture with its intervals, and the runs as a table."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from humanalign.evaluate.history import History, Trend
from humanalign.evaluate.report import charts
from humanalign.evaluate.report.results import with_interval
from humanalign.evaluate.told import called

STYLE = """
:root { color-scheme: light dark; --paper: #fcfbf8; --ink: #1b1b1a; --soft: #5d5a54;
  --rule: #dad6cc; --line: #1c5d8c; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e7e4dd; --soft: #a8a49b;
  --rule: #3a3d42; --line: #7fbce9; } }
* { box-sizing: border-box; }
html { font: 1.0625rem/1.55 Charter, Cambria, Georgia, serif; background: var(--paper);
  color: var(--ink); }
body { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.8rem, 5.2vw, 3.1rem); line-height: 1.12; margin: 0 0 .5em; }
h2 { font-size: 1.55rem; margin: 0 0 .7em; }
section { border-top: 1px solid var(--rule); padding-top: 1.6rem; margin-top: 2.6rem; }
.kicker, figcaption, table { font-family: system-ui, "Segoe UI", Arial, sans-serif; }
.kicker, figcaption, .standfirst { color: var(--soft); } .kicker { font-size: .82rem; }
.standfirst { font-size: 1.1rem; max-width: 40rem; } b, th { color: var(--ink); }
.figures { display: grid; gap: 1.8rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
figure { margin: 0; } figcaption { font-size: .82rem; margin-bottom: .4rem; }
svg { width: 100%; height: auto; overflow: visible; }
svg text { font: 11px system-ui, Arial, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--rule); } svg .whisker { stroke: var(--line); stroke-width: 2; }
svg .line { fill: none; stroke: var(--line); stroke-width: 1.2; } svg circle { fill: var(--line); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .84rem; }
th, td { text-align: left; padding: .42rem 1rem .42rem 0; border-bottom: 1px solid var(--rule); }
@media print { :root { --paper: #fff; --ink: #000; } figure, tr { break-inside: avoid; } }
"""
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
            style=Markup(STYLE),  # our own, not a word of a user's
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
        called(trend.metric), good, with_interval(last), drawn(trend, runs)
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
    return charts.frame(f"{called(trend.metric)} by run: {said}", body)


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
