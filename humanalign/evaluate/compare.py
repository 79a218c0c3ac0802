"""Before against after: both models answer the same prompts, every scorer reads every answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from humanalign.errors import ConfigError, DataError, RunError, did_you_mean
from humanalign.evaluate.beside import Judged, Terms, beside, family_of
from humanalign.evaluate.comparable import comparable
from humanalign.evaluate.divergence import divergence
from humanalign.evaluate.evaluation import Evaluation, Leaf
from humanalign.evaluate.kept import kept_answers
from humanalign.evaluate.measures import (
    NEITHER,
    SUPPORT,
    TOXICITY,
    Side,
    better,
    is_probability,
    measure,
    place,
    rows,
    with_reference,
)
from humanalign.evaluate.perplexity import METRIC as PERPLEXITY
from humanalign.evaluate.perplexity import compare_perplexity
from humanalign.evaluate.progress import Parts, Progress
from humanalign.evaluate.quality import MARGINS, ROUGE, Margin
from humanalign.evaluate.statistics import mean
from humanalign.evaluate.toxicity import toxicity
from humanalign.evaluate.winrate import Duels, Judge, judge_duels
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.types import Prompt, RewardModel

# Names that no scorer may have: those of our own measures and of parts of the results.
TAKEN = {*ROUGE, *NEITHER, *SUPPORT, PERPLEXITY, "quality", "kl", "scorers", "judge", "people"}
# The suites' results stand beside those of the scorers.
TAKEN |= {"hhh", "truthfulqa", "honesty"}


def evaluate(
    policy: Policy,
    *,
    against: Policy | None = None,
    prompts: Sequence[Prompt],
    scorers: Mapping[str, RewardModel],
    lower: Collection[str] = (),
    margins: Mapping[str, float] | None = None,
    sampling: Sampling | None = None,
    samples: int = 1,
    seed: int = 0,
    batch: int = 64,
    support: bool = False,
    judge: Judge | None = None,
    people: Duels | None = None,
    run: Run | None = None,
    keep: Run | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure `policy`, and what changed `against` the model before, on the same prompts.

    Both models decode with the same `sampling` and the same random numbers. Of the scorers in
    `lower`, and of one named "toxicity", less is better; "toxicity" gives probabilities. `margins`
    name the loss of a measure that still counts as not worse, in place of `quality.MARGINS`.
    `judge` compares the two answers to each prompt; `people` holds duels that people decided.
    Prompts that occur twice count once, so that n is honest. With `run`, samples.jsonl and the
    summary are written and the run is finished; there, or in the run `keep`, each side's answers
    are kept once complete, and taken from where they are. DataError: under 2 prompts, scores that
    are not finite. ConfigError: a name in `lower` or `margins` that is not measured.
    """
    if run is not None and run.finished:
        raise RunError(f"{run.path} is finished; name another directory to evaluate again")
    different = unrepeated(prompts)
    wanted = checked(different, scorers, lower=lower, margins=margins, compared=against is not None)
    if samples < 1:
        raise ConfigError(f"samples: expected 1 or more answers a prompt, got {samples}")
    terms = Terms(scorers, {TOXICITY, *lower}, wanted, support, seed)
    sampling = sampling or Sampling()
    models = {"after": policy} | ({"before": against} if against else {})
    parts = Parts(progress, len(models) + 2 * bool(against) + bool(against and judge))
    sides = {}
    for name, model in models.items():
        asked = [model.render(prompt) for prompt in different]
        draws = {"samples": samples, "seed": seed, "batch": batch}
        answers = kept_answers(
            run or keep, name, model, asked, sampling, **draws, progress=parts.next()
        )
        sides[name] = measure(different, answers, scorers, support=support)
    found = Evaluation(policy.name, None, len(different), {}, (), tuple(rows(different, sides)))
    if against is None:
        results = _alone(sides["after"], terms)
    else:
        duels = {"people": people} if people else {}
        judged = _between(
            (policy, against), different, sides, sampling, judge=judge, seed=seed, parts=parts
        )
        judged = replace(judged, duels={**judged.duels, **duels})
        family = family_of(sides["before"], sides["after"], judged.surprise, terms)
        results = beside(family, sides["before"], sides["after"], terms, judged)
        found = replace(found, against=against.name, comparisons=tuple(family.values()))
    results["comparable"] = comparable(different, scorers, sampling, samples)
    results["repeated_prompts_left_out"] = len(prompts) - len(different)
    results["samples"] = samples
    found = replace(found, results=results)
    parts.end()
    if run is not None:
        run.samples(found.samples)
        run.finish(found.summary())
    return found


