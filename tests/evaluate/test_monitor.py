"""The monitor by hand values: what it reads in a batch, when each rule rings, what it chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.monitor.book import Book, span
from humanalign.evaluate.monitor.looks import Look, choose, fallen, look, smoothed
from humanalign.evaluate.monitor.monitor import Monitor
from humanalign.evaluate.monitor.phrases import Phrases, surely_more
from humanalign.evaluate.monitor.rules import NAMES, RULES
from humanalign.evaluate.monitor.signs import repeated, same_answers, signs
from humanalign.types import Answers, Prompt, Shown

RULE = {rule.name: rule for rule in RULES}
WORDS = ["the", "big", "dog", "ran", "to", "his", "old", "house", "and", "saw", "a", "cat", "there"]


def test_the_signs_of_a_batch_by_hand():
    found = signs(
        ["p", "q", "r"], ["a b c", "a b c", "x y x y"], [1.0, 1.0, 2.0], [True, False, True]
    )
    # Pairs: ab bc ab bc xy yx xy, four of seven differ; triples of the last: xyx yxy, none twice.
    assert found["distinct2"] == pytest.approx(4 / 7)
    assert found["repeated"] == 0.0
    assert found["same"] == pytest.approx(2 / 3)
    assert found["words"] == pytest.approx(10 / 3)
    assert found["unfinished"] == pytest.approx(1 / 3)
    assert found["length_correlation"] == pytest.approx(1.0)


def test_repeated_counts_what_an_answer_said_before():
    assert repeated("most awesome most awesome most awesome") == pytest.approx(1 - 2 / 4)
    assert repeated("two words") == 0.0


def test_one_prompt_answered_twice_alike_is_no_sameness():
    assert same_answers(["p", "p", "q"], ["a", "a", "b"]) == 0.0


def test_the_interval_of_a_span_is_students():
    values = [0.3, 0.5, 0.1, 0.4, 0.2]
    wanted = ttest_1samp(values, 0).confidence_interval(0.95)
    found = span(values)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def book_of(before: dict[str, float], now: dict[str, Sequence[float]]) -> Book:
    book = Book()
    for step in range(2):
        book.note(step, before)
    for name, values in now.items():
        for step, value in enumerate(values, start=2):
            book.note(step, {name: value})
    return book


WOBBLE = (-1, 1, 0, 1, -1)
OUT_OF_HAND = {
    "entropy_collapse": ({"entropy": 2.0}, {"entropy": 0.3}),
    "distinct_collapse": ({"distinct2": 0.8}, {"distinct2": 0.3}),
    "repetition": ({"repeated": 0.05}, {"repeated": 0.4}),
    "same_answer": ({"same": 0.0}, {"same": 0.5}),
    "length_pays": (
        {"length_correlation": 0.6, "words": 20.0},
        {"length_correlation": 0.7, "words": 30.0},
    ),
    "ends_missing": ({"unfinished": 0.1}, {"unfinished": 0.6}),
    "clip_fraction": ({}, {"clip_fraction": 0.5}),
    "reward_flat": ({"reward_std": 1.0}, {"reward_std": 0.02}),
    "value_worthless": ({}, {"explained_variance": -0.4}),
}


def around(value: float, noise: float, steps: int = 20) -> list[float]:
    return [value * (1 + noise * WOBBLE[i % 5]) for i in range(steps)]


def test_every_rule_that_reads_numbers_is_tried_here():
    assert OUT_OF_HAND.keys() == RULE.keys()


@pytest.mark.parametrize("name", OUT_OF_HAND)
def test_a_rule_finds_what_is_out_of_hand_for_long_enough(name):
    before, now = OUT_OF_HAND[name]
    found = RULE[name].decide(book_of(before, {k: around(v, 0.02) for k, v in now.items()}))
    assert found is not None
    metric = RULE[name].metric.split("/")[1]
    assert found.value == pytest.approx(now[metric], rel=0.05)


@pytest.mark.parametrize("name", OUT_OF_HAND)
def test_a_rule_says_nothing_of_a_single_batch(name):
    before, now = OUT_OF_HAND[name]
    calm = {k: [before.get(k, 0.0)] * 19 + [v] for k, v in now.items()}
    assert RULE[name].decide(book_of(before, calm)) is None


@pytest.mark.parametrize("name", OUT_OF_HAND)
def test_a_rule_says_nothing_of_numbers_that_jump_about(name):
    before, now = OUT_OF_HAND[name]
    wild = {k: around(v, 3.0) for k, v in now.items()}
    assert RULE[name].decide(book_of(before, wild)) is None


@pytest.mark.parametrize("name", OUT_OF_HAND)
def test_every_sentence_is_whole_and_ends_with_what_to_do(name):
    before, now = OUT_OF_HAND[name]
    found = RULE[name].decide(book_of(before, {k: around(v, 0.02) for k, v in now.items()}))
    said = RULE[name].sentence.format(**vars(found))
    assert said.endswith(".")
    assert "None" not in said


def test_answers_that_shrink_for_the_reward_show_the_shortest():
    before = {"length_correlation": -0.6, "words": 20.0}
    now = {"length_correlation": around(-0.7, 0.02), "words": around(10.0, 0.02)}
    found = RULE["length_pays"].decide(book_of(before, now))
    assert found is not None
    assert found.shows == "short"


def test_numbers_of_steps_long_past_are_not_those_of_now():
    book = book_of({}, {"clip_fraction": around(0.5, 0.02)})
    for step in range(22, 25):
        book.note(step, {"entropy": 1.0})
    assert RULE["clip_fraction"].decide(book) is None


def test_length_that_grows_without_pay_and_pay_without_growth_are_both_allowed():
    decide = RULE["length_pays"].decide
    before = {"length_correlation": 0.6, "words": 20.0}
    flat = {"length_correlation": around(0.7, 0.02), "words": around(21.0, 0.02)}
    free = {"length_correlation": around(0.1, 0.02), "words": around(30.0, 0.02)}
    assert decide(book_of(before, flat)) is None
    assert decide(book_of(before, free)) is None


def sentences(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 12)) for _ in range(count)]


def test_a_phrase_that_takes_over_is_named_longest_first():
    phrases = Phrases()
    phrases.learn(sentences(64, 0))
    hacked = [f"{text} most awesome most incredible" for text in sentences(64, 1)]
    named = [each.phrase for each in phrases.grown(hacked)]
    assert named[0] in ("awesome most incredible", "most awesome most")
    assert {"most awesome", "most incredible"} <= set(named)


def test_no_phrase_has_grown_in_answers_of_the_same_model():
    phrases = Phrases()
    phrases.learn(sentences(64, 0))
    assert [phrases.grown(sentences(64, seed)) for seed in range(1, 40)] == [[]] * 39


def test_a_share_is_surely_more_only_beyond_chance():
    assert surely_more(0.6, 64, 0.0, 64)
    assert not surely_more(0.6, 5, 0.0, 5)
    assert not surely_more(0.6, 64, 0.45, 64)


def answers(golds: Sequence[float], proxy: float = 0.0) -> tuple[Answers, list[float]]:
    prompts = [f"p{i}" for i in range(len(golds))]
    return Answers(prompts, ["x"] * len(golds), [proxy] * len(golds), [1.0] * len(golds)), [*golds]


def looks_of(curve: Sequence[float], noise: float = 0.1, prompts: int = 50, seed: int = 0):
    rng = np.random.default_rng(seed)
    own = rng.normal(0, 0.3, prompts)
    rows = [answers(g + own + rng.normal(0, noise, prompts), i) for i, g in enumerate(curve)]
    return [look(10 * i, *row) for i, row in enumerate(rows)]


def test_gold_is_smoothed_by_its_neighbours():
    looks = [look(i, *answers([g, g])) for i, g in enumerate([1.0, 4.0, 2.0])]
    assert smoothed(looks) == pytest.approx([(2 + 4) / 3, (1 + 8 + 2) / 4, (4 + 4) / 3])


def test_the_choice_is_the_top_of_the_curve_and_not_of_a_single_look():
    spike = [0.2, 0.9, 0.2, 0.6, 0.7, 0.7, 0.6, 0.3]
    assert choose(looks_of(spike, noise=0.0)) == 4


def test_without_gold_nothing_is_chosen():
    assert choose([look(0, answers([1.0, 2.0])[0], None)]) is None


def test_gold_that_falls_is_found_after_two_looks_and_not_after_one():
    curve = [0.3, 0.6, 0.7, 0.6, 0.3, 0.2]
    looks = looks_of(curve)
    assert fallen(looks[:4]) is None
    found = fallen(looks)
    assert found is not None
    assert "since step 20" in found.words
    assert "50 held-out prompts" in found.words


def rings(golds: np.ndarray) -> bool:
    """Whether a run with these golds, [looks, prompts], rings at any of its looks."""
    nothing = {"value": 0.0}
    looks = [
        Look(i, nothing, nothing, {"value": float(row.mean())}, tuple(row.tolist()))
        for i, row in enumerate(golds)
    ]
    return any(fallen(looks[:n]) for n in range(3, len(looks) + 1))


def standing(looks: int, prompts: int, phi: float, seed: int) -> np.ndarray:
    """Gold that stands still, [looks, prompts]; noise follows the look before by `phi`."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(looks, prompts))
    for i in range(1, looks):
        noise[i] = phi * noise[i - 1] + (1 - phi * phi) ** 0.5 * noise[i]
    return rng.normal(size=prompts) + noise


