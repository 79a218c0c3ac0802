"""A small client of the API: what the package's own simulated labelers use, and yours can too.

    client = Client("http://127.0.0.1:8000", "ha_...")
    project = client.projects()[0]
    while task := client.next(project.id):
        client.answer(task, {card.letter: my_rank(card.text) for card in task.cards})

A request that broke off is sent again with the same key, which the server answers with the first
receipt: nothing is stored twice. Mistakes are the package's errors with the server's sentence.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx2

from humanalign.errors import ConfigError, DataError, StoreError
from humanalign.types import PreferencePair, Prompt

Mark = int | str
Json = Mapping[str, object]
# Seconds before each further try; a Retry-After counts up to LONGEST_WAIT.
WAITS = (0.1, 0.3, 1.0, 3.0)
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class ProjectInfo:
    """A project; `gate` is what stands between this client and work, "open" being nothing."""

    id: str
    name: str
    kind: str
    criterion: str
    status: str
    gate: str | None


@dataclass(frozen=True)
class Card:
    """One completion; `completion` is its id, which only programs are told ("" for people)."""

    letter: str
    text: str
    completion: str


@dataclass(frozen=True)
class Task:
    """An item as this client's rater sees it; `marks` is their latest answer, by letter."""

    item: str
    project: str
    kind: str
    criterion: str
    instructions: str
    prompt: Prompt
    cards: tuple[Card, ...]
    marks: Mapping[str, Mark]
    revision: int
    note: str


@dataclass(frozen=True)
class Answered:
    """What was stored; `next` is the next task where it was asked for."""

    item: str
    revision: int
    replayed: bool
    extra: bool
    next: Task | None = None


class Stale(StoreError):
    """The answer was changed elsewhere in the meantime; `held` is the task as it stands."""

    def __init__(self, sentence: str, held: Task) -> None:
        super().__init__(sentence)
        self.held = held


