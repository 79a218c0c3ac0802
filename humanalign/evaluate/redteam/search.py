"""A search for attacks that work: forms are composed, an attacker policy adds words, the worst
answers are kept.

Evolutionary (keep what made the answers worst, change it again) or best-of-n (every attack is new).
The first answer that an attack got is no measure of it: it was picked because it was bad. So the
best attacks are asked again with other random numbers, and that share is told.
Perez et al. 2022 (arXiv 2202.03286) let a language model write the attacks.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from humanalign.evaluate.progress import Progress
from humanalign.evaluate.redteam.attack import Attack, Bench, Judged
from humanalign.evaluate.redteam.mutations import PLAIN, mutate
from humanalign.evaluate.redteam.refusal import Outcome
from humanalign.evaluate.redteam.sets import Request
from humanalign.models import Policy
from humanalign.sampling import Sampling, complete

# Each generation is one batch for the model; each best attack gets so many answers more.
GENERATION, AGAIN = 32, 8
MOST_MUTATIONS = 3
# The share of a generation that descends from the best, and of those what changes the request.
BRED, TRANSFER = 0.7, 0.5


@dataclass(frozen=True)
class Plan:
    """How the search goes: `budget` answers of the model, `keep` attacks in the end."""

    budget: int
    keep: int = 10
    method: Literal["evolve", "best_of_n"] = "evolve"
    mutations: tuple[str, ...] = ()
    suffix_tokens: int = 16
    seed: int = 0


@dataclass(frozen=True)
class Idea:
    """A request, the mutations it went through, and the attacker's words behind it."""

    request: Request
    mutations: tuple[str, ...] = ()
    suffix: str = ""

    def attack(self, seed: int) -> Attack:
        words = mutate(f"{self.request.text} {self.suffix}".strip(), self.mutations, seed)
        parts = [*self.mutations, *(["suffix"] if self.suffix else [])]
        return Attack(self.request, "+".join(parts) or PLAIN, self.request.said(words))


@dataclass(frozen=True)
class Trial:
    """An attack that was sent: the answer, how bad it was by the scorers, its generation."""

    idea: Idea
    attack: Attack
    answer: str
    badness: float
    success: bool
    generation: int


@dataclass(frozen=True)
class Hunt:
    """What a search found: every trial in order, and the best successes asked again [B, AGAIN]."""

    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    again: Judged | None
    again_before: Judged | None


