"""What is small to send and dear to take in: files, texts and numbers are refused, and at once."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from humanalign.prefer.files.annotated import coded_columns
from humanalign.web.owner import held
from humanalign.web.render import LONGEST, markdown
from humanalign.web.shield import BODY_LIMIT, IMPORT_LIMIT
from security.town import Town, Visitor, build

# A refusal costs less than this, in seconds, on a machine that does other things too.
SOON = 5.0
ACCENTS = "\u0301\u0323"  # of two classes: each pair has to be sorted


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory):
    made = build(tmp_path_factory.mktemp("town"))
    yield made
    made.store.close()


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < SOON


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where uploads are kept, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return held._folder()


def sent(town: Town, name: str, body: bytes):
    owner = Visitor(town, "owner")
    path = f"/owner/{town.ids['project']}/import"
    files = {"file": (name, body, "application/octet-stream")}
    return owner.post(path, files=files, headers={**owner.own, "Accept": "text/html"})


def _line(**cells: object) -> bytes:
    return json.dumps(cells).encode() + b"\n"


GOOD = {"prompt": "p", "completions": ["a", "b"]}
RANKED = {**GOOD, "ranks": [1, 2], "rater": "ann"}
SAMPLER = ["m", "", 1.0, 0, "stop"]
GUEST = {"tweet": "t", "hate_speech": 10**12, "offensive_language": 0, "neither": 0}
NUL, HALF = "a\0b", "a\ud800b"
FILES = {
    "pointer": ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    "pickle": ("a.jsonl", pickle.dumps(GOOD), "is a pickle"),
    "pickle by name": ("a.pkl", b"x", "can run code"),
    "torch by name": ("a.pt", b"x", "can run code"),
    "program": ("a.exe", b"MZ", "unknown file type"),
    "latin-1": (
        "a.jsonl",
        _line(**GOOD) + '{"prompt": "é"}'.encode("latin-1"),
        "line 2 is not UTF",
    ),
    "utf-16": ("a.csv", "prompt,completions\n".encode("utf-16"), "not UTF-8"),
    "gzip bomb": ("a.jsonl.gz", gzip.compress(b" " * 300_000_000, 1), "unpacks to more than"),
    "nested gzip": ("a.jsonl.gz", gzip.compress(gzip.compress(b" " * 9_000_000)), "not UTF-8"),
    "cut gzip": ("a.jsonl.gz", gzip.compress(_line(**GOOD) * 99)[:-9], "not a whole gzip file"),
    "path": ("../../etc/passwd.jsonl", _line(**GOOD), "is a path or no name"),
    "windows path": ("..\\..\\x.jsonl", _line(**GOOD), "is a path or no name"),
    "hidden": (".jsonl", _line(**GOOD), "is a path or no name"),
    "long name": ("a" * 300 + ".jsonl", _line(**GOOD), "is a path or no name"),
    "empty": ("a.jsonl", b"", "the file is empty"),
    "deep": ("a.jsonl", b"[" * 200_000, "too deeply nested"),
    "deep object": ("a.json", b'{"a":' * 200_000, "too deeply nested"),
    "large number": ("a.jsonl", b'{"prompt": ' + b"9" * 10_000 + b"}", "is not JSON"),
    "wide": (
        "a.csv",
        b",".join(b"c%d" % n for n in range(90_000)) + b"\n" + b"," * 89_999,
        "column",
    ),
    "no Parquet": ("a.parquet", b"PAR1" + b"\0" * 99 + b"PAR1", "not a Parquet file"),
    "votes": ("a.jsonl", _line(**GUEST), "at most 10000 votes"),
    "NUL": ("a.jsonl", _line(**{**RANKED, "prompt": NUL}), "NUL"),
    "NUL in a note": ("a.jsonl", _line(**{**RANKED, "note": NUL}), "NUL"),
    "NUL in a model": ("a.jsonl", _line(**{**RANKED, "models": [NUL, "m"]}), "NUL"),
    "NUL in a rater": ("a.jsonl", _line(**{**RANKED, "rater": NUL}), "NUL"),
    "half a pair": ("a.jsonl", _line(**{**RANKED, "models": [HALF, "m"]}), "half a character"),
    "long rater": ("a.jsonl", _line(**{**RANKED, "rater": "r" * 5000}), "at most 128"),
    "endless time": ("a.jsonl", _line(**{**RANKED, "seconds": 10**400}), "seconds"),
    "rank of digits": ("a.jsonl", _line(**{**RANKED, "ranks": ["1" * 9000, "1"]}), "rank"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_one_sentence_and_nothing_of_it_is_kept(
    name: str, town: Town, uploads: Path
):
    filename, body, said = FILES[name]
    answer = sent(town, filename, body)
    assert answer.status_code == 422
    [problem] = re.findall(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)
    assert said in problem
    assert list(uploads.iterdir()) == []


def test_a_zip_bomb_is_no_file_type_of_ours(town: Town, uploads: Path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jsonl", b"0" * 50_000_000)
    for name in ("a.zip", "a.jsonl"):
        assert sent(town, name, packed.getvalue()).status_code == 422
    assert list(uploads.iterdir()) == []


def test_an_import_larger_than_the_limit_is_refused_while_it_is_read(town: Town, uploads: Path):
    owner, read = Visitor(town, "owner"), []

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
        for _ in range(4 * IMPORT_LIMIT >> 20):
            read.append(1)
            yield b" " * (1 << 20)

    headers = {**owner.own, "Content-Type": "multipart/form-data; boundary=x"}
    path = f"/owner/{town.ids['project']}/import"
    assert owner.post(path, content=pieces(), headers=headers).status_code == 413
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("who", ["anonymous", "member", "reviewer"])
def test_nobody_but_an_owner_has_megabytes_read(who: str, town: Town, uploads: Path):
    visitor, body = Visitor(town, who), b"x" * (4 * BODY_LIMIT)
    path = f"/owner/{town.ids['project']}/import"
    answer = visitor.post(path, files={"file": ("a.jsonl", body)}, headers=visitor.own)
    assert answer.status_code in (303, 404)
    assert list(uploads.iterdir()) == []


def test_a_name_of_accents_is_refused_before_it_is_sorted(town: Town):
    visitor = Visitor(town)
    form = {"name": (None, ACCENTS * 120_000), "password": (None, ACCENTS * 120_000)}
    assert visitor.post("/sign-in", files=form, headers=visitor.own).status_code == 422
    way = f"/join/{town.ids['invited']}"
    assert visitor.post(way, files=form, headers=visitor.own).status_code == 422


@pytest.mark.parametrize("name", ["name", "own"])
def test_a_project_of_accents_is_refused_before_it_is_sorted(name: str, town: Town):
    owner = Visitor(town, "owner")
    form = {"name": "n", "kind": "ranking", "own": "o"} | {name: ACCENTS * 120_000}
    files = {key: (None, value) for key, value in form.items()}
    assert owner.post("/owner/new", files=files, headers=owner.own).status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 90_000, "*a " * 30_000, "`" * 90_000, "![" * 45_000, "[a](" * 20_000),
        *(">" * 90_000, "- " * 45_000, "a\n" * 45_000, "<" * 90_000, "&" * 90_000, "|a" * 40_000),
        *("[a]: b\n" * 12_000, "**_" * 30_000, "\\" * 90_000, "~~a" * 30_000, "<a:" * 30_000),
    ],
)
def test_no_markdown_takes_long(text: str):
    markdown.__wrapped__(text)


def test_markdown_too_long_to_read_is_shown_as_it_is():
    assert markdown("<b>*a*" * LONGEST) == "<pre>" + "&lt;b&gt;*a*" * LONGEST + "</pre>"


def test_a_column_that_names_thousands_of_annotators_is_no_code():
    assert coded_columns(("1_" * 20_000, "a1_is.1")) == {"a1": ["a1_is.1"]}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"marks": {"A": ' + b"9" * 100_000 + b"}}",
        b'{"key": "k", "marks": {}, "revision": 1e999}',
        b'{"key": "k", "marks": {}, "revision": NaN}',
        b'{"key": "\\ud800", "marks": {"A": 1}}',
        b'{"key": "\\u0000", "marks": {"A": 1}}',
        b"\xff\xfe{}",
        b'{"marks":' * 3 + b"{}",
        b"",
        b"null",
        b'{"key": "k", "marks": {"A": "' + b"1" * 100_000 + b'"}}',
    ],
)
def test_a_hostile_body_of_the_api_is_one_sentence(body: bytes, town: Town):
    bot = Visitor(town, "program")
    path = f"/api/v1/projects/{town.ids['project']}/items/{town.ids['item']}/answers"
    answer = bot.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert len(answer.json()["error"]) < 300


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("mark.A", "9" * 9000), ("mark.A", "٣"), ("mark.A", "0x1"), ("revision", "9" * 9000)),
        *(("revision", "-1"), ("revision", "٣"), ("key", "k" * 129), ("key", "a\0b"), ("key", "")),
        *(("note", "n" * 4001), ("note", "a\0b"), ("mark.A", "1e0"), ("mark.A", "\0")),
    ],
)
def test_a_hostile_answer_of_a_labeler_is_one_sentence(field: str, value: str, town: Town):
    member = Visitor(town, "member")
    form = {"mark.A": "1", "mark.B": "2", "mark.C": "3", "key": "mine", "revision": "0"}
    path = f"/work/{town.ids['project']}/items/{town.ids['item']}"
    answer = member.post(path, data={**form, field: value}, headers=member.own)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "timing",
    ["[" * 90_000, '{"active": 1e999}', '{"active": "x"}', "9" * 9000, "[]", '{"dwell": "ABC"}'],
)
def test_a_hostile_clock_is_left_out_of_a_draft(timing: str, town: Town):
    member = Visitor(town, "member")
    path = f"/work/{town.ids['project']}/items/{town.ids['item']}/draft"
    answer = member.post(path, data={"timing": timing, "revision": "0"}, headers=member.own)
    assert answer.json() == {"saved": True}


def test_a_draft_and_a_form_have_their_limits(town: Town):
    member = Visitor(town, "member")
    path = f"/work/{town.ids['project']}/items/{town.ids['item']}/draft"
    long = member.post(path, data={"note": "n" * 40_000, "revision": "0"}, headers=member.own)
    many = member.post(path, files={f"f{n}": (None, "x") for n in range(2000)}, headers=member.own)
    assert long.status_code == 422
    assert many.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        *("before=99999999999999999999999", "before=-1", "before=x", "before=" + "9" * 9000),
        *("after=99999999999999999999999", "after=%00", "show=%00", "sort=%ff"),
    ],
)
@pytest.mark.parametrize("page", ["/owner/audit", "/owner/{project}/items", "/work/{project}/back"])
def test_a_hostile_query_is_never_a_failure_of_ours(page: str, query: str, town: Town):
    answer = Visitor(town, "owner").get(f"{town.path(page)}?{query}&item=%00&item=%ff")
    assert answer.status_code < 500


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/owner/{project}/instructions", {"text": "t", "q0": "q", "q0-answer": "9" * 9000}),
        ("/owner/{project}/settings", {"overlap": "1e308", "pass_mark": "nan", "scale": "inf"}),
        ("/owner/{project}/settings", {"overlap": "9" * 9000}),
        ("/owner/{project}/invites", {"role": "labeler", "hours": "nan"}),
        ("/owner/{project}/invites", {"role": "labeler", "hours": "-inf"}),
        ("/owner/{project}/labelers/{rater}", {"action": "pause", "reason": "a\0b"}),
        ("/owner/{project}/status", {"status": "open\0"}),
        ("/owner/tokens", {"name": "\u202ename", "whose": "me"}),
        ("/owner/tokens", {"name": "L-0000\0", "whose": "program"}),
    ],
)
def test_a_hostile_form_of_an_owner_is_one_sentence(path: str, form: dict, town: Town):
    owner = Visitor(town, "owner")
    answer = owner.post(town.path(path), data=form, headers=owner.own)
    assert answer.status_code in (200, 422)
