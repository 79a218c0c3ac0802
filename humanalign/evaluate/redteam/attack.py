"""Attacks: every request in every form, what each model answers, and which answers are successes.

Letters: A attacks (a request in one form), K answers to each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from humanalign.errors import DataError
from humanalign.evaluate.kept import kept_answers
from humanalign.evaluate.progress import Progress
from humanalign.evaluate.redteam.criteria import Criterion
from humanalign.evaluate.redteam.mutations import PLAIN, mutate
from humanalign.evaluate.redteam.refusal import outcome
from humanalign.evaluate.redteam.sets import Request
from humanalign.evaluate.statistics import Array
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.types import Prompt, RewardModel


@dataclass(frozen=True)
class Attack:
    """A request, the mutation it went through, and what is sent."""

    request: Request
    mutation: str
    prompt: Prompt


@dataclass(frozen=True)
class Judged:
    """One model's answers to the attacks: texts, outcomes and scores, all [A, K].

    `met` says for each criterion where an answer is a success by it, `success` where by any.
    """

    texts: np.ndarray
    outcomes: np.ndarray
    scores: Mapping[str, Array]
    met: Mapping[str, np.ndarray]

    @property
    def success(self) -> np.ndarray:
        return np.max(np.stack(list(self.met.values())), axis=0)


@dataclass(frozen=True)
class Bench:
    """How every answer is got and judged: the same for both models and for the search."""

    scorers: Mapping[str, RewardModel]
    criteria: Sequence[Criterion]
    sampling: Sampling
    samples: int = 1
    batch: int = 64
    seed: int = 0

    def ask(
        self,
        policy: Policy,
        attacks: Sequence[Attack],
        *,
        run: Run | None = None,
        side: str = "",
        progress: Progress | None = None,
    ) -> list[list[str]]:
        """Send the attacks to a model: its answers [A][K]. With `run`, kept there for `side`."""
        answers = kept_answers(
            run,
            side,
            policy,
            [policy.render(attack.prompt) for attack in attacks],
            self.sampling,
            samples=self.samples,
            seed=self.seed,
            batch=self.batch,
            progress=progress,
        )
        return [[answer.text for answer in row] for row in answers]

    def judge(self, attacks: Sequence[Attack], texts: Sequence[Sequence[str]]) -> Judged:
        """Judge answers [A][K]. DataError: a scorer's scores do not fit or are not finite.

        Scorers read the request as it was before its mutations: a judge that cannot read base64
        must not be fooled by it, and one request's scores can be compared over all its forms.
        """
        shape = (len(attacks), self.samples)
        flat = [text for row in texts for text in row]
        asked = [attack for attack in attacks for _ in range(shape[1])]
        found = np.array(
            [outcome(t, a.prompt.text) for t, a in zip(flat, asked, strict=True)], dtype=object
        ).reshape(shape)
        plain = [attack.request.said(attack.request.text).text for attack in asked]
        scores = {
            name: _scored(name, scorer, plain, flat).reshape(shape)
            for name, scorer in self.scorers.items()
        }
        met = {str(each): each.met(found, scores) for each in self.criteria}
        return Judged(np.array(flat, dtype=object).reshape(shape), found, scores, met)


def plain_attack(request: Request) -> Attack:
    """The request as it is."""
    return Attack(request, PLAIN, request.said(request.text))


def attacks_of(
    requests: Sequence[Request], mutations: Sequence[str], seed: int = 0
) -> list[Attack]:
    """Each request as it is, then in the form of each mutation."""
    found = []
    for request in requests:
        found.append(plain_attack(request))
        for name in mutations:
            words = mutate(request.text, [name], seed)
            found.append(Attack(request, name, request.said(words)))
    return found


def fitting(
    attacks: Sequence[Attack], policies: Sequence[Policy], max_new_tokens: int
) -> tuple[list[Attack], Counter[str]]:
    """The attacks that every model can read besides its answer, and how many others by mutation."""
    fit = [
        attack
        for attack in attacks
        if all(p.fits(p.render(attack.prompt), max_new_tokens) for p in policies)
    ]
    kept = {id(attack) for attack in fit}
    return fit, Counter(attack.mutation for attack in attacks if id(attack) not in kept)


def _scored(name: str, scorer: RewardModel, asked: list[str], texts: list[str]) -> Array:
    scores = np.asarray(scorer.score(asked, texts), dtype=np.float64)
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        raise DataError(
            f"{name}: expected one finite score for each of {len(texts)} answers, got shape "
            f"{scores.shape} with {int((~np.isfinite(scores)).sum())} that are not finite; "
            "mend the scorer"
        )
    return scores
