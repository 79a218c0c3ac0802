"""Rows of a data file: JSON lines, JSON lists, CSV, Parquet or plain text, optionally gzipped.

Every room reads and writes its tables through here, so that a broken file gives the same clear
sentence everywhere. Rows are read one at a time; the text of a file is never held whole, but for
a JSON list. A `.txt` file is one prompt a line: rows of {"prompt": line}.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from humanalign.errors import DataError, did_you_mean

LFS_POINTER = b"version https://git-lfs"
# The csv module refuses fields over 128 KiB by default; a long conversation is longer than that.
CSV_FIELD_LIMIT = 2**27
# A Parquet file is turned into Python objects in batches of at most so many rows, fewer where its
# row groups are large: one long text can stand in every row and be stored only once.
PARQUET_ROWS = 1024
PARQUET_BYTES = 1 << 28


def read_rows(path: Path | str) -> list[dict]:
    """Return the rows of `path`, at least one; the format is told by the file's suffix.

    Raises DataError, one sentence, for: a missing or empty file, an unknown suffix, a Git LFS
    pointer, bytes that are not UTF-8 (with the line), a broken line (with its number).
    """
    rows = list(iter_rows(path))
    if not rows:
        raise DataError(f"{path}: the file holds no rows; give it at least one")
    return rows


def iter_rows(path: Path | str) -> Iterator[dict]:
    """Yield the rows of `path` one at a time; a file may hold none.

    Raises what `read_rows` does, when the broken line is reached.
    """
    path = Path(path)
    parse = _parser(path)
    with _opened(path) as file:
        if path.suffix.lower() == ".gz":
            yield from _unpacked(path, file, parse)
        else:
            yield from parse(str(path), file)


def rows_in(file: BinaryIO, name: str) -> Iterator[dict]:
    """Yield the rows of an open file from its start; the suffix of `name` tells the format.

    The file is not packed and can be wound back. Raises what `read_rows` does.
    """
    file.seek(0)
    yield from _parser(Path(name))(name, file)


def columns(rows: Sequence[Mapping], needed: Sequence[str], path: Path | str) -> None:
    """Check that each row has every column of `needed`; DataError names those present."""
    for number, row in enumerate(rows, start=1):
        missing = [name for name in needed if name not in row]
        if missing:
            present = ", ".join(str(key) for key in row) or "none"
            hint = did_you_mean(missing[0], [str(key) for key in row])
            raise DataError(
                f"{path}: row {number} has no column '{missing[0]}'; present: {present}{hint}"
            )


def write_rows(path: Path | str, rows: Iterable[Mapping]) -> Path:
    """Write `rows` as JSON lines (gzipped for `.gz`) under a temporary name, then rename."""
    text = "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    # Half a character, which UTF-8 cannot hold, as JSON escapes it.
    return write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write `content` atomically, gzipped where the name ends in `.gz` (same bytes every time)."""
    if Path(path).suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    return write_chunks(path, [content])


