"""Files of pairs: every layout is read by its columns, and a wrong row is named."""

import gzip
import json
import re

import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.formats import read_pairs, write_groups, write_pairs
from humanalign.prefer.pairs import Texts
from humanalign.rows import read_rows, write_rows
from humanalign.types import PreferencePair, Prompt, Ranking

RICH = PreferencePair("p, q", "good\nline", "bad", 0.5, 0.25, "ann", "id7", "ai")
HH = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How?\n\nAssistant:"


def read(tmp_path, *rows, name="x.jsonl"):
    return read_pairs(write_rows(tmp_path / name, rows))


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet", "x.csv.gz", "x.parquet.gz"])
def test_pairs_come_back_with_every_field(tmp_path, name):
    pairs = [RICH, PreferencePair("Grüße \u2028", "a", "b")]
    assert read_pairs(write_pairs(pairs, tmp_path / name)) == pairs


def test_plain_columns_are_enough(tmp_path):
    assert read(tmp_path, {"prompt": "p", "chosen": "a", "rejected": "b", "extra": 1}) == [
        PreferencePair("p", "a", "b")
    ]


def test_a_source_that_names_an_origin_is_not_taken_for_human_or_ai(tmp_path):
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "source": "flan"}
    assert read(tmp_path, row) == [PreferencePair("p", "a", "b", source="human")]


def test_transcripts_are_split_at_the_last_shared_assistant_turn(tmp_path):
    row = {"chosen": HH + " Well, thanks.", "rejected": HH + " Well, go away."}
    assert read(tmp_path, row) == [PreferencePair(HH, " Well, thanks.", " Well, go away.")]


def test_an_answer_that_goes_on_talking_keeps_its_later_turns(tmp_path):
    tail = "\n\nHuman: And?\n\nAssistant: Yes."
    row = {"chosen": HH + " One." + tail, "rejected": HH + " Two." + tail}
    assert read(tmp_path, row) == [PreferencePair(HH, " One." + tail, " Two." + tail)]


def test_transcripts_are_written_letter_for_letter(tmp_path):
    rows = [{"chosen": HH + " A \n", "rejected": HH + "B"}]
    pairs = read(tmp_path, *rows)
    assert read_rows(write_pairs(pairs, tmp_path / "out.jsonl.gz", format="hh")) == rows


def test_a_plain_prompt_becomes_a_transcript(tmp_path):
    path = write_pairs([PreferencePair("Hi", "a", "b")], tmp_path / "x.jsonl", format="hh")
    assert read_rows(path) == [
        {"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Hi\n\nAssistant: b"}
    ]


def turn(role, content):
    return {"role": role, "content": content}


