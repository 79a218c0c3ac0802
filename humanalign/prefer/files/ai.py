"""Records of AI feedback on file: critiques and revisions, and preferences by principle.

`judge.revise` and `Verdict.row` give such rows; people may add their verdict on a revision.
Bai et al. 2022 (arXiv:2212.08073). Every row says `source: "ai"`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from humanalign.errors import DataError
from humanalign.prefer.files.cells import listed, number, present, structure, text
from humanalign.prefer.files.gathering import plain
from humanalign.prefer.files.tables import chunks
from humanalign.rows import columns, read_rows, suffix, write_chunks

Found = TypeVar("Found")
VERDICTS = ("better", "same", "worse")
REVISED = {"prompt": "text", "prompt_id": "text", "draft": "text", "revisions": "nested"}
REVISED |= {"final": "text", "models": "texts", "seeds": "nested", "verdict": "text"}
REVISED |= {"source": "text"}
PREFERENCE = {"comparison_id": "text", "first": "text", "second": "text", "principle": "text"}
PREFERENCE |= {"p_first": "number", "p_second": "number", "soft": "number", "flipped": "flag"}
PREFERENCE |= {"source": "text"}


@dataclass(frozen=True)
class Step:
    """One critique by a principle and the revision that follows it."""

    principle: str
    critique: str
    revision: str


@dataclass(frozen=True)
class Revised:
    """A constitutional record: a draft, what became of it, and what a person says of the result.

    `models` and `seeds` name who wrote it, in the order of the work; `verdict` says whether
    `final` is better than the draft, None where nobody was asked.
    """

    prompt: str
    draft: str
    revisions: tuple[Step, ...]
    final: str
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    verdict: Literal["better", "same", "worse"] | None = None
    prompt_id: str = ""


@dataclass(frozen=True)
class Verdict:
    """One pair of completions judged by one principle, shown in both orders.

    `p_first`, `p_second`: the probability that `first` is better when it is shown as A, as B.
    """

    comparison_id: str
    first: str
    second: str
    principle: str
    p_first: float
    p_second: float

    @property
    def soft(self) -> float:
        """The soft label: the mean over both orders."""
        return (self.p_first + self.p_second) / 2

    @property
    def flipped(self) -> bool:
        """Whether the order of display decided."""
        return (self.p_first > 0.5) != (self.p_second > 0.5)

    def row(self) -> dict:
        """What goes on file: both probabilities, the soft label, the flip, source "ai"."""
        return asdict(self) | {"soft": self.soft, "flipped": self.flipped, "source": "ai"}


def write_revisions(records: Iterable[Revised], path: Path | str) -> Path:
    """Write constitutional records atomically; the suffix tells the container."""
    return _write(map(_revised_row, records), REVISED, path)


def read_revisions(path: Path | str) -> list[Revised]:
    """The records of `write_revisions`, or of `humanalign revise`. DataError names the row."""
    return _read(path, ("prompt", "draft", "revisions", "final"), _revised)


def write_verdicts(records: Iterable[Verdict], path: Path | str) -> Path:
    """Write AI preferences with their soft labels and flips; the suffix tells the container."""
    return _write((each.row() for each in records), PREFERENCE, path)


def read_verdicts(path: Path | str) -> list[Verdict]:
    """The rows of `write_verdicts`, or of `humanalign judge`. DataError names the row."""
    needed = ("comparison_id", "first", "second", "principle", "p_first", "p_second")
    return _read(path, needed, _preference)


def _write(rows: Iterable[Mapping], kinds: Mapping[str, str], path: Path | str) -> Path:
    container = suffix(path) + (".gz" if Path(path).suffix.lower() == ".gz" else "")
    return write_chunks(path, chunks(rows, kinds, container))


def _read(
    path: Path | str, needed: tuple[str, ...], read: Callable[[Mapping], Found]
) -> list[Found]:
    rows = read_rows(path)
    columns(rows, needed, path)
    found = []
    for place, row in enumerate(rows, start=1):
        try:
            if row.get("source", "ai") != "ai":
                raise DataError(f"source: expected ai, got {row['source']!r:.40}")
            found.append(read(row))
        except DataError as error:
            raise DataError(f"{path}: row {place}: {error}") from None
    return found


def _revised_row(record: Revised) -> dict:
    return asdict(record) | {
        "revisions": [asdict(step) for step in record.revisions],
        "models": list(record.models),
        "seeds": list(record.seeds),
        "source": "ai",
    }


def _revised(row: Mapping) -> Revised:
    verdict = present(row, "verdict")
    if verdict not in (None, *VERDICTS):
        raise DataError(f"verdict: expected {', '.join(VERDICTS)} or none, got {verdict!r:.40}")
    # `humanalign revise` works with one model and one seed.
    models = (
        structure(row, "models") if "models" in row else [row["model"]] if "model" in row else []
    )
    seeds = structure(row, "seeds") if "seeds" in row else [row["seed"]] if "seed" in row else []
    return Revised(
        prompt=plain("prompt", row["prompt"]),
        draft=plain("draft", row["draft"]),
        revisions=tuple(_step(each) for each in listed(row, "revisions")),
        final=plain("final", row["final"]),
        models=tuple(str(each) for each in models) if isinstance(models, list) else (),
        seeds=tuple(_seed(each) for each in seeds) if isinstance(seeds, list) else (),
        verdict=verdict,  # type: ignore[arg-type]
        prompt_id=text(row, "prompt_id"),
    )


def _seed(value: object) -> int:
    if not isinstance(value, int):
        raise DataError(f"seeds: expected whole numbers, got {value!r:.40}")
    return value


def _step(value: object) -> Step:
    if not isinstance(value, Mapping):
        raise DataError(f"revisions: expected principle, critique, revision, got {value!r:.60}")
    return Step(*(plain(name, value.get(name)) for name in ("principle", "critique", "revision")))


def _preference(row: Mapping) -> Verdict:
    chances = [number(row, name) for name in ("p_first", "p_second")]
    if not all(0 <= each <= 1 for each in chances):
        raise DataError(f"p_first and p_second: expected probabilities, got {chances}")
    names = ("comparison_id", "first", "second", "principle")
    who = [plain(name, row[name]) for name in names]
    return Verdict(*who, p_first=chances[0], p_second=chances[1])
