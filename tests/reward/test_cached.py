"""Kept scores: nothing is asked twice, nothing stale is found, and a kill spoils one line."""

import json
import multiprocessing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from tokenizers import normalizers

from humanalign.errors import ConfigError, DataError
from humanalign.reward.cached import PIECE, CachedReward
from humanalign.reward.classifier import load_classifier
from humanalign.reward.function import load_function
from humanalign.reward.model import LearnedReward
from humanalign.reward.rules import rule_reward


@dataclass
class Counting:
    """Scores by length, and remembers what it was asked."""

    name: str = "one"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def score(self, prompts, completions):
        self.asked += zip(prompts, completions, strict=True)
        return [len(c) + 0.1 for c in completions]

    def identity(self):
        return self.name


def test_each_row_is_scored_once_and_hits_are_counted(tmp_path):
    reward = Counting()
    kept = CachedReward(reward, tmp_path / "scores.jsonl")
    assert kept.score(["p", "p", "p"], ["a", "bb", "a"]) == [1.1, 2.1, 1.1]
    assert kept.score(["p", "q"], ["bb", "bb"]) == [2.1, 2.1]
    assert reward.asked == [("p", "a"), ("p", "bb"), ("q", "bb")]
    assert (kept.hits, kept.misses) == (2, 3)


def test_scores_outlive_the_process_to_the_last_bit(tmp_path):
    first = CachedReward(Counting(), tmp_path / "scores.jsonl").score(["p"], ["x" * 7])
    again = Counting()
    assert CachedReward(again, tmp_path / "scores.jsonl").score(["p"], ["x" * 7]) == first
    assert again.asked == []


def test_another_reward_never_finds_the_scores_of_the_first(tmp_path):
    CachedReward(Counting("one"), tmp_path / "scores.jsonl").score(["p"], ["a"])
    other = Counting("two")
    CachedReward(other, tmp_path / "scores.jsonl").score(["p"], ["a"])
    assert other.asked == [("p", "a")]


def test_the_prompt_and_the_completion_are_not_run_together(tmp_path):
    reward = Counting()
    CachedReward(reward, tmp_path / "scores.jsonl").score(["ab", "a"], ["c", "bc"])
    assert len(reward.asked) == 2


@pytest.mark.parametrize(
    "end", [b'{"source": "one", "ro', b"\xff\xfe", b'{"score": "x"}\n', b"[]\n"]
)
def test_half_a_line_is_passed_over_and_spoils_no_other(tmp_path, end):
    file = tmp_path / "scores.jsonl"
    CachedReward(Counting(), file).score(["p"], ["a"])
    with file.open("ab") as stream:
        stream.write(end)
    CachedReward(Counting(), file).score(["p"], ["bb"])
    last = Counting()
    assert CachedReward(last, file).score(["p", "p"], ["a", "bb"]) == [1.1, 2.1]
    assert last.asked == []


def test_what_was_scored_before_a_failure_is_kept(tmp_path):
    class Fails(Counting):
        def score(self, prompts, completions):
            if self.asked:
                raise KeyboardInterrupt
            return super().score(prompts, completions)

    rows = ["p"] * (PIECE + 1), [str(n) for n in range(PIECE + 1)]
    with pytest.raises(KeyboardInterrupt):
        CachedReward(Fails(), tmp_path / "scores.jsonl").score(*rows)
    again = Counting()
    CachedReward(again, tmp_path / "scores.jsonl").score(*rows)
    assert len(again.asked) == 1


def score_part(file: Path, start: int) -> None:
    kept = CachedReward(Counting(), file)
    for n in range(start, start + 150):
        kept.score(["p"], ["x" * n])


