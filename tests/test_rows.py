"""Data files: what is written is read back, and every broken file gets one clear sentence."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from humanalign.errors import DataError
from humanalign.rows import columns, iter_rows, read_rows, write_chunks, write_rows

ROWS = [{"prompt": "Grüße, \u2028 Ann", "n": 1}, {"prompt": "two\nlines", "n": 2}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "A.JSONL"])
def test_json_lines_come_back_as_written(tmp_path, name):
    assert read_rows(write_rows(tmp_path / name, ROWS)) == ROWS


def test_writing_leaves_only_the_finished_file(tmp_path):
    write_rows(tmp_path / "a.jsonl", ROWS)
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_csv_keeps_quoted_commas_and_line_breaks(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('prompt,answer\n"a, b","x\ny"\n', newline="")
    assert read_rows(path) == [{"prompt": "a, b", "answer": "x\ny"}]


def test_a_long_csv_field_is_read_whole(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("prompt\n" + "x" * 200_000 + "\n")
    assert len(read_rows(path)[0]["prompt"]) == 200_000


def test_text_is_one_prompt_a_line_and_blank_lines_are_skipped(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\r\nsecond\n")
    assert read_rows(path) == [{"prompt": "first"}, {"prompt": "second"}]


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz"])
def test_parquet_is_read(tmp_path, name):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "plain.parquet")
    content = (tmp_path / "plain.parquet").read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert read_rows(path) == ROWS


BROKEN = {
    "empty.jsonl": (b"", "empty"),
    "blank.jsonl": (b"\n \n", "no rows"),
    "header.csv": (b"prompt,answer\n", "no rows"),
    "half.jsonl": (b'{"a": 1}\n\n{"a": \n', "line 3 is not JSON"),
    "list.jsonl": (b'{"a": 1}\n[1]\n', "line 2 is a JSON list"),
    "latin.jsonl": ('{"a": 1}\n{"a": "Grüße"}\n'.encode("latin-1"), "line 2 is not UTF-8"),
    "latin.csv": ("\ufeffa\nb\nc\n".encode() + b"\xff\n", "line 4 is not UTF-8"),
    "wide.csv": (b"a,b\n1,2\n1,2,3\n", "line 3 has not the header's 2 fields"),
    "narrow.csv": (b"a,b\n1\n", "line 2 has not the header's 2 fields"),
    "quote.csv": (b'a,b\n"1,2\n', "not CSV"),
    "pointer.parquet": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "LFS"),
    "junk.parquet": (b"not parquet at all", "not a Parquet file"),
    "cut.jsonl.gz": (gzip.compress(b'{"a": 1}\n' * 99)[:-9], "not a whole gzip file"),
    "plain.txt.gz": (b"plain", "not a whole gzip file"),
    "table.xlsx": (b"PK", "unknown file type '.xlsx'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_in_one_sentence(tmp_path, name):
    content, expected = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=expected) as error:
        read_rows(tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: no such file"):
        read_rows(tmp_path / "gone.jsonl")


def test_a_folder_is_not_a_file(tmp_path):
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "d.jsonl")


def test_a_wrong_column_names_those_present():
    with pytest.raises(DataError, match="row 2 has no column 'prompt'; present: promt, n; did you"):
        columns([{"prompt": "a", "n": 1}, {"promt": "b", "n": 2}], ["prompt"], "p.jsonl")


def test_every_written_line_is_one_json_object(tmp_path):
    lines = write_rows(tmp_path / "a.jsonl", ROWS).read_text().rstrip("\n").split("\n")
    assert [json.loads(line) for line in lines] == ROWS


def test_json_lists_and_lone_objects_are_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(ROWS, indent=2, ensure_ascii=False), encoding="utf-8")
    assert read_rows(path) == ROWS
    path.write_text('\ufeff {"prompt": "[1]"} \n', encoding="utf-8")
    assert read_rows(path) == [{"prompt": "[1]"}]


def test_rows_come_one_at_a_time(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}\nbroken\n')
    rows = iter_rows(path)
    assert [next(rows), next(rows)] == [{"n": 1}, {"n": 2}]
    with pytest.raises(DataError, match="line 3 is not JSON"):
        next(rows)


def test_writing_that_fails_half_way_leaves_nothing(tmp_path):
    def pieces():
        yield b"one"
        raise DataError("the source broke")

    with pytest.raises(DataError, match="the source broke"):
        write_chunks(tmp_path / "a.bin", pieces())
    assert list(tmp_path.iterdir()) == []
