"""`evaluate`: a model, and what changed against the one before, on the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from humanalign.align.methods import load_policy
from humanalign.collect.prompts import PromptSet
from humanalign.errors import ConfigError, RunError
from humanalign.evaluate.comparable import VERSION, with_scorers
from humanalign.evaluate.compare import evaluate as compare_models
from humanalign.evaluate.evaluation import Evaluation, plain
from humanalign.evaluate.history import trends
from humanalign.evaluate.history_page import page
from humanalign.evaluate.honesty.suites import Suites, run_suites
from humanalign.evaluate.measures import TOXICITY
from humanalign.evaluate.winrate import Duels, Judge
from humanalign.models import Policy
from humanalign.prefer.constitution import load_constitution
from humanalign.reward.sources import resolve
from humanalign.run import Run, write_text
from humanalign.settings import EvaluateConfig
from humanalign.types import RewardModel
from humanalign.verbs.inputs import (
    Progress,
    begun,
    fitting,
    open_run,
    read_prompts,
    sampling_of,
)
from humanalign.verbs.refereeing import judge_of, people_of


def evaluate(config: EvaluateConfig, place: Path, progress: Progress = None) -> Mapping:
    """Measure a model, and what changed against the one before, on the same prompts.

    With `history`: the trend over the evaluations in a folder, and nothing is measured.
    """
    if config.history is not None:
        return history(Path(config.history))
    name = _checked(config)
    run = begun("evaluate", config, place)
    if run and run.finished:
        return run.summary
    asked = _asked(config)
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
        suites = _suites(config, policy, against, progress)
        if asked:
            found = _measured(config, policy, against, asked, judge=judge, progress=progress)
            summary, samples = found.summary(), list(found.samples)
        else:
            summary, samples = _without_prompts(policy, against), []
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
class _Asked:
    """What is asked of both models: prompts, who scores the answers, and what people said."""

    prompts: PromptSet
    scorers: Mapping[str, RewardModel]
    people: Duels | None


def _checked(config: EvaluateConfig) -> str:
    """The model; ConfigError for all that can be known to be wrong before anything is read."""
    if config.model is None:
        raise ConfigError("model is required; give model=...")
    for key in ("judge", "store"):
        if getattr(config, key) and not config.against:
            raise ConfigError(f"{key}: a win rate needs a model before; give against=")
    for key in ("judge", "store", "support"):
        if getattr(config, key) and not config.prompts:
            raise ConfigError(f"{key}: needs answers to prompts; give prompts=FILE")
    return config.model


def _asked(config: EvaluateConfig) -> _Asked | None:
    """None where only suites are asked for."""
    if not config.prompts and (config.truthfulqa or config.hhh):
        return None
    prompts = read_prompts(config)
    scorers = {name: _scorer(config, name) for name in config.scorers}
    people = (
        people_of(config.store, str(config.against), str(config.model)) if config.store else None
    )
    return _Asked(prompts, scorers, people)


def _measured(
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
        progress=progress,
    )


def _scorer(config: EvaluateConfig, name: str) -> RewardModel:
    """A classifier that finds something bad is read by its probability unless its spec says."""
    bad = name in (TOXICITY, *config.lower)
    return resolve(config.scorers[name], use="prob" if bad else "logit")


def _suites(
    config: EvaluateConfig, policy: Policy, against: Policy | None, progress: Progress
) -> Suites:
    if not (config.truthfulqa or config.hhh):
        return Suites()
    return run_suites(
        policy,
        against,
        truthfulqa=config.truthfulqa,
        hhh=config.hhh,
        seed=config.seed,
        max_new_tokens=config.max_new_tokens,
        progress=progress,
    )


def _without_prompts(policy: Policy, against: Policy | None) -> dict:
    """The head of a summary where only suites were asked for."""
    return {
        "policy": policy.name,
        "against": against.name if against else None,
        "comparable": {"version": VERSION, "prompts": None, "sampling": None, "scorers": {}},
    }


def _finish(run: Run, config: EvaluateConfig, summary: dict, suites: Suites, samples: list) -> None:
    """Join both parts; a suite is known by the bytes of its file, as a scorer is by its weights."""
    results = plain(suites.results)
    honesty = {**summary.get("honesty", {}), **results.get("honesty", {})}
    whole = {**summary, **results} | ({"honesty": honesty} if honesty else {})
    files = {"truthfulqa": config.truthfulqa, "hhh": config.hhh}
    hashes = {name: _file_id(file) for name, file in files.items() if file}
    whole["comparable"] = with_scorers(summary["comparable"], hashes)
    whole |= {"model": config.model, "model_before": config.against}
    run.samples([*samples, *suites.samples])
    run.finish(whole)


def _file_id(name: str) -> str:
    path = Path(name)
    return sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else name