def test_two_processes_share_a_file(tmp_path):
    file = tmp_path / "scores.jsonl"
    spawn = multiprocessing.get_context("fork")
    workers = [spawn.Process(target=score_part, args=(file, start)) for start in (0, 100)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    rows = [json.loads(line) for line in file.read_text().splitlines() if line]
    assert {row["score"] for row in rows} == {n + 0.1 for n in range(250)}


def test_one_process_sees_what_another_has_written_meanwhile(tmp_path):
    first, second = Counting(), Counting()
    one = CachedReward(first, tmp_path / "scores.jsonl")
    two = CachedReward(second, tmp_path / "scores.jsonl")
    one.score(["p"], ["a"])
    two.score(["p"], ["a"])
    assert second.asked == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    kept = CachedReward(Counting(), tmp_path / "scores.jsonl")
    kept.file = tmp_path / "file" / "scores.jsonl"
    with pytest.raises(DataError, match="scores cannot be kept"):
        kept._append("")


def test_a_reward_that_cannot_say_which_it_is_is_refused(tmp_path):
    class Nameless:
        def score(self, prompts, completions):
            return [0.0 for _ in zip(prompts, completions, strict=True)]

    with pytest.raises(ConfigError, match="Nameless has no method identity"):
        CachedReward(Nameless(), tmp_path / "scores.jsonl")


def test_a_classifier_is_known_by_its_weights_and_its_label(hate):
    reward = load_classifier(hate, label="hate")
    same = load_classifier(hate, label="hate", batch_size=3).identity()
    others = {load_classifier(hate, label="spam").identity()}
    others.add(load_classifier(hate, label="hate", use="prob").identity())
    with torch.no_grad():
        before = reward.identity()
        reward.model.classifier.bias[0] += 1e-3
    assert before == same
    assert len({before, reward.identity(), *others}) == 4


def test_the_same_weights_read_otherwise_are_another_reward(hate):
    """Kind of labels, a constant of the layers, the tokenizer's normaliser, the chat template."""
    reward = load_classifier(hate, label="hate", use="prob")
    words, config = reward.reader.tokenizer, reward.model.config
    ids = [reward.identity()]
    reward.score(["p"], ["w1 w2 w3"])
    assert reward.identity() == ids[0]
    for change in (
        lambda: setattr(config, "problem_type", "multi_label_classification"),
        lambda: setattr(config, "layer_norm_eps", 0.5),
        lambda: setattr(words.backend_tokenizer, "normalizer", normalizers.Lowercase()),
        lambda: setattr(words, "chat_template", "{{ messages[0].content }}"),
    ):
        change()
        ids.append(reward.identity())
    assert len(set(ids)) == 5


def test_a_learned_reward_is_the_same_after_loading_and_another_under_another_template(
    calm_encoder, tmp_path
):
    reward = LearnedReward.start(calm_encoder)
    reward.save(tmp_path / "model")
    loaded = LearnedReward.load(tmp_path / "model")
    first = loaded.identity()
    assert LearnedReward.load(tmp_path / "model", batch_size=3).identity() == first
    loaded.reader.tokenizer.chat_template = "{{ messages[0].content }}"
    assert loaded.identity() != first


def test_a_function_is_another_once_its_file_has_changed(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def f(prompts, completions):\n    return [0.0] * len(completions)\n")
    before = load_function(f"{file}:f").identity()
    file.write_text("def f(prompts, completions):\n    return [1.0] * len(completions)\n")
    assert load_function(f"{file}:f").identity() != before


def test_a_rule_is_another_once_its_word_list_has_changed(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("idiot\n")
    rule = rule_reward("forbidden", {"file": str(file)})
    before = rule.identity()
    file.write_text("fool\n")
    assert rule_reward("forbidden", {"file": str(file)}).identity() != before


def test_scores_are_kept_under_the_word_list_that_gave_them(tmp_path):
    """A list edited while a rule is in use: its id and its scores stay those of what it read."""
    file = tmp_path / "words.txt"
    file.write_text("idiot\n")
    rule = rule_reward("forbidden", {"file": str(file)})
    before = rule.identity()
    file.write_text("idiot\nfool\n")
    assert (rule.identity(), rule.score(["p"], ["idiot fool"])) == (before, [-1.0])
    edited = rule_reward("forbidden", {"file": str(file)})
    assert edited.identity() != before
    assert edited.score(["p"], ["idiot fool"]) == [-2.0]
