"""Both suites in one call: the tree that the report reads, the same model twice, wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest

from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.honesty.suites import read_suites, run_suites
from humanalign.models import Policy

TABLE = (
    "Category,Question,Best Answer,Correct Answers,Incorrect Answers\n"
    "Law,w1 w2,w3,w3; w4,w5; w6\n"
    "Law,w7,w8,w8,w9; w10\n"
    "Food,w11,w12,w12,w13\n"
)


@pytest.fixture
def questions(tmp_path: Path) -> str:
    path = tmp_path / "questions.csv"
    path.write_text(TABLE)
    return str(path)


def test_the_same_model_twice_shows_no_difference(folder: Path, questions: str):
    policy = Policy.load(folder)
    steps: list[tuple[int, int]] = []
    found = run_suites(
        policy,
        policy,
        asked=read_suites(truthfulqa=questions),
        max_new_tokens=4,
        progress=lambda step, total: steps.append((step, total)),
    )
    told = found.results["honesty"]["truthfulqa"]
    assert told["questions"] == 3
    for name in ("mc1", "mc2"):
        assert told[name]["difference"].value == 0
        assert told[name]["verdict"] == "no difference shown"
    assert told["by_category"]["Law"]["after"].n == 2
    assert told["chance"] == {
        "mc1": pytest.approx((1 / 3 + 1 / 3 + 1 / 2) / 3),
        "mc2": pytest.approx((2 / 4 + 1 / 3 + 1 / 2) / 3),
    }
    assert "mc0" not in told
    assert set(told["generated"]["truthful_dealt"]) == {"before", "after", "difference"}
    assert steps == sorted(steps)
    assert steps[-1] == (400, 400)
    assert [row["prompt"] for row in found.samples] == ["w1 w2", "w7", "w11"]
    assert {"after", "before", "chosen_after", "abstained_before"} <= set(found.samples[0])


def test_our_own_items_run_alone(llama: Path):
    found = run_suites(Policy.load(llama, seed=1), asked=read_suites(hhh="own"))
    assert set(found.results) == {"hhh"}
    assert set(found.results["hhh"]["overall"]) == {"after", "better"}
    assert sum(told["after"].n for told in found.results["hhh"]["by"].values()) >= 60


def test_a_suite_that_is_not_there_is_found_before_a_model_is_asked(questions: str):
    with pytest.raises(ConfigError, match="no suite is named"):
        read_suites()
    with pytest.raises(DataError, match="hhh: /nowhere: no such file"):
        read_suites(truthfulqa=questions, hhh="/nowhere")


def test_a_suite_is_known_by_what_it_asks_wherever_it_lies(tmp_path: Path):
    row = '{"prompt": "w1", "chosen": "%s", "rejected": "%s"}'
    paths = [tmp_path / name for name in ("a.jsonl", "b/a.jsonl", "c/a.jsonl")]
    for path, line in zip(
        paths,
        (row % ("w2", "w3") + "\n", row % ("w2", "w3") + "\r\n", row % ("w3", "w2") + "\n"),
        strict=True,
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(line.encode())
    first, again, exchanged = (read_suites(hhh=str(path)).ids["hhh"] for path in paths)
    assert first == again != exchanged
    folder = tmp_path / "c"
    assert read_suites(hhh=str(folder)).ids["hhh"] == exchanged
