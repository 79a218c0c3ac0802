"""humanalign: reinforcement learning from human feedback, the whole loop.

Names are loaded when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

import importlib

_HOME = {
    "Prompt": "types",
    "Completion": "types",
    "Comparison": "types",
    "Rater": "types",
    "Ranking": "types",
    "PreferencePair": "types",
    "RewardModel": "types",
    "EvalResult": "types",
    "HumanalignError": "errors",
    "Run": "run",
    "Policy": "models",
    "Lora": "models",
    "Sampling": "sampling",
    "load_prompts": "collect.prompts",
    "FeedbackStore": "prefer.store",
    "label": "web.serve",
    "judge": "prefer.judge",
    "revise": "prefer.judge",
    "fit_reward": "reward.fit",
    "RewardRecipe": "reward.recipe",
    "load_reward": "reward.sources",
    "sft": "align.sft",
    "Learner": "align.learner",
    "Monitor": "evaluate.monitor.monitor",
    "report": "evaluate.report.page",
    "Round": "loop",
    "play": "loop",
}

# Packages that can be called by their own name; see rooms.py.
_ROOMS = ("collect", "align", "evaluate")

__all__ = sorted([*_HOME, *_ROOMS])  # pyright: ignore[reportUnsupportedDunderAll]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"humanalign.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'humanalign' has no attribute '{name}'")
    return getattr(importlib.import_module(f"humanalign.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
