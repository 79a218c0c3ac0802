"""The verbs that let models answer: collect and evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.collect.complete import Collection
from humanalign.collect.complete import collect as sample_completions
from humanalign.errors import ConfigError
from humanalign.evaluate.compare import evaluate as compare_models
from humanalign.models import Policy
from humanalign.prefer.store import FeedbackStore
from humanalign.reward.sources import resolve
from humanalign.settings import CollectConfig, EvaluateConfig
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)


def collect(config: CollectConfig, place: Path, progress: Progress = None) -> Mapping:
    """Sample completions and put them, and the questions about them, into the feedback store."""
    names = config.models or [config.model or ""]
    if not names[0] or (config.model and config.models):
        raise ConfigError("give model=NAME, or models=[NAME, NAME] to compare two")
    run = begun("collect", config, place)
    if run and run.finished:
        return run.summary
    prompts = read_prompts(config)
    policies: dict[str, Policy] = {name: load_policy(name) for name in names}
    prompts = fitting(prompts, config, next(iter(policies.values())), config.max_new_tokens)
    run = open_run("collect", config, place, parents=names)
    store = FeedbackStore(config.store)

    def keep(collection: Collection) -> None:
        store.add(collection.prompts, collection.completions)
        store.ask(collection.comparisons(config.criterion), config.overlap, config.project)

    sample_completions(
        policies,
        prompts,
        samples=1 if config.models else config.samples,
        sampling=sampling_of(config, config.sampling.top_k, config.sampling.top_p),
        batch_size=config.batch,
        seed=config.seed,
        run=run,
        keep=keep,
        progress=progress,
    )
    return run.summary


def evaluate(config: EvaluateConfig, place: Path, progress: Progress = None) -> Mapping:
    """Measure a model, and what changed against the one before, on the same prompts."""
    names = [config.model, config.against] if config.against else [config.model]
    run = begun("evaluate", config, place)
    if run and run.finished:
        return run.summary
    prompts = read_prompts(config)
    scorers = {name: resolve(spec) for name, spec in config.scorers.items()}
    policy = load_policy(config.model)
    against = load_policy(config.against) if config.against else None
    prompts = fitting(prompts, config, policy, config.max_new_tokens)
    run = open_run("evaluate", config, place, parents=names)
    compare_models(
        policy,
        against=against,
        prompts=prompts,
        scorers=scorers,
        sampling=sampling_of(config, config.sampling.top_k, config.sampling.top_p),
        samples=config.samples,
        seed=config.seed,
        run=run,
        progress=progress,
    )
    return run.summary
