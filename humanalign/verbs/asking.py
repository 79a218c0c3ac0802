"""`humanalign collect --ask`: of all the answers there are, which comparisons to put to people.

What labelers have said so far teaches a cheap head on a reward's features (reward/posterior.py),
and the comparisons that would teach it the most join the queue, the most telling first. Prompts
that are held out are asked about at random, one comparison in five, so that accuracy on them stays
what it was: an estimate over ordinary comparisons, not over the hardest ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from humanalign.errors import ConfigError, DataError
from humanalign.prefer.pairs import pairs_of, prompt_split
from humanalign.prefer.statistics.consensus import consensus
from humanalign.prefer.store import FeedbackStore
from humanalign.reward.active import Edge, choose
from humanalign.reward.model import LearnedReward
from humanalign.reward.posterior import Answers, Posterior, learn
from humanalign.reward.sources import SAVED, resolve
from humanalign.settings import CollectConfig
from humanalign.types import TEST_SHARE, Comparison, Completion, Prompt, Ranking
from humanalign.verbs.inputs import finished_run

HELD_OUT = "held out, at random"


@dataclass(frozen=True)
class Told:
    """A comparison, the nats that its answer is expected to tell, and why it was chosen."""

    comparison: Comparison
    information: float
    why: str

    def row(self) -> dict:
        """For the run's data."""
        asked = self.comparison
        ids = {"comparison": asked.id, "prompt_id": asked.prompt_id}
        return ids | {
            "completion_ids": asked.completion_ids,
            "information": self.information,
            "why": self.why,
        }


@dataclass(frozen=True)
class Part:
    """Prompts of one side of the split: their different answers, and what is asked about them.

    `known` pairs of rows have been judged, `pending` ones wait in the queue.
    """

    prompts: tuple[Prompt, ...]
    rows: tuple[Completion, ...]
    known: frozenset[Edge]
    pending: frozenset[Edge]

    @classmethod
    def of(cls, store: FeedbackStore, prompts: Sequence[Prompt], criterion: str) -> Part:
        """What the store holds about these prompts; equal words are one answer."""
        number = {each.id: i for i, each in enumerate(prompts)}
        here = [each for each in store.completions().values() if each.prompt_id in number]
        here.sort(key=lambda each: (number[each.prompt_id], each.id))
        words = {(each.prompt_id, each.text): each for each in reversed(here)}
        rows = sorted(words.values(), key=lambda each: (number[each.prompt_id], each.id))
        place = {(each.prompt_id, each.text): row for row, each in enumerate(rows)}
        row_of = {each.id: place[each.prompt_id, each.text] for each in here}
        judged = {each.comparison_id for each in _rankings(store, criterion)}
        asked = [
            each
            for each in store.comparisons()
            if each.criterion == criterion and each.prompt_id in number
        ]
        known = _edges((each for each in asked if each.id in judged), row_of)
        pending = _edges((each for each in asked if each.id not in judged), row_of)
        by_row = tuple(prompts[number[each.prompt_id]] for each in rows)
        return cls(by_row, tuple(rows), known, pending - known)

    def answers(self, reward: LearnedReward) -> Answers:
        """The answers as the reward's head sees them."""
        asked, words = [each.text for each in self.prompts], [each.text for each in self.rows]
        features = reward.features(asked, words).float().cpu().numpy()
        order = {each: i for i, each in enumerate(dict.fromkeys(p.id for p in self.prompts))}
        return Answers.of(features, [order[each.id] for each in self.prompts])


def ask(store: FeedbackStore, prompts: Iterable[Prompt], config: CollectConfig) -> list[Told]:
    """Put at most `config.comparisons` comparisons into the queue, and return them in its order.

    No pair that was compared before is asked again. ConfigError: no reward or model to tell
    answers apart by. DataError: the prompts have no two different answers.
    """
    reward = _reader(config)
    parts: dict[bool, list[Prompt]] = {True: [], False: []}
    for each in prompts:
        parts[prompt_split(each) == "train"].append(each)
    train, held_out = (Part.of(store, parts[side], config.criterion) for side in (True, False))
    if not any(len(each.rows) > len({p.id for p in each.prompts}) for each in (train, held_out)):
        raise DataError(
            "ask: no prompt has two different answers to compare; give prompts=FILE model=NAME to "
            "sample some, with samples=4 or more"
        )
    # Where nothing is held out, or nothing else is there, all of them go to one side.
    spared = round(config.comparisons * TEST_SHARE) if held_out.rows else 0
    spared = spared if train.rows else config.comparisons
    ordinary = _ordinary(held_out, config, spared)
    telling = _telling(store, train, reward, config, config.comparisons - len(ordinary))
    told = _between(telling, ordinary)
    store.ask([each.comparison for each in told], config.overlap, config.project)
    return told


