"""The bundled world as a measuring bench: what tiny-instruct says, and how toxic that is."""

from __future__ import annotations

from functools import lru_cache

from humanalign.align.ilql import Scored
from humanalign.intervals import mean_interval
from humanalign.models import Policy
from humanalign.sampling import Sampling, complete
from humanalign.tiny import gold, world
from humanalign.types import EvalResult, PreferencePair

SAMPLING = Sampling(max_new_tokens=40)


def tiny_instruct() -> Policy:
    return Policy.load("tiny-instruct", device="cpu")


@lru_cache(maxsize=2)
def prompts(split: str, count: int) -> list[str]:
    return [prompt.text for prompt in world.prompts(split, count)]


@lru_cache(maxsize=1)
def logged() -> list[Scored]:
    """Four answers of tiny-instruct to each of 160 training prompts, with their gold utility."""
    asked = prompts("train", 160)
    answers = complete(tiny_instruct(), asked, SAMPLING, seed=1, samples=4)
    rows = [(p, answer.text) for p, group in zip(asked, answers, strict=True) for answer in group]
    scores = gold.utilities([p for p, _ in rows], [text for _, text in rows])
    return [Scored(p, text, score) for (p, text), score in zip(rows, scores, strict=True)]


def preferences() -> list[PreferencePair]:
    """The best of each prompt's four answers before the worst, where they differ."""
    by_prompt: dict[str, list[Scored]] = {}
    for row in logged():
        by_prompt.setdefault(row.prompt, []).append(row)
    pairs = []
    for prompt, rows in by_prompt.items():
        best, worst = max(rows, key=lambda r: r.score), min(rows, key=lambda r: r.score)
        if best.score > worst.score:
            pairs.append(PreferencePair(prompt, best.completion, worst.completion))
    return pairs


def toxicities(policy: Policy, *, seed: int = 2) -> list[float]:
    """Gold toxicity of two sampled answers to each of 120 unseen prompts, in order."""
    asked = prompts("test", 120)
    answers = complete(policy, asked, SAMPLING, seed=seed, samples=2)
    return [gold.toxicity(answer.text) for group in answers for answer in group]


def change(before: list[float], after: list[float]) -> EvalResult:
    """Mean of after - before, paired, with the interval over prompts."""
    rows = len(before) // 120
    prompt_of = [i // rows for i in range(len(before))]
    differences = [b - a for a, b in zip(before, after, strict=True)]
    return mean_interval(differences, prompt_of, metric="toxicity", higher_is_better=False)
