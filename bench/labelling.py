"""The labelling server under load: what the specification asks of it, measured and printed.

    python -m bench.labelling                    # everything, some ten minutes
    python -m bench.labelling crowd tabs         # only these
    python -m bench.labelling crowd --repeats 3 --items 200

crowd: 50 labelers at once (T3 on one process, T4 on four, SQLite and PostgreSQL); kills: a server
that is killed 50 times meanwhile (T5); tabs: two tabs that change one answer (T6); full: pages and
exports over 100,000 answers (T8); places: which model is shown where (T14). A line that ends in
"!" says what went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scipy.special import chdtrc

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.queue import Submission
from tests import postgres
from tests.load.bulk import fill
from tests.load.crowd import Crowd, make_crowd
from tests.load.labeler import Api, Door, Habits, Pages, cookie
from tests.load.server import Server
from tests.load.trials import Trial, percentile, two_tabs, work_through, work_under_kills
from tests.load.wire import Line

OVERLAP = 3
# What a PostgreSQL server is like by default: it waits for the disk.
DURABLE = ("listen_addresses=",)
# (name, workers, database, door, seconds of thought)
CROWDS = (
    ("T3 pages", 1, "sqlite", "pages", 0.0),
    ("T3 pages, 1 s of thought", 1, "sqlite", "pages", 1.0),
    ("T3 API", 1, "sqlite", "api", 0.0),
    ("T4 pages", 4, "sqlite", "pages", 0.0),
    ("T4 pages, 1 s of thought", 4, "sqlite", "pages", 1.0),
    ("T4 pages", 4, "postgresql", "pages", 0.0),
)
OWNER_PAGES = ("", "/live", "/items", "/labelers", "/statistics", "/consensus", "/exports")


@dataclass(frozen=True)
class Plan:
    """How much of it to run."""

    items: int
    labelers: int
    repeats: int
    kills: int
    rounds: int
    answers: int


def main() -> None:
    """Run the parts that were named, by default all of them."""
    parts = {"crowd": crowd, "kills": kills, "tabs": tabs, "full": full, "places": places}
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("parts", nargs="*", choices=[*parts, []])
    asked.add_argument("--items", type=int, default=500)
    asked.add_argument("--labelers", type=int, default=50)
    asked.add_argument("--repeats", type=int, default=3)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--rounds", type=int, default=200)
    asked.add_argument("--answers", type=int, default=100_000)
    given = vars(asked.parse_args())
    chosen = given.pop("parts") or list(parts)
    for name in chosen:
        parts[name](Plan(**given))


def crowd(plan: Plan) -> None:
    """T3 and T4: medians over the repeats of each variant, with their range."""
    print(
        f"{plan.labelers} labelers, {plan.items} items, overlap {OVERLAP}: every fifth answer sent"
    )
    print("twice at once, every tenth first under a used key; milliseconds, p50 / p95 (range)")
    for name, workers, database, door, think in CROWDS:
        trials = [_crowd_trial(plan, workers, database, door, think) for _ in range(plan.repeats)]
        place = f"{name}, {workers} process{'es' if workers > 1 else ''}, {database}"
        answers, pages = (
            [each.log.answers for each in trials],
            [each.log.pages for each in trials],
        )
        requests = sum(sum(each.log.statuses.values()) for each in trials)
        cpu = 1000 * sum(each.cpu for each in trials) / requests
        rate = statistics.median(len(each.log.answers) / each.seconds for each in trials)
        stored = {each.found.answers for each in trials}
        print(f"{place}: answer {_times(answers)}, page {_times(pages)}, {rate:.0f} answers/s, ")
        print(f"    {cpu:.1f} ms of processor a request, stored {stored}{_faults(plan, trials)}")


def _crowd_trial(plan: Plan, workers: int, database: str, door: str, think: float) -> Trial:
    with _store(database) as (url, folder):
        people = make_crowd(url, items=plan.items, labelers=plan.labelers, overlap=OVERLAP)
        through: Door = Api(people) if door == "api" else Pages(people)
        habits = Habits(think=think)
        return work_through(people, folder, habits, workers=workers, door=through)


def kills(plan: Plan) -> None:
    """T5: everything that was acknowledged is there after each kill."""
    for workers in (1, 4):
        with _store("sqlite") as (url, folder):
            people = make_crowd(url, items=2 * plan.items, labelers=plan.labelers, overlap=OVERLAP)
            trial = work_under_kills(
                people, folder, Habits(patience=120), kills=plan.kills, workers=workers
            )
        ready, answered = ([each[n] for each in trial.restarts] for n in (0, 1))
        fault = trial.fault(2 * plan.items, OVERLAP)
        print(
            f"T5 {workers} process(es): {len(trial.restarts)} kills, "
            f"{len(trial.log.acknowledged)} answers acknowledged, {trial.found.lost} lost, "
            f"{trial.found.altered} altered; up again after {statistics.median(ready):.2f} s "
            f"(most {max(ready):.2f}), first answer after {statistics.median(answered):.2f} s "
            f"(most {max(answered):.2f})" + (f"  {fault} !" if fault else "")
        )


def tabs(plan: Plan) -> None:
    """T6: in each round one tab wins, and the history keeps every version."""
    for workers in (1, 4):
        with _store("sqlite") as (url, folder):
            people = make_crowd(url, items=2, labelers=1)
            with Server(url, folder, workers) as server:
                found = asyncio.run(two_tabs(people, server.port, plan.rounds))
            store = FeedbackStore(url)
            versions = store.verify()
            store.close()
        outcomes = Counter(tuple(sorted(each)) for each in found.statuses)
        print(f"T6 {workers} process(es): {dict(outcomes)}, {versions} versions in the history")


def full(plan: Plan) -> None:
    """T8: pages and exports over many answers, and what the server takes for them."""
    with _store("sqlite") as (url, folder):
        items = plan.answers // 4
        people = make_crowd(url, items=items + items // 25, labelers=40, overlap=4)
        print(f"T8 {fill(people, 4, items=items):,} answers to {items:,} items by 40 labelers")
        store = FeedbackStore(url)
        owner = store.people.create("The owner", "owner").rater_id
        session = store.people.open_session(owner)
        store.close()
        for walk in (_walk, _carry_away):
            with Server(url, folder) as server:
                asyncio.run(walk(people, server, session))


async def _walk(people: Crowd, server: Server, session: str) -> None:
    labeler = next(iter(people.sessions))
    mine = Line(server.port, cookie(people.sessions[labeler]))
    owners = Line(server.port, cookie(session))
    for path in ("/work", people.home, "/me"):
        await _visit(mine, path, server)
    here = f"/owner/{people.project.id}"
    for path in (here, here + "/statistics"):
        await _visit(owners, path, server, again=0)
    begun = time.perf_counter()
    while b"data-busy" in (await owners.ask("GET", here)).body:
        await asyncio.sleep(0.2)
    figures = time.perf_counter() - begun
    print(f"    {figures:6.2f} s until the first figures, peak {server.peak_megabytes():4.0f} MB")
    places = [here + each for each in OWNER_PAGES]
    places += [f"{here}/items/{people.items[0]}", f"{here}/labelers/{labeler}", "/owner"]
    for path in places:
        await _visit(owners, path, server)


async def _carry_away(people: Crowd, server: Server, session: str) -> None:
    """Exports from a process that has done nothing else."""
    owners = Line(server.port, cookie(session))
    for name in ("rich", "preference", "groups"):
        path = f"/owner/{people.project.id}/exports/{name}"
        await _visit(owners, path, server, again=1)


async def _visit(line: Line, path: str, server: Server, again: int = 3) -> None:
    """The first visit after the server's start, and the median of some more."""
    first, *rest = [await line.ask("GET", path) for _ in range(1 + again)]
    later = statistics.median(reply.seconds for reply in rest or [first])
    print(
        f"    {first.seconds:6.2f} s first, {later:6.2f} s "
        f"again, {len(first.body) / 1e6:7.2f} MB, peak {server.peak_megabytes():4.0f} MB  {path}"
        + ("" if first.status == 200 else f"  status {first.status} !")
    )


