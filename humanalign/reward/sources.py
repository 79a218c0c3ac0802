"""Where a reward comes from, named by one string or a list: `resolve` turns it into a scorer.

    run:runs/1/reward                              a learned reward, from a finished run
    hf:DIR_OR_NAME?label=nothate&use=logit         a classifier; the label by name
    python:FILE.py:function                        your own function(prompts, completions)
    rule:length?target=60                          a rule of reward/rules.py
    [{reward: ..., weight: 1.0}, ...]              a weighted sum
    {ensemble: [..., ...], how: min}               several judges of the same thing
    {cached: ..., file: scores.jsonl}              any of these, asked once for the same words

They nest. A bare directory or hub name is read as a run, a saved learned reward or a classifier;
a run that was fitted to labels is a classifier too: run:runs/1/reward?label=toxic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl

from humanalign.errors import ConfigError, DataError, did_you_mean
from humanalign.reward.cached import CachedReward
from humanalign.reward.combine import Ensemble, How, WeightedSum
from humanalign.reward.function import load_function
from humanalign.reward.rules import rule_reward
from humanalign.run import Run
from humanalign.types import RewardModel

# One place names the format, so that a directory can be recognised without importing torch.
SAVED, LABELLED = "reward.json", "classifier.json"
UNLABELLED = ("python:", "rule:")
CLASSIFIER_OPTIONS = ("label", "use", "text", "batch_size")
Spec = str | Mapping | Sequence


@dataclass(frozen=True)
class Defaults:
    """How scorers are read unless a spec says otherwise."""

    label: str | None = None
    use: str = "logit"
    text: str | None = None
    batch_size: int = 32
    device: str | None = None


def resolve(
    spec: Spec,
    *,
    label: str | None = None,
    use: str = "logit",
    text: str | None = None,
    batch_size: int = 32,
    device: str | None = None,
) -> RewardModel:
    """Return the reward that `spec` names; the keywords are defaults for what it does not say.

    ConfigError: an unknown kind, option, label, rule or function. DataError: a directory or file
    that is missing or unfit. RunError: the run is unfinished or of another stage.
    """
    defaults = Defaults(label, use, text, batch_size, device)
    reward = _resolve(spec, defaults)
    if label is not None and isinstance(spec, str) and spec.startswith(UNLABELLED):
        raise ConfigError(f"label: '{spec}' has no labels, got label='{label}'; leave label out")
    return reward


def _resolve(spec: Spec, defaults: Defaults) -> RewardModel:
    if isinstance(spec, str):
        return _from_string(spec, defaults)
    if isinstance(spec, Mapping):
        return _from_mapping(spec, defaults)
    if not isinstance(spec, Sequence) or not spec:
        raise ConfigError(f"reward: expected a name or a list of {{reward, weight}}, got {spec!r}")
    return WeightedSum(tuple(_weighted(item, defaults) for item in spec))


def _weighted(item: object, defaults: Defaults) -> tuple[float, RewardModel]:
    if not isinstance(item, Mapping):
        raise ConfigError(f"reward: a list holds {{reward, weight}} rows, got {item!r}")
    weight = item.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ConfigError(f"reward: weight: expected a number, got {weight!r}")
    return float(weight), _from_mapping({k: v for k, v in item.items() if k != "weight"}, defaults)


def _from_mapping(spec: Mapping, defaults: Defaults) -> RewardModel:
    """{reward: ..., options}, {ensemble: [...], how: ..., c: ...} or {cached: ..., file: ...}."""
    if "ensemble" in spec:
        return _ensemble(spec, defaults)
    if "cached" in spec:
        return _cached(spec, defaults)
    if "reward" not in spec:
        raise ConfigError(
            f"reward: expected the key 'reward', 'ensemble' or 'cached', got {dict(spec)!r}"
        )
    options = {key: str(value) for key, value in spec.items() if key != "reward"}
    inner = spec["reward"]
    if isinstance(inner, str):
        return _from_string(inner, defaults, options)
    return _resolve(inner, _with_options(defaults, options, str(inner)))


def _ensemble(spec: Mapping, defaults: Defaults) -> RewardModel:
    _only(spec, ("ensemble", "how", "c"), "an ensemble")
    members, how, c = spec["ensemble"], spec.get("how", "mean"), spec.get("c", 1.0)
    if how not in get_args(How):
        raise ConfigError(f"reward: how: expected {', '.join(get_args(How))}, got {how!r}")
    if isinstance(c, bool) or not isinstance(c, int | float) or c < 0:
        raise ConfigError(f"reward: c: expected a number of at least 0, got {c!r}")
    if isinstance(members, str) or not isinstance(members, Sequence) or len(members) < 2:
        raise ConfigError(f"reward: an ensemble needs a list of 2 or more rewards, got {members!r}")
    return Ensemble(tuple(_resolve(member, defaults) for member in members), how, float(c))


def _cached(spec: Mapping, defaults: Defaults) -> RewardModel:
    _only(spec, ("cached", "file"), "a cached reward")
    file = spec.get("file")
    if not isinstance(file, str) or not file:
        raise ConfigError(f"reward: cached: needs the file that keeps the scores, got {file!r}")
    return CachedReward(_resolve(spec["cached"], defaults), file)


def _only(spec: Mapping, known: Sequence[str], what: str) -> None:
    for key in spec:
        if key not in known:
            raise ConfigError(
                f"reward: {what} has no key '{key}'; known: {', '.join(known)}"
                f"{did_you_mean(str(key), known)}"
            )


def _from_string(
    spec: str, defaults: Defaults, more: Mapping[str, str] | None = None
) -> RewardModel:
    """A reward named in one string; `more` are options written beside it."""
    target, _, query = spec.partition("?")
    options = {**dict(parse_qsl(query, keep_blank_values=True)), **(more or {})}
    kind, colon, rest = target.partition(":")
    if not colon:
        return _bare(target, options, defaults)
    if kind not in KINDS:
        raise ConfigError(
            f"reward: unknown kind '{kind}' in '{spec}'; use one of "
            f"{', '.join(f'{known}:' for known in KINDS)}{did_you_mean(kind, KINDS)}"
        )
    if not rest:
        raise ConfigError(f"reward: '{spec}' names nothing after '{kind}:'; add it")
    return KINDS[kind](rest, options, defaults)


def _bare(target: str, options: Mapping[str, str], defaults: Defaults) -> RewardModel:
    """A directory says itself what it is; anything else is a hub name."""
    if (Path(target) / "run.json").is_file() or (Path(target) / SAVED).is_file():
        return _run(target, options, defaults)
    return _hf(target, options, defaults)


def _run(target: str, options: Mapping[str, str], defaults: Defaults) -> RewardModel:
    _with_options(defaults, options, target)
    folder = Path(target)
    if not (folder / SAVED).is_file():
        folder = Run.parent(target, stage="reward").path / "model"
    if not (folder / SAVED).is_file() and (folder / LABELLED).is_file():
        return _hf(str(folder), options, defaults)
    # torch is imported only where a model is wanted: rules and functions work without it.
    from humanalign.reward.model import LearnedReward

    settings = _with_options(defaults, options, target, known=("batch_size",))
    if defaults.label is not None:
        raise ConfigError(
            f"label: '{target}' has no labels, got label='{defaults.label}'; leave label out"
        )
    return LearnedReward.load(folder, device=settings.device, batch_size=settings.batch_size)


def _hf(target: str, options: Mapping[str, str], defaults: Defaults) -> RewardModel:
    from humanalign.reward.classifier import load_classifier

    if not Path(target).is_dir() and (target[:1] in "./~" or target.count("/") > 1):
        raise DataError(f"reward: there is no directory {target}; check the path")
    settings = _with_options(defaults, options, target)
    return load_classifier(
        target,
        label=settings.label,
        use=settings.use,
        text=settings.text,
        batch_size=settings.batch_size,
        device=settings.device,
    )


def _python(target: str, options: Mapping[str, str], defaults: Defaults) -> RewardModel:
    _with_options(defaults, options, target, known=())
    return load_function(target)


def _rule(target: str, options: Mapping[str, str], defaults: Defaults) -> RewardModel:
    del defaults
    return rule_reward(target, options)


KINDS: dict[str, Callable[[str, Mapping[str, str], Defaults], RewardModel]] = {
    "run": _run,
    "hf": _hf,
    "python": _python,
    "rule": _rule,
}


def _with_options(
    defaults: Defaults,
    options: Mapping[str, str],
    target: str,
    known: Sequence[str] = CLASSIFIER_OPTIONS,
) -> Defaults:
    for key in options:
        if key not in known:
            raise ConfigError(
                f"reward: '{target}' has no option '{key}'; "
                f"known: {', '.join(known) or 'none'}{did_you_mean(key, known)}"
            )
    size = options.get("batch_size", str(defaults.batch_size))
    if not size.isdecimal() or int(size) < 1:
        raise ConfigError(f"batch_size: expected a whole number of at least 1, got '{size}'")
    changed = {key: value for key, value in options.items() if key != "batch_size"}
    return replace(defaults, batch_size=int(size), **changed)


# Its name in the package's public API, where `resolve` alone would say too little.
load_reward = resolve
