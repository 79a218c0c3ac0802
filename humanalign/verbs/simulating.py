"""The bundled world's labelers at work: programs that rank through the API, as people do.

They work in rounds, side by side, by a clock of their own: everybody takes a task at the same
moment and answers after the seconds it takes them, so a simulated day passes in minutes and the
stored times are those of the labelers, whatever machine this runs on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from humanalign.prefer.marks import RANKED
from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.store import FeedbackStore
from humanalign.tiny.labelers import Labeler, pool
from humanalign.types import Comparison
from humanalign.verbs.inputs import Progress
from humanalign.web.client import Client, Task
from humanalign.web.local import serving

# The longest that a simulated labeler takes for one answer.
SLOWEST = 40.0


@dataclass
class Clock:
    """The labelers' time, in seconds since 1970."""

    now: float

    def __call__(self) -> float:
        return self.now


def simulate(store: FeedbackStore, seed: int, progress: Progress = None) -> None:
    """Let the bundled world's eight labelers answer every open slot, in turns, as people would."""
    projects = [each for each in store.projects.all() if each.kind in RANKED]
    pool_ = pool(seed)
    clock = Clock(_begin(store, [each.id for each in projects], len(pool_)))
    theirs = FeedbackStore(store.url, clock=clock)
    with ExitStack() as stack:
        stack.callback(theirs.close)
        url = stack.enter_context(serving(theirs))
        at_work = []
        for labeler in pool_:
            token = stack.enter_context(_token(theirs, labeler.id, [p.id for p in projects]))
            at_work.append((labeler, stack.enter_context(Client(url, token))))
        _rounds(at_work, [each.id for each in projects], clock, progress)


def _rounds(
    waiting: list[tuple[Labeler, Client]], projects: list[str], clock: Clock, progress: Progress
) -> None:
    """One answer of everybody after the other, until nobody has anything left."""
    done = 0
    while waiting:
        begun, slowest, still = clock.now, 0.0, []
        for labeler, client in waiting:
            clock.now = begun
            task = _next(client, projects)
            if task is None:
                continue
            clock.now = begun + _answer(labeler, client, task, clock)
            slowest = max(slowest, clock.now - begun)
            still.append((labeler, client))
            done += 1
        waiting, clock.now = still, begun + slowest
        if progress:
            progress(done, max(done + len(waiting), 1))


def _next(client: Client, projects: list[str]) -> Task | None:
    for each in projects:
        task = client.next(each)
        if task is not None:
            return task
    return None


def _answer(labeler: Labeler, client: Client, task: Task, clock: Clock) -> float:
    """Answer after the seconds it takes this labeler, and return them."""
    letters = {card.completion: card.letter for card in task.cards}
    comparison = Comparison(task.prompt.id, tuple(letters), task.criterion)
    texts = {card.completion: card.text for card in task.cards}
    ranking = labeler.rank(comparison, task.prompt, texts)
    clock.now += ranking.seconds
    marks = competition_marks(ranking.tiers, ranking.rejected)
    client.answer(
        task, {letters[each]: mark for each, mark in marks.items()}, f"{labeler.id}/{task.item}"
    )
    return ranking.seconds


def _begin(store: FeedbackStore, projects: list[str], labelers: int) -> float:
    """When they must have begun to be done by now, so that no answer lies in the future."""
    counts = [store.figures.counts(each) for each in projects]
    rounds = math.ceil(sum(each.slots - each.filled for each in counts) / labelers)
    return time.time() - rounds * SLOWEST


@contextmanager
def _token(store: FeedbackStore, name: str, projects: list[str]) -> Iterator[str]:
    """A token of the program of this name, made where there is none, for as long as it works."""
    people = store.people
    account = people.named(name) or people.create(name, "program", kind="rule")
    for each in projects:
        store.projects.join(each, account.rater_id)
    made, secret = people.new_token(account.rater_id, "simulated labeler", account.rater_id)
    try:
        yield secret
    finally:
        people.revoke_token(made, account.rater_id)
