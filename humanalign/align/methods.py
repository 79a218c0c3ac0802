"""One door to every way of aligning: the method's name decides what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from humanalign.align.algorithms import ALGORITHMS
from humanalign.align.bestof import bestof
from humanalign.align.critic import reward_folder
from humanalign.align.ilql import ABOUT, ilql, load_steered
from humanalign.align.learner import settings_for
from humanalign.align.offline import offline, preference_loss
from humanalign.align.online import online
from humanalign.align.rollout import policy_sampling
from humanalign.align.selfcheck import check_dtype, check_settings, check_sign
from humanalign.align.sft import sft
from humanalign.config import defaults_of
from humanalign.errors import ConfigError, did_you_mean
from humanalign.hub import locate
from humanalign.models import Policy
from humanalign.objectives import names
from humanalign.rows import columns, read_rows
from humanalign.run import Run
from humanalign.settings import AlignConfig
from humanalign.trackers import require, track
from humanalign.types import Observer, PreferencePair, Prompt, RewardModel

# What only an online method reads; another one would take it in silence.
ONLINE_ONLY = (
    "value",
    "ema",
    "mix",
    "reward_check",
    "reward_clip",
    "dual_clip",
    "policy_kl",
    "monitor",
)
Progress = Callable[[int, int], None] | None


def methods() -> list[str]:
    """Every method's name: online, offline (one per preference loss), ilql and bon."""
    return [*ALGORITHMS, *names("preference"), "ilql", "bon"]


def needs(method: str) -> str:
    """What a method learns from: "prompts" (and a reward), "pairs" or scored "data".

    ConfigError for an unknown method.
    """
    if method not in methods():
        hint = did_you_mean(method, methods()) or f"; known: {', '.join(methods())}"
        raise ConfigError(f"method: unknown method '{method}'{hint}")
    if method in ALGORITHMS or method == "bon":
        return "prompts"
    return "data" if method == "ilql" else "pairs"


def load_policy(name: str | Path) -> Policy:
    """A policy ready to answer; one that ILQL trained comes back with its steering."""
    folder = Path(name)
    if (folder / "policy" / ABOUT).is_file() or (folder / ABOUT).is_file():
        return load_steered(folder)
    return Policy.load(name)


def align(
    policy: Policy,
    data: Sequence[Prompt] | Sequence[PreferencePair] | Sequence[tuple[str, str, float]],
    reward: RewardModel | None = None,
    *,
    method: str = "ppo",
    run: Run | str | Path | None = None,
    settings: AlignConfig | Mapping | None = None,
    monitor: Observer | None = None,
    progress: Progress = None,
) -> Policy:
    """Align `policy` in place and return it.

    `data` are prompts (ppo, rloo, grpo, bon: with a `reward`), preference pairs (dpo and its kin)
    or (prompt, completion, score) rows (ilql). `settings` are the keys of `humanalign align`, e.g.
    {"steps": 100, "kl": {"coef": 0.1}}. A finished run gives back what it trained. A `monitor`
    (ha.Monitor) watches ppo, rloo and grpo; the command makes one from the keys monitor.*.
    """
    config = settings_for(policy, method, settings)
    check(config)
    if isinstance(run, str | Path):
        require(config.log_with)
        run = Run.open(
            run,
            stage="align",
            config=config.model_dump(),
            seed=config.seed,
            defaults=defaults_of(type(config)),
        )
    if run is not None and run.finished:
        return load_policy(run.path)
    if run is not None:
        track(run, config.log_with)
    elif config.log_with:
        raise ConfigError(f"log_with: {config.log_with} follow a run; give run=DIR as well")
    if needs(config.method) != "prompts":
        return _from_rows(policy, data, config, run=run, progress=progress)
    prompts = cast(Sequence[Prompt], data)
    if reward is None:
        raise ConfigError(f"reward is required for method={config.method}; give reward=...")
    if config.method == "bon":
        return _best_of(policy, prompts, reward, config, run=run, progress=progress)
    mix = mix_rows(config)
    online(policy, prompts, reward, config, run=run, mix=mix, monitor=monitor, progress=progress)
    return policy


def mix_rows(config: AlignConfig) -> list[tuple[str, str]] | None:
    """The (prompt, response) rows of mix.data, None where nothing is mixed in."""
    if config.mix.data is None:
        return None
    rows = read_rows(config.mix.data)
    columns(rows, ["prompt", "response"], config.mix.data)
    return [(str(row["prompt"]), str(row["response"])) for row in rows]


def check(config: AlignConfig) -> None:
    """ConfigError for settings that the method cannot work with, before anything is opened."""
    kind = needs(config.method)
    if config.method in ALGORITHMS:
        check_settings(config)
    else:
        check_dtype(config)
        _refuse_online_keys(config)
    if kind == "pairs":
        preference_loss(config.method, _objective(config))
    elif kind == "prompts" and config.objective:
        raise ConfigError(
            f"objective: method={config.method} takes none, got {config.objective!r}; leave it out"
        )
    if config.quantize and not config.lora.rank:
        raise ConfigError(
            f"quantize: {config.quantize} weights cannot be trained themselves, got lora.rank=0; "
            "set lora.rank above 0"
        )


def _refuse_online_keys(config: AlignConfig) -> None:
    """ConfigError for a setting that this method would accept and never read."""
    for key in ONLINE_ONLY:
        if key in config.model_fields_set:
            raise ConfigError(
                f"{key}: method={config.method} has no use for it (ppo, rloo and grpo do); "
                "leave it out"
            )


def check_inputs(config: AlignConfig, reward: RewardModel | None) -> None:
    """The mistakes in what the settings name, found before a run directory is opened."""
    if config.method not in ALGORITHMS or reward is None:
        return
    mix_rows(config)
    if config.value.model not in (None, "adapter") and reward_folder(config.value.model) is None:
        locate(config.value.model)
    check_sign(reward, config)


def _objective(config: AlignConfig) -> dict[str, str | float | bool]:
    named = dict(config.objective)
    if named.pop("name", config.method) != config.method:
        raise ConfigError(
            f"objective.name: method={config.method} and objective {config.objective['name']!r} "
            "disagree; give one of the two"
        )
    return named


def _from_rows(
    policy: Policy, rows: Sequence, config: AlignConfig, *, run: Run | None, progress: Progress
) -> Policy:
    """Preference pairs teach by the loss that the method names, scored answers by ILQL."""
    learn: Callable[..., Policy] = ilql
    if needs(config.method) == "pairs":
        learn = partial(offline, method=config.method)
    return learn(
        policy,
        rows,
        objective=_objective(config),
        run=run,
        lr=config.lr,
        epochs=config.epochs,
        batch=config.batch,
        micro_batch=config.micro_batch,
        seed=config.seed,
        max_new_tokens=config.max_new_tokens,
        checkpoint_every=config.checkpoint.every,
        progress=progress,
    )


def _best_of(
    policy: Policy,
    prompts: Sequence[Prompt],
    reward: RewardModel,
    config: AlignConfig,
    *,
    run: Run | None,
    progress: Progress,
) -> Policy:
    """Best-of-n answers, then one pass of supervised learning on the winners."""
    winners = bestof(
        policy,
        [policy.render(p) for p in prompts],
        reward,
        n=config.group,
        sampling=policy_sampling(config),
        seed=config.seed,
        progress=progress,
    )
    return sft(
        policy,
        winners,
        run=run,
        lr=config.lr,
        epochs=config.epochs,
        batch=config.batch,
        micro_batch=config.micro_batch,
        seed=config.seed,
        checkpoint_every=config.checkpoint.every,
    )
