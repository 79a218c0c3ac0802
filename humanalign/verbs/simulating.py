"""The bundled world's labelers at work: programs that rank through the API, as people do.

They take turns, each by a clock of its own: a task is answered after the seconds it takes this
labeler, and the next one is taken in the same request. A simulated day passes in minutes, and the
stored times are the labelers' own, whatever machine this runs on.
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
from humanalign.prefer.store.assign import LEASE_SECONDS
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


@dataclass
class Worker:
    """A labeler, its way in, the task on its desk and what its own clock says."""

    labeler: Labeler
    client: Client
    now: float
    task: Task | None = None


def simulate(store: FeedbackStore, seed: int, progress: Progress = None) -> None:
    """Let the bundled world's eight labelers answer every open slot, in turns, as people would."""
    projects = [each.id for each in store.projects.all() if each.kind in RANKED]
    pool_ = pool(seed)
    clock = Clock(_begin(store, projects, len(pool_)))
    theirs = FeedbackStore(store.url, clock=clock)
    with ExitStack() as stack:
        stack.callback(theirs.close)
        url = stack.enter_context(serving(theirs))
        workers = []
        for labeler in pool_:
            token = stack.enter_context(_token(theirs, labeler.id, projects))
            client = stack.enter_context(Client(url, token))
            workers.append(Worker(labeler, client, clock.now))
        for each in workers:
            each.task = _next(each.client, projects)
        _turns(workers, projects, clock, progress)


def _turns(workers: list[Worker], projects: list[str], clock: Clock, progress: Progress) -> None:
    """One answer of everybody after the other, until nobody has anything left."""
    done = 0
    while workers := [each for each in workers if each.task is not None]:
        latest = max(each.now for each in workers)
        # Who is far ahead waits for the others, or leases would run out between two of them.
        together = latest - min(each.now for each in workers) < LEASE_SECONDS / 4
        for each in workers:
            _answer(each, clock, onward=together)
            if together:
                each.task = each.task or _next(each.client, projects)
        if not together:
            for each in workers:
                clock.now = each.now = latest + SLOWEST
                each.task = _next(each.client, projects)
        done += len(workers)
        if progress:
            progress(done, done + sum(each.task is not None for each in workers))


def _next(client: Client, projects: list[str]) -> Task | None:
    for each in projects:
        task = client.next(each)
        if task is not None:
            return task
    return None


def _answer(worker: Worker, clock: Clock, *, onward: bool) -> None:
    """Answer the task after the seconds it takes this labeler; `onward` takes the next one."""
    task = worker.task
    assert task is not None  # the caller has left out those without
    letters = {card.completion: card.letter for card in task.cards}
    texts = {card.completion: card.text for card in task.cards}
    comparison = Comparison(task.prompt.id, tuple(letters), task.criterion)
    ranking = worker.labeler.rank(comparison, task.prompt, texts)
    clock.now = worker.now = worker.now + ranking.seconds
    marks = competition_marks(ranking.tiers, ranking.rejected)
    worker.task = worker.client.answer(
        task,
        {letters[each]: mark for each, mark in marks.items()},
        f"{worker.labeler.id}/{task.item}",
        onward=onward,
    ).next


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
