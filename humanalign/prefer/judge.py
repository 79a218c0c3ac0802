"""AI feedback: a model compares answers by a constitution, and criticises and revises drafts.

`judge` reads the preference from the log-probabilities of the options A and B (Bai et al. 2022,
arXiv:2212.08073, section 4.1), in both orders of display, because models lean towards a place
(Zheng et al. 2023, arXiv:2306.05685). `revise` is the paper's critique and revision; its records
become demonstrations. A model's rankings are `Ranking` rows as a person's are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import torch

from humanalign.errors import DataError
from humanalign.models import Policy
from humanalign.prefer.constitution import Principle
from humanalign.prefer.files.ai import Verdict
from humanalign.prefer.pairs import Texts
from humanalign.sampling import Sampling, complete
from humanalign.types import SAME, Comparison, Prompt, Ranking

if TYPE_CHECKING:
    from humanalign.prefer.store import FeedbackStore

Progress = Callable[[int, int], None]
GREEDY = Sampling(temperature=0.0, max_new_tokens=64)
DRAFTS = Sampling()


def judge(
    policy: Policy,
    comparisons: Sequence[Comparison],
    source: FeedbackStore | Texts,
    principles: Sequence[Principle],
    *,
    rater_id: str | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> list[Ranking]:
    """A ranking of every comparison by the model; add `Rater(rater_id, "model")` to the store.

    `rater_id` is by default "model:" and the policy's name. Everything else as in `verdicts`.
    """
    judged = verdicts(
        policy, comparisons, source, principles, batch_size=batch_size, progress=progress
    )
    return rankings_of(judged, comparisons, rater_id or f"model:{policy.name}")


def verdicts(
    policy: Policy,
    comparisons: Sequence[Comparison],
    source: FeedbackStore | Texts,
    principles: Sequence[Principle],
    *,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Every pair of every comparison judged by every principle, in both orders.

    `batch_size` counts questions; each is asked with two answers. DataError: no principle.
    """
    if not principles:
        raise DataError("principles: expected at least one rule to judge by, got none")
    texts = source if isinstance(source, Texts) else source.texts()
    asked = [
        (comparison.id, first, second, principle)
        for comparison in comparisons
        for first, second in combinations(comparison.completion_ids, 2)
        for principle in principles
    ]
    questions = []
    for comparison_id, first, second, principle in asked:
        prompt = policy.render(texts.prompts[comparison_id])
        a, b = texts.answers[first], texts.answers[second]
        questions += [
            principle.ask_comparison(prompt, a, b),
            principle.ask_comparison(prompt, b, a),
        ]
    chances = _chances_of_a(policy, questions, batch_size, progress)
    return [
        Verdict(comparison_id, first, second, principle.name, shown_a, 1 - shown_b)
        for (comparison_id, first, second, principle), shown_a, shown_b in zip(
            asked, chances[::2], chances[1::2], strict=True
        )
    ]


def rankings_of(
    judged: Sequence[Verdict], comparisons: Sequence[Comparison], rater_id: str
) -> list[Ranking]:
    """Rank completions by their mean win probability over all rivals, principles and orders."""
    wins: dict[tuple[str, str], list[float]] = {}
    for verdict in judged:
        wins.setdefault((verdict.comparison_id, verdict.first), []).append(verdict.soft)
        wins.setdefault((verdict.comparison_id, verdict.second), []).append(1 - verdict.soft)
    rankings = []
    for comparison in comparisons:
        means = {c: _mean(wins[comparison.id, c]) for c in comparison.completion_ids}
        tiers: list[list[str]] = []
        for each in sorted(means, key=lambda c: -means[c]):
            if tiers and means[tiers[-1][0]] - means[each] < SAME:
                tiers[-1].append(each)
            else:
                tiers.append([each])
        rankings.append(Ranking(comparison.id, rater_id, tuple(tuple(tier) for tier in tiers)))
    return rankings