# The seeds are fixed; bench/overoptimisation_null.py has 600 runs of each, at 200 prompts.
@pytest.mark.parametrize(("looks", "repeats"), [(12, 200), (50, 60), (100, 30)])
@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_gold_that_stands_still_seldom_seems_to_fall_however_often_it_is_looked_at(
    looks, repeats, phi
):
    rung = sum(rings(standing(looks, 50, phi, seed)) for seed in range(repeats))
    assert rung / repeats <= 0.05


def test_gold_that_falls_by_a_third_of_its_spread_is_noticed_late_in_a_long_run():
    golds = standing(40, 200, 0.5, 0)
    golds[35:] -= 0.5
    assert not rings(golds[:35])
    assert rings(golds)


@dataclass
class Marks:
    """One number for every answer to a held-out prompt, by the policy's step."""

    values: Sequence[float]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts
        return [self.values[int(text.split()[0])] for text in completions]


def shown(step: int, texts: Sequence[str], **metrics: float) -> Shown:
    def ask(prompts: Sequence[Prompt], samples: int) -> Answers:
        asked = [p.text for p in prompts for _ in range(samples)]
        said = [f"{step} {i}" for i in range(len(asked))]
        return Answers(asked, said, [float(step)] * len(asked), [float(step)] * len(asked))

    rewards = [float(i % 7) for i in range(len(texts))]
    finished = [True] * len(texts)
    return Shown(step, [f"q{i}" for i in range(len(texts))], texts, rewards, finished, metrics, ask)


