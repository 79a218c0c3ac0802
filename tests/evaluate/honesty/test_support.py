"""Names, numbers and claims that a source does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from humanalign.errors import DataError
from humanalign.evaluate.honesty.support import support_shares, unsupported

SOURCE = (
    "Anna: Hi Mr. O'Neill, the flight to Rome leaves at half past three on Monday.\n"
    "#Person2#: The United Kingdom team paid 1,000 dollars 50 cents for two rooms in nineteen "
    "ninety-nine, and 20, 000 yuan later. Chinese tea is 15 % dearer than in September."
)


def kinds(answer: str) -> list[tuple[str, str]]:
    return [(kind, answer[start:end]) for start, end, kind in unsupported(SOURCE, answer)]


@pytest.mark.parametrize(
    "answer",
    [
        "Anna's flight leaves at 3:30.",
        "Mr. O'Neill flies to Rome on Monday at 15:30.",
        "#Person2# paid $1000.5 for 2 rooms in 1999.",
        "The UK team paid 20,000 yuan.",
        "Tea from China costs 15% more than in September.",
        "He paid a thousand dollars. However, they paid twenty thousand later.",
        "One of the rooms was first.",
    ],
)
def test_what_the_source_says_in_other_words_is_supported(answer: str):
    assert kinds(answer) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Anna meets Peter Brown in Rome.", [("name", "Peter Brown")]),
        ("Peter flies to Rome.", [("name", "Peter")]),
        ("#Person1# flies to Rome.", [("name", "#Person1#")]),
        ("#Person1# now flies to Rome.", [("name", "#Person1#")]),
        ("Peter doesn't fly to Rome.", [("name", "Peter")]),
        ("Peter's tea is dearer.", [("name", "Peter's")]),
        ("The flight leaves at 4:30.", [("number", "4:30")]),
        ("They paid two thousand dollars.", [("number", "two thousand")]),
        ("They paid for twenty-five rooms.", [("number", "twenty-five")]),
        ("The flight leaves on Friday.", [("number", "Friday")]),
        ("Rooms were paid in 1998.", [("number", "1998")]),
        (
            "A broken pipe flooded the neighbouring kitchen.",
            [("claim", "A broken pipe flooded the neighbouring kitchen.")],
        ),
    ],
)
def test_what_the_source_does_not_say_is_marked(answer: str, expected: list):
    assert kinds(answer) == expected


def test_a_word_in_capitals_at_a_sentence_start_is_not_taken_for_a_name():
    assert kinds("Later the team flies. Suddenly it rains. Rooms in Rome were paid.") == []


def test_shares_say_which_answers_are_clean():
    shares = support_shares([SOURCE] * 2, ["Anna flies.", "Peter pays 7 dollars."])
    assert shares["supported"].tolist() == [1, 0]
    assert shares["names"].tolist() == [1, 0]
    assert shares["numbers"].tolist() == [1, 0]
    assert shares["claims"].tolist() == [1, 1]


def test_an_answer_that_says_nothing_is_not_supported():
    for share in support_shares([SOURCE] * 3, ["", " ... \n", "Anna."]).values():
        assert share.tolist() == [0, 0, 1]


def test_sources_and_answers_come_in_pairs():
    with pytest.raises(DataError, match="2 sources and 1 answers"):
        support_shares(["a", "b"], ["c"])


def test_few_human_summaries_are_flagged_and_most_strange_names_are(shared: Path):
    lines = (shared / "data/dialogsum/dialogsum.dev.jsonl").read_text().splitlines()[:100]
    rows = [json.loads(line) for line in lines]
    sources = [row["dialogue"] for row in rows]
    shares = support_shares(sources, [row["summary"] for row in rows])
    assert shares["supported"].mean() >= 0.95
    planted = support_shares(sources, [f"They meet Zoltan. {row['summary']}" for row in rows])
    assert planted["names"].mean() <= 0.02
