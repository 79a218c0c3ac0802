"""A labeler at work, through the pages or through the API, who notes what was shown and sent.

Marks are drawn anew for each item: ties and F too. Some answers are sent twice at the same moment
(a double click), some first come under a key that was used before.
"""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from .crowd import Crowd
from .wire import BROKEN, Line, Reply

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CARD = re.compile(r'data-letter="([A-I])".*?<div class="text plain" dir="auto">(.*?)</div>', re.S)
Mark = int | str
T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """A task as it was shown: the text behind each letter, and what an answer has to carry."""

    item: str
    revision: int
    cards: Mapping[str, str]
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Log:
    """What all labelers saw, sent, and were told."""

    pages: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    # (item, rater) -> {text: mark}, of answers that the server said it has.
    acknowledged: dict[tuple[str, str], dict[str, Mark]] = field(default_factory=dict)
    shown: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def note(self, what: str, reply: Reply, wanted: tuple[int, ...]) -> None:
        self.statuses[f"{what} {reply.status}"] += 1
        if reply.status not in wanted:
            self.wrong.append(
                f"{what} {reply.status}: {reply.body[-300:].decode(errors='replace')}"
            )


@dataclass(frozen=True)
class Habits:
    """Shares of answers sent `twice` at once and first under a `reused` key; seconds of thought."""

    twice: float = 0.2
    reused: float = 0.1
    think: float = 0.0
    patience: float = 30.0


class Door(Protocol):
    """How a labeler reaches the server."""

    stored: int

    async def take(self, line: Line) -> tuple[Reply, Held | None]: ...

    async def send(self, line: Line, held: Held, marks: Mapping[str, Mark], key: str) -> Reply: ...


class Pages:
    """By the forms that a browser without scripts sends."""

    stored = 303

    def __init__(self, crowd: Crowd) -> None:
        self.home = crowd.home

    async def take(self, line: Line) -> tuple[Reply, Held | None]:
        reply = await line.ask("GET", self.home)
        return reply, read_page(reply.body.decode())

    async def send(self, line: Line, held: Held, marks: Mapping[str, Mark], key: str) -> Reply:
        given = {f"mark.{letter}": str(mark) for letter, mark in marks.items()}
        sent = {**held.carried, "revision": str(held.revision), "key": key, **given}
        path = f"{self.home}/items/{held.item}"
        return await line.ask("POST", path, urlencode(sent).encode(), FORM)


class Api:
    """By the JSON that programs send."""

    stored = 200

    def __init__(self, crowd: Crowd) -> None:
        self.home = f"/api/v1/projects/{crowd.project.id}"

    async def take(self, line: Line) -> tuple[Reply, Held | None]:
        reply = await line.ask("POST", f"{self.home}/next", b"{}", JSON)
        task = json.loads(reply.body).get("task") if reply.status == 200 else None
        return reply, task and Held(
            task["item"], task["revision"], {c["letter"]: c["text"] for c in task["cards"]}
        )

    async def send(self, line: Line, held: Held, marks: Mapping[str, Mark], key: str) -> Reply:
        body = {"key": key, "marks": dict(marks), "revision": held.revision}
        path = f"{self.home}/items/{held.item}/answers"
        return await line.ask("POST", path, json.dumps(body).encode(), JSON)


def read_page(text: str) -> Held | None:
    """The task that a page shows; None for a page without one."""
    if 'id="task"' not in text:
        return None
    value = {
        name: re.search(rf'name="{name}" value="([^"]*)"', text)[1]  # pyright: ignore
        for name in ("csrf", "instructions", "revision")
    }
    item = re.search(r'data-item="([^"]*)"', text)[1]  # pyright: ignore
    cards = {letter: html.unescape(words) for letter, words in CARD.findall(text)}
    carried = {name: value[name] for name in ("csrf", "instructions")}
    return Held(item, int(value["revision"]), cards, carried)


def cookie(session: str) -> dict[str, str]:
    """What proves who a browser is."""
    return {"Cookie": f"ha_session={session}"}


class Labeler:
    """One person with two connections, as a browser has several."""

    def __init__(self, rater: str, crowd: Crowd, door: Door, log: Log, port: int) -> None:
        self.rater, self.door, self.log = rater, door, log
        proof = cookie(crowd.sessions[rater])
        if isinstance(door, Api):
            proof = {"Authorization": f"Bearer {crowd.tokens[rater]}"}
        self.lines = Line(port, proof), Line(port, proof)
        self.random = random.Random(rater)
        self.used = ""

    async def work(self, habits: Habits) -> None:
        """Judge until nothing is left."""
        await asyncio.sleep(self.random.random() * min(habits.think, 1.0))
        while True:
            reply, held = await insist(lambda: self.door.take(self.lines[0]), habits.patience)
            self.log.note("page", reply, (200,))
            if held is None:
                break
            self.log.pages.append(reply.seconds)
            self.log.shown[held.item, self.rater] = tuple(held.cards.values())
            await asyncio.sleep(self.random.uniform(0.5, 1.5) * habits.think)
            await self._judge(held, habits)
        for line in self.lines:
            line.close()

    async def _judge(self, held: Held, habits: Habits) -> None:
        marks = draw_marks(list(held.cards), self.random)
        if self.used and self.random.random() < habits.reused:
            refused = await self._send(held, marks, self.used, habits)
            self.log.note("used key", refused, (409,))
        key = secrets.token_urlsafe(18)
        clicks = 2 if self.random.random() < habits.twice else 1
        calls = [self._send(held, marks, key, habits, line) for line in self.lines[:clicks]]
        for reply in await asyncio.gather(*calls):
            self.log.note("answer", reply, (self.door.stored,))
            self.log.answers.append(reply.seconds)
            if reply.status == self.door.stored:
                given = {held.cards[letter]: mark for letter, mark in marks.items()}
                self.log.acknowledged[held.item, self.rater] = given
        self.used = key

    async def _send(
        self,
        held: Held,
        marks: Mapping[str, Mark],
        key: str,
        habits: Habits,
        line: Line | None = None,
    ) -> Reply:
        through = line or self.lines[0]
        return await insist(lambda: self.door.send(through, held, marks, key), habits.patience)


def draw_marks(letters: list[str], rng: random.Random) -> dict[str, Mark]:
    """Competition ranks of a random weak order, some of the cards F."""
    good = [letter for letter in letters if rng.random() > 0.1]
    level = {letter: rng.randrange(len(letters)) for letter in good}
    marks: dict[str, Mark] = dict.fromkeys(letters, "F")
    for letter in good:
        marks[letter] = 1 + sum(level[other] < level[letter] for other in good)
    return marks


async def insist(call: Callable[[], Awaitable[T]], patience: float) -> T:
    """The call's result, asked again while the server is away."""
    for _ in range(int(patience / 0.05)):
        try:
            return await call()
        except BROKEN:
            await asyncio.sleep(0.05)
    return await call()


async def crowd_at_work(crowd: Crowd, door: Door, port: int, habits: Habits, log: Log) -> None:
    """All labelers at once, until nothing is left for any of them."""
    people = [Labeler(rater, crowd, door, log, port) for rater in crowd.sessions]
    await asyncio.gather(*(each.work(habits) for each in people))
