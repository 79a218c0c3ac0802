"""The verbs that train: sft, reward and align. A finished run returns its summary at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from humanalign.align.algorithms import ALGORITHMS
from humanalign.align.methods import align as align_policy
from humanalign.align.methods import check, check_inputs, needs
from humanalign.align.sft import sft as fine_tune
from humanalign.collect.prompts import PromptSet
from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.monitor.monitor import Monitor
from humanalign.hub import locate, require_tokenizer
from humanalign.models import Lora, Policy
from humanalign.reward.fit import fit_reward
from humanalign.reward.recipe import Recipe
from humanalign.reward.sources import resolve
from humanalign.rows import columns, read_rows
from humanalign.settings import AlignConfig, RewardConfig, SftConfig
from humanalign.types import Prompt
from humanalign.verbs.inputs import (
    Progress,
    begun,
    data_file,
    fitting,
    judged_pairs,
    open_run,
    read_prompts,
    reward_of,
    reward_pairs,
    reward_runs,
    trainable_policy,
    training_pairs,
)
from humanalign.verbs.labels import check_source, fit_labels


def sft(config: SftConfig, place: Path, progress: Progress = None) -> Mapping:
    """Fine-tune on demonstrations: rows of prompt (or a template) and response."""
    run = begun("sft", config, place)
    if run and run.finished:
        return run.summary
    rows = read_rows(data_file(config.data, "demonstrations"))
    columns(rows, ["response"] if config.template else ["prompt", "response"], config.data)
    template = config.template or "{prompt}"
    pairs = [(template.format(**row), str(row["response"])) for row in rows]
    policy = trainable_policy(config)
    run = open_run("sft", config, place, parents=[config.model, config.data])
    fine_tune(
        policy,
        pairs,
        run=run,
        lr=config.lr,
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        checkpoint_every=config.checkpoint.every,
        progress=progress,
    )
    return run.summary


def reward(config: RewardConfig, place: Path, progress: Progress = None) -> Mapping:
    """Fit a reward on pairs or on labelled texts; it is measured on prompts held out."""
    check_source(config)
    if config.pairs is None:
        return fit_labels(config, recipe_of(config), place, progress)
    run = begun("reward", config, place)
    if run and run.finished:
        return run.summary
    train, held_out = reward_pairs(config.pairs, config.eval_pairs)
    judged, recipe = judged_pairs(config.pairs), recipe_of(config)
    require_tokenizer(locate(config.model))
    parents = [config.model, config.pairs, *([config.eval_pairs] if config.eval_pairs else [])]
    run = open_run("reward", config, place, parents=parents)
    with run.unless_mistaken():
        fit_reward(
            config.model,
            train,
            held_out,
            recipe=recipe,
            run=run,
            seed=config.seed,
            checkpoint_every=config.checkpoint.every,
            keep=config.checkpoint.keep,
            judged=judged,
            curve=config.curve,
            progress=progress,
        )
    return run.summary


def recipe_of(config: RewardConfig) -> Recipe:
    """The hyper-parameters among the settings. ConfigError: two that exclude each other."""
    own = {f.name: getattr(config, f.name) for f in fields(Recipe) if f.name != "lora"}
    lora = Lora(config.lora.rank, config.lora.alpha, targets=tuple(config.lora.targets))
    return Recipe(**own, lora=lora if config.lora.rank else None)


def align(config: AlignConfig, place: Path, progress: Progress = None) -> Mapping:
    """Align a policy by any method: from prompts and a reward, from pairs, or from scored rows."""
    kind = needs(config.method)
    _require(config, kind)
    check(config)
    run = begun("align", config, place)
    if run and run.finished:
        return run.summary
    data = _data(config, kind)
    judge = reward_of(config) if kind == "prompts" else None
    policy = trainable_policy(config)
    if isinstance(data, PromptSet):
        data = fitting(data, config, policy, config.max_new_tokens)
    check_inputs(config, judge)
    monitor = monitor_of(config, policy, data)
    scorers = [*reward_runs(config.reward), *reward_runs(config.monitor.gold)]
    run = open_run("align", config, place, parents=[config.model, *scorers])
    with run.unless_mistaken():
        align_policy(
            policy, data, judge, run=run, settings=config, monitor=monitor, progress=progress
        )
    return run.summary


def monitor_of(
    config: AlignConfig, policy: Policy, trained: Sequence[Prompt] = ()
) -> Monitor | None:
    """The monitor that the settings ask for; None for a method that has no use for one.

    ConfigError: held-out prompts that are `trained` on, gold that is the reward, no way back.
    """
    m = config.monitor
    if config.method not in ALGORITHMS or not m.on:
        return None
    check_monitor(config)
    asked = config.model_copy(update={"prompts": m.prompts, "limit": m.limit, "split": m.split})
    held_out = (
        fitting(read_prompts(asked), asked, policy, config.max_new_tokens) if m.prompts else ()
    )
    check_held_out(held_out, trained)
    gold = None if m.gold is None else resolve(m.gold)
    return Monitor(
        held_out,
        gold,
        every=m.every,
        samples=m.samples,
        action=m.action,
        rules=m.rules,
        rollouts=m.rollouts,
        show=m.show,
        kl_alarm=config.kl.alarm,
    )


def check_monitor(config: AlignConfig) -> None:
    """Raise ConfigError where gold cannot differ from the reward, or `back` has nowhere to go."""
    m = config.monitor
    if m.gold is not None and m.gold == config.reward:
        raise ConfigError(
            f"monitor.gold: {m.gold!r} is the reward itself, which cannot show that it is gamed; "
            "give another scorer, or leave monitor.gold out"
        )
    goes_back = [name for name, what in m.rules.items() if what == "back"]
    if (m.action == "back" or goes_back) and m.gold is None and not config.checkpoint.best:
        where = "monitor.action" if m.action == "back" else f"monitor.rules.{goes_back[0]}"
        raise ConfigError(
            f"{where}: back goes to the step with the best gold; give monitor.gold with "
            "monitor.prompts, or checkpoint.best=true for the best objective, or take stop"
        )


def check_held_out(held_out: Sequence[Prompt], trained: Sequence[Prompt]) -> None:
    """Raise ConfigError where a prompt that is looked at is trained on as well."""
    known = {prompt.id for prompt in trained}
    both = [prompt.text for prompt in held_out if prompt.id in known]
    if both:
        raise ConfigError(
            f"monitor.prompts: {len(both)} of {len(held_out)} are trained on too, such as "
            f"{both[0][:60]!r}; give prompts that are held out, such as monitor.split=test beside "
            "split=train"
        )


def _data(config: AlignConfig, kind: str) -> Sequence:
    if kind == "prompts":
        return read_prompts(config)
    if kind == "pairs":
        return training_pairs(str(config.pairs))
    rows = read_rows(str(config.data))
    columns(rows, ["prompt", "completion", "score"], str(config.data))
    try:
        return [(r["prompt"], r["completion"], float(r["score"])) for r in rows]
    except (TypeError, ValueError) as error:
        raise DataError(f"{config.data}: score must be a number in every row ({error})") from None


def _require(config: AlignConfig, kind: str) -> None:
    if getattr(config, kind) is None:
        raise ConfigError(f"{kind} is required for method={config.method}; give {kind}=FILE")
    for other in {"prompts", "pairs", "data"} - {kind}:
        if getattr(config, other) is not None:
            raise ConfigError(f"{other}: method={config.method} learns from {kind}; leave it out")
