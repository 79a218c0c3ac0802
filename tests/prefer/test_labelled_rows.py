"""Texts with class labels: shares counted by hand, and one sentence for what is no label."""

import json
from pathlib import Path

import pytest

from humanalign.errors import ConfigError, DataError
from humanalign.prefer.files.labelled_rows import read_labelled

VOTES = {"hate": "h", "rude": "r", "fine": "f"}
# Three annotators; the second saw the first text twice, the third saw neither.
RATERS = ["A1_bad", "A2_bad", "A3_bad"]
CODED = "\n".join(
    [
        ",".join(
            ["said", "A2_kind.1", *(f"{rater}.{code}" for rater in RATERS for code in (1, 0, -1))]
        ),
        'hi,0,1,0,0,"1, 0","0, 1","0, 0",,,',
        "oi,1,0,0,1,0,0,1,,,",
    ]
)


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    path = tmp_path / "votes.csv"
    path.write_text("asked,tweet,h,r,f\nq1,one,1,2,0\nq2,two,0,0,3\n", encoding="utf-8")
    return path


def saved(folder: Path, *rows: dict) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_votes_become_shares_that_sum_to_one(counted):
    first, second = read_labelled(counted, text="tweet", votes=VOTES)
    assert first.text == "one"
    assert first.target == pytest.approx({"hate": 1 / 3, "rude": 2 / 3})
    assert second.target == {"fine": 1.0}


def test_merged_labels_add_up_their_votes(counted):
    merge = {"toxic": ["hate", "rude"]}
    first, second = read_labelled(counted, text="tweet", votes=VOTES, merge=merge)
    assert (first.target, second.target) == ({"toxic": 1.0}, {"fine": 1.0})


@pytest.mark.parametrize(("weigh", "weight"), [("rows", 1.0), ("votes", 3.0)])
def test_a_row_weighs_one_or_as_much_as_its_votes(counted, weigh, weight):
    assert read_labelled(counted, text="tweet", votes=VOTES, weigh=weigh)[0].weight == weight


def test_a_template_makes_the_prompt_of_other_columns(counted):
    rows = read_labelled(counted, text="tweet", votes=VOTES, template="Asked: {asked}")
    assert [row.prompt for row in rows] == ["Asked: q1", "Asked: q2"]


def test_a_hard_label_has_the_whole_share_whatever_its_type(tmp_path):
    path = saved(tmp_path, {"text": "a", "label": True}, {"text": "b", "label": 2.0})
    assert [row.target for row in read_labelled(path)] == [{"true": 1.0}, {"2": 1.0}]


def test_every_annotator_counts_once_by_their_last_answer(tmp_path):
    path = tmp_path / "coded.csv"
    path.write_text(CODED, encoding="utf-8")
    first, second = read_labelled(path, text="said", label="bad")
    assert first.target == {"0": 0.5, "1": 0.5}
    assert second.target == {"-1": 1.0}


def test_codes_are_merged_by_number(tmp_path):
    path = tmp_path / "coded.csv"
    path.write_text(CODED, encoding="utf-8")
    rows = read_labelled(path, text="said", label="bad", merge={"abuse": [-1], "fine": [0, 1]})
    assert [row.target for row in rows] == [{"fine": 1.0}, {"abuse": 1.0}]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"text": "twet", "votes": VOTES}, DataError, "no column 'twet'.*did you mean 'tweet'"),
        ({"text": "tweet", "label": "asket"}, DataError, "did you mean 'asked'"),
        ({"text": "tweet"}, DataError, "no column 'label'; present: asked, tweet, h, r, f"),
        ({"text": "tweet", "votes": {"a": "asked"}}, DataError, "row 1: asked: expected a number"),
        ({"text": "tweet", "votes": {"a": "h"}}, DataError, "row 2: has no vote for any label"),
        ({"text": "tweet", "votes": VOTES, "label": "h"}, ConfigError, "both given"),
        ({"text": "tweet", "votes": VOTES, "template": "{ask}"}, DataError, "no column 'ask'"),
        ({"text": "tweet", "votes": VOTES, "template": "{"}, ConfigError, "template: "),
        ({"text": "tweet", "votes": VOTES, "template": "{asked:d}"}, ConfigError, "template: "),
        ({"text": "tweet", "votes": VOTES, "template": "{asked!z}"}, ConfigError, "template: "),
        (
            {"text": "tweet", "votes": VOTES, "merge": {"toxic": ["hat"]}},
            ConfigError,
            "no text has the label 'hat'; the labels are: fine, hate, rude; did you mean 'hate'",
        ),
        (
            {"text": "tweet", "votes": VOTES, "merge": {"a": ["hate"], "b": ["hate"]}},
            ConfigError,
            "'hate' is in both 'a' and 'b'",
        ),
        (
            {"text": "tweet", "votes": VOTES, "merge": {"all": list(VOTES)}},
            DataError,
            "all 2 texts have the label 'all'",
        ),
    ],
)
def test_what_is_no_label_is_one_sentence(counted, options, error, said):
    with pytest.raises(error, match=said):
        read_labelled(counted, **options)


def test_a_negative_count_is_refused(tmp_path):
    path = saved(tmp_path, {"text": "a", "x": 2, "y": -1})
    with pytest.raises(DataError, match="row 1: y: expected a count of votes, got -1"):
        read_labelled(path, votes={"x": "x", "y": "y"})


def test_an_empty_text_is_named_and_left_out_where_asked(tmp_path):
    path = saved(
        tmp_path,
        {"text": "a", "label": "x"},
        {"text": "  ", "label": "y"},
        {"text": "b", "label": "y"},
    )
    with pytest.raises(DataError, match=r"row 2: text is empty.*empty=skip"):
        read_labelled(path)
    assert [row.id for row in read_labelled(path, empty="skip")] == ["row-1", "row-3"]


def test_davidsons_counts_give_his_class_by_majority(shared):
    """The file's own column says which class most coders chose."""
    path = shared / "data/davidson/labeled_data.csv"
    votes = {"0": "hate_speech", "1": "offensive_language", "2": "neither"}
    soft = read_labelled(path, text="tweet", votes=votes)
    hard = read_labelled(path, text="tweet", label="class")
    for counted, given in zip(soft, hard, strict=True):
        (name,) = given.target
        assert counted.target[name] == max(counted.target.values())