def places(plan: Plan) -> None:
    """T14: 10,000 assignments; first place exactly balanced, the others by chi-square."""
    items, models = plan.items * 5, 4
    with _store("sqlite") as (url, _):
        people = make_crowd(url, items=items, labelers=models, overlap=models)
        shown = Counter(_orders(people))
    total = sum(shown.values())
    first = Counter()
    for order, count in shown.items():
        first[order[0]] += count
    # Given who comes first, the others fall in 6 orders: 4 strata of 5 degrees of freedom.
    expected = total / 24
    square = sum((shown[order] - expected) ** 2 / expected for order in shown)
    p = chdtrc(models * 5, square)
    print(f"T14 {total:,} assignments: first {dict(sorted(first.items()))}, orders {len(shown)}, ")
    print(f"    chi-square {square:.1f} on {models * 5} degrees of freedom, p = {p:.3f}")


def _orders(people: Crowd) -> Iterator[tuple[str, ...]]:
    """The models in the order of display, for each labeler and item."""
    store = FeedbackStore(people.url)
    for rater in people.sessions:
        while (task := store.queue.next(people.project.id, rater)) is not None:
            yield tuple(card.text[:2] for card in task.cards)
            marks = dict.fromkeys("ABCD", 1)
            store.queue.submit(Submission(task.item_id, rater, marks, f"{rater} {task.item_id}"))
    store.close()


@contextmanager
def _store(database: str) -> Iterator[tuple[str, Path]]:
    """The URL of a new store, and a folder."""
    with tempfile.TemporaryDirectory() as name:
        if database == "sqlite":
            yield f"{name}/s.db", Path(name)
            return
        postgres.HASTE = DURABLE
        cluster = postgres.Cluster()
        try:
            yield cluster.url_of(name), Path(name)
        finally:
            cluster.stop()


def _times(repeats: list[list[float]]) -> str:
    middle, late = ([1000 * percentile(each, share) for each in repeats] for share in (0.5, 0.95))
    low, high = min(late), max(late)
    return f"{statistics.median(middle):.0f} / {statistics.median(late):.0f} ({low:.0f}-{high:.0f})"


def _faults(plan: Plan, trials: list[Trial]) -> str:
    found = [fault for each in trials if (fault := each.fault(plan.items, OVERLAP))]
    return f"  {found[0]} !" if found else ""


if __name__ == "__main__":
    main()