def _between(
    models: tuple[Policy, Policy],
    prompts: Sequence[Prompt],
    sides: Mapping[str, Side],
    sampling: Sampling,
    *,
    judge: Judge | None,
    seed: int,
    parts: Parts,
) -> Judged:
    """What takes the models themselves: perplexity, KL and the judge, one part of the bar each."""
    policy, against = models
    before, after = sides["before"], sides["after"]
    surprise = compare_perplexity(
        against, prompts, before.answers, after.answers, seed=seed, progress=parts.next()
    )
    kl = divergence(
        policy,
        against,
        prompts,
        after.answers,
        sampling=sampling,
        seed=seed,
        progress=parts.next(),
    )
    duels = {"judge": _judged(judge, prompts, before, after, parts.next())} if judge else {}
    return Judged(surprise, against.name, kl, duels)


def unrepeated(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Each prompt once, in the order of first appearance."""
    return list({prompt.id: prompt for prompt in prompts}.values())


def checked(
    prompts: Sequence[Prompt],
    scorers: Mapping[str, object],
    *,
    lower: Collection[str] = (),
    margins: Mapping[str, float] | None = None,
    compared: bool,
) -> dict[str, Margin]:
    """The margins that hold; ConfigError and DataError for what `evaluate` would refuse."""
    _check(prompts, scorers, lower)
    return _margins(margins or {}, scorers, prompts, compared=compared)


def _check(
    prompts: Sequence[Prompt], scorers: Mapping[str, object], lower: Collection[str]
) -> None:
    if len(prompts) < 2:
        raise DataError(f"prompts: an interval needs at least 2 different ones, got {len(prompts)}")
    taken = TAKEN & scorers.keys()
    if taken:
        raise ConfigError(f"scorers: '{min(taken)}' is a built-in measure; give another name")
    for name in lower:
        if name not in scorers:
            known = ", ".join(scorers) or "none"
            raise ConfigError(
                f"lower: there is no scorer '{name}'; scorers: {known}{did_you_mean(name, scorers)}"
            )


def _margins(
    given: Mapping[str, float],
    scorers: Mapping[str, object],
    prompts: Sequence[Prompt],
    *,
    compared: bool,
) -> dict[str, Margin]:
    """The margins that hold: our own, and what is given, in the same unit."""
    if given and not compared:
        raise ConfigError("margins: a loss needs a model before; give against=")
    rouge = ROUGE if len(with_reference(prompts)) >= 2 else ()
    measured = [*scorers, *rouge, *NEITHER, PERPLEXITY, "kl"]
    for name in given:
        if name not in measured:
            raise ConfigError(
                f"margins: '{name}' is not measured here; measured: {', '.join(measured)}"
                f"{did_you_mean(name, measured)}"
            )
    own = {name: margin for name, margin in MARGINS.items() if name in measured}
    return own | {
        name: replace(MARGINS[name], size=size) if name in MARGINS else Margin(size)
        for name, size in given.items()
    }


def _judged(
    judge: Judge,
    prompts: Sequence[Prompt],
    before: Side,
    after: Side,
    progress: Progress | None,
) -> Duels:
    """The k-th answers of both models to a prompt meet before the judge."""
    asked = [p for p, row in zip(prompts, after.answers, strict=True) for _ in row]
    first, second = (
        [answer.text for row in side.answers for answer in row] for side in (before, after)
    )
    return judge_duels(judge, asked, first, second, progress=progress)


def _alone(side: Side, terms: Terms) -> dict:
    """What is told of a model that is compared with none."""
    results: dict = {}
    for name, scores in side.scores.items():
        lower = name in terms.lower
        told: dict[str, Leaf | dict] = {
            "better": better(name, terms.lower),
            "after": mean(name, scores, seed=terms.seed, higher_is_better=not lower),
        }
        if lower and is_probability(scores):
            measured = toxicity(scores, name=name, seed=terms.seed)
            told |= {
                "sd": measured.sd,
                "over_half": measured.over_half,
                "expected_max": measured.expected_max,
            }
        place(results, name, told)
    return results
