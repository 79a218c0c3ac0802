"""The verb `reward` on texts with labels: `data=FILE` in place of `pairs=FILE`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from humanalign.errors import ConfigError
from humanalign.hub import locate, require_tokenizer
from humanalign.prefer.files.labelled_rows import read_labelled
from humanalign.reward.labels.fit import fit_classifier, refuse_keys_of_pairs
from humanalign.reward.labels.rows import split_texts
from humanalign.reward.recipe import Recipe
from humanalign.settings import RewardConfig
from humanalign.settings.labelled import LabelledData
from humanalign.types import LabelledText
from humanalign.verbs.inputs import Progress, begun, open_run

# What only a fit to pairs can use.
OF_PAIRS = ("eval_pairs", "curve")


def check_source(config: RewardConfig) -> None:
    """ConfigError unless there is one of pairs and data, and no key of the other."""
    if (config.pairs is None) == (config.data is None):
        raise ConfigError(
            "give one of pairs=FILE (answers compared) and data=FILE (labelled texts)"
        )
    other = OF_PAIRS if config.data else tuple(LabelledData.model_fields)
    for key in other:
        if getattr(config, key) != RewardConfig.model_fields[key].default:
            kind = "pairs" if config.data else "data"
            raise ConfigError(f"{key}: is for {kind}=FILE, got {getattr(config, key)!r} without it")


def fit_labels(
    config: RewardConfig, recipe: Recipe, place: Path, progress: Progress = None
) -> Mapping:
    """Fit a classifier to labelled texts; it is measured on texts held out."""
    run = begun("reward", config, place)
    if run and run.finished:
        return run.summary
    train = _rows(str(config.data), config)
    test = _rows(config.eval_data, config) if config.eval_data else None
    # Again in the fit, but a mistake must not leave a run behind that refuses its own correction.
    refuse_keys_of_pairs(recipe)
    split_texts(train, test)
    require_tokenizer(locate(config.model))
    run = open_run("reward", config, place, parents=[config.model])
    with run.unless_mistaken():
        fit_classifier(
            config.model,
            train,
            test,
            recipe=recipe,
            balance=config.balance,
            run=run,
            seed=config.seed,
            checkpoint_every=config.checkpoint.every,
            keep=config.checkpoint.keep,
            progress=progress,
        )
    return run.summary


def _rows(source: str, config: RewardConfig) -> list[LabelledText]:
    return read_labelled(
        source,
        text=config.text,
        label=config.label,
        votes=config.votes,
        merge=config.merge,
        template=config.template,
        weigh=config.weigh,
        empty=config.empty,
    )
