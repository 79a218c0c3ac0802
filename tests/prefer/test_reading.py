"""Files of judgements: the layout is told by the columns, and a wrong row is named."""

import csv
import json

import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.exports import export_file
from humanalign.prefer.files.formats import write_groups
from humanalign.prefer.files.judgements import Question, asked_as, records_of
from humanalign.prefer.files.reading import LAYOUTS, read_judgements
from humanalign.prefer.pairs import Texts
from humanalign.prefer.store.asking import Item
from humanalign.rows import write_rows
from humanalign.types import Comparison, Prompt, Ranking, Rater


def read(tmp_path, *rows, name="x.jsonl", **options):
    return read_judgements(write_rows(tmp_path / name, rows), **options)


def marks_of(found):
    """[(rater, {text: mark})] of every judgement."""
    words = {each.id: each.text for each in found.completions}
    return [
        (each.rater_id, {words[c]: mark for c, mark in each.marks.items()})
        for each in found.judgements
    ]


@pytest.mark.parametrize("kind", ["ranking", "pairwise", "thumb", "rating"])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_a_question_has_the_id_of_the_store_and_of_the_comparison(kind, size):
    ids = tuple(f"c{n}" for n in range(size))
    if size == 1 and kind in ("ranking", "pairwise"):
        with pytest.raises(ValueError, match="2 to 9 different completions"):
            Question(kind, "p", ids)
        return
    for criterion in ("honest", ""):
        question = Question(kind, "p", ids, criterion)
        assert question.id == Item("p", ids, criterion, kind).id
        if size > 1:
            assert question.id == Comparison("p", ids, criterion).id


def test_written_groups_are_read_back_without_loss(tmp_path):
    texts = Texts({"q": Prompt("p")}, {c: c.upper() for c in "abcde"})
    ranking = Ranking("q", "ann", (("c",), ("a", "d"), ("e",)), ("b",), instructions="v1")
    for name in ("g.jsonl", "g.parquet"):
        found = read_judgements(write_groups([ranking], texts, tmp_path / name))
        assert marks_of(found) == [("ann", {"A": 2, "B": "F", "C": 1, "D": 2, "E": 4})]
        assert found.judgements[0].instructions == "v1"
        assert found.prompts == (Prompt("p"),)


def test_raters_that_nobody_names_are_numbered_by_question(tmp_path):
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    other = {**row, "prompt": "q"}
    found = read(tmp_path, row, other, row, {**row, "rater": "ann"})
    assert [each.rater_id for each in found.judgements] == ["vote-1", "vote-1", "vote-2", "ann"]
    assert len(found.questions) == 2


def test_the_same_rater_again_is_a_revision(tmp_path):
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "rater": "ann"}
    found = read(tmp_path, row, {**row, "chosen": "b", "rejected": "a"})
    assert [each.revision for each in found.judgements] == [1, 2]
    [ranking] = found.rankings()
    words = {each.id: each.text for each in found.completions}
    assert [words[c] for (c,) in ranking.tiers] == ["b", "a"]


def test_who_judged_is_told_by_the_source(tmp_path):
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "rater": "judge", "source": "ai"}
    assert read(tmp_path, row).raters == (Rater("judge", "model"),)


def test_equal_answers_stay_two_completions(tmp_path):
    row = {"prompt": "p", "completions": ["a", "a", "b"], "ranks": [1, 2, "F"]}
    found = read(tmp_path, row)
    assert len(found.completions) == 3
    assert list(found.judgements[0].marks.values()) == [1, 2, "F"]


