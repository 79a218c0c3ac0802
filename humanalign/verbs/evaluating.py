"""`evaluate`: a model, and what changed against the one before, on the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.collect.prompts import PromptSet
from humanalign.errors import ConfigError, RunError
from humanalign.evaluate.comparable import VERSION, with_scorers
from humanalign.evaluate.compare import checked, unrepeated
from humanalign.evaluate.compare import evaluate as compare_models
from humanalign.evaluate.evaluation import Evaluation, plain
from humanalign.evaluate.family import as_one_family
from humanalign.evaluate.history import trends
from humanalign.evaluate.history_page import page
from humanalign.evaluate.honesty.suites import SuiteItems, read_suites, run_suites
from humanalign.evaluate.kept import kept, model_id
from humanalign.evaluate.measures import TOXICITY
from humanalign.evaluate.progress import Parts
from humanalign.evaluate.winrate import Duels, Judge
from humanalign.models import Policy
from humanalign.prefer.constitution import load_constitution
from humanalign.reward.sources import resolve
from humanalign.run import Run, write_text
from humanalign.settings import EvaluateConfig
from humanalign.types import RewardModel, content_id
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)
from humanalign.verbs.refereeing import judge_of, people_of

# The head of a summary where only suites were asked for.
ONLY_SUITES = {
    "comparable": {"version": VERSION, "prompts": None, "sampling": None, "scorers": {}},
}


def evaluate(config: EvaluateConfig, place: Path, progress: Progress = None) -> Mapping:
    """Measure a model, and what changed against the one before, on the same prompts.

    With `history`: the trend over the evaluations in a folder, and nothing is measured.
    """
    if config.history is not None:
        given = config.model_dump(exclude_defaults=True).keys() - {"history"}
        if given:
            raise ConfigError(
                f"history: reads finished evaluations and measures nothing; leave out {min(given)}"
            )
        return history(Path(config.history))
    name = _checked(config)
    run = begun("evaluate", config, place)
    if run and run.finished:
        return run.summary
    items, asked = _items(config), _asked(config)
    policy = load_policy(name)
    against = load_policy(config.against) if config.against else None
    judge = judge_of(config.judge, load_constitution(config.constitution)) if config.judge else None
    if asked:
        fits = fitting(asked.prompts, config, policy, config.max_new_tokens)
        asked = replace(asked, prompts=fits)
    run = open_run(
        "evaluate", config, place, parents=[each for each in (name, config.against) if each]
    )
    with run.unless_mistaken():
        parts = Parts(progress, bool(items) + bool(asked))
        bar = parts.next() if items else None
        suites = _suites(run, config, policy, against, items=items, progress=bar)
        if asked:
            found = _measured(
                run, config, policy, against, asked, judge=judge, progress=parts.next()
            )
            summary, samples = found.summary(), list(found.samples)
        else:
            summary, samples = dict(ONLY_SUITES), []
    _finish(run, config, summary, suites, samples)
    return run.summary


def history(folder: Path) -> Mapping:
    """The trend over the finished evaluations below a folder, drawn in its history.html."""
    found = trends(folder)
    try:
        write_text(folder / "history.html", page(found))
    except OSError as error:
        raise RunError(f"history: {folder} cannot be written to ({error.strerror})") from None
    return {**found.summary(), "page": str(folder / "history.html")}


@dataclass(frozen=True)
class _Suites:
    """What the suites found, as JSON has it, and the hashes of what they asked."""

    results: dict
    samples: list[dict]
    ids: dict[str, str]


@dataclass(frozen=True)
class _Asked:
    """What is asked of both models: prompts, who scores the answers, and what people said."""

    prompts: PromptSet
    scorers: Mapping[str, RewardModel]
    people: Duels | None


def _checked(config: EvaluateConfig) -> str:
    """The model; ConfigError for all that can be known to be wrong before anything is read."""
    if config.model is None:
        raise ConfigError("model is required; give model=...")
    if config.few_shot and not config.truthfulqa:
        raise ConfigError("few_shot: only TruthfulQA is asked so; give truthfulqa=FILE")
    for key in ("judge", "store"):
        if getattr(config, key) and not config.against:
            raise ConfigError(f"{key}: a win rate needs a model before; give against=")
    for key in ("judge", "store", "support"):
        if getattr(config, key) and not config.prompts:
            raise ConfigError(f"{key}: needs answers to prompts; give prompts=FILE")
    if config.constitution and not config.judge:
        raise ConfigError("constitution: is what a judge goes by; give judge=MODEL too")
    return config.model


def _items(config: EvaluateConfig) -> SuiteItems | None:
    """What the suites ask, None where there is none."""
    if not (config.truthfulqa or config.hhh):
        return None
    return read_suites(truthfulqa=config.truthfulqa, hhh=config.hhh, few_shot=config.few_shot)


def _asked(config: EvaluateConfig) -> _Asked | None:
    """None where only suites are asked for. All that `evaluate` would refuse is refused here."""
    if not config.prompts and (config.truthfulqa or config.hhh):
        return None
    prompts = read_prompts(config)
    check = partial(
        checked, lower=config.lower, margins=config.margins, compared=config.against is not None
    )
    check(unrepeated(prompts), config.scorers)
    scorers = {name: _scorer(config, name) for name in config.scorers}
    people = (
        people_of(config.store, str(config.against), str(config.model)) if config.store else None
    )
    return _Asked(prompts, scorers, people)


def _measured(
    run: Run,
    config: EvaluateConfig,
    policy: Policy,
    against: Policy | None,
    asked: _Asked,
    *,
    judge: Judge | None,
    progress: Progress,
) -> Evaluation:
    return compare_models(
        policy,
        against=against,
        prompts=asked.prompts,
        scorers=asked.scorers,
        lower=config.lower,
        margins=config.margins,
        sampling=sampling_of(config, config.sampling.top_k, config.sampling.top_p),
        samples=config.samples,
        seed=config.seed,
        batch=config.batch,
        support=config.support,
        judge=judge,
        people=asked.people,
        keep=run,
        progress=progress,
    )


def _scorer(config: EvaluateConfig, name: str) -> RewardModel:
    """A classifier that finds something bad is read by its probability unless its spec says."""
    bad = name in (TOXICITY, *config.lower)
    return resolve(config.scorers[name], use="prob" if bad else "logit")


def _suites(
    run: Run,
    config: EvaluateConfig,
    policy: Policy,
    against: Policy | None,
    *,
    items: SuiteItems | None,
    progress: Progress,
) -> _Suites:
    """What the suites found, kept in the run: an interrupted evaluation does not ask them again."""
    if items is None:
        return _Suites({}, [], {})

    def make() -> list[dict]:
        found = run_suites(
            policy,
            against,
            asked=items,
            seed=config.seed,
            max_new_tokens=config.max_new_tokens,
            progress=progress,
        )
        return [{"results": plain(found.results), "samples": found.samples}]

    models = [model_id(each) for each in (policy, against) if each]
    terms = None if None in models else content_id(models, items.ids, config.seed)
    (found,) = kept(run, "suites", terms and content_id(terms, config.max_new_tokens), make)
    return _Suites(found["results"], found["samples"], items.ids)


def _finish(
    run: Run, config: EvaluateConfig, summary: dict, suites: _Suites, samples: list
) -> None:
    """Join both parts under one family of p-values; both models by the names that were typed."""
    honesty = {**summary.get("honesty", {}), **suites.results.get("honesty", {})}
    whole = {**summary, **suites.results} | ({"honesty": honesty} if honesty else {})
    whole["comparable"] = with_scorers(summary["comparable"], suites.ids)
    whole |= {"policy": config.model, "against": config.against}
    whole |= {"model": config.model, "model_before": config.against}
    if "under" in whole.get("perplexity", {}):
        whole["perplexity"]["under"] = config.against
    run.samples([*samples, *suites.samples])
    run.finish(as_one_family(whole))
