"""Files that strangers send: read as a stream, kept on disk, and refused before they can harm.

A packed file is unpacked piece by piece, so that a few bytes cannot become gigabytes. Nothing is
ever unpickled; the name is only shown and tells the format.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from humanalign.errors import DataError
from humanalign.rows import LFS_POINTER, PARSERS, rows_in, suffix

CHUNK = 64 * 1024
# Up to here a file stays in memory.
SPOOL = 1 << 20
# Small files may be as repetitive as they like.
RATIO_FROM = 1 << 20
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy", ".npz")
NAME = re.compile(r"[^\x00-\x1f\x7f/\\:]{1,200}")


@dataclass(frozen=True)
class Limits:
    """The most that an upload may hold; `size` and `unpacked` in bytes, `ratio` of the two."""

    size: int = 50_000_000
    unpacked: int = 200_000_000
    rows: int = 200_000
    ratio: int = 100


LIMITS = Limits()


class Upload:
    """A file that was taken in and passed every check but those of its rows.

    A context manager: its temporary file is gone at the end. `name` is the sender's, `size` what
    was sent in bytes.
    """

    def __init__(self, name: str, size: int, file: IO[bytes], limits: Limits) -> None:
        self.name = name
        self.size = size
        self._file = file
        self._limits = limits

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[dict]:
        """The rows from the first. DataError: what `rows.rows_in` raises, or too many rows."""
        packed = suffix(self.name) == ".parquet"
        if packed:
            _check_parquet(self.name, self._file, self._limits)
        most, held = self._limits.rows, 0
        for number, row in enumerate(rows_in(cast(BinaryIO, self._file), self.name), start=1):
            if number > most:
                raise DataError(f"{self.name}: has more than {most} rows; split the file")
            held += _characters(row) if packed else 0
            if held > self._limits.unpacked:
                raise _too_large(self.name, self._limits)
            yield row


def read_upload(stream: BinaryIO, filename: str, limits: Limits = LIMITS) -> Upload:
    """Take in a file of at most `limits`; the caller closes the Upload.

    DataError, one sentence: a name with a path or of another type, a file that is empty or too
    large, a Git LFS pointer, a packed file that is broken or grows too much.
    """
    name = _name(filename)
    file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115 (the Upload's)
    try:
        size = _copy(stream, file, name, limits)
        if name.lower().endswith(".gz"):
            packed, file = file, tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115
            with packed:
                _unpack(packed, file, name, limits)
        _check_start(file, name)
    except BaseException:
        file.close()
        raise
    return Upload(name, size, file, limits)


def _name(filename: str) -> str:
    if not NAME.fullmatch(filename) or filename.startswith("."):
        raise DataError(f"the file name {filename[:60]!r} is a path or no name; send a plain name")
    kind = suffix(filename)
    if kind in PICKLES:
        raise DataError(
            f"{filename}: {kind} files can run code when they are read; send .jsonl or .csv"
        )
    if kind not in PARSERS:
        known = " ".join(PARSERS)
        raise DataError(f"{filename}: unknown file type '{kind}'; use one of {known} (or .gz)")
    return filename


def _copy(stream: BinaryIO, file: IO[bytes], name: str, limits: Limits) -> int:
    size = 0
    while piece := stream.read(CHUNK):
        size += len(piece)
        if size > limits.size:
            most = limits.size / 1e6
            raise DataError(f"{name}: is larger than {most:g} MB; split the file")
        file.write(piece)
    file.seek(0)
    return size


def _unpack(packed: IO[bytes], file: IO[bytes], name: str, limits: Limits) -> None:
    """Unpack gzip members one after the other, never more than a piece at once."""
    read = written = 0
    inflate = zlib.decompressobj(wbits=31)
    waiting, ended = b"", True
    try:
        while piece := waiting or packed.read(CHUNK):
            read += 0 if waiting else len(piece)
            if ended:
                inflate, ended = zlib.decompressobj(wbits=31), False
            out = inflate.decompress(piece, CHUNK)
            written += len(out)
            _check_growth(read, written, name, limits)
            file.write(out)
            ended = inflate.eof
            # After a member's end zero bytes may follow, as `gzip` itself allows.
            waiting = inflate.unused_data.lstrip(b"\0") if ended else inflate.unconsumed_tail
    except zlib.error:
        ended = False
    if not ended:
        raise DataError(f"{name}: is not a whole gzip file; compress it again")
    file.seek(0)


def _check_growth(read: int, written: int, name: str, limits: Limits) -> None:
    if written > limits.unpacked or written > max(RATIO_FROM, read * limits.ratio):
        raise DataError(
            f"{name}: unpacks to more than {limits.unpacked / 1e6:g} MB or {limits.ratio} times "
            "its size; send it unpacked or split it"
        )


def _check_start(file: IO[bytes], name: str) -> None:
    start = file.read(len(LFS_POINTER))
    if not start:
        raise DataError(f"{name}: the file is empty; give it at least one row")
    if start == LFS_POINTER:
        raise DataError(f"{name}: is a Git LFS pointer, not the data; run `git lfs pull` first")
    if start.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise DataError(f"{name}: is a pickle, which can run code; send .jsonl or .csv")
    file.seek(0)


def _check_parquet(name: str, file: IO[bytes], limits: Limits) -> None:
    """Refuse by the file's own table of contents, before a page of it is unpacked."""
    # Only a Parquet file pays for importing pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        contents = pq.ParquetFile(cast("Path", file)).metadata
        sizes = [contents.row_group(n).total_byte_size for n in range(contents.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{name}: is not a Parquet file ({first}); write it again") from None
    if contents.num_rows > limits.rows:
        raise DataError(f"{name}: has more than {limits.rows} rows; split the file")
    if sum(sizes) > limits.unpacked:
        raise _too_large(name, limits)


def _characters(value: object) -> int:
    """How much text a row holds: Parquet stores a text once that stands in every row."""
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    if isinstance(value, list):
        return sum(map(_characters, value))
    return len(value) if isinstance(value, str) else 8


def _too_large(name: str, limits: Limits) -> DataError:
    return DataError(f"{name}: unpacks to more than {limits.unpacked / 1e6:g} MB; split the file")
