"""The words of the API: bounded, strict types that every request and answer is made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from humanalign.prefer.store.spelling import NAME_LENGTH, storable

# The largest integer that both databases keep in an ordinary column.
MOST = 2**31 - 1
MOST_SEED = 2**63 - 1
PAGE_LIMIT = 500
TEXT_LIMIT = 200_000

Kind = Literal["ranking", "pairwise", "thumb", "rating"]
Status = Literal["open", "paused", "archived"]
Standing = Literal["active", "paused", "excluded"]
Gate = Literal["consent", "instructions", "open", "paused", "excluded", "closed"]
Letter = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I"]
HEX = "^[0-9a-f]{16}$"


class Sent(BaseModel):
    """A request's body: nothing is converted, nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """An answer's body, as the OpenAPI document describes it."""

    model_config = ConfigDict(extra="forbid")


def plain(value: str) -> str:
    if not storable(value):
        raise PydanticCustomError("text", "holds a character that is no text; leave it out")
    return value


def _mark(value: object) -> int | str:
    whole = type(value) is int and 1 <= value <= 9
    if whole or (isinstance(value, str) and value in ("F", "up", "down")):
        return value  # pyright: ignore[reportReturnType] - one of the two just checked
    got = repr(value)
    got = got if len(got) <= 40 else got[:40] + "..."
    raise PydanticCustomError("mark", "expected 1 to 9, F, up or down, got {got}", {"got": got})


Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH), AfterValidator(plain)]
Short = Annotated[str, Field(max_length=500), AfterValidator(plain)]
Note = Annotated[str, Field(max_length=4_000), AfterValidator(plain)]
Text = Annotated[str, Field(max_length=TEXT_LIMIT), AfterValidator(plain)]
Key = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(plain)]
HexId = Annotated[str, Field(pattern=HEX)]
Mark = Annotated[
    int | str,
    PlainValidator(_mark),
    WithJsonSchema(
        {
            "description": "A rank or rating from 1, F for an unusable answer, or a thumb.",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 9},
                {"type": "string", "enum": ["F", "up", "down"]},
            ],
        }
    ),
]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
At = Annotated[float, Field(description="Seconds since 1970, UTC.", examples=[1767225600.0])]
Whole = Annotated[int, Field(ge=0, le=MOST)]
Anything = dict[str, Any]

ProjectId = Annotated[str, Path(description="A project's id.", pattern=HEX)]
ItemId = Annotated[str, Path(description="An item's id.", pattern=HEX)]
RaterId = Annotated[
    str,
    Path(description="A rater's id.", min_length=1, max_length=128),
    AfterValidator(plain),
]
After = Annotated[
    int,
    Query(ge=0, le=MOST, description="Where the page before ended: its `next`; 0 to begin."),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="How many entries a page holds.")]
