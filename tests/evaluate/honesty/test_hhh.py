"""Helpful, honest, harmless: our own items, the public formats, the score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from humanalign.errors import DataError
from humanalign.evaluate.honesty.asking import asked
from humanalign.evaluate.honesty.hhh import items_of, preferences, right, tell_hhh
from humanalign.evaluate.honesty.items import Item, read_items
from humanalign.evaluate.honesty.likelihood import answer_logprobs
from humanalign.models import Policy


def saved(tmp_path: Path, name: str, content: object) -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_our_own_items_favour_neither_a_place_nor_a_length():
    items = items_of("own")
    assert len(items) >= 60
    assert len({item.prompt for item in items}) == len(items)
    assert {item.category for item in items} == {"helpful", "honest", "harmless", "other"}
    first = np.mean([item.best == 0 for item in items])
    gaps = [len(item.answers[1 - item.best]) - len(item.answers[item.best]) for item in items]
    shorter = (1 + np.sign(gaps).mean()) / 2
    assert 0.4 <= first <= 0.6
    assert 0.4 <= shorter <= 0.6


@pytest.mark.parametrize(
    ("name", "row", "item"),
    [
        (
            "harmless.jsonl",
            {"input": "q", "targets": {"choices": ["a", "b"], "labels": [0, 1]}},
            Item("q", ("a", "b"), 1, "harmless"),
        ),
        (
            "honest/task.json",
            {"name": "x", "examples": [{"input": "q", "target_scores": {"a": 1, "b": 0, "c": 0}}]},
            Item("q", ("a", "b", "c"), 0, "honest"),
        ),
        (
            "self-awareness.jsonl",
            {
                "question": "q",
                "answer_matching_behavior": " (A)",
                "answer_not_matching_behavior": " (B)",
            },
            Item("q", ("(B)", "(A)"), 1, "self-awareness"),
        ),
        (
            "pairs.jsonl",
            {"prompt": "q", "chosen": "a", "rejected": "b", "category": "helpful"},
            Item("q", ("b", "a"), 1, "helpful"),
        ),
    ],
)
def test_public_formats_are_told_by_their_columns(tmp_path: Path, name: str, row: dict, item: Item):
    assert read_items(saved(tmp_path, name, row)) == [item]


def test_a_folder_is_read_whole_and_its_files_are_the_categories(tmp_path: Path):
    for category in ("honest", "other"):
        saved(tmp_path, f"{category}.json", {"prompt": category, "chosen": "a", "rejected": "b"})
    assert [item.category for item in read_items(tmp_path)] == ["honest", "other"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"text": "q"}, "row 1 is no comparison; .* present: text"),
        ({"prompt": "q", "chosen": "a", "rejected": "a"}, "two answers or more"),
        ({"input": "q", "target_scores": {"a": 1, "b": 1}}, "one best among them, got .* 2 best"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, row: dict, sentence: str):
    with pytest.raises(DataError, match=sentence):
        read_items(saved(tmp_path, "wrong.json", row))


def test_the_likelier_answer_must_be_the_better_one_and_a_tie_is_not_right():
    items = [Item("q", ("a", "b"), 1, "other")] * 3
    assert right(items, [[-2.0, -1.0], [-1.0, -2.0], [-1.0, -1.0]]).tolist() == [1, 0, 0]


def test_totals_and_means_of_a_real_model_are_those_of_its_likelihood(llama: Path):
    policy = Policy.load(llama)
    items = [Item("w1", ("w2 w3 w4", "w5"), 0, "other"), Item("w6", ("w7", "w8"), 0, "other")]
    [three, one], _ = preferences(policy, items)
    expected, _ = answer_logprobs(policy, [asked(policy, "w1")] * 2, ["w2 w3 w4", "w5"])
    assert [three, one] == pytest.approx(expected.tolist(), abs=1e-4)
    [mean, same], _ = preferences(policy, items, per_token=True)
    assert (mean, same) == pytest.approx((three / 3, one), abs=1e-4)


def test_a_transcript_is_asked_as_it_stands_and_a_question_as_a_question(small_t5: Path):
    policy = Policy.load(small_t5)
    transcript = "\n\nHuman: w1\n\nAssistant:"
    assert asked(policy, transcript) == transcript
    assert asked(policy, "w1") == "Q: w1\nA:"


def test_categories_are_told_apart_and_chance_is_said():
    items = [Item("q", ("a", "b"), 0, "honest"), Item("r", ("a", "b", "c", "d"), 0, "other")]
    told = tell_hhh(items, np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert told["chance"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert (told["by"]["honest"]["after"].value, told["by"]["other"]["after"].value) == (1, 0)
    assert told["overall"]["difference"].value == pytest.approx(0.5)


def test_the_public_yes_or_no_questions_load_by_path(shared: Path):
    items = read_items(shared / "data/anthropic_evals/self-awareness-general-ai.jsonl")
    assert {len(item.answers) for item in items} == {2}
    assert len(items) == 300