def revise(
    policy: Policy,
    prompts: Sequence[Prompt],
    constitution: Sequence[Principle],
    *,
    rounds: int = 1,
    seed: int = 0,
    sampling: Sampling = DRAFTS,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> list[dict]:
    """Draft an answer to each prompt, then criticise and revise it `rounds` times.

    Each round draws a principle per prompt, none twice before all were used; drafts are sampled,
    critiques and revisions greedy. Rows: prompt, prompt_id, draft, revisions [{principle,
    critique, revision}], final, model, seed, source "ai". DataError: rounds below 1, no principle.
    """
    if rounds < 1 or not constitution:
        raise DataError(
            f"revise needs at least 1 round and 1 principle, got {rounds} and {len(constitution)}"
        )
    texts = [policy.render(prompt) for prompt in prompts]
    drafts = _texts(complete(policy, texts, sampling, seed=seed, batch_size=batch_size))
    draws = [_drawn(constitution, rounds, f"{seed} {prompt.id}") for prompt in prompts]
    revisions: list[list[dict[str, str]]] = [[] for _ in prompts]
    answers = drafts
    for turn in range(rounds):
        drawn = [draw[turn] for draw in draws]
        for steps, step in zip(
            revisions, _round(policy, texts, answers, drawn, batch_size), strict=True
        ):
            steps.append(step)
        answers = [steps[-1]["revision"] for steps in revisions]
        if progress:
            progress(turn + 1, rounds)
    return [
        {
            "prompt": prompt.text,
            "prompt_id": prompt.id,
            "draft": draft,
            "revisions": steps,
            "final": final,
            "model": policy.name,
            "seed": seed,
            "source": "ai",
        }
        for prompt, draft, steps, final in zip(prompts, drafts, revisions, answers, strict=True)
    ]


@torch.no_grad()
def _chances_of_a(
    policy: Policy, questions: Sequence[str], batch_size: int, progress: Progress | None
) -> list[float]:
    """P(A) against B for each question, from the summed log-probabilities (nats) of both."""
    order = sorted(range(len(questions)), key=lambda i: (len(questions[i]), i))
    chances = [0.0] * len(questions)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        asked = [questions[i] for i in rows]
        tokens = policy.encode(asked * 2, ["A"] * len(rows) + ["B"] * len(rows))
        a, b = policy.logprobs(tokens).sum(1).chunk(2)
        for i, chance in zip(rows, torch.sigmoid(a - b).tolist(), strict=True):
            chances[i] = chance
        if progress:
            progress(start + len(rows), len(order))
    return chances


def _drawn(constitution: Sequence[Principle], rounds: int, seed: str) -> list[Principle]:
    rng = random.Random(seed)
    drawn: list[Principle] = []
    while len(drawn) < rounds:
        drawn += rng.sample(list(constitution), len(constitution))
    return drawn[:rounds]


def _round(
    policy: Policy,
    prompts: Sequence[str],
    answers: Sequence[str],
    drawn: Sequence[Principle],
    batch_size: int,
) -> list[dict[str, str]]:
    """One critique and one revision of every answer, each by its own principle."""
    given = list(zip(drawn, prompts, answers, strict=True))
    asked = [principle.ask_critique(prompt, answer) for principle, prompt, answer in given]
    critiques = _texts(complete(policy, asked, GREEDY, batch_size=batch_size))
    asked = [
        principle.ask_revision(prompt, answer, critique)
        for (principle, prompt, answer), critique in zip(given, critiques, strict=True)
    ]
    revised = _texts(complete(policy, asked, GREEDY, batch_size=batch_size))
    return [
        {"principle": principle.rule, "critique": critique, "revision": revision}
        for principle, critique, revision in zip(drawn, critiques, revised, strict=True)
    ]


def _texts(answers: Sequence[Sequence]) -> list[str]:
    return [each[0].text for each in answers]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
