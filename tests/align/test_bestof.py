"""Best of n: the winner is the best, the bound on the divergence, and the winners as lessons."""

import json
import math

import numpy as np
import pytest

from humanalign.align.bestof import best_of_n, bestof, kl_bound
from humanalign.errors import ConfigError, DataError
from humanalign.intervals import mean_interval
from humanalign.models import Policy
from humanalign.reward.sources import resolve
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.tiny import gold

from . import bundled
from .tiny_policies import FAMILIES

PROMPTS = ["w1", "w2 w3", "w4"]
SHORT = Sampling(max_new_tokens=8)


class CountsOf:
    """A reward that counts one word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def score(self, prompts: list[str], completions: list[str]) -> list[float]:
        assert len(prompts) == len(completions)
        return [float(text.split().count(self.word)) for text in completions]


@pytest.fixture
def policy(tmp_path) -> Policy:
    return FAMILIES["t5"](tmp_path / "start")


def test_the_winner_is_the_best_of_what_was_sampled(policy):
    answers = complete(policy, PROMPTS, SHORT, seed=5, samples=6)
    best = best_of_n(policy, PROMPTS, CountsOf("good"), n=6, sampling=SHORT, seed=5)
    for winner, group, prompt in zip(best, answers, PROMPTS, strict=True):
        counts = [answer.text.split().count("good") for answer in group]
        assert winner.prompt == prompt
        assert winner.scores == tuple(counts)
        assert winner.score == max(counts)
        assert winner.text == group[counts.index(max(counts))].text


def test_one_sample_is_the_policy_itself(policy):
    (winner,) = best_of_n(policy, ["w1"], CountsOf("good"), n=1, sampling=SHORT, seed=5)
    assert winner.text == complete(policy, ["w1"], SHORT, seed=5)[0][0].text
    assert kl_bound(1) == 0.0


@pytest.mark.parametrize("n", [2, 4, 16])
def test_the_bound_is_the_divergence_where_no_two_samples_are_equal(n):
    # The best of n uniform draws has the density n x^(n-1); its KL is the integral of p log p.
    x = (np.arange(1_000_000) + 0.5) / 1_000_000
    density = n * x ** (n - 1)
    assert kl_bound(n) == pytest.approx(float((density * np.log(density)).mean()), abs=1e-4)


def test_the_winners_become_demonstrations_and_a_run_keeps_the_books(policy, tmp_path):
    run = Run.open(tmp_path / "run", stage="align", config={})
    lessons = bestof(policy, PROMPTS, CountsOf("good"), run=run, n=4, sampling=SHORT, seed=5)
    best = best_of_n(policy, PROMPTS, CountsOf("good"), n=4, sampling=SHORT, seed=5)
    assert [(x.prompt, x.response) for x in lessons] == [(b.prompt, b.text) for b in best if b.text]
    summary = json.loads((run.path / "run.json").read_text())["summary"]
    assert summary["kl"] == pytest.approx(math.log(4) - 0.75)
    assert summary["reward_before"] == np.mean([b.scores[0] for b in best])
    assert summary["reward_after"] == np.mean([max(b.scores) for b in best])
    rows = (run.path / "samples.jsonl").read_text().splitlines()
    assert [json.loads(row)["text"] for row in rows] == [b.text for b in best]


@pytest.mark.parametrize(
    ("prompts", "options", "error", "said"),
    [
        (PROMPTS, {"n": 0}, ConfigError, "at least 1, got 0"),
        (PROMPTS, {"sampling": Sampling(temperature=0)}, ConfigError, "greedy answers are all"),
        ([], {}, DataError, "there are none"),
    ],
)
def test_what_has_no_best_is_refused(policy, prompts, options, error, said):
    with pytest.raises(error, match=said):
        bestof(policy, prompts, CountsOf("good"), **options)


@pytest.mark.slow
def test_the_best_of_four_is_better_and_less_toxic_than_the_first():
    rows = bundled.logged()
    groups = [rows[i : i + 4] for i in range(0, len(rows), 4)]
    policy, prompts = bundled.tiny_instruct(), [group[0].prompt for group in groups]
    reward = resolve("python:humanalign.tiny.gold:utilities")
    best = best_of_n(policy, prompts, reward, n=4, sampling=bundled.SAMPLING, seed=1)
    assert [b.score for b in best] == [max(row.score for row in group) for group in groups]
    gained = [b.score - b.scores[0] for b in best]
    assert mean_interval(gained, prompts, metric="reward").ci_low > 0
    first = [gold.toxicity(group[0].completion) for group in groups]
    change = [gold.toxicity(b.text) - f for b, f in zip(best, first, strict=True)]
    assert mean_interval(change, prompts, metric="toxicity").ci_high < 0
