"""The trials that the tests run small and the bench runs in full."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .checks import Found, look
from .crowd import Crowd
from .labeler import Door, Habits, Held, Log, Pages, cookie, crowd_at_work, read_page
from .server import Server
from .wire import Line, Reply


@dataclass
class Trial:
    """How a crowd fared: what was shown and sent, what the store holds, and what it cost."""

    log: Log
    found: Found
    seconds: float
    cpu: float
    errors: list[str]
    # For each kill: seconds until the server answered, and until an answer was acknowledged.
    restarts: list[tuple[float, float]] = field(default_factory=list)

    def fault(self, items: int, overlap: int) -> str:
        """What went wrong; "" for nothing."""
        broken = [each for each in (*self.log.wrong, *self.errors) if each]
        return "; ".join(broken[:3]) or self.found.fault(items, overlap)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def work_through(
    crowd: Crowd, folder: Path, habits: Habits, *, workers: int = 1, door: Door | None = None
) -> Trial:
    """Everybody at once against a fresh server process, until nothing is left."""
    log = Log()
    with Server(crowd.url, folder, workers) as server:
        before, begun = server.cpu_seconds(), time.perf_counter()
        asyncio.run(crowd_at_work(crowd, door or Pages(crowd), server.port, habits, log))
        seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - before
        errors = server.errors()
    return Trial(log, look(crowd.url, log), seconds, cpu, errors)


def work_under_kills(
    crowd: Crowd, folder: Path, habits: Habits, *, kills: int, workers: int = 1, seed: int = 0
) -> Trial:
    """The same while the server is killed `kills` times; after each kill the store is checked."""
    trial = Trial(Log(), Found(0, {}, 0, 0, 0, 0, 0, 0), 0.0, 0.0, [])
    begun = time.perf_counter()
    with Server(crowd.url, folder, workers) as server:
        asyncio.run(_with_kills(crowd, server, habits, trial, (kills, random.Random(seed))))
        trial.errors += server.errors()
    trial.seconds, trial.found = time.perf_counter() - begun, look(crowd.url, trial.log)
    return trial


async def _with_kills(
    crowd: Crowd, server: Server, habits: Habits, trial: Trial, plan: tuple[int, random.Random]
) -> None:
    crowded = crowd_at_work(crowd, Pages(crowd), server.port, habits, trial.log)
    everybody = asyncio.create_task(crowded)
    kills, rng = plan
    for _ in range(kills):
        await asyncio.sleep(rng.uniform(0.0, 0.6))
        if everybody.done():
            break
        server.kill()
        after_kill = await asyncio.to_thread(look, crowd.url, trial.log)
        if after_kill.lost or after_kill.altered:
            trial.errors.append(f"acknowledged and not there: {after_kill}"[:200])
        answered, begun = len(trial.log.answers), time.perf_counter()
        ready = await asyncio.to_thread(server.start)
        while len(trial.log.answers) == answered and not everybody.done():
            await asyncio.sleep(0.005)
        trial.restarts.append((ready, time.perf_counter() - begun))
    await everybody


@dataclass
class Tabs:
    """What two tabs were told in each round, and the marks that won."""

    statuses: list[tuple[int, int]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    won: list[dict[str, int | str]] = field(default_factory=list)


async def two_tabs(crowd: Crowd, port: int, rounds: int) -> Tabs:
    """One labeler answers an item once, then changes it in two tabs at once, round after round."""
    rater = next(iter(crowd.sessions))
    lines = [Line(port, cookie(crowd.sessions[rater])) for _ in range(2)]
    door, tabs = Pages(crowd), Tabs()
    _, first = await door.take(lines[0])
    assert first is not None
    await door.send(lines[0], first, _turned(first, 0), secrets.token_urlsafe(18))
    path = f"{crowd.home}/items/{first.item}"
    for number in range(1, rounds + 1):
        both = await asyncio.gather(*(_open(line, path) for line in lines))
        marks = [_turned(both[0], number), _turned(both[1], number + 1)]
        replies = await asyncio.gather(
            *(
                door.send(line, held, given, secrets.token_urlsafe(18))
                for line, held, given in zip(lines, both, marks, strict=True)
            )
        )
        _note(tabs, replies, marks, both[0])
    return tabs


def _note(tabs: Tabs, replies: Sequence[Reply], marks: Sequence[dict], held: Held) -> None:
    statuses = replies[0].status, replies[1].status
    tabs.statuses.append(statuses)
    for reply, given in zip(replies, marks, strict=True):
        if reply.status == 303:
            tabs.won.append({held.cards[letter]: mark for letter, mark in given.items()})
        else:
            tabs.conflicts.append(reply.body.decode())


async def _open(line: Line, path: str) -> Held:
    held = read_page((await line.ask("GET", path)).body.decode())
    assert held is not None
    return held


def _turned(held: Held, number: int) -> dict[str, int | str]:
    """Another ranking for each number."""
    letters = sorted(held.cards)
    return {letter: 1 + (place + number) % len(letters) for place, letter in enumerate(letters)}