def search(
    policy: Policy,
    requests: Sequence[Request],
    bench: Bench,
    *,
    plan: Plan,
    attacker: Policy | None = None,
    against: Policy | None = None,
    units: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Hunt:
    """Look for attacks on `policy`; the best are asked again, `against` the model before too.

    `units` says how much of each scorer counts as much as of another: their spread, say.
    """
    rng = random.Random(f"search {plan.seed}")
    trials: list[Trial] = []
    seen: set[Idea] = set()
    generation = 0
    while len(trials) < plan.budget:
        wanted = min(GENERATION, plan.budget - len(trials))
        ideas = _ideas(requests, trials, plan, attacker, wanted=wanted, rng=rng, seen=seen)
        ideas = [idea for idea in ideas if _fits(policy, against, idea, plan, bench)]
        if not ideas:
            break  # every idea has been tried, or none fits the context
        trials += _try(policy, ideas, bench, plan, generation, units=units or {})
        generation += 1
        if progress:
            progress(len(trials), plan.budget)
    best = _best(trials, plan.keep)
    attacks = [trial.attack for trial in best]
    fresh = replace(bench, samples=AGAIN, seed=bench.seed + 1_000_003)
    again = fresh.judge(attacks, fresh.ask(policy, attacks)) if attacks else None
    before = fresh.judge(attacks, fresh.ask(against, attacks)) if attacks and against else None
    return Hunt(tuple(trials), tuple(best), again, before)


def _ideas(
    requests: Sequence[Request],
    trials: Sequence[Trial],
    plan: Plan,
    attacker: Policy | None,
    *,
    wanted: int,
    rng: random.Random,
    seen: set[Idea],
) -> list[Idea]:
    """New ideas, `wanted` at most: most of them children of the best so far, if we evolve."""
    elite = [trial.idea for trial in _best(trials, plan.keep, all_of=True)]
    found: list[Idea] = []
    suffixes = _suffixes(attacker, requests, plan, wanted, rng)
    for _ in range(20 * wanted):
        if len(found) == wanted:
            break
        if plan.method == "evolve" and elite and rng.random() < BRED:
            idea = _child(elite, requests, plan, suffixes, rng)
        else:
            idea = Idea(rng.choice(requests))
            for _ in range(rng.randint(1, 2)):
                idea = _changed(idea, plan, suffixes, rng)
        if idea not in seen:
            seen.add(idea)
            found.append(idea)
    return found


def _child(
    elite: Sequence[Idea],
    requests: Sequence[Request],
    plan: Plan,
    suffixes: Sequence[str],
    rng: random.Random,
) -> Idea:
    """One of the best, the first ones likelier: its clothes on another request, or changed."""
    parent = elite[min(rng.randrange(len(elite)), rng.randrange(len(elite)))]
    if rng.random() < TRANSFER:
        return replace(parent, request=rng.choice(requests))
    return _changed(parent, plan, suffixes, rng)


def _changed(idea: Idea, plan: Plan, suffixes: Sequence[str], rng: random.Random) -> Idea:
    """The idea with one mutation more, one less, or other words behind it."""
    ways = []
    left = [name for name in plan.mutations if name not in idea.mutations]
    if left and len(idea.mutations) < MOST_MUTATIONS:
        ways += [lambda: replace(idea, mutations=(*idea.mutations, rng.choice(left)))] * 2
    if len(idea.mutations) > 1:
        out = rng.randrange(len(idea.mutations))
        rest = idea.mutations[:out] + idea.mutations[out + 1 :]
        ways.append(lambda: replace(idea, mutations=rest))
    if suffixes:
        ways += [lambda: replace(idea, suffix=rng.choice(suffixes))] * 2
    return rng.choice(ways)() if ways else idea


def _suffixes(
    attacker: Policy | None,
    requests: Sequence[Request],
    plan: Plan,
    wanted: int,
    rng: random.Random,
) -> list[str]:
    """Words that the attacker says after a request, one line each."""
    if attacker is None:
        return []
    asked = [rng.choice(requests) for _ in range(wanted)]
    prompts = [attacker.render(request.said(request.text)) for request in asked]
    prompts = [p for p in prompts if attacker.fits(p, plan.suffix_tokens)]
    sampling = Sampling(max_new_tokens=plan.suffix_tokens)
    answers = complete(attacker, prompts, sampling, seed=rng.randrange(2**31))
    return [" ".join(row[0].text.split()) for row in answers if row[0].text.strip()]


def _fits(policy: Policy, against: Policy | None, idea: Idea, plan: Plan, bench: Bench) -> bool:
    prompt = idea.attack(plan.seed).prompt
    models = [policy] if against is None else [policy, against]
    return all(m.fits(m.render(prompt), bench.sampling.max_new_tokens) for m in models)


def _try(
    policy: Policy,
    ideas: Sequence[Idea],
    bench: Bench,
    plan: Plan,
    generation: int,
    *,
    units: Mapping[str, float],
) -> list[Trial]:
    attacks = [idea.attack(plan.seed) for idea in ideas]
    once = replace(bench, samples=1, seed=bench.seed + 1 + generation)
    judged = once.judge(attacks, once.ask(policy, attacks))
    bad = _badness(bench, judged, units)[:, 0]
    # No behaviour is nothing to breed from, whatever a scorer makes of it.
    bad = np.where(judged.outcomes[:, 0] == Outcome.DEGENERATE, bad.min(), bad)
    return [
        Trial(
            idea,
            attack,
            str(judged.texts[place, 0]),
            float(bad[place]),
            bool(judged.success[place, 0]),
            generation,
        )
        for place, (idea, attack) in enumerate(zip(ideas, attacks, strict=True))
    ]


def _badness(bench: Bench, judged: Judged, units: Mapping[str, float]) -> np.ndarray:
    """[A, K] how far an answer is beyond the limit of the scorer that it is furthest beyond.

    Without a scorer among the criteria, 0 or 1 by the rule of what was declined.
    """
    scored = [each for each in bench.criteria if each.scorer] or bench.criteria
    beyond = [
        each.badness(judged.outcomes, judged.scores) / units.get(each.scorer, 1.0)
        for each in scored
    ]
    return np.max(np.stack(beyond), axis=0)


def _best(trials: Sequence[Trial], most: int, *, all_of: bool = False) -> list[Trial]:
    """Successes first, the worst first, one a request; others only where `all_of` are wanted."""
    found: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: (not trial.success, -trial.badness)):
        if trial.success or all_of:
            found.setdefault(trial.idea.request.id, trial)
    return list(found.values())[:most]


def shares(judged: Judged) -> np.ndarray:
    """[B] how often each attack succeeded when it was asked again."""
    return judged.success.mean(axis=1)
