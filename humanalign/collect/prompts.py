"""Prompts from a file or the hub: `prompt` or `messages` columns, or a template over others."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from humanalign.errors import DataError
from humanalign.hub import ask_cache_if_offline
from humanalign.rows import columns, read_rows
from humanalign.types import Prompt, Split, split_of

SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "dev": "validation"}
SPLITS |= {"val": "validation", "test": "test"}


class PromptSet(list[Prompt]):
    """Prompts with their parts: a `split` column decides, else a hash holds out one in five."""

    @property
    def train(self) -> list[Prompt]:
        return [p for p in self if p.split == "train"]

    @property
    def validation(self) -> list[Prompt]:
        return [p for p in self if p.split == "validation"]

    @property
    def test(self) -> list[Prompt]:
        return [p for p in self if p.split == "test"]


def load_prompts(
    source: str | Path,
    *,
    template: str | None = None,
    reference: str = "reference",
    split: str | None = None,
    limit: int | None = None,
    opening: int | None = None,
) -> PromptSet:
    """Read prompts; the same text twice is one prompt.

    `template` maps other columns ("Summarize: {dialogue}"); `reference` names the column of the
    reference answer; `split` keeps one part; `opening` keeps the first N words of each text.
    DataError: what rows.read_rows says, a column that is missing (naming those present), no
    prompt left.
    """
    rows = read_rows(source) if is_file(source) else _hub_rows(str(source), split)
    _check_columns(rows, template, reference, source)
    found: dict[str, Prompt] = {}
    for number, row in enumerate(rows, start=1):
        prompt = _prompt(row, template, reference, opening, f"{source}: row {number}")
        if split is None or prompt.split == _split_name(split):
            found.setdefault(prompt.id, prompt)
    if not found:
        raise DataError(f"{source}: no prompt in split '{split}'; leave split out to read them all")
    return PromptSet(list(found.values())[:limit])


def is_file(source: str | Path) -> bool:
    """True for anything that looks like a path rather than a hub name."""
    path = Path(source)
    return path.exists() or bool(path.suffix) or path.is_absolute() or str(source).count("/") != 1


def _check_columns(
    rows: Sequence[Mapping], template: str | None, reference: str, source: str | Path
) -> None:
    if template is not None:
        needed = [name for _, name, _, _ in string.Formatter().parse(template) if name]
        columns(rows, needed, source)
    elif "messages" not in rows[0]:
        columns(rows, ["prompt"], source)
    if reference != "reference":
        columns(rows, [reference], source)


def _prompt(
    row: Mapping, template: str | None, reference: str, opening: int | None, where: str
) -> Prompt:
    messages = _messages(row.get("messages") or row.get("prompt"), where)
    if template is not None:
        text, messages = template.format(**row), ()
    elif messages:
        text = "\n\n".join(content for _, content in messages)
    else:
        text = row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where} has an empty prompt; remove the row or fill it")
    if opening:
        text = " ".join(text.split()[:opening])
    answer = row.get(reference)
    used = {"prompt", "messages", "split", reference}
    return Prompt(
        text=text,
        messages=messages,
        reference=answer if isinstance(answer, str) else None,
        source=str(row.get("source", "")),
        split=_split(row, text, messages),
        fields={k: str(v) for k, v in row.items() if k not in used and v is not None},
    )


def _messages(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        return ()
    try:
        return tuple((m["role"], m["content"]) for m in value)
    except (TypeError, KeyError):
        raise DataError(
            f"{where}: messages must be a list of {{role, content}}, got {str(value)[:60]!r}"
        ) from None


def _split(row: Mapping, text: str, messages: tuple[tuple[str, str], ...]) -> Split:
    if row.get("split"):
        return _split_name(str(row["split"]))
    return split_of(Prompt(text, messages).id)


def _split_name(name: str) -> Split:
    if name not in SPLITS:
        raise DataError(f"unknown split '{name}'; use train, validation or test")
    return SPLITS[name]  # type: ignore[return-value]


def _hub_rows(name: str, split: str | None) -> list[dict]:
    # datasets is slow to import and only hub names need it.
    from datasets import load_dataset

    ask_cache_if_offline()
    try:
        data = load_dataset(name, split=split or "train")
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"'{name}' is neither a file here nor a data set that the hub gives ({reason})"
        ) from error
    return [{**cast(dict, row), "split": split or "train"} for row in data]
