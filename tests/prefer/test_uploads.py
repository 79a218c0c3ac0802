"""Files from strangers: within limits they are read, beyond them each is told in one sentence."""

import gzip
import io
import pickle
import tracemalloc
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.files.uploads import Limits, read_upload

ROWS = b'{"prompt": "p", "chosen": "a", "rejected": "b"}\n'
SMALL = Limits(size=100_000, unpacked=3_000_000, rows=100, ratio=100)


def taken(content, name="x.jsonl", limits=SMALL):
    """The rows of an upload, in a list."""
    with read_upload(io.BytesIO(content), name, limits) as upload:
        return list(upload.rows())


def test_an_upload_is_read_like_a_file():
    with read_upload(io.BytesIO(ROWS * 2), "mine.jsonl") as upload:
        assert (upload.name, upload.size) == ("mine.jsonl", 2 * len(ROWS))
        found = read_judgements(upload)
        # Twice, because a form shows a preview before it stores.
        assert read_judgements(upload) == found
    assert (found.name, found.layout, len(found.judgements)) == ("mine", "preference", 2)


@pytest.mark.parametrize("name", ["x.jsonl.gz", "X.JSONL.GZ"])
def test_a_packed_upload_of_several_members_is_read(name):
    content = gzip.compress(ROWS * 3) + gzip.compress(ROWS) + b"\0" * 10
    assert len(taken(content, name)) == 4


def test_every_other_container_is_read_too():
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"prompt": "p", "n": 1}] * 3), sink)
    assert taken(sink.getvalue(), "x.parquet") == [{"prompt": "p", "n": 1}] * 3
    assert taken(gzip.compress(sink.getvalue()), "x.parquet.gz") == [{"prompt": "p", "n": 1}] * 3
    assert taken(b'a,b\n"1\n2",3\n', "x.csv") == [{"a": "1\n2", "b": "3"}]
    assert taken(b'[{"a": 1}, {"a": 2}]', "x.json") == [{"a": 1}, {"a": 2}]


def one_text_in_every_row():
    """A Parquet file of 20 kB with 100 rows of 50,000 characters: the text is stored once."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["x" * 50_000] * 100}), sink)
    return sink.getvalue()


REFUSED = {
    "large.jsonl": (b"x" * 100_001, "is larger than 0.1 MB; split the file"),
    "rows.jsonl": (ROWS * 101, "has more than 100 rows; split the file"),
    "rows.csv": (b"a\n" + b"1\n" * 101, "has more than 100 rows"),
    "rows.json": (b"[" + b"{}," * 100 + b"{}]", "has more than 100 rows"),
    "latin.jsonl": (ROWS + b'{"prompt": "Gr\xfc\xdfe"}\n', "line 2 is not UTF-8"),
    "pointer.csv": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "packed-pointer.csv.gz": (
        gzip.compress(b"version https://git-lfs.x\n"),
        "is a Git LFS pointer",
    ),
    "empty.csv": (b"", "the file is empty"),
    "empty.csv.gz": (gzip.compress(b""), "the file is empty"),
    "bomb.jsonl.gz": (gzip.compress(b"\0" * 50_000_000), "unpacks to more than 3 MB or 100 times"),
    "members.txt.gz": (gzip.compress(b"a" * 500_000) * 9, "unpacks to more than 3 MB or 100 times"),
    "cut.jsonl.gz": (gzip.compress(ROWS * 99)[:-9], "is not a whole gzip file"),
    "plain.jsonl.gz": (ROWS, "is not a whole gzip file"),
    "damaged.jsonl.gz": (gzip.compress(ROWS)[:-8] + b"\0" * 8, "is not a whole gzip file"),
    "model.pkl": (pickle.dumps(1), "can run code when they are read"),
    "model.pt": (b"PK", ".pt files can run code"),
    "hidden.csv": (pickle.dumps(1), "is a pickle, which can run code"),
    "hidden.csv.gz": (gzip.compress(pickle.dumps(1)), "is a pickle, which can run code"),
    "table.xlsx": (b"PK", "unknown file type '.xlsx'; use one of .jsonl"),
    "no-suffix": (b"x", "unknown file type ''"),
    "junk.parquet": (b"PAR1 but no more", "is not a Parquet file"),
    "text.parquet": (one_text_in_every_row(), "unpacks to more than 3 MB"),
    "deep.jsonl": (b'{"a":' + b"[" * 20_000 + b"\n", "line 1 is not JSON (too deeply nested)"),
    "deep.json": (b"[" * 20_000, "line 1 is not JSON (too deeply nested)"),
    "comma.json": (b'[{"a": 1}\n{"a": 2}]', "line 2 is not JSON (no comma)"),
    "more.json": (b'{"a": 1}\n{"a": 2}\n', "line 2 has more after the end; use .jsonl"),
    "number.json": (b"[1]", "entry 1 is a JSON int; each entry must be an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_beyond_the_limits_is_told_in_one_sentence(name):
    content, expected = REFUSED[name]
    with pytest.raises(DataError) as error:
        taken(content, name)
    assert expected in str(error.value)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../x.csv",
        "a/b.csv",
        "C:\\x.csv",
        "a\0.csv",
        ".csv",
        "..",
        "x\n.csv",
        "y" * 201 + ".csv",
    ],
)
def test_a_name_with_a_path_is_refused(name):
    with pytest.raises(DataError, match="is a path or no name; send a plain name"):
        read_upload(io.BytesIO(ROWS), name)


def test_a_gigabyte_of_zeros_stops_early_and_is_never_held():
    deflate = zlib.compressobj(9, wbits=31)
    packed = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(1024)) + deflate.flush()
    assert len(packed) < 1_100_000
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="times its size"):
            read_upload(io.BytesIO(packed), "bomb.txt.gz")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_large_stream_is_cut_off_at_the_limit():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1, /):
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(DataError, match=r"is larger than 0\.1 MB"):
        read_upload(stream, "x.csv", SMALL)
    assert stream.given < 300_000
