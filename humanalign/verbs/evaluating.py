"""`evaluate`: a model, and what changed against the one before, on the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.errors import ConfigError
from humanalign.evaluate.compare import evaluate as compare_models
from humanalign.reward.sources import resolve
from humanalign.settings import EvaluateConfig
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)


def evaluate(config: EvaluateConfig, place: Path, progress: Progress = None) -> Mapping:
    """Measure a model, and what changed against the one before, on the same prompts."""
    if config.model is None:
        raise ConfigError("model is required; give model=...")
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
