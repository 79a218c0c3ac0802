"""Rows of a data file: JSON lines, CSV, Parquet and plain text, each optionally gzipped.

Every room reads and writes its tables through here, so that a broken file gives the same clear
sentence everywhere. A `.txt` file is one prompt a line: rows of {"prompt": line}.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from humanalign.errors import DataError, did_you_mean

LFS_POINTER = b"version https://git-lfs"
# The csv module refuses fields over 128 KiB by default; a long conversation is longer than that.
CSV_FIELD_LIMIT = 2**27


def read_rows(path: Path | str) -> list[dict]:
    """Return the rows of `path`, at least one; the format is told by the file's suffix.

    Raises DataError, one sentence, for: a missing or empty file, an unknown suffix, a Git LFS
    pointer, bytes that are not UTF-8 (with the line), a broken line (with its number).
    """
    path = Path(path)
    parse = _parser(path)
    rows = parse(path, _content(path))
    if not rows:
        raise DataError(f"{path}: the file holds no rows; give it at least one")
    return rows


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
    return write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write `content` atomically, gzipped where the name ends in `.gz` (same bytes every time)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path


def suffix(path: Path | str) -> str:
    """The suffix that tells the format, lower case, without `.gz`: `a/B.JSONL.gz` -> `.jsonl`."""
    path = Path(path)
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _parser(path: Path) -> Callable[[Path, bytes], list[dict]]:
    parse = PARSERS.get(suffix(path))
    if parse is None:
        known = " ".join(PARSERS)
        raise DataError(f"{path}: unknown file type '{suffix(path)}'; use one of {known} (or .gz)")
    return parse


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise DataError(f"{path}: cannot be read ({reason}); give a readable file") from None
    if content.startswith(LFS_POINTER):
        raise DataError(f"{path}: is a Git LFS pointer, not the data; run `git lfs pull` first")
    if path.suffix.lower() == ".gz":
        content = _gunzip(path, content)
    if not content:
        raise DataError(f"{path}: the file is empty; give it at least one row")
    return content


def _gunzip(path: Path, content: bytes) -> bytes:
    if not content:
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path}: is not a whole gzip file; compress it again") from None


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `error.object` lacks the byte-order mark, so its newlines are counted, not content's.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None


def _lines(path: Path, content: bytes) -> list[tuple[int, str]]:
    # Not str.splitlines: U+2028 and its like are legal inside a JSON string.
    lines = enumerate(_text(path, content).split("\n"), start=1)
    return [(number, line.rstrip("\r")) for number, line in lines if line.strip()]


def _jsonl(path: Path, content: bytes) -> list[dict]:
    rows = []
    for number, line in _lines(path, content):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}: line {number} is not JSON ({error}); mend the line") from None
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise DataError(f"{path}: line {number} is a JSON {kind}; each line must be an object")
        rows.append(row)
    return rows


def _csv(path: Path, content: bytes) -> list[dict]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    reader = csv.DictReader(io.StringIO(_text(path, content), newline=""), strict=True)
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                width = len(reader.fieldnames or ())
                raise DataError(
                    f"{path}: line {reader.line_num} has not the header's {width} fields; "
                    "quote fields that hold commas"
                )
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error}); mend it") from None
    return rows


def _plain(path: Path, content: bytes) -> list[dict]:
    return [{"prompt": line} for _, line in _lines(path, content)]


def _parquet(path: Path, content: bytes) -> list[dict]:
    # Only a Parquet file pays for importing pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(content)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path}: is not a Parquet file ({first}); write it again") from None


PARSERS: dict[str, Callable[[Path, bytes], list[dict]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
    ".txt": _plain,
}
