"""The picture of bench/overoptimisation.py: gold and reward against sqrt KL, fit and choice.

One panel a seed. Gold on fresh openings and the reward have scales of their own: what matters of
the reward is that it goes on rising where gold turns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from humanalign.evaluate.report.charts import frame, scale, ticks

WIDE, HIGH, COLUMNS = 200.0, 165.0, 5
LEFT, RIGHT, TOP, BOTTOM = 30.0, 10.0, 24.0, 26.0
LEGEND = 46.0
STYLE = Markup(
    "<style>text{font:10px sans-serif;fill:#333}.t{font-weight:bold}.g{stroke:#e4e4e4}"
    ".gold{fill:#2a78c8}.err{stroke:#2a78c8;stroke-opacity:.45}"
    ".fit{fill:none;stroke:#2a78c8;stroke-width:1.4;stroke-dasharray:4 3}"
    ".reward{fill:none;stroke:#d9652b;stroke-width:1.4}"
    ".choice{fill:none;stroke:#111;stroke-width:1.8}</style>"
)


def draw(runs: Sequence[dict]) -> str:
    """The panels of all seeds as one SVG file on white."""
    rows = -(-len(runs) // COLUMNS)
    width = WIDE * min(COLUMNS, len(runs))
    height = HIGH * rows + LEGEND
    body = STYLE + Markup('<rect width="{}" height="{}" fill="#fff"/>').format(width, height)
    for i, run in enumerate(runs):
        place = (WIDE * (i % COLUMNS), HIGH * (i // COLUMNS))
        body += Markup('<g transform="translate({:.0f} {:.0f})">{}</g>').format(*place, panel(run))
    body += legend(HIGH * rows)
    label = "Gold turns over while the reward rises, and the step that the monitor chose, by seed"
    svg = str(frame(label, body, width, height))
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def panel(run: dict) -> Markup:
    """One seed: dots with error bars are gold, the dashed line its fit, the ring the choice."""
    measured = run["measured"]
    x = np.sqrt(np.clip([look["kl"]["value"] for look in run["looks"]], 0, None))
    gold = np.array([row["gold"] for row in measured])
    reward = np.array([row["proxy"] for row in measured])
    across = scale(0.0, float(x.max()), LEFT, WIDE - RIGHT)
    top = 1.15 * float(gold.max())
    up = scale(min(0.0, float(gold.min())), top, HIGH - BOTTOM, TOP)
    beside = scale(float(reward.min()), float(reward.max()), HIGH - BOTTOM, TOP)
    body = axes(float(x.max()), top, across=across, up=up)
    body += line("reward", across(x), beside(reward))
    if run["fit"]:
        body += line("fit", across(np.linspace(0, x.max(), 60)), up(fitted(run["fit"], x.max())))
    for at, row in zip(x, measured, strict=True):
        half = 1.96 * row["error"]
        ends = up(np.array([row["gold"] - half, row["gold"] + half]))
        body += Markup(
            '<line class="err" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>'
            '<circle class="gold" cx="{0:.1f}" cy="{3:.1f}" r="2.2"/>'
        ).format(float(across(at)), *ends, float(up(row["gold"])))
    chosen = [row["step"] for row in measured].index(run["choice"])
    body += Markup('<circle class="choice" cx="{:.1f}" cy="{:.1f}" r="6"/>').format(
        float(across(x[chosen])), float(up(gold[chosen]))
    )
    title = f"seed {run['seed']}: step {run['choice']}, {100 * run['ratio']:.0f} % of the best"
    return body + Markup('<text class="t" x="{}" y="14">{}</text>').format(LEFT, title)


def fitted(fit: dict, most: float) -> np.ndarray:
    """The fitted gold from 0 to the largest sqrt KL, cut where it leaves the panel."""
    d = np.linspace(0, most, 60)
    log = np.log(np.where(d > 0, d, 1.0))
    values = fit["start"]["value"] + d * (fit["alpha"]["value"] - fit["beta"]["value"] * log)
    return np.clip(values, 0.0, 1.0)


def axes(most: float, top: float, *, across, up) -> Markup:
    marks = Markup("")
    for tick, label in ticks(0.0, top):
        y = float(up(tick))
        marks += Markup(
            '<line class="g" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDE - RIGHT, y, y, LEFT - 4, y + 3.5, label)
    for tick, label in ticks(0.0, most):
        marks += Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            float(across(tick)), HIGH - BOTTOM + 13, label
        )
    return marks


def line(kind: str, x: np.ndarray, y: np.ndarray) -> Markup:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return Markup('<polyline class="{}" points="{}"/>').format(kind, points)


def legend(top: float) -> Markup:
    said = (
        ('<circle class="gold" cx="{x}" cy="{y}" r="3"/>', "gold on fresh openings, 95 %"),
        ('<line class="fit" x1="{w}" x2="{x}" y1="{y}" y2="{y}"/>', "fit of d (α − β log d)"),
        ('<line class="reward" x1="{w}" x2="{x}" y1="{y}" y2="{y}"/>', "reward, scale of its own"),
        ('<circle class="choice" cx="{x}" cy="{y}" r="6"/>', "chosen by the monitor"),
    )
    body = Markup('<text x="{}" y="{}">across: d = √KL to the reference, d² in nats</text>').format(
        LEFT, top + 12
    )
    for i, (mark, words) in enumerate(said):
        x, y = 40 + 225 * i, top + 30
        body += Markup(mark).format(x=x, y=y, w=x - 18)
        body += Markup('<text x="{}" y="{}">{}</text>').format(x + 11, y + 4, words)
    return body