def watched(monitor: Monitor, steps: int, hacked_from: int = 99) -> list:
    found = []
    for step in range(steps):
        texts = sentences(64, step)
        if step >= hacked_from:
            texts = ["most awesome most incredible " * 4 + text for text in texts]
        found.append(monitor.see(shown(step, texts, kl_k1=0.1 * step, entropy=1.0)))
    return found


def test_a_hack_rings_names_the_phrase_and_shows_samples_that_hold_it():
    rows = [row for each in watched(Monitor(), 20, hacked_from=8) for row in each.alerts]
    by_rule = {row["rule"]: row for row in rows}
    assert {"phrase_growth", "repetition"} <= by_rule.keys()
    said = by_rule["phrase_growth"]
    assert "awesome most incredible" in said["sentence"] or "most awesome most" in said["sentence"]
    assert all("most awesome" in row["completion"] for row in said["samples"])
    assert len(rows) == len(by_rule)  # each rang once
    assert json.loads(json.dumps(rows)) == rows


def test_nothing_rings_while_nothing_changes():
    assert [each.alerts for each in watched(Monitor(), 30)] == [[]] * 30


def test_a_rule_that_is_off_is_silent_and_another_may_send_back():
    monitor = Monitor(rules={"repetition": "off", "phrase_growth": "back"})
    seen = watched(monitor, 20, hacked_from=8)
    assert "repetition" not in monitor.rung
    assert [each.action for each in seen].count("back") == 1


def test_the_kl_alarm_rings_in_the_very_step():
    monitor = Monitor(kl_alarm=5.0)
    [alert] = monitor.see(shown(3, sentences(8, 0), kl_k1=6.0)).alerts
    assert (alert["rule"], alert["level"], alert["limit"]) == ("kl_runaway", "danger", 5.0)


def test_what_it_goes_back_to_is_kept_whatever_comes_later():
    curve = [0.3, 0.5, 0.8, 0.7, 0.75, 0.72, 0.4, 0.76, 0.7, 0.2, 0.1]
    monitor = Monitor(["p", "q", "r"], Marks(curve), every=1)
    kept: set[int] = set()
    for step in range(len(curve)):
        advice = monitor.see(shown(step, sentences(8, step)))
        assert set(advice.keep) <= kept | {step}  # weights that are gone cannot be asked for
        assert advice.chosen in advice.keep
        kept = set(advice.keep)


