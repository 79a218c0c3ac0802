"""Items of comparison suites: our own file and the public formats, told apart by their columns.

| a row has | format | category |
|-|-|-|
| input, targets {choices, labels} | HHH alignment | its own column, or the file |
| examples [{input, target_scores}] | BIG-bench task.json | the folder or the file |
| question, answer_matching_behavior, answer_not_... | written evaluations | the file |
| prompt, chosen, rejected | pairs | its own column, or the file |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from humanalign.errors import DataError
from humanalign.rows import read_rows

SUFFIXES = (".jsonl", ".json", ".csv", ".jsonl.gz", ".json.gz", ".csv.gz")
MATCHING, OTHER = "answer_matching_behavior", "answer_not_matching_behavior"


@dataclass(frozen=True)
class Item:
    """A prompt and its answers, of which `best` is the place of the better one."""

    prompt: str
    answers: tuple[str, ...]
    best: int
    category: str


def read_items(path: str | Path) -> list[Item]:
    """The items of a file, or of every file of a folder; the same item twice counts once.

    DataError: no such file, a row in none of the known formats or without one best answer.
    """
    path = Path(path)
    files = [path] if not path.is_dir() else sorted(f for f in path.rglob("*") if _readable(f))
    if not files:
        raise DataError(f"{path}: the folder holds no {' or '.join(SUFFIXES[:3])} file")
    found = (item for file in files for item in _items_of(file))
    return list(dict.fromkeys(found))


def _readable(file: Path) -> bool:
    return file.is_file() and file.name.lower().endswith(SUFFIXES)


def _items_of(file: Path) -> Iterator[Item]:
    name = file.name.split(".")[0]
    category = file.parent.name if name in ("task", "test", "validation", "data") else name
    for number, row in enumerate(read_rows(file), start=1):
        examples = row.get("examples")
        for part in examples if isinstance(examples, list) else [row]:
            yield _item(part, category, f"{file}: row {number}")


def _item(row: Mapping, category: str, where: str) -> Item:
    offered = _offered(row)
    if offered is None:
        present = ", ".join(map(str, row)) or "none"
        raise DataError(
            f"{where} is no comparison; give columns input and targets, question and {MATCHING} "
            f"and {OTHER}, or prompt, chosen and rejected; present: {present}"
        )
    prompt, scores = offered
    answers = tuple(text.strip() for text in scores)
    best = [i for i, score in enumerate(scores.values()) if score == max(scores.values())]
    if len(best) != 1 or len(answers) < 2 or not all(answers) or not prompt.strip():
        raise DataError(
            f"{where} needs a prompt, two answers or more and one best among them, got "
            f"{len(answers)} answers and {len(best)} best; mend or remove it"
        )
    return Item(prompt, answers, best[0], str(row.get("category") or category))


def _offered(row: Mapping) -> tuple[str, dict[str, float]] | None:
    """(prompt, score of each answer), or None where the row has none of the formats."""
    targets = row.get("targets")
    if "input" in row and isinstance(targets, Mapping) and {"choices", "labels"} <= set(targets):
        return str(row["input"]), dict(zip(targets["choices"], targets["labels"], strict=False))
    if "input" in row and isinstance(row.get("target_scores"), Mapping):
        return str(row["input"]), dict(row["target_scores"])
    for prompt, chosen, rejected in (
        ("question", MATCHING, OTHER),
        ("prompt", "chosen", "rejected"),
    ):
        if all(isinstance(row.get(name), str) for name in (prompt, chosen, rejected)):
            return row[prompt], {row[rejected]: 0.0, row[chosen]: 1.0}
    return None
