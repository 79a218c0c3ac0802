"""Before against after: both models answer the same prompts, every scorer reads every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from humanalign.errors import ConfigError, DataError, RunError
from humanalign.evaluate.divergence import divergence
from humanalign.evaluate.evaluation import Evaluation, Leaf
from humanalign.evaluate.paired import Better, Paired, adjust, compare
from humanalign.evaluate.quality import ROUGE, distinct, non_inferior, rouge, words
from humanalign.evaluate.statistics import Array, mean
from humanalign.evaluate.toxicity import toxicity
from humanalign.evaluate.winrate import win_rate
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Answer, Sampling, complete
from humanalign.types import Prompt, RewardModel

Progress = Callable[[int, int], None]
NEITHER = ("length", "distinct2")
# The ROUGE-L that may be lost before quality counts as worse, stated before looking.
MARGIN = 0.02


@dataclass(frozen=True)
class _Side:
    """One model's answers [N][K] and scores by metric [N, K]; ROUGE only rows with a reference."""

    answers: list[list[Answer]]
    scores: dict[str, Array]


def evaluate(
    policy: Policy,
    *,
    against: Policy | None = None,
    prompts: Sequence[Prompt],
    scorers: Mapping[str, RewardModel],
    sampling: Sampling | None = None,
    samples: int = 1,
    seed: int = 0,
    margin: float = MARGIN,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure `policy`, and what changed `against` the model before, on the same prompts.

    Both models decode with the same `sampling` and the same random numbers. A scorer named
    "toxicity" gives probabilities and lower is better; all others, higher. Prompts that occur
    twice count once, so that n is honest. With `run`, samples.jsonl and the summary are written
    and the run is finished. DataError: under 2 prompts, scores that are not finite.
    """
    if run is not None and run.finished:
        raise RunError(f"{run.path} is finished; name another directory to evaluate again")
    different = list({prompt.id: prompt for prompt in prompts}.values())
    _check(different, scorers, samples)
    sampling = sampling or Sampling()
    sides = []
    models = [policy] if against is None else [policy, against]
    for done, model in enumerate(models):
        part = _part(progress, done, len(models))
        answers = _answers(model, different, sampling, samples=samples, seed=seed, progress=part)
        sides.append(_measure(different, answers, scorers))
    found = _found(policy, different, sides, seed)
    if against is not None:
        found = _beside(found, against, sides, seed=seed, margin=margin)
        kl = divergence(policy, against, different, sides[0].answers, sampling=sampling, seed=seed)
        found = replace(found, results={**found.results, "kl": kl})
    left_out = len(prompts) - len(different)
    found = replace(found, results={**found.results, "repeated_prompts_left_out": left_out})
    if run is not None:
        run.samples(found.samples)
        run.finish(found.summary())
    return found


def _answers(
    model: Policy,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    *,
    samples: int,
    seed: int,
    progress: Progress | None,
) -> list[list[Answer]]:
    rendered = [model.render(prompt) for prompt in prompts]
    return complete(model, rendered, sampling, seed=seed, samples=samples, progress=progress)


def _found(
    policy: Policy, prompts: Sequence[Prompt], sides: Sequence[_Side], seed: int
) -> Evaluation:
    """What is known of the policy alone."""
    return Evaluation(
        policy=policy.name,
        against=None,
        n=len(prompts),
        results=_alone(sides[0], seed),
        comparisons=(),
        samples=tuple(_rows(prompts, sides)),
    )


def _beside(
    found: Evaluation, against: Policy, sides: Sequence[_Side], *, seed: int, margin: float
) -> Evaluation:
    family = _compare(sides[1], sides[0], seed)
    results = _told(family, sides[1], sides[0], seed, margin)
    comparisons = tuple(family.values())
    return replace(found, against=against.name, results=results, comparisons=comparisons)


def _check(prompts: Sequence[Prompt], scorers: Mapping[str, RewardModel], samples: int) -> None:
    if len(prompts) < 2:
        raise DataError(f"prompts: an interval needs at least 2 different ones, got {len(prompts)}")
    if samples < 1:
        raise ConfigError(f"samples: expected 1 or more answers a prompt, got {samples}")
    taken = {*ROUGE, *NEITHER, "quality", "kl", "scorers"} & scorers.keys()
    if taken:
        raise ConfigError(f"scorers: '{min(taken)}' is a built-in measure; give another name")


def _part(progress: Progress | None, done: int, parts: int) -> Progress | None:
    if progress is None:
        return None
    return lambda step, total: progress(done * total + step, parts * total)


def _measure(
    prompts: Sequence[Prompt], answers: list[list[Answer]], scorers: Mapping[str, RewardModel]
) -> _Side:
    shape = (len(answers), len(answers[0]))
    texts = [answer.text for row in answers for answer in row]
    asked = [prompt.text for prompt in prompts for _ in range(shape[1])]
    scores = {
        name: _scored(name, scorer, asked, texts).reshape(shape) for name, scorer in scorers.items()
    }
    known = [i for i, prompt in enumerate(prompts) if prompt.reference]
    if len(known) >= 2:
        pairs = [(answer.text, prompts[i].reference or "") for i in known for answer in answers[i]]
        found = rouge([text for text, _ in pairs], [reference for _, reference in pairs])
        scores |= {name: np.asarray(found[name]).reshape(-1, shape[1]) for name in ROUGE}
    scores["length"] = np.array([float(len(words(text))) for text in texts]).reshape(shape)
    scores["distinct2"] = np.array([distinct(text) for text in texts]).reshape(shape)
    return _Side(answers, scores)


def _scored(name: str, scorer: RewardModel, asked: list[str], texts: list[str]) -> Array:
    scores = np.asarray(scorer.score(asked, texts), dtype=np.float64)
    if scores.shape != (len(texts),):
        raise DataError(
            f"{name}: expected one score for each of {len(texts)} answers, got shape "
            f"{scores.shape}; mend the scorer"
        )
    return scores


def _better(metric: str) -> Better:
    if metric in NEITHER:
        return "neither"
    return "lower" if metric == "toxicity" else "higher"


def _compare(before: _Side, after: _Side, seed: int) -> dict[str, Paired]:
    return adjust(
        {
            name: compare(name, scores, after.scores[name], better=_better(name), seed=seed)
            for name, scores in before.scores.items()
        }
    )


def _told(
    family: Mapping[str, Paired], before: _Side, after: _Side, seed: int, margin: float
) -> dict:
    """The nested results: toxicity, quality.rouge*, scorers.*, length, distinct2."""
    results: dict = {}
    for name, paired in family.items():
        told: dict = {
            "before": paired.before,
            "after": paired.after,
            "difference": paired.difference,
            "p": paired.p,
            "p_holm": paired.p_holm,
            "verdict": paired.verdict,
        }
        scores = before.scores[name], after.scores[name]
        if name == "toxicity":
            told["relative_reduction"] = paired.relative_reduction
            told |= _toxic(*scores, seed)
        if name not in (*NEITHER, *ROUGE):
            higher = paired.better == "higher"
            told["win_rate"] = win_rate(*scores, higher_is_better=higher, seed=seed)
        if name == "rougeL":
            told["non_inferior"] = non_inferior(paired.difference, margin).shown
            told["margin"] = margin
        _place(results, name, told)
    return results


def _toxic(before: Array, after: Array, seed: int) -> dict:
    first, second = toxicity(before, seed=seed), toxicity(after, seed=seed)
    return {
        "sd": {"before": first.sd, "after": second.sd},
        "over_half": {"before": first.over_half, "after": second.over_half},
        "expected_max": {
            "before": first.expected_max,
            "after": second.expected_max,
            "samples": first.samples,
        },
    }


def _alone(side: _Side, seed: int) -> dict:
    results: dict = {}
    for name, scores in side.scores.items():
        lower = name == "toxicity"
        told: dict[str, Leaf | dict] = {
            "after": mean(name, scores, seed=seed, higher_is_better=not lower)
        }
        if lower:
            measured = toxicity(scores, seed=seed)
            told |= {
                "sd": measured.sd,
                "over_half": measured.over_half,
                "expected_max": measured.expected_max,
            }
        _place(results, name, told)
    return results


def _place(results: dict, name: str, told: dict) -> None:
    if name in ROUGE:
        results.setdefault("quality", {})[name] = told
    elif name == "toxicity" or name in NEITHER:
        results[name] = told
    else:
        results.setdefault("scorers", {})[name] = told


def _rows(prompts: Sequence[Prompt], sides: Sequence[_Side]) -> list[dict]:
    """One row for each answer of the policy, beside the answer of the model before."""
    named = dict(zip(("after", "before"), sides, strict=False))
    known = [i for i, prompt in enumerate(prompts) if prompt.reference]
    rows = []
    for i, prompt in enumerate(prompts):
        for k in range(len(sides[0].answers[i])):
            row = {"prompt": prompt.text, "reference": prompt.reference}
            for side, data in named.items():
                row[side] = data.answers[i][k].text
                row[f"finished_{side}"] = data.answers[i][k].finished
                for name, scores in data.scores.items():
                    at = known.index(i) if name in ROUGE and i in known else i
                    absent = name in ROUGE and i not in known
                    row[f"{name}_{side}"] = None if absent else float(scores[at, k])
            rows.append(row)
    return rows