def test_a_monitor_that_was_put_away_goes_on_as_if_nothing_had_been():
    def fresh() -> Monitor:
        return Monitor(["p", "q"], Marks([0.1 * (i % 9) for i in range(30)]), every=2)

    whole, first = fresh(), fresh()
    expected = watched(whole, 24, hacked_from=12)
    watched(first, 13, hacked_from=12)
    second = fresh()
    second.restore(json.loads(json.dumps(first.state())))
    for step in range(13, 24):
        texts = ["most awesome most incredible " * 4 + t for t in sentences(64, step)]
        assert second.see(shown(step, texts, kl_k1=0.1 * step, entropy=1.0)) == expected[step]
    assert second.summary() == whole.summary()


def test_the_gap_is_how_much_more_the_reward_rose_than_gold_in_standard_deviations():
    monitor = Monitor(["p", "q"], Marks([1.0, 3.0]), every=1)
    first, second = watched(monitor, 2)
    assert first.metrics["gap"] == 0.0
    # Neither the reward nor gold varies among the answers of step 0: in units of 1.
    assert second.metrics["gap"] == pytest.approx(1.0 - 2.0)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"rules": {"gold_fals": "stop"}}, "did you mean 'gold_falls'"),
        ({"action": "halt"}, "got 'halt'"),
        ({"gold": Marks([0.0])}, "give monitor.prompts"),
        ({"prompts": ["one"]}, "at least 2"),
        ({"every": 0}, "monitor.every: expected a whole number from 1 on, got 0"),
        ({"samples": 0}, "monitor.samples: expected"),
    ],
)
def test_a_mistake_in_its_settings_is_one_sentence(keys, said):
    with pytest.raises(ConfigError, match=said):
        Monitor(**keys)


def test_gold_that_gives_too_few_numbers_is_named():
    class Short:
        def score(self, prompts, completions):
            return [0.0 for _ in set(zip(prompts, completions, strict=True))][:1]

    with pytest.raises(DataError, match="1 numbers for 2 answers"):
        Monitor(["p", "q"], Short()).see(shown(0, sentences(4, 0)))


@dataclass
class Says:
    """Gold by a function of the step, which may raise."""

    of: Callable[[int], object]

    def score(self, prompts, completions):
        del prompts
        return self.of(int(completions[0].split()[0]))


def test_a_gold_that_fails_at_a_later_look_is_an_alert_and_the_run_goes_on():
    def timeout_at_1(step: int) -> list[float]:
        if step == 1:
            raise TimeoutError("the judge is away")
        return [0.5, 0.6]

    seen = watched(Monitor(["p", "q"], Says(timeout_at_1), every=1), 4)
    [alert] = [row for each in seen for row in each.alerts]
    assert (alert["rule"], alert["level"], alert["step"]) == ("gold_missing", "warning", 1)
    assert "the judge is away" in alert["sentence"]
    assert ["gold" in each.metrics for each in seen] == [True, False, True, True]


def test_a_gold_that_fails_at_the_first_look_is_a_mistake_of_one_sentence():
    for wrong, said in (
        (lambda _: [0.1, float("nan")], r"monitor\.gold: gave nan for"),
        (lambda _: 1 / 0, r"monitor\.gold: could not score the first look \(ZeroDivisionError"),
    ):
        with pytest.raises(DataError, match=said):
            watched(Monitor(["p", "q"], Says(wrong), every=1), 1)


def test_a_gold_may_be_an_array_of_numpy():
    gold = Says(lambda step: np.full(2, -step, dtype=np.float32) + np.float32([0.0, 0.1]))
    rows = [row for each in watched(Monitor(["p", "q"], gold, every=1), 30) for row in each.alerts]
    assert json.loads(json.dumps(rows)) == rows
    assert {row["rule"] for row in rows} == {"gold_falls"}


def test_with_gold_a_symptom_only_warns_and_without_it_sends_back():
    alone = Monitor(kl_alarm=5.0, action="back")
    beside = Monitor(["p", "q"], Marks([0.5] * 9), kl_alarm=5.0, action="back")
    told = [each.see(shown(3, sentences(8, 0), kl_k1=6.0)) for each in (alone, beside)]
    assert [each.alerts[0]["level"] for each in told] == ["danger", "warning"]
    assert [each.action for each in told] == ["back", "none"]


def test_the_names_of_all_rules_are_different():
    assert len(set(NAMES)) == len(NAMES) == len(RULES) + 4
