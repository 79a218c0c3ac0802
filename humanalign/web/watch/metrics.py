"""The curves' order and names: reward and distance first, then their reasons, the clock last."""

from __future__ import annotations

from collections.abc import Iterable

from humanalign.evaluate.report.curves import METRICS

# Group -> the metrics in it, the first ones first. What is in none is found a place by its name.
GROUPS: dict[str, tuple[str, ...]] = {
    "Reward and distance": (
        *("align/reward", "align/kl", "monitor/proxy", "monitor/gold", "monitor/gap"),
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
    "Text and monitor": ("align/length", "align/finished"),
    "Time": (),
}
BY_STAGE = {"monitor": "Text and monitor", "time": "Time"}
OTHERS = "Policy"
# Names for what the report leaves to its tables.
TITLES = {
    "align/updates": ("Updates", "optimizer steps", ""),
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