@pytest.mark.parametrize(
    ("row", "prompt", "marks"),
    [
        ({"prompt": "p", "completion": "a", "label": "true"}, "p", {"a": "up"}),
        ({"prompt": "p", "completion": "a", "label": 0}, "p", {"a": "down"}),
        ({"prompt": "p", "completion": "a", "rating": 3}, "p", {"a": 3}),
        ({"prompt": "p", "completion": "a", "rating": 5, "scale": 5}, "p", {"a": 5}),
        (
            {"prompt": "p", "completion_a": "a", "completion_b": "b", "choice": "B"},
            "p",
            {"a": 2, "b": 1},
        ),
        (
            {"prompt": "p", "completion_a": "a", "completion_b": "b", "choice": "F"},
            "p",
            {"a": "F", "b": "F"},
        ),
        ({"chosen": "The sky is blue.", "rejected": "The sky is bread."}, "The sky is ", None),
    ],
)
def test_plain_layouts_are_told_by_their_columns(tmp_path, row, prompt, marks):
    found = read(tmp_path, row)
    assert found.prompts[0].text == prompt
    assert marks_of(found) == [("vote-1", marks or {"blue.": 1, "bread.": 2})]


@pytest.mark.parametrize("name", ["w.jsonl", "w.csv"])
def test_work_to_be_judged_is_questions_without_judgements(tmp_path, name):
    path = tmp_path / name
    rows = [{"prompt": "p", "completions": ["a", "b", "c"], "models": ["m", "n", "m"]}]
    if name.endswith("csv"):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerow({k: v if k == "prompt" else json.dumps(v) for k, v in rows[0].items()})
    else:
        write_rows(path, rows)
    found = read_judgements(path, criterion="honest")
    assert (found.layout, found.judgements, found.raters) == ("work", (), ())
    assert [(each.text, each.sampler.model) for each in found.completions] == [
        ("a", "m"),
        ("b", "n"),
        ("c", "m"),
    ]
    [(comparison, kind)] = found.comparisons
    assert (comparison.criterion, kind) == ("honest", "ranking")


def test_two_columns_of_answers_are_work_and_keep_the_name_given(tmp_path):
    found = read(
        tmp_path, {"prompt": "p", "completion_a": "a", "completion_b": "b"}, name="w.jsonl"
    )
    assert [each.kind for each in found.questions] == ["ranking"]
    assert {each.sampler.model for each in found.completions} == {"w"}


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("ranking", ["abc"]),
        ("rating", ["abc"]),
        ("pairwise", ["ab", "ac", "bc"]),
        ("thumb", ["a", "b", "c"]),
    ],
)
def test_work_is_put_as_questions_of_the_kind_that_is_wanted(tmp_path, kind, groups):
    work = asked_as(read(tmp_path, {"prompt": "p", "completions": list("abc")}), kind)
    words = {each.id: each.text for each in work.completions}
    assert ["".join(words[c] for c in q.completion_ids) for q in work.questions] == groups
    assert {each.kind for each in work.questions} == {kind}


def test_judged_questions_keep_their_kind(tmp_path):
    found = read(tmp_path, {"prompt": "p", "chosen": "a", "rejected": "b"})
    assert asked_as(found, "thumb") == found
    lone = read(tmp_path, {"prompt": "p", "completions": ["a"]})
    assert asked_as(lone, "ranking") == lone


def test_other_names_of_columns_are_mapped(tmp_path):
    names = {"prompt": "instruction", "chosen": "good", "rejected": "bad"}
    found = read(tmp_path, {"instruction": "p", "good": "a", "bad": "b"}, columns=names)
    assert marks_of(found) == [("vote-1", {"a": 1, "b": 2})]


ARGILLA = {
    "fields": {"prompt": "p", "response-1": "a", "response-2": "b", "response-3": "c"},
    "responses": [
        {
            "user_id": "u1",
            "status": "submitted",
            "values": {
                "ranking": {
                    "value": [
                        {"value": "response-1", "rank": 2},
                        {"value": "response-2", "rank": 1},
                        {"value": "response-3", "rank": 2},
                    ]
                }
            },
        },
        {"user_id": "u2", "status": "discarded", "values": {}},
    ],
}


def test_argilla_version_1_ranks_with_ties(tmp_path):
    found = read(tmp_path, ARGILLA)
    assert marks_of(found) == [("u1", {"a": 2, "b": 1, "c": 2})]
    assert found.left_out == ("Left out: responses that were never submitted (1).",)


