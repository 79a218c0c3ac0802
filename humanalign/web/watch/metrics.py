"""The curves' order and names: reward and distance first, then their reasons, the clock last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from humanalign.evaluate.report.curves import METRICS
from humanalign.web.watch.thinning import Thinned

# Group -> the metrics in it, the first ones first. What is in none is found a place by its name.
GROUPS: dict[str, tuple[str, ...]] = {
    "Reward and distance": (
        *("align/reward", "align/kl", "monitor/kl"),
        *("monitor/proxy", "monitor/gold", "monitor/gap"),
        *("align/score", "align/objective", "align/accuracy", "align/reward_std"),
        *("reward/eval_accuracy", "reward/accuracy", "reward/loss", "reward/eval_loss"),
        *("reward/gap", "sft/loss", "sft/eval_loss"),
    ),
    "Policy": (
        *("align/entropy", "align/policy_loss", "align/clip_fraction", "align/policy_kl"),
        *("align/ratio", "align/grad_norm", "align/loss", "align/lr", "align/updates"),
        *("align/kl_coef", "align/kl_k1", "align/kl_penalty"),
    ),
    "Value": ("align/explained_variance", "align/value_loss"),
    "Text and monitor": ("align/length", "align/finished", "monitor/words"),
    "Time": (),
}
BY_STAGE = {"monitor": "Text and monitor", "time": "Time"}
OTHERS = "Policy"
# A metric -> those that are the ends of its interval: drawn as its band, not as curves.
BANDS = {"monitor/gold": ("monitor/gold_low", "monitor/gold_high")}
# Names for what the report leaves to its tables.
TITLES = {
    "align/updates": ("Updates", "optimizer steps", ""),
    "align/kl_alarm": ("KL alarm", "1 where it rang", "The distance was above kl.alarm."),
    "monitor/gold_low": ("Gold, lower end", "score of the gold scorer", "Of its 95 % interval."),
    "monitor/gold_high": ("Gold, upper end", "score of the gold scorer", "Of its 95 % interval."),
    "time/step": ("A whole step", "seconds", ""),
}


def arranged(names: Iterable[str]) -> list[dict]:
    """[{title, metrics: [{name, title, note}]}] of the names that there are, in reading order."""
    held: dict[str, list[str]] = {title: [] for title in GROUPS}
    for name in sorted(names):
        held[_group_of(name)].append(name)
    return [
        {"title": title, "metrics": [_shown(name) for name in _ordered(title, found)]}
        for title, found in held.items()
        if found
    ]


def banded(curves: Mapping[str, Thinned]) -> dict[str, Thinned]:
    """The curves; those that are the ends of another one's interval become its low and high."""
    left = dict(curves)
    for name, ends in BANDS.items():
        found = [left[each] for each in (name, *ends) if each in left]
        if len(found) == 3 and all(np.array_equal(each.x, found[0].x) for each in found):
            middle, low, high = found
            left[name] = Thinned(middle.x, low.low, high.high, middle.y)
            for each in ends:
                del left[each]
    return left


def _group_of(name: str) -> str:
    for title, names in GROUPS.items():
        if name in names:
            return title
    return BY_STAGE.get(name.partition("/")[0], OTHERS)


def _ordered(title: str, names: list[str]) -> list[str]:
    rank = {name: place for place, name in enumerate(GROUPS[title])}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


def _shown(name: str) -> dict:
    told = METRICS.get(name)
    title, unit, note = (told[0], told[1], told[3]) if told else TITLES.get(name) or _plain(name)
    return {"name": name, "title": title, "unit": unit, "note": note}


def _plain(name: str) -> tuple[str, str, str]:
    """The name itself, where nobody has given it words."""
    stage, _, rest = name.rpartition("/")
    return rest.replace("_", " ").capitalize(), "seconds" if stage == "time" else "", ""