def summary_of(told: Sequence[Told], store: FeedbackStore, criterion: str) -> dict:
    """What the run says of it: how many were asked and why, and how much they should tell."""
    judged = {each.comparison_id for each in _rankings(store, criterion)}
    waiting = [each for each in store.comparisons() if each.criterion == criterion]
    why: dict[str, int] = {}
    for each in told:
        why[each.why] = why.get(each.why, 0) + 1
    nats = [each.information for each in told if each.why != HELD_OUT]
    return {
        "asked": len(told),
        "why": why,
        "expected_information": float(np.mean(nats)) if nats else None,
        "waiting": sum(each.id not in judged for each in waiting),
    }


def _telling(
    store: FeedbackStore, part: Part, reward: LearnedReward, config: CollectConfig, n: int
) -> list[Told]:
    """Comparisons about prompts to train on, the most telling first."""
    if not part.rows or n < 1:
        return []
    answers = part.answers(reward)
    chosen = choose(
        answers,
        _posterior(store, part, answers, config.criterion),
        n,
        size=config.size,
        by=config.by,
        known=part.known,
        pending=part.pending,
        seed=config.seed,
    )
    return [
        Told(_comparison(part, each.answers, config.criterion), each.information, config.by)
        for each in chosen
    ]


def _ordinary(part: Part, config: CollectConfig, n: int) -> list[Told]:
    """Comparisons about prompts held out, drawn by lot."""
    if not part.rows or n < 1:
        return []
    order = {each: i for i, each in enumerate(dict.fromkeys(p.id for p in part.prompts))}
    blank = Answers.of(np.ones((len(part.rows), 1)), [order[p.id] for p in part.prompts])
    chosen = choose(
        blank,
        Posterior(np.zeros(1), np.eye(1)),
        n,
        size=config.size,
        by="random",
        known=part.known | part.pending,
        seed=config.seed,
    )
    return [
        Told(_comparison(part, each.answers, config.criterion), 0.0, HELD_OUT) for each in chosen
    ]


def _posterior(store: FeedbackStore, part: Part, answers: Answers, criterion: str) -> Posterior:
    """The head after what labelers agreed on; a tie counts half each way."""
    place = {
        (p.text, c.text): row
        for row, (p, c) in enumerate(zip(part.prompts, part.rows, strict=True))
    }
    agreed = consensus(_rankings(store, criterion))
    rows = [
        (place[each.prompt, each.chosen], place[each.prompt, each.rejected], each.weight)
        for each in pairs_of(agreed, store.texts(), ties="soft")
        if (each.prompt, each.chosen) in place and (each.prompt, each.rejected) in place
    ]
    chosen, rejected, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return learn(answers, np.array(chosen, int), np.array(rejected, int), np.array(weight, float))


def _between(telling: list[Told], ordinary: list[Told]) -> list[Told]:
    """Both, in their order, the ordinary ones spread evenly: people stop where they like."""
    places = [
        (i / max(1, len(each)), k, i)
        for k, each in enumerate((telling, ordinary))
        for i in range(len(each))
    ]
    return [(telling, ordinary)[k][i] for _, k, i in sorted(places)]


def _comparison(part: Part, rows: Sequence[int], criterion: str) -> Comparison:
    ids = tuple(part.rows[row].id for row in rows)
    return Comparison(part.rows[rows[0]].prompt_id, ids, criterion)


def _edges(asked: Iterable[Comparison], row_of: Mapping[str, int]) -> frozenset[Edge]:
    rows = ({row_of[each] for each in one.completion_ids} for one in asked)
    return frozenset((min(e), max(e)) for each in rows for e in combinations(sorted(each), 2))


def _reader(config: CollectConfig) -> LearnedReward:
    """The reward whose features are used: a fitted one, or a backbone as it is."""
    name = config.reward or config.model or next(iter(config.models), None)
    if not name:
        raise ConfigError(
            "reward: --ask reads answers through a model; give reward=RUN of a reward fit, or the "
            "name of a backbone"
        )
    if name.startswith(("rule:", "python:", "hf:")):
        raise ConfigError(
            f"reward: '{name}' has no features to tell answers apart by; give reward=RUN of a fit "
            "to pairs, or the name of a backbone"
        )
    run = finished_run(name)
    if name.startswith("run:") or (run and run.stage == "reward") or (Path(name) / SAVED).is_file():
        found = resolve(name)
        if not isinstance(found, LearnedReward):
            raise ConfigError(f"reward: {name} was fitted to labels; give one fitted to pairs")
        return found
    return LearnedReward.start(name, seed=config.seed)


def _rankings(store: FeedbackStore, criterion: str) -> list[Ranking]:
    """What was judged by this criterion; nothing where it was never asked by."""
    asked = {each.id for each in store.comparisons() if each.criterion == criterion}
    return [each for each in store.rankings() if each.comparison_id in asked]