def write_chunks(path: Path | str, chunks: Iterable[bytes]) -> Path:
    """Write `chunks` as they come under a temporary name, then rename; a failure leaves nothing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(chunks)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(path)
    return path


def suffix(path: Path | str) -> str:
    """The suffix that tells the format, lower case, without `.gz`: `a/B.JSONL.gz` -> `.jsonl`."""
    path = Path(path)
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _parser(path: Path) -> Callable[[str, BinaryIO], Iterator[dict]]:
    parse = PARSERS.get(suffix(path))
    if parse is None:
        known = " ".join(PARSERS)
        raise DataError(f"{path}: unknown file type '{suffix(path)}'; use one of {known} (or .gz)")
    return parse


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        start = file.read(len(LFS_POINTER))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise DataError(f"{path}: cannot be read ({reason}); give a readable file") from None
    if start == LFS_POINTER:
        raise DataError(f"{path}: is a Git LFS pointer, not the data; run `git lfs pull` first")
    file.seek(0)
    if not start:
        _refuse_empty(str(path))
    return file


def _unpacked(path: Path, file: BinaryIO, parse: Callable) -> Iterator[dict]:
    try:
        with gzip.GzipFile(fileobj=file) as content:
            if not content.peek(1):
                _refuse_empty(str(path))
            yield from parse(str(path), content)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path}: is not a whole gzip file; compress it again") from None


def _refuse_empty(name: str) -> None:
    raise DataError(f"{name}: the file is empty; give it at least one row")


def _text(name: str, line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{name}: line {number} is not UTF-8; save the file as UTF-8") from None


def _lines(name: str, file: BinaryIO) -> Iterator[tuple[int, str]]:
    # Bytes end at \n alone: U+2028 and its like are legal inside a JSON string.
    for number, line in enumerate(file, start=1):
        text = _text(name, line, number).rstrip("\r\n")
        if text.strip():
            yield number, text


def _jsonl(name: str, file: BinaryIO) -> Iterator[dict]:
    for number, line in _lines(name, file):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = _reason(error)
            raise DataError(
                f"{name}: line {number} is not JSON ({reason}); mend the line"
            ) from None
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"{name}: line {number} is a JSON {kind}; each line must be an object")
        yield row


def _json(name: str, file: BinaryIO) -> Iterator[dict]:
    """The objects of a JSON list, or the one object that the file is."""
    text = "".join(_text(name, line, number) for number, line in enumerate(file, start=1))
    decoder, place = json.JSONDecoder(), _after(text, 0)
    if text[place : place + 1] != "[":
        row, place = _value(name, text, place, decoder)
        yield _object(name, row, 1)
    else:
        place, number = _after(text, place + 1), 0
        while text[place : place + 1] != "]":
            number += 1
            row, place = _value(name, text, place, decoder)
            yield _object(name, row, number)
            place = _after(text, place)
            if text[place : place + 1] == ",":
                place = _after(text, place + 1)
            elif text[place : place + 1] != "]":
                raise DataError(f"{name}: {_line(text, place)} is not JSON (no comma); mend it")
        place += 1
    rest = _after(text, place)
    if rest < len(text):
        raise DataError(f"{name}: {_line(text, rest)} has more after the end; use .jsonl for that")


def _after(text: str, place: int) -> int:
    """The place of the next character that is no white space."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _value(name: str, text: str, place: int, decoder: json.JSONDecoder) -> tuple[object, int]:
    try:
        return decoder.raw_decode(text, place)
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else place
        reason = _reason(error)
        raise DataError(f"{name}: {_line(text, at)} is not JSON ({reason}); mend it") from None


def _reason(error: Exception) -> str:
    return "too deeply nested" if isinstance(error, RecursionError) else str(error)


def _line(text: str, place: int) -> str:
    return f"line {text.count(chr(10), 0, place) + 1}"


def _object(name: str, row: object, number: int) -> dict:
    if not isinstance(row, dict):
        kind = type(row).__name__
        raise DataError(f"{name}: entry {number} is a JSON {kind}; each entry must be an object")
    return row


def _csv(name: str, file: BinaryIO) -> Iterator[dict]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, [])
        for row in reader:
            if len(row) == len(header):
                yield dict(zip(header, row, strict=True))
            elif row:
                raise DataError(
                    f"{name}: line {reader.line_num} has not the header's {len(header)} fields; "
                    "quote fields that hold commas"
                )
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num} is not CSV ({error}); mend it") from None
    except UnicodeDecodeError:
        # The decoder reads ahead in blocks, so the line is looked for again from the start.
        file.seek(0)
        for number, line in enumerate(file, start=1):
            _text(name, line, number)
    finally:
        # Who stops reading half-way may have closed the file.
        if not file.closed:
            text.detach()


def _plain(name: str, file: BinaryIO) -> Iterator[dict]:
    for _, line in _lines(name, file):
        yield {"prompt": line}


def _parquet(name: str, file: BinaryIO) -> Iterator[dict]:
    # Only a Parquet file pays for importing pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A packed file cannot be read from its end without unpacking it for every step back.
    seekable = io.BytesIO(file.read()) if isinstance(file, gzip.GzipFile) else file
    try:
        table = pq.ParquetFile(cast("pa.NativeFile", seekable))
        groups = range(table.metadata.num_row_groups)
        largest = max((table.metadata.row_group(n).total_byte_size for n in groups), default=0)
        rows = max(1, min(PARQUET_ROWS, PARQUET_BYTES // max(1, largest)))
        for batch in table.iter_batches(rows):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{name}: is not a Parquet file ({first}); write it again") from None


PARSERS: dict[str, Callable[[str, BinaryIO], Iterator[dict]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".txt": _plain,
}
