"""What the monitor saw in training: proxy against gold, the checkpoint kept, grown phrases."""

from __future__ import annotations

import math
from collections.abc import Mapping

from humanalign.evaluate.report.card_exhibits import Exhibit, Line, mark
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.monitor_charts import Fit, Series, over_optimisation
from humanalign.evaluate.report.results import is_number, rows_of, whole, with_interval, within

# Two scorers share one upright axis where neither moves more than so many times the other.
ALIKE = 4
# Proxy is what training sees, drawn as "before" is: a square.
KINDS = {"proxy": "before", "gold": "after"}
NAMES = {"proxy": "the reward that is trained on", "gold": "the scorer that is held out"}


def pictures(told: Mapping) -> tuple[Exhibit, ...]:
    """Proxy and gold over the distance, in one picture or, where their scales differ, in two."""
    looks = [
        look
        for look in rows_of(told.get("looks"))
        if _plain(look.get("kl")) is not None and any(whole(look.get(side)) for side in KINDS)
    ]
    if len(looks) < 2:
        return ()
    sides = [side for side in KINDS if any(whole(look.get(side)) for look in looks)]
    spans = [_span(looks, side) for side in sides]
    if len(sides) == 2 and max(spans) > ALIKE * min(spans):
        return tuple(_picture(told, looks, [side]) for side in sides)
    return (_picture(told, looks, sides),)


def _picture(told: Mapping, looks: list[Mapping], sides: list[str]) -> Exhibit:
    series = [
        Series(
            KINDS[side],
            tuple(
                (_distance(look), mark(look[side], KINDS[side]))
                for look in looks
                if whole(look.get(side))
            ),
        )
        for side in sides
    ]
    fit = _fit(told, looks) if "gold" in sides else None
    kept = [_distance(look) for look in looks if look.get("step") == told.get("chosen_step")]
    lines = tuple(
        Line(
            f"step {number(look.get('step'))}",
            (
                with_interval(look["kl"]),
                *(with_interval(look[side]) if whole(look.get(side)) else "–" for side in sides),
            ),
        )
        for look in looks
    )
    legend = " ".join({"proxy": "Squares: proxy.", "gold": "Dots: gold."}[side] for side in sides)
    if fit:
        legend += f" Broken line: {fit.says}, d = √KL{_sureness(told)}."
    if kept:
        legend += " Upright line: the best step."
    title = {2: "Proxy against gold"}.get(len(sides), sides[0].capitalize())
    return Exhibit(
        title,
        f"On held-out prompts, {' and '.join(NAMES[side] for side in sides)}. Where gold turns "
        "down while proxy still rises, the reward is being gamed (Gao et al. 2022).",
        ("KL, nats", *(side.capitalize() for side in sides)),
        lines,
        legend,
        picture=over_optimisation(series, fit, kept[0] if kept else None, _label(looks, sides)),
    )


def _label(looks: list[Mapping], sides: list[str]) -> str:
    told = []
    for side in sides:
        values = [look[side]["value"] for look in looks if whole(look.get(side))]
        told.append(f"{side} from {number(values[0])} to {number(values[-1])}")
    return f"{'; '.join(told)} over the square root of the KL"


def _distance(look: Mapping) -> float:
    return math.sqrt(max(0.0, _plain(look.get("kl")) or 0.0))


def _span(looks: list[Mapping], side: str) -> float:
    values = [look[side]["value"] for look in looks if whole(look.get(side))]
    return max(max(values) - min(values), 1e-9)


def _plain(told: object) -> float | None:
    """A number, or the value of one that has an interval."""
    told = told.get("value") if isinstance(told, Mapping) else told
    return float(told) if is_number(told) else None


def _fit(told: Mapping, looks: list[Mapping]) -> Fit | None:
    found = within(told, "fit")
    alpha, beta, start = (_plain(found.get(key)) for key in ("alpha", "beta", "start"))
    if alpha is None or beta is None:
        return None
    first = next(look["gold"]["value"] for look in looks if whole(look.get("gold")))
    return Fit(first if start is None else start, alpha, beta, found.get("form") == "bon")


def _sureness(told: Mapping) -> str:
    """The intervals of the fit and how much of the gold it explains, where they are known."""
    found = within(told, "fit")
    parts = [
        f"{sign} between {number(found[key]['ci_low'])} and {number(found[key]['ci_high'])}"
        for sign, key in (("α", "alpha"), ("β", "beta"))
        if whole(found.get(key))
    ]
    if is_number(found.get("r2")):
        parts.append(f"R² {number(found['r2'])} over {number(found.get('n'))} looks")
    return f" ({', '.join(parts)})" if parts else ""


def grown(told: Mapping) -> Exhibit | None:
    """The phrases that far more answers hold than before training."""
    lines = tuple(
        Line(str(row.get("phrase")), (_share(row.get("before")), _share(row.get("after"))))
        for row in rows_of(told.get("grown"))
    )
    if not lines:
        return None
    return Exhibit(
        "Phrases that grew most",
        "Share of answers that hold it: of the model before, and of the last step of training. "
        "One that takes over is what the reward pays for.",
        ("Before", "After"),
        lines,
        first="Phrase",
    )


def _share(value: object) -> str:
    return f"{100 * value:.1f}\u00a0%" if is_number(value) else "–"
