"""Texts with labels in place of pairs: which columns of a file say what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.config import Settings
from humanalign.settings.parts import Template


class LabelledData(Settings):
    data: str | None = Field(default=None, description="texts with labels, in place of pairs")
    text: str = Field(default="text", description="column of the texts in data")
    label: str | None = Field(
        default=None,
        description="column of their labels; is_abuse also means every RATER_is_abuse.CODE",
    )
    votes: dict[str, str] = Field(
        default={}, description="{label: column that counts its votes}, in place of label"
    )
    merge: dict[str, list[str | int | bool]] = Field(
        default={}, description="{toxic: [hate, offensive]}: labels that become one"
    )
    template: Template = None
    weigh: Literal["rows", "votes"] = Field(
        default="rows", description="every text weighs 1, or as much as it has votes"
    )
    empty: Literal["error", "skip"] = Field(
        default="error", description="what to do with a row whose text is empty"
    )
    balance: bool = Field(default=False, description="all labels weigh the same, however rare")
    eval_data: str | None = Field(
        default=None, description="held out, same columns; null keeps one text in five"
    )
