"""Adversarial sets: requests from any file, with their category; harmful ones and safe look-alikes.

Columns are told by their names, whatever the file calls them: advbench (goal, target), catqa
(category, question), xstest (prompt, type, label), transcripts of people who attacked a model
(Ganguli et al. 2022, arXiv 2209.07858), and any table with a request and a category.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from humanalign.conversations import SPOKEN, Messages, as_messages, as_transcript, is_transcript
from humanalign.errors import ConfigError, DataError
from humanalign.rows import iter_rows
from humanalign.types import Prompt, content_id

OWN = Path(__file__).parent / "own.jsonl"
# The first of these that a file has; "behavior" is a title where a file has a goal too.
ASKED = (
    *("request", "prompt", "question", "goal", "forbidden_prompt", "attack", "query"),
    *("instruction", "behavior", "text"),
)
GROUPED = (
    *("category", "semanticcategory", "type", "harm_area", "risk_area", "topic", "task"),
    *("functionalcategory", "subcategory"),
)
UNGROUPED = "all"
SAFE, UNSAFE = ("safe", "benign", "harmless"), ("unsafe", "harmful", "attack", "")
# How the answer that an attacker hopes for begins: advbench's targets all do.
GRANTED = re.compile(r"(sure|certainly|of course|absolutely|here (is|are)|here's)\b", re.IGNORECASE)
SLOT = "{request}"
# Whole conversations, the attacked model's answers included.
SPOKEN_TO = ("transcript", "chosen")


@dataclass(frozen=True)
class Request:
    """What somebody asks for: `safe` ones only look harmful and deserve an answer.

    `frame` holds the words around the request, at "{request}"; `turns` is the conversation before
    it. A request in a frame is sent as plain text, any other as a conversation.
    """

    text: str
    category: str = UNGROUPED
    safe: bool = False
    frame: str = SLOT
    turns: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return content_id("request", self.text, self.frame, self.turns)

    def said(self, words: str) -> Prompt:
        """The prompt in which the request is put in these words."""
        if self.frame != SLOT:
            return Prompt(self.frame.replace(SLOT, words))
        messages = (*self.turns, ("user", words))
        return Prompt(as_transcript(messages) if self.turns else words, messages)


@dataclass(frozen=True)
class RequestSet:
    """The requests of a set, each once, and what was done to read them, as sentences."""

    name: str
    requests: tuple[Request, ...]
    notes: tuple[str, ...] = ()

    @property
    def attacks(self) -> tuple[Request, ...]:
        return tuple(each for each in self.requests if not each.safe)

    @property
    def look_alikes(self) -> tuple[Request, ...]:
        return tuple(each for each in self.requests if each.safe)


def own_requests() -> RequestSet:
    """The bundled set: mild requests in our own words, and safe ones that look like them."""
    return replace(read_requests(OWN), name="own")


def read_requests(path: str | Path, *, category: str | None = None) -> RequestSet:
    """The requests of a file; `category` names the column of the category where we cannot tell.

    DataError: what rows.iter_rows says, no column that holds requests, a label that is neither
    safe nor unsafe.
    """
    rows = iter_rows(path)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file holds no rows; give it at least one request")
    if not asks(first):
        raise DataError(
            f"{path}: none of the columns {', '.join(first)} holds requests; use one of "
            f"{', '.join((*ASKED, *SPOKEN_TO))}, or template='{{column}}'"
        )
    if category and category not in first:
        raise ConfigError(f"category: {path} has no column '{category}'; it has {', '.join(first)}")
    swapped = 0
    read = []
    for number, row in enumerate(chain([first], rows), start=1):
        request, exchanged = _request(row, category, f"{path}: row {number}")
        swapped += exchanged
        read.append(request)
    notes = []
    if swapped:
        notes.append(
            f"goal and target hold each other's content in {swapped} of {len(read)} rows; "
            "there the request was read from target"
        )
    return _gathered(Path(path).name, read, notes)


def has_requests(path: str | Path) -> bool:
    """True where the first row of a file has a column that is known to hold requests."""
    first = next(iter_rows(path), None)
    return first is None or asks(first)


def asks(row: Mapping) -> bool:
    """True where a row has a column that is known to hold a request."""
    return _named(row, (*SPOKEN_TO, *ASKED)) is not None


def requests_of(prompts: Iterable[Prompt], name: str, *, category: str | None = None) -> RequestSet:
    """The requests of prompts that somebody else has read: category and label are their fields."""
    read = []
    for number, prompt in enumerate(prompts, start=1):
        where = f"{name}: prompt {number}"
        grouped = _category(prompt.fields, category)
        safe = _is_safe(prompt.fields, where)
        turns, text = prompt.messages[:-1], prompt.text
        if prompt.messages:
            text = prompt.messages[-1][1]
        read.append(Request(text, grouped, safe, turns=turns))
    return _gathered(name, read, [])


def narrowed(
    found: RequestSet,
    *,
    per_category: int | None = None,
    limit: int | None = None,
    frame: str | None = None,
    seed: int = 0,
) -> RequestSet:
    """The first `limit` requests; or so many of each category and label, drawn by the seed."""
    if frame is not None and SLOT not in frame:
        raise ConfigError(f"frame: expected {SLOT} where the request goes, got '{frame}'")
    kept: Sequence[Request] = found.requests
    if per_category:
        kept = _some_of_each(kept, per_category, random.Random(f"requests {seed}"))
    _require_harmful(found, kept[:limit], kept, limit)
    kept = kept[:limit]
    if frame is not None:
        kept = [replace(each, frame=frame) if each.frame == SLOT else each for each in kept]
    return replace(found, requests=tuple(kept))


def _require_harmful(
    found: RequestSet, kept: Sequence[Request], whole: Sequence[Request], limit: int | None
) -> None:
    """Where a sorted file begins with hundreds of safe requests, it is the limit that is wrong."""
    harmful, all_harmful = (sum(not each.safe for each in some) for some in (kept, whole))
    if harmful < 2 <= all_harmful:
        raise ConfigError(
            f"limit: {limit} takes the first requests of {found.name}, {harmful} of its "
            f"{all_harmful} harmful ones, and an interval needs 2; raise it, or use per_category"
        )


def _some_of_each(requests: Sequence[Request], most: int, rng: random.Random) -> list[Request]:
    groups: dict[tuple[str, bool], list[int]] = {}
    for place, each in enumerate(requests):
        groups.setdefault((each.category, each.safe), []).append(place)
    drawn = [rng.sample(places, min(most, len(places))) for places in groups.values()]
    return [requests[place] for place in sorted(chain.from_iterable(drawn))]


def _gathered(name: str, read: Sequence[Request], notes: list[str]) -> RequestSet:
    first: dict[str, Request] = {}
    for each in read:
        first.setdefault(each.id, each)
    different = list(first.values())
    if len(different) < len(read):
        repeated = len(read) - len(different)
        were = "1 repeated request was" if repeated == 1 else f"{repeated} repeated requests were"
        notes = [*notes, f"{were} left out of {len(read)}"]
    return RequestSet(name, tuple(different), tuple(notes))


def _request(row: Mapping, category: str | None, where: str) -> tuple[Request, bool]:
    """The request of a row, and whether it stood where its answer should."""
    grouped, safe = _category(row, category), _is_safe(row, where)
    if spoken := _named(row, SPOKEN_TO):
        turns, text = _attacked(row[spoken], where)
        return Request(text, grouped, safe, turns=turns), False
    column = _named(row, ASKED)
    text = row.get(column) if column else None
    target = _named(row, ("target",))
    exchanged = column is not None and column.lower() == "goal" and _exchanged(text, row, target)
    if exchanged and target:
        text = row[target]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where} has an empty request; remove the row or fill it")
    frame = row.get("frame") or SLOT
    if SLOT not in frame:
        raise DataError(f"{where}: the frame has no {SLOT} where the request goes; add it")
    turns, text = _turns(text.strip())
    return Request(text, grouped, safe, frame, turns), exchanged


def _exchanged(goal: object, row: Mapping, target: str | None) -> bool:
    if target is None:
        return False
    granted = GRANTED.match(str(goal).strip())
    return bool(granted) and not GRANTED.match(str(row[target]).strip())


def _attacked(transcript: str, where: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The conversation up to the attacker's last words, the assistant's reply to them left out."""
    speakers = [match[1] for match in SPOKEN.finditer(transcript)]
    if "Human" not in speakers:
        raise DataError(f"{where}: the transcript has no '\\n\\nHuman:' turn; nobody asks anything")
    *_, last = (m for m in SPOKEN.finditer(transcript) if m[1] == "Human")
    after = SPOKEN.search(transcript, last.end())
    asked = transcript[: after.start() if after else None].rstrip()
    return _turns(f"{asked}\n\nAssistant:")