USER, GOOD, BAD = turn("user", "Hi"), turn("assistant", "Hello"), turn("assistant", "Go")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
        {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": "Hi", "chosen": [USER, GOOD], "rejected": [USER, BAD]},
        {"prompt": [USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
    ],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
def test_conversations_are_read_with_the_prompt_apart_or_inside(tmp_path, row, name):
    path = tmp_path / name
    if name == "x.parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        write_rows(path, [row])
    assert read_pairs(path) == [PreferencePair("Hi", "Hello", "Go")]


def test_a_longer_conversation_becomes_a_transcript_and_comes_back(tmp_path):
    system, more = turn("system", "Be kind."), turn("user", "How?")
    row = {"prompt": [system, USER, GOOD, more], "chosen": [GOOD], "rejected": [BAD]}
    [pair] = read(tmp_path, row)
    assert pair.prompt == "\n\nSystem: Be kind." + HH
    assert (pair.chosen, pair.rejected) == (" Hello", " Go")
    [written] = read_rows(write_pairs([pair], tmp_path / "o.jsonl", format="conversation"))
    assert {name: written[name] for name in row} == row


def test_unpaired_rows_give_every_good_answer_against_every_bad_one(tmp_path):
    rows = [
        {"prompt": "p", "completion": "a", "label": True},
        {"prompt": "p", "completion": "b", "label": "false"},
        {"prompt": "p", "completion": "c", "label": 0},
        {"prompt": "q", "completion": "d", "label": True},
    ]
    assert read(tmp_path, *rows) == [PreferencePair("p", "a", "b"), PreferencePair("p", "a", "c")]
    path = write_pairs([PreferencePair("p", "a", "b")], tmp_path / "u.csv", format="unpaired")
    assert read_pairs(path) == [PreferencePair("p", "a", "b")]


def test_ranked_groups_give_every_ordered_pair(tmp_path):
    row = {"prompt": "p", "completions": ["a", "b", "c", "d"], "ranks": [2, 1, 2, "F"]}
    assert read(tmp_path, row) == [PreferencePair("p", "b", "a"), PreferencePair("p", "b", "c")]


def test_a_group_is_written_in_competition_ranks(tmp_path):
    texts = Texts({"q": Prompt("p")}, {c: c.upper() for c in "abcde"})
    ranking = Ranking("q", "ann", (("c",), ("a", "d"), ("e",)), ("b",))
    [row] = read_rows(write_groups([ranking], texts, tmp_path / "g.jsonl"))
    assert dict(zip(row["completions"], row["ranks"], strict=True)) == {
        "A": "2",
        "B": "F",
        "C": "1",
        "D": "2",
        "E": "4",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"prompt": "p", "choosen": "a"},
            "no pairs: prompt, choosen; expected chosen and rejected",
        ),
        ({"prompt": "p", "chosen": "a", "rejected": None}, "row 1: has no 'rejected'"),
        ({"prompt": "p", "chosen": "a", "rejected": 3}, "chosen: expected text or a list"),
        ({"chosen": "a", "rejected": "b"}, "row 1: chosen and rejected share no"),
        ({"chosen": [turn("bot", "a")], "rejected": [GOOD]}, "expected a role of .* got 'bot'"),
        ({"chosen": [GOOD], "rejected": [BAD]}, "the conversation has no prompt"),
        ({"prompt": [USER], "chosen": [USER], "rejected": [BAD]}, "must be the assistant's"),
        (
            {"prompt": "p", "chosen": "a", "rejected": "b", "weight": "x"},
            "row 1: weight: expected a number, got 'x'",
        ),
        ({"prompt": "p", "completion": "a", "label": "maybe"}, "row 1: label: expected true"),
        ({"prompt": "p", "completion": 1, "label": True}, "row 1: prompt and completion must"),
        ({"prompt": "p", "completions": ["a", "b"], "ranks": [1]}, "2 completions but 1 ranks"),
        ({"prompt": "p", "completions": ["a", "b"], "ranks": [1, 9]}, "row 1: card 2: expected"),
    ],
)
def test_a_wrong_row_is_told_in_one_sentence(tmp_path, row, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, row)
    assert "x.jsonl" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_layout_or_container_is_refused(tmp_path):
    with pytest.raises(DataError, match="got 'conversations'; did you mean 'conversation'"):
        write_pairs([RICH], tmp_path / "x.jsonl", format="conversations")
    with pytest.raises(DataError, match="a CSV file holds no lists"):
        write_pairs([RICH], tmp_path / "x.csv", format="conversation")
    with pytest.raises(DataError, match="unknown file type"):
        write_pairs([RICH], tmp_path / "x.doc")
    assert list(tmp_path.iterdir()) == []


def test_the_hh_file_is_imported_whole(shared):
    path = shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz"
    pairs = read_pairs(path)
    assert len(pairs) == 1123
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert [p.prompt + p.chosen for p in pairs] == [row["chosen"] for row in rows]
    assert [p.prompt + p.rejected for p in pairs] == [row["rejected"] for row in rows]
    for pair, row in zip(pairs, rows, strict=True):
        turns = re.finditer("\n\nAssistant:", row["chosen"])
        shared_turns = [t.end() for t in turns if row["rejected"].startswith(t.string[: t.end()])]
        assert len(pair.prompt) == max(shared_turns)