class Client:
    """The API of the server at `url`, called by the holder of `token`. Close it, or use `with`."""

    def __init__(self, url: str, token: str, *, timeout: float = 60.0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def projects(self) -> list[ProjectInfo]:
        """The projects this client may see, in the order they were made."""
        names = ("id", "name", "kind", "criterion", "status", "gate")
        rows = self._get("/projects")["projects"]
        return [ProjectInfo(**{name: row[name] for name in names}) for row in rows]

    def add_items(
        self, project: str, items: Sequence[Json], *, overlap: int | None = None
    ) -> list[str]:
        """Put items to raters and return their ids; sending one again changes nothing.

        An item is {"prompt": ..., "completions": [{"text": ..., "model": ...}, ...]}, with what
        docs/api.md names besides. StoreError: unknown project. DataError names the bad field.
        """
        said = self._send("POST", f"/projects/{project}/items", {"items": items} | _given(overlap))
        return said["items"]

    def next(self, project: str) -> Task | None:
        """The task to do now, held for half an hour; None when nothing is left.

        StoreError: the rater is paused, or no member.
        """
        return _task(self._send("POST", f"/projects/{project}/next")["task"])

    def task(self, project: str, item: str) -> Task | None:
        """A task again, with the latest marks. StoreError: this rater was never shown it."""
        return _task(self._get(f"/projects/{project}/items/{item}/task"))

    def answer(
        self,
        task: Task,
        marks: Mapping[str, Mark],
        key: str | None = None,
        *,
        note: str = "",
        timing: Json | None = None,
        onward: bool = False,
    ) -> Answered:
        """Answer a task by letter; `onward` brings the next task in the same round trip.

        `key` is any text that is this answer's own. DataError: a card without a mark. Stale: it
        was answered again elsewhere. StoreError: the key came with another answer.
        """
        body = {
            "key": key or secrets.token_urlsafe(18),
            "marks": dict(marks),
            "revision": task.revision,
            "instructions": task.instructions,
            "note": note,
            "timing": dict(timing or {}),
        }
        path = f"/projects/{task.project}/items/{task.item}/answers"
        said = self._send("POST", path + ("?next=true" if onward else ""), body)
        kept = {name: said[name] for name in ("item", "revision", "replayed", "extra")}
        return Answered(**kept, next=_task(said.get("task")))

    def skip(self, task: Task, reason: str, note: str = "") -> None:
        """Give a task back: unclear, not my language, upsetting, technical or other."""
        path = f"/projects/{task.project}/items/{task.item}/skip"
        self._send("POST", path, {"reason": reason, "note": note})

    def report(self, task: Task, reason: str, note: str = "") -> None:
        """Tell the owner what is wrong with a task: broken, unsafe, wrong instructions or other."""
        path = f"/projects/{task.project}/items/{task.item}/report"
        self._send("POST", path, {"reason": reason, "note": note})

    def statistics(self, project: str) -> dict:
        """Agreement, time and labelers; "statistics" is None while nothing is counted yet."""
        return self._get(f"/projects/{project}/statistics")

    def consensus(self, project: str, method: str = "borda") -> dict:
        """Make a consensus version, or return the newest where no answer changed."""
        return self._send("POST", f"/projects/{project}/consensus", {"method": method})

    def pairs(
        self,
        project: str,
        *,
        version: int = 0,
        split: str = "",
        ties: str = "drop",
        rejects: str = "drop",
    ) -> Iterator[PreferencePair]:
        """The training pairs of a consensus version (0: the newest), page by page.

        `split` is train, validation or test: no prompt is in two of them; "" is all.
        """
        asked = f"version={version}&split={split}&ties={ties}&rejects={rejects}"
        after: int | None = 0
        while after is not None:
            said = self._get(f"/projects/{project}/pairs?{asked}&after={after}")
            yield from (PreferencePair(**row) for row in said["pairs"])
            after = said["next"]

    def export(self, project: str, format: str, path: Path | str, *, of: str = "raw") -> Path:
        """Stream an export into a file; `of` is "raw" or a consensus version's number.

        The file's ending names the container: .jsonl, .csv, .parquet, .jsonl.gz ...
        """
        target = Path(path)
        part = target.with_name(target.name + ".part")
        address = f"/projects/{project}/exports/{format}"
        ends = target.suffixes[-2 if target.suffix == ".gz" else -1 :]
        query = {"of": of, "container": "".join(ends)}
        with self._http.stream("GET", address, params=query) as response:
            if response.status_code != 200:
                response.read()
                raise _error(response)
            with part.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
        part.replace(target)
        return target

    def _get(self, path: str) -> dict:
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: Json | None = None) -> dict:
        """The answer's JSON; sent again where the connection or the server gave way."""
        for wait in (*WAITS, None):
            response = self._try(method, path, body, last=wait is None)
            if response is not None and response.status_code < 500:
                pause = _retry_after(response)
                if pause is None or wait is None:
                    break
                time.sleep(pause)
            elif wait is not None:
                time.sleep(wait)
        assert response is not None  # the last try raises instead
        if response.status_code >= 400:
            raise _error(response)
        return response.json()

    def _try(
        self, method: str, path: str, body: Json | None, *, last: bool
    ) -> httpx2.Response | None:
        """One request; None where the connection failed and another try is left."""
        try:
            return self._http.request(method, path, json=body)
        except httpx2.TransportError as error:
            if not last:
                return None
            raise StoreError(
                f"{self.url}: no answer ({error or type(error).__name__}); is the server running?"
            ) from None


def _task(said: Mapping | None) -> Task | None:
    if said is None:
        return None
    turns = tuple((each["role"], each["content"]) for each in said["prompt"]["messages"])
    names = ("item", "project", "kind", "criterion", "instructions", "marks", "revision", "note")
    return Task(
        prompt=Prompt(said["prompt"]["text"], turns),
        cards=tuple(
            Card(each["letter"], each["text"], each["completion"] or "") for each in said["cards"]
        ),
        **{name: said[name] for name in names},
    )


def _retry_after(response: httpx2.Response) -> float | None:
    """How long to wait before sending again; None where that is not asked, or takes too long."""
    if response.status_code != 429:
        return None
    text = response.headers.get("retry-after", "1")
    seconds = float(text) if text.isdecimal() else 1.0
    return seconds if seconds <= LONGEST_WAIT else None


def _error(response: httpx2.Response) -> ConfigError | DataError | StoreError:
    """The package's error for an answer that is none, with the server's sentence."""
    try:
        said = response.json()
        sentence = said["error"]
    except (ValueError, KeyError, TypeError):
        said, sentence = {}, f"{response.url}: answered {response.status_code}"
    if response.status_code == 401:
        return ConfigError(f"{sentence}; the token is unknown or revoked")
    if response.status_code in (413, 422):
        return DataError(sentence)
    held = _task(said.get("held"))
    return Stale(sentence, held) if held is not None else StoreError(sentence)


def _given(overlap: int | None) -> dict[str, int]:
    return {} if overlap is None else {"overlap": overlap}
