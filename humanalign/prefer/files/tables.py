"""Rows into bytes as they come: JSON lines, a JSON list, CSV, Parquet, each optionally gzipped.

A column has a kind: text, number, count (a whole number), flag, texts (a list), messages (a list
of role and content), nested (JSON text in CSV and Parquet, an object in JSON).
"""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from humanalign.errors import DataError
from humanalign.rows import suffix

Columns = Mapping[str, str]
Row = Mapping[str, object]
CHUNK = 64 * 1024
BATCH = 2048
# Spreadsheets take a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MEDIA = {
    ".jsonl": "application/jsonl",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}


def media_type(container: str) -> str:
    """The media type of a container's suffix, `.jsonl` or `.csv.gz`."""
    return "application/gzip" if container.endswith(".gz") else MEDIA[container]


def chunks(
    rows: Iterable[Row], columns: Columns, container: str, *, safe_cells: bool = False
) -> Iterator[bytes]:
    """The file's bytes in pieces; `safe_cells` keeps spreadsheets from running cells of a CSV.

    DataError: an unknown container.
    """
    kind = suffix(f"x{container}")
    if kind not in WRITERS:
        known = " ".join(WRITERS)
        raise DataError(f"'{container}' is no file type for tables; use one of {known} (or .gz)")
    plain = (
        safe_csv(rows, columns) if kind == ".csv" and safe_cells else WRITERS[kind](rows, columns)
    )
    pieces = _gathered(plain)
    return _packed(pieces) if container.endswith(".gz") else pieces


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least CHUNK, but for the last."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip without a time stamp: the same rows, the same bytes."""
    deflate = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield deflate.compress(piece)
    yield deflate.flush()


def json_lines(rows: Iterable[Row], _columns: Columns) -> Iterator[bytes]:
    """One object a line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    for row in rows:
        yield (encode(row) + "\n").encode()


def json_list(rows: Iterable[Row], _columns: Columns) -> Iterator[bytes]:
    """One list of objects, each on a line of its own."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    before = "["
    for row in rows:
        yield (before + "\n" + encode(row)).encode()
        before = ","
    yield b"[]\n" if before == "[" else b"\n]\n"


def plain_csv(rows: Iterable[Row], columns: Columns) -> Iterator[bytes]:
    """CSV whose cells are the texts, letter for letter."""
    return _csv(rows, columns, _cell)


def safe_csv(rows: Iterable[Row], columns: Columns) -> Iterator[bytes]:
    """CSV in which a cell that begins like a formula has an apostrophe before it."""
    return _csv(rows, columns, _safe_cell)


def _csv(
    rows: Iterable[Row], columns: Columns, cell: Callable[[object], object]
) -> Iterator[bytes]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in columns])
        if line.tell() >= CHUNK:
            yield line.getvalue().encode()
            line.seek(0)
            line.truncate()
    yield line.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    return value


def _safe_cell(value: object) -> object:
    cell = _cell(value)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def parquet(rows: Iterable[Row], columns: Columns) -> Iterator[bytes]:
    """Parquet, a row group for every few thousand rows."""
    # Only a Parquet file pays for importing pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    message = pa.struct({"role": pa.string(), "content": pa.string()})
    kinds = {"text": pa.string(), "nested": pa.string(), "number": pa.float64()}
    kinds |= {"count": pa.int64(), "flag": pa.bool_()}
    kinds |= {"texts": pa.list_(pa.string()), "messages": pa.list_(message)}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    nested = [name for name, kind in columns.items() if kind == "nested"]
    sink = _Sink()
    source = iter(rows)
    with pa.PythonFile(sink, mode="w") as file, pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(source, BATCH)):
            texts = [{**row, **{name: _cell(row.get(name)) for name in nested}} for row in batch]
            writer.write_table(pa.Table.from_pylist(texts, schema))
            yield sink.drained()
        writer.close()
        yield sink.drained()


class _Sink(io.RawIOBase):
    """A file that forgets what was taken from it, but not how much was written in all."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, data, /) -> int:
        self._held += data
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def drained(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self._held)
        self._held.clear()
        return taken


WRITERS: dict[str, Callable[[Iterable[Row], Columns], Iterator[bytes]]] = {
    ".jsonl": json_lines,
    ".json": json_list,
    ".csv": plain_csv,
    ".parquet": parquet,
}
