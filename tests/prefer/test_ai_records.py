"""Records of AI feedback: critiques, revisions and preferences go to a file and come back."""

import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.ai import (
    Revised,
    Step,
    Verdict,
    read_revisions,
    read_verdicts,
    write_revisions,
    write_verdicts,
)
from humanalign.rows import read_rows, write_rows

CONTAINERS = ["x.jsonl", "x.csv", "x.parquet", "x.jsonl.gz"]
STEPS = (Step("Be kind.", "It is rude.", "Please go."), Step("Be brief.", "Fine.", "Go."))
REVISED = Revised("p, q", "Go away\nnow", STEPS, "Go.", ("m", "n"), (1, 2), "better", "id7")


@pytest.mark.parametrize("name", CONTAINERS)
def test_revisions_come_back(tmp_path, name):
    records = [REVISED, Revised("p", "d", (), "d")]
    assert read_revisions(write_revisions(records, tmp_path / name)) == records


@pytest.mark.parametrize("name", CONTAINERS)
def test_verdicts_come_back_with_soft_labels_and_flips_on_file(tmp_path, name):
    records = [
        Verdict("c", "a", "b", "kind", 0.75, 0.25),
        Verdict("c", "a", "b", "x", 1, 0.5),
    ]
    path = write_verdicts(records, tmp_path / name)
    assert read_verdicts(path) == records
    rows = read_rows(path)
    assert [float(row["soft"]) for row in rows] == [0.5, 0.75]
    assert [str(row["flipped"]).lower() for row in rows] == ["true", "true"]
    assert {row["source"] for row in rows} == {"ai"}


def test_what_the_judge_writes_is_read(tmp_path):
    verdict = Verdict("c", "a", "b", "kind", 0.9, 0.6)
    [found] = read_verdicts(write_rows(tmp_path / "v.jsonl", [verdict.row()]))
    assert (found.soft, found.flipped) == (verdict.soft, verdict.flipped) == (0.75, False)
    revised = {"prompt": "p", "prompt_id": "i", "draft": "d", "final": "f", "model": "m", "seed": 3}
    revised |= {"revisions": [{"principle": "r", "critique": "c", "revision": "f"}], "source": "ai"}
    assert read_revisions(write_rows(tmp_path / "r.jsonl", [revised])) == [
        Revised("p", "d", (Step("r", "c", "f"),), "f", ("m",), (3,), None, "i")
    ]


PLAIN = {"prompt": "p", "draft": "d", "revisions": [], "final": "f"}
JUDGED = {"comparison_id": "c", "first": "a", "second": "b", "principle": "r", "p_first": 1}


@pytest.mark.parametrize(
    ("read", "row", "message"),
    [
        (read_revisions, {"prompt": "p"}, "row 1 has no column 'draft'; present: prompt"),
        (read_revisions, {**PLAIN, "source": "human"}, "row 1: source: expected ai, got 'human'"),
        (read_revisions, {**PLAIN, "verdict": "good"}, "verdict: expected better, same, worse or"),
        (read_revisions, {**PLAIN, "revisions": [1]}, "revisions: expected principle, critique"),
        (read_revisions, {**PLAIN, "seeds": ["x"]}, "seeds: expected whole numbers, got 'x'"),
        (read_verdicts, JUDGED, "has no column 'p_second'"),
        (read_verdicts, {**JUDGED, "p_second": 1.5}, "expected probabilities, got"),
        (read_verdicts, {**JUDGED, "p_second": "x"}, "p_second: expected a number, got 'x'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, read, row, message):
    with pytest.raises(DataError, match=message):
        read(write_rows(tmp_path / "x.jsonl", [row]))