def test_argilla_version_2_ranks_by_question_and_user(tmp_path):
    responses = {
        "order": [{"value": ["response-2", "response-3", "response-1"], "user_id": "u1"}],
        "comment": [{"value": "fine", "user_id": "u1"}],
    }
    found = read(tmp_path, {**ARGILLA, "responses": responses})
    assert marks_of(found) == [("u1", {"b": 1, "c": 2, "a": 3})]
    assert found.left_out == (
        "Left out: values of the question 'comment', which is no judgement (1).",
    )


@pytest.mark.parametrize(
    ("fields", "value", "kind", "marks"),
    [
        ({"prompt": "p", "response": "a"}, 4, "rating", {"a": 4}),
        ({"prompt": "p", "response": "a"}, "good", "thumb", {"a": "up"}),
        ({"prompt": "p", "one": "a", "two": "b"}, "two", "pairwise", {"a": 2, "b": 1}),
        ({"text": "a"}, 2, "rating", {"a": 2}),
    ],
)
def test_argilla_ratings_labels_and_choices(tmp_path, fields, value, kind, marks):
    said = [{"user_id": "u", "values": {"q": {"value": value}}}]
    found = read(tmp_path, {"fields": fields, "responses": said})
    assert [each.kind for each in found.questions] == [kind]
    assert marks_of(found) == [("u", marks)]


def task(data, kind, value, **more):
    result = [{"from_name": "x", "to_name": "answer", "type": kind, "value": value}]
    return {
        "data": data,
        "annotations": [{"completed_by": 7, "lead_time": 3.5, "result": result, **more}],
    }


ITEMS = {"prompt": "p", "items": [{"id": n, "title": n, "body": n.upper()} for n in "abc"]}
TWO = {"prompt": "p", "answer1": "a", "answer2": "b"}


@pytest.mark.parametrize(
    ("row", "kind", "marks"),
    [
        (
            task(ITEMS, "ranker", {"ranker": {"rank": ["c", "a", "b"]}}),
            "ranking",
            {"C": 1, "A": 2, "B": 3},
        ),
        (
            task(ITEMS, "ranker", {"ranker": {"1": ["c", "a"], "F": ["b"], "_": []}}),
            "ranking",
            {"C": 1, "A": 1, "B": "F"},
        ),
        (task(TWO, "pairwise", {"selected": "right"}), "pairwise", {"a": 2, "b": 1}),
        (task(TWO, "choices", {"choices": ["answer1"]}), "pairwise", {"a": 1, "b": 2}),
        (
            task({"prompt": "p", "answer": "a"}, "choices", {"choices": ["Down"]}),
            "thumb",
            {"a": "down"},
        ),
        (task({"prompt": "p", "answer": "a"}, "rating", {"rating": 4}), "rating", {"a": 4}),
    ],
)
def test_label_studio_results_are_marks(tmp_path, row, kind, marks):
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([row], indent=1))
    found = read_judgements(path)
    assert [each.kind for each in found.questions] == [kind]
    assert marks_of(found) == [("7", marks)]
    assert found.judgements[0].seconds == 3.5


def test_cancelled_annotations_are_left_out_and_counted(tmp_path):
    row = task(TWO, "pairwise", {"selected": "left"}, was_cancelled=True)
    found = read(tmp_path, row)
    assert found.judgements == ()
    assert found.left_out == ("Left out: annotations that were cancelled (1).",)


