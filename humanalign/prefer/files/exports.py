"""Every way to take judgements out: a table of named exports, written row by row.

100,000 answers pass through without being held: an export reads records and yields bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from humanalign.errors import DataError, did_you_mean
from humanalign.prefer.files import argilla, label_studio, pair_rows, rich, tables
from humanalign.prefer.files.judgements import KINDS, RANKED, QuestionKind, Record
from humanalign.prefer.files.pair_rows import ALONE, MESSAGES, PAIR, RICH, TEXTS, Choices, pairs_in
from humanalign.prefer.pairs import REJECTS, TIES
from humanalign.rows import write_chunks

media_type = tables.media_type
TABLES = (".jsonl", ".csv", ".parquet")
NESTED = (".jsonl", ".parquet")
Rows = Callable[[Iterable[Record], Choices], Iterator[dict]]


@dataclass(frozen=True)
class Export:
    """One layout to write: `about` says what it holds and what it loses, `kinds` of which answers.

    `revisions`: earlier revisions of an answer are rows too; elsewhere the latest alone counts.
    """

    name: str
    title: str
    about: str
    columns: Mapping[str, str]
    rows: Rows
    kinds: tuple[QuestionKind, ...] = KINDS
    containers: tuple[str, ...] = TABLES
    revisions: bool = False


GROUP = {"prompt": "text", "completions": "texts", "ranks": "texts", "prompt_id": "text"}
GROUP |= {"completion_ids": "texts", "comparison_id": "text", "rater": "text"}
GROUP |= {"instructions": "text", "kind": "text", "criterion": "text", "models": "texts"}
GROUP |= {"rater_kind": "text", "source": "text", "weight": "number", "seconds": "number"}
GROUP |= {"note": "text"}
RATING = {"prompt": "text", "completion": "text", "rating": "count", "scale": "count"}
RATING |= {"criterion": "text", "rater": "text", "rater_kind": "text", "source": "text"}
RATING |= {"prompt_id": "text", "completion_id": "text", "model": "text"}


def _groups(record: Record) -> Iterator[dict]:
    """The row of `formats.write_groups`, with what a record knows besides."""
    question, judgement = record.question, record.judgement
    yield {
        "prompt": record.prompt.text,
        "completions": [each.text for each in record.completions],
        "ranks": [str(judgement.marks[each]) for each in question.completion_ids],
        "prompt_id": record.prompt.id,
        "completion_ids": list(question.completion_ids),
        "comparison_id": question.id,
        "rater": judgement.rater_id,
        "instructions": judgement.instructions,
        "kind": question.kind,
        "criterion": question.criterion,
        "models": [each.sampler.model for each in record.completions],
        "rater_kind": record.rater_kind,
        "source": record.source,
        "weight": record.weight,
        "seconds": judgement.seconds,
        "note": judgement.note,
    }


def _ratings(record: Record) -> Iterator[dict]:
    for completion in record.completions:
        yield {
            "prompt": record.prompt.text,
            "completion": completion.text,
            "rating": record.judgement.marks[completion.id],
            "scale": record.scale,
            "criterion": record.question.criterion,
            "rater": record.judgement.rater_id,
            "rater_kind": record.rater_kind,
            "source": record.source,
            "prompt_id": record.prompt.id,
            "completion_id": completion.id,
            "model": completion.sampler.model,
        }


def _each(row: Callable[[Record], Iterator[dict]]) -> Rows:
    """Rows of answers one by one."""
    return lambda records, _choices: (each for record in records for each in row(record))


def _chosen(rows: Callable[[Record, Choices], Iterator[dict]]) -> Rows:
    """Rows of answers one by one, where ties and F marks are to be decided on."""
    return lambda records, choices: (each for record in records for each in rows(record, choices))


def _paired(row: Callable[[pair_rows.Pair], dict]) -> Rows:
    """Rows of pairs one by one."""
    return lambda records, choices: (
        row(pair) for record in records for pair in pairs_in(record, choices)
    )


def _items(task: Callable[[list[Record]], dict]) -> Rows:
    """One row an item, with all answers to it."""
    return lambda records, _choices: (
        task(list(group)) for _, group in groupby(records, key=lambda each: each.question.id)
    )


_ALL = (
    Export(
        "rich",
        "Every answer",
        "One row an answer with ranks, F, ties, rater, times and every revision; loses nothing.",
        rich.COLUMNS,
        _each(rich.write_rich),
        revisions=True,
    ),
    Export(
        "rich-pairs",
        "Pairs, with whose they are",
        "One row a pair with group, rater, weight, margin, criterion and instruction version.",
        RICH,
        _paired(pair_rows.rich_pair),
    ),
    Export(
        "groups",
        "Ranked groups",
        "One row a ranking: prompt, completions and their ranks; holds ties and F.",
        GROUP,
        _each(_groups),
        kinds=RANKED,
    ),
    Export(
        "preference",
        "TRL preference",
        "prompt, chosen, rejected as text; ties and F are left out unless asked for.",
        TEXTS | PAIR,
        _paired(pair_rows.preference),
    ),
    Export(
        "preference-implicit",
        "TRL preference, implicit prompt",
        "chosen and rejected begin with the prompt; where it ends is guessed when read back.",
        {"chosen": "text", "rejected": "text"} | PAIR,
        _paired(pair_rows.preference_implicit),
    ),
    Export(
        "conversation",
        "TRL conversations",
        "prompt, chosen, rejected as messages; white space around an answer is lost.",
        MESSAGES | PAIR,
        _paired(pair_rows.conversation),
        containers=NESTED,
    ),
    Export(
        "conversation-implicit",
        "TRL conversations, implicit prompt",
        "chosen and rejected as whole conversations; white space around an answer is lost.",
        {"chosen": "messages", "rejected": "messages"} | PAIR,
        _paired(pair_rows.conversation_implicit),
        containers=NESTED,
    ),
    Export(
        "unpaired",
        "TRL unpaired",
        "prompt, completion, label: thumbs, ratings off the middle, two rows a pair of a ranking.",
        {"prompt": "text", "completion": "text", "label": "flag"} | ALONE,
        _chosen(pair_rows.unpaired),
    ),
    Export(
        "unpaired-conversation",
        "TRL unpaired conversations",
        "The same as messages.",
        {"prompt": "messages", "completion": "messages", "label": "flag"} | ALONE,
        _chosen(pair_rows.unpaired_conversation),
        containers=NESTED,
    ),
    Export(
        "hh",
        "HH transcripts",
        "chosen and rejected as transcripts of Human and Assistant, nothing else.",
        {"chosen": "text", "rejected": "text"},
        _paired(pair_rows.hh),
    ),
    Export(
        "ratings",
        "Ratings",
        "One row a rated completion and rater.",
        RATING,
        _each(_ratings),
        kinds=("rating",),
    ),
    Export(
        "argilla",
        "Argilla records",
        "One record an item with everybody's responses; F is a question of its own, no times.",
        argilla.COLUMNS,
        _items(argilla.write_argilla),
        containers=(".json", ".jsonl"),
    ),
    Export(
        "label-studio",
        "Label Studio tasks",
        "One task an item with everybody's annotations; ranks and F are buckets of a Ranker.",
        {"data": "nested", "meta": "nested", "annotations": "nested"},
        _items(label_studio.write_label_studio),
        containers=(".json", ".jsonl"),
    ),
)
EXPORTS: Mapping[str, Export] = MappingProxyType({each.name: each for each in _ALL})


def export_chunks(
    name: str,
    records: Iterable[Record],
    container: str = ".jsonl",
    *,
    ties: str = "drop",
    rejects: str = "drop",
    safe_cells: bool = False,
) -> Iterator[bytes]:
    """The bytes of an export in pieces of some 64 KiB; all answers to an item come together.

    Answers of other kinds than the export's are passed over. `safe_cells` keeps a spreadsheet from
    taking text for formulas, and changes such text. DataError: an unknown export, container or
    option; told at once, not with the first piece.
    """
    export = _export(name, container)
    for option, value, known in (("ties", ties, TIES), ("rejects", rejects, REJECTS)):
        if value not in known:
            hint = did_you_mean(value, known)
            raise DataError(f"{option}: expected {' or '.join(known)}, got '{value}'{hint}")
    wanted = (each for each in records if each.question.kind in export.kinds)
    rows = export.rows(wanted if export.revisions else _latest(wanted), Choices(ties, rejects))
    return tables.chunks(rows, export.columns, container, safe_cells=safe_cells)


def export_file(
    name: str,
    records: Iterable[Record],
    path: Path | str,
    *,
    ties: str = "drop",
    rejects: str = "drop",
    safe_cells: bool = False,
) -> Path:
    """Write an export atomically; the suffix tells the container. DataError: as `export_chunks`."""
    path = Path(path)
    ends = [each.lower() for each in path.suffixes]
    container = "".join(ends[-2:] if ends[-1:] == [".gz"] else ends[-1:])
    pieces = export_chunks(
        name, records, container, ties=ties, rejects=rejects, safe_cells=safe_cells
    )
    return write_chunks(path, pieces)


def _export(name: str, container: str) -> Export:
    if name not in EXPORTS:
        known = ", ".join(EXPORTS)
        raise DataError(
            f"export: expected one of {known}, got '{name}'{did_you_mean(name, EXPORTS)}"
        )
    export = EXPORTS[name]
    if container.removesuffix(".gz") not in export.containers:
        known = " ".join(export.containers)
        raise DataError(f"export {name}: cannot be a '{container}' file; use {known} (or .gz)")
    return export


def _latest(records: Iterable[Record]) -> Iterator[Record]:
    """The highest revision of each rater's answer to each item."""
    for _, group in groupby(records, key=lambda each: each.question.id):
        newest: dict[str, Record] = {}
        for each in group:
            held = newest.get(each.judgement.rater_id)
            if held is None or held.judgement.revision <= each.judgement.revision:
                newest[each.judgement.rater_id] = each
        yield from newest.values()