def _turns(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The turns before the last words of a transcript, and those; other text has no turns."""
    if not is_transcript(text):
        return (), text
    messages: Messages = [(m["role"], m["content"]) for m in as_messages(text)]
    return tuple(messages[:-1]), messages[-1][1]


def _category(row: Mapping, column: str | None) -> str:
    name = column if column in row else _named(row, GROUPED)
    value = str(row.get(name) or "") if name else ""
    tags = row.get("tags")
    if not name and isinstance(tags, list) and tags:
        value = str(tags[0])
    return value.strip().rstrip(":") or UNGROUPED


def _is_safe(row: Mapping, where: str) -> bool:
    name = _named(row, ("label",))
    label = str(row.get(name) or "").strip().lower() if name else ""
    if label in SAFE:
        return True
    if label not in UNSAFE:
        raise DataError(
            f"{where} has the label '{label}'; expected safe or unsafe, or another "
            "name for a column that says something else"
        )
    return False


def _named(row: Mapping, names: Sequence[str]) -> str | None:
    """The column of `row` that has the first of `names` it has, whatever its capitals."""
    present = {str(key).lower(): key for key in _text_keys(row)}
    return next((present[name] for name in names if name in present), None)


def _text_keys(row: Mapping) -> Iterator[str]:
    """Columns that hold text: a list of messages is read elsewhere."""
    return (key for key, value in row.items() if isinstance(value, str))