@pytest.mark.parametrize("name", ["argilla", "label-studio"])
def test_who_said_what_comes_back_from_other_tools(tmp_path, name):
    rows = [
        {"prompt": "p", "completions": ["a", "b"], "ranks": [1, 2], "rater": "ann", "note": "ok"},
        {"prompt": "p", "completions": ["a", "b"], "ranks": ["F", 1], "rater": "bob"},
    ]
    found = read(tmp_path, *rows)
    again = read_judgements(export_file(name, records_of(found), tmp_path / "o.json"))
    assert marks_of(again) == [("ann", {"a": 1, "b": 2}), ("bob", {"a": "F", "b": 1})]
    assert again.judgements[0].note == "ok"
    assert again.questions == found.questions


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"prompt": "p", "answer": "a"},
            "no layout has these columns: prompt, answer; name the col",
        ),
        (
            {"prompt": "p", "completions": ["a", "b"], "ranks": [1]},
            "row 1: has 2 completions but 1",
        ),
        (
            {"prompt": "p", "completions": ["a", "b"], "ranks": [1, 9]},
            "expected a rank from 1 to 2",
        ),
        (
            {"prompt": "p", "completions": list("abcdefghij")},
            "has 10 completions; a ranking takes 2",
        ),
        ({"prompt": "p", "completions": ["a", 3]}, "row 1: completion: expected text, got 3"),
        (
            {"prompt": "p", "completions": ["a", "b"], "kind": "x"},
            "kind: expected ranking, .* got 'x'",
        ),
        ({"prompt": "a\0b", "completions": ["a", "b"]}, "row 1: prompt: the text holds a NUL"),
        ({"prompt": "p", "completion": "a", "label": "maybe"}, "label: expected true or false"),
        ({"prompt": "p", "completion": "a", "rating": 4}, "expected a rating from 1 to 3, got 4"),
        ({"input": "p", "output_1": "a", "output_2": "b", "label": 3}, "choice: expected 1, 2, 0"),
        ({"chosen": "a", "rejected": "b"}, "begin with no word in common; add a prompt column"),
        ({"fields": {}, "responses": []}, "fields: expected an object of texts"),
        ({"fields": {"prompt": "p"}, "responses": [3]}, "is not shaped like the layout 'argilla'"),
        ({"data": TWO, "annotations": 3}, "row 1: annotations: expected a list, got 3"),
        (task(ITEMS, "ranker", {"ranker": {"1": ["a"], "_": ["b", "c"]}}), "without a place: b, c"),
        (task(ITEMS, "ranker", {"ranker": {"good": ["a"], "1": ["b", "c"]}}), "buckets named 1, 2"),
        (task(ITEMS, "pairwise", {"selected": "left"}), "needs 2 texts in data, got 3"),
        (
            {"info": {}, "summaries": [{"text": "a"}] * 2, "choice": 2, "worker": "w"},
            "a number below 2",
        ),
        ({"info": 1, "summaries": [], "choice": 0, "worker": "w"}, "info must be an object"),
        (
            {"tweet": "t", "hate_speech": -1, "offensive_language": 0, "neither": 1},
            "a whole number",
        ),
        ({"user": "t", "A1_x.0": "1", "A1_x.1": "1"}, "A1: expected one code of 2, got 1, 1"),
        ({"message_tree_id": 1, "prompt": {"text": "p"}}, "expected a message with text, role and"),
    ],
)
def test_a_wrong_row_is_told_in_one_sentence(tmp_path, row, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, row)
    assert "x.jsonl" in str(error.value)
    assert "\n" not in str(error.value)


def test_half_a_character_is_told(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"prompt": "\\ud800", "completions": ["a", "b"]}\n')
    with pytest.raises(DataError, match=r"row 1: prompt: the text holds half a character"):
        read_judgements(path)


def test_wrong_names_of_layouts_and_columns_are_told(tmp_path):
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    with pytest.raises(DataError, match="got 'preferences'; did you mean 'preference'"):
        read(tmp_path, row, layout="preferences")
    with pytest.raises(DataError, match=r"has no column 'promt'; present: prompt.*did you mean"):
        read(tmp_path, row, columns={"prompt": "promt"})
    with pytest.raises(
        DataError, match=r"row 1: lacks a column of the layout 'matches' \(left, right, winner"
    ):
        read(tmp_path, row, layout="matches")


def test_a_file_with_nothing_but_a_header_is_told(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("prompt,chosen,rejected\n")
    with pytest.raises(DataError, match="the file holds no rows"):
        read_judgements(path)


def test_a_later_row_of_another_shape_is_named(tmp_path):
    row = {"prompt": "p", "completions": ["a", "b"], "ranks": [1, 2]}
    with pytest.raises(DataError, match="row 2: completions: expected a list, got None"):
        read(tmp_path, row, {"prompt": "p"})


def test_every_layout_says_what_it_is():
    assert all(each.about and each.columns and each.name == name for name, each in LAYOUTS.items())
