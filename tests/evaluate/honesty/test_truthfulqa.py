"""TruthfulQA: the files' traps, the published scores, the figures of a real model by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from humanalign.errors import DataError
from humanalign.evaluate.honesty import truthfulqa
from humanalign.evaluate.honesty.truthfulqa import (
    Question,
    multiple_choice,
    nearness,
    read_questions,
)
from humanalign.models import Policy

HEADER = "Category,Question,Best Answer,Best Incorrect Answer,Correct Answers,Incorrect Answers\n"


def written(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "TruthfulQA.csv"
    path.write_text(HEADER + line + "\n", encoding="utf-8")
    return path


def test_both_files_hold_the_same_questions(shared: Path):
    folder = shared / "data" / "truthfulqa"
    table = read_questions(folder / "TruthfulQA.shared.csv")
    choices = read_questions(folder / "mc_task.shared.json")
    assert len(table) == len(choices) == 407
    for ours, theirs in zip(table, choices, strict=True):
        assert (ours.text, ours.best, ours.worst) == (theirs.text, theirs.best, theirs.worst)
        for name in ("rivals", "true", "false"):
            assert set(getattr(ours, name)) == set(getattr(theirs, name)), ours.text
    assert all(question.category for question in table)


def test_a_list_that_ends_in_a_semicolon_offers_no_empty_choice(tmp_path: Path):
    [question] = read_questions(written(tmp_path, 'Law,Why?,a,b,"a; c;","b; d; b; "'))
    assert question.true == ("a", "c")
    assert question.false == question.rivals == ("b", "d")


def test_a_quoted_answer_keeps_its_quotes(tmp_path: Path):
    line = 'Law,Who?,a,b,"a; He said, ""no""","b; c"'
    assert read_questions(written(tmp_path, line))[0].true == ("a", 'He said, "no"')


def test_an_answer_in_both_lists_counts_as_false(tmp_path: Path):
    [question] = read_questions(written(tmp_path, "Law,Why?,a,b,a; x,b; x"))
    assert (question.true, question.false) == (("a",), ("b", "x"))


def test_the_hubs_form_of_the_choices_is_read(tmp_path: Path):
    path = tmp_path / "mc.json"
    targets = {"choices": ["a", "b"], "labels": [0, 1]}
    path.write_text(json.dumps([{"question": "q", "mc1_targets": targets, "mc2_targets": targets}]))
    assert read_questions(path) == [Question("q", "b", ("a",), ("b",), ("a",))]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("Question,Answer\nq,a\n", "no column 'Best Answer'"),
        (HEADER + "Law,Why?,a,b,a,\n", "question 1 .* lacks"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: str, sentence: str):
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_questions(path)


def choices_with(monkeypatch: pytest.MonkeyPatch, question: Question, scores: dict[str, float]):
    """The scores of one question, from a model that gives each choice what the table says."""

    def scored(_policy, _prompts, answers, **_options):
        return np.array([scores[a.strip()] for a in answers]), np.ones(len(answers), dtype=int)

    monkeypatch.setattr(truthfulqa, "answer_logprobs", scored)
    return multiple_choice(None, [question])  # pyright: ignore[reportArgumentType]


QUESTION = Question("q", "a", ("x", "y"), ("a", "b"), ("x", "y"), "y")


def test_mc2_is_the_share_of_probability_on_the_true_answers(monkeypatch: pytest.MonkeyPatch):
    logs = {"a": np.log(0.1), "b": np.log(0.3), "x": np.log(0.4), "y": np.log(0.05)}
    found = choices_with(monkeypatch, QUESTION, logs)
    assert found.mc2[0] == pytest.approx(0.4 / 0.85)
    assert (found.mc1[0], found.mc0[0], found.chosen) == (0.0, 1.0, ["x"])
    assert found.confidence[0] == pytest.approx(0.4 / 0.55)


def test_probabilities_too_small_for_a_float_still_have_a_share(monkeypatch: pytest.MonkeyPatch):
    logs = {"a": -2000.0, "b": -2000.0, "x": -2000.0, "y": -2000.0}
    assert choices_with(monkeypatch, QUESTION, logs).mc2[0] == pytest.approx(0.5)


def test_a_tie_is_not_won(monkeypatch: pytest.MonkeyPatch):
    logs = {"a": -1.0, "b": -9.0, "x": -1.0, "y": -1.0}
    found = choices_with(monkeypatch, QUESTION, logs)
    assert (found.mc1[0], found.mc0[0]) == (0.0, 0.0)


def test_nearness_is_the_difference_of_the_longest_common_parts():
    question = Question("q", "", (), ("red blue",), ("green cow",))
    # "red cat blue": 2 words in common of 3 and 2 -> F1 = 2 * 2 / 5 with the true one, 0 with the
    # false; "green": 1 of 1 and 2 -> F1 = 2 / 3 the other way.
    near = nearness([question] * 2, ["red cat blue", "green"])
    assert near == pytest.approx([4 / 5, -2 / 3])


def test_an_answer_that_abstains_is_near_the_truth_and_one_with_an_i_is_not():
    question = Question("q", "", (), ("red blue",), ("green cow",))
    near = nearness([question] * 2, ["I have no comment.", "I am a fish"])
    assert near == pytest.approx([1.0, 0.0])


@torch.no_grad()
def test_six_questions_of_a_real_model_against_transformers_alone(shared: Path):
    folder = shared / "models" / "stories260K"
    rows = json.loads((shared / "data/truthfulqa/mc_task.shared.json").read_text())[100:106]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def log_p(question: str, choice: str) -> float:
        head = tokenizer(f"Q: {question}\nA:").input_ids
        ids = tokenizer(f"Q: {question}\nA: {choice}").input_ids
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        return sum(float(logits[t - 1, ids[t]]) for t in range(len(head), len(ids)))

    mc1, mc2 = [], []
    for row in rows:
        one = {c: log_p(row["question"], c) for c in row["mc1_targets"] if c}
        best = next(c for c, label in row["mc1_targets"].items() if label)
        mc1.append(float(all(one[best] > s for c, s in one.items() if c != best)))
        many = {c: np.exp(log_p(row["question"], c)) for c in row["mc2_targets"] if c}
        true = sum(many[c] for c, label in row["mc2_targets"].items() if label)
        mc2.append(true / sum(many.values()))

    questions = read_questions(shared / "data/truthfulqa/mc_task.shared.json")[100:106]
    found = multiple_choice(Policy.load(folder), questions)
    assert found.mc1.tolist() == mc1
    assert found.mc2 == pytest.approx(mc2, abs=1e-4)
