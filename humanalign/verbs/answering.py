"""`collect`: models answer, and people are asked about the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.collect.complete import Collection
from humanalign.collect.complete import collect as sample_completions
from humanalign.collect.prompts import PromptSet
from humanalign.errors import ConfigError
from humanalign.models import Policy
from humanalign.prefer.store import FeedbackStore
from humanalign.settings import CollectConfig
from humanalign.types import Prompt
from humanalign.verbs.asking import ask, summary_of
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)
from humanalign.verbs.labelling import existing


def collect(config: CollectConfig, place: Path, progress: Progress = None) -> Mapping:
    """Sample completions and put them, and the questions about them, into the feedback store.

    With `ask` the questions are those whose answers would teach most (verbs/asking.py); prompts
    that the model has answered before are not sampled again.
    """
    names = _names(config)
    run = begun("collect", config, place)
    if run and run.finished:
        return run.summary
    given = read_prompts(config) if config.prompts or not config.ask else None
    # Nothing to read and no model to sample from: the answers are in the store, or nowhere.
    store = FeedbackStore(config.store) if given and names else existing(config.store)
    sampled = [] if given is None else _unsampled(store, given, names, config)
    policies: dict[str, Policy] = {name: load_policy(name) for name in names if sampled}
    for policy in list(policies.values())[:1]:
        sampled = fitting(PromptSet(sampled), config, policy, config.max_new_tokens)
    run = open_run("collect", config, place, parents=[*names, config.reward or ""])

    def keep(collection: Collection) -> Mapping | None:
        store.add(collection.prompts, collection.completions)
        if not config.ask:
            store.ask(collection.comparisons(config.criterion), config.overlap, config.project)
            return None
        told = ask(store, store.prompts().values() if given is None else given, config)
        run.record("asked", [each.row() for each in told])
        return summary_of(told, store, config.criterion)

    sample_completions(
        policies,
        sampled,
        samples=1 if config.models else config.samples,
        sampling=sampling_of(config, config.sampling.top_k, config.sampling.top_p),
        batch_size=config.batch,
        seed=config.seed,
        run=run,
        keep=keep,
        progress=progress,
    )
    return run.summary


def _names(config: CollectConfig) -> list[str]:
    """Who answers: one model, or two to be compared; with `ask`, nobody need."""
    names = config.models or ([config.model] if config.model else [])
    if (config.model and config.models) or not (names or config.ask):
        raise ConfigError("give model=NAME, or models=[NAME, NAME] to compare two")
    return names


def _unsampled(
    store: FeedbackStore, prompts: Sequence[Prompt], names: Sequence[str], config: CollectConfig
) -> list[Prompt]:
    """The prompts to sample for: with `ask`, those that not every model has answered before."""
    if not config.ask:
        return list(prompts)
    drawn = {
        (each.prompt_id, each.sampler.model)
        for each in store.completions().values()
        if (each.sampler.temperature, each.sampler.seed) == (config.temperature, config.seed)
    }
    return [each for each in prompts if any((each.id, name) not in drawn for name in names)]
