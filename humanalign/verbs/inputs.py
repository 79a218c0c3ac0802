"""What the verbs share: from names in the settings to runs, policies, prompts, pairs, rewards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from humanalign.collect.prompts import PromptSet, load_prompts
from humanalign.config import Settings, defaults_of
from humanalign.errors import ConfigError, DataError
from humanalign.models import Lora, Policy
from humanalign.prefer.files.formats import read_pairs
from humanalign.reward.sources import resolve
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.settings import AlignConfig, ReadsPrompts, Samples, Trains
from humanalign.trackers import require, track
from humanalign.types import PreferencePair, RewardModel, RunRef

Progress = Callable[[int, int], None] | None


def trainable_policy(config: Trains) -> Policy:
    """The policy to be trained, with a fresh adapter unless lora.rank is 0."""
    lora = Lora(config.lora.rank, config.lora.alpha, targets=tuple(config.lora.targets))
    wanted = lora if config.lora.rank else None
    policy = Policy.load(
        config.model,
        lora=wanted,
        seed=config.seed,
        dtype=config.dtype,
        quantize=config.quantize,
        freeze_encoder=config.freeze_encoder,
    )
    if config.gradient_checkpointing:
        policy.save_memory()
    return policy


def read_prompts(config: ReadsPrompts) -> PromptSet:
    """The prompts that the settings name, before anything is known of the model."""
    if not config.prompts:
        raise ConfigError("prompts is required; give prompts=FILE")
    return load_prompts(
        data_file(config.prompts, "prompts"),
        template=config.template,
        reference=config.reference,
        split=config.split,
        limit=config.limit,
        opening=config.opening,
    )


def fitting(
    prompts: PromptSet, config: ReadsPrompts, policy: Policy, max_new_tokens: int
) -> PromptSet:
    """`prompts` without those too long for the context; they are an error unless dropped."""
    fits = PromptSet([p for p in prompts if policy.fits(policy.render(p), max_new_tokens)])
    if config.long_prompts == "drop" and not fits:
        raise DataError(f"{config.prompts}: all {len(prompts)} prompts are longer than the context")
    if config.long_prompts == "error" and len(fits) < len(prompts):
        policy.encode([policy.render(p) for p in prompts], max_new_tokens=max_new_tokens)
    return fits


def training_pairs(source: str) -> list[PreferencePair]:
    """Pairs from a file, or the training part of a finished prefer run."""
    return read_pairs(data_file(source, "pairs.train"))


def reward_pairs(
    source: str, held_out: str | None
) -> tuple[list[PreferencePair], list[PreferencePair] | None]:
    """(train, held out): a prefer run's own parts or two files; None leaves the split to `fit`."""
    test = Path(source) / "data" / "pairs.test.jsonl"
    if held_out or test.is_file():
        return training_pairs(source), read_pairs(held_out or test)
    return training_pairs(source), None


def judged_pairs(source: str) -> list[PreferencePair]:
    """Each labeler's own pairs on held-out prompts, where a prefer run has kept them."""
    file = Path(source) / "data" / "judged.test.jsonl"
    return read_pairs(file) if file.is_file() and file.stat().st_size else []


def reward_of(config: AlignConfig) -> RewardModel:
    """The reward that the settings name. ConfigError when there is none."""
    if config.reward is None:
        raise ConfigError(f"reward is required for method={config.method}; give reward=run:DIR")
    return resolve(config.reward, label=config.label, use=config.use)


def reward_runs(spec: object) -> list[str]:
    """The directories of the reward runs that a reward spec names, however nested, for lineage."""
    if isinstance(spec, Mapping):
        named = [spec.get("reward"), spec.get("cached"), spec.get("ensemble")]
        return [run for inner in named for run in reward_runs(inner)]
    if isinstance(spec, list | tuple):
        return [run for inner in spec for run in reward_runs(inner)]
    if isinstance(spec, str) and spec.startswith("run:"):
        return [spec.removeprefix("run:").partition("?")[0]]
    return []


def sampling_of(config: Samples, top_k: int = 0, top_p: float = 1.0) -> Sampling:
    """How the settings want answers to be decoded."""
    return Sampling(
        temperature=config.temperature,
        top_k=top_k,
        top_p=top_p,
        max_new_tokens=config.max_new_tokens,
        ignore_eos=config.ignore_eos,
    )


def open_run(stage: str, config: Settings, place: Path, parents: Sequence[str] = ()) -> Run:
    """Start or resume the run of a stage; those of `parents` that are finished runs are lineage."""
    refs = [ref for name in parents if (ref := finished_run(name))]
    seed = getattr(config, "seed", 0)
    run = Run.open(
        place,
        stage=stage,
        config=config.model_dump(),
        parents=refs,
        seed=seed,
        defaults=defaults_of(type(config)),
    )
    track(run, getattr(config, "log_with", None))
    return run


def begun(stage: str, config: Settings, place: Path) -> Run | None:
    """The run to go on with, None for a new one. RunError for another stage or config."""
    run = Run.begun(
        place, stage=stage, config=config.model_dump(), defaults=defaults_of(type(config))
    )
    if not (run and run.finished):
        require(getattr(config, "log_with", None))
    return run


def finished_run(name: str) -> RunRef | None:
    """The run in a directory of that name, or None when it is something else."""
    path = Path(name)
    return Run.parent(path) if (path / "run.json").exists() else None


def data_file(source: str, name: str) -> str:
    """A file as it is; a finished run by the rows it keeps under `name`."""
    if not finished_run(source):
        return source
    file = Path(source) / "data" / f"{name}.jsonl"
    if not file.is_file():
        kept = ", ".join(sorted(p.stem for p in file.parent.glob("*.jsonl"))) or "none"
        raise DataError(f"{source}: this run keeps no {name}; it has: {kept}")
    return str(file)
