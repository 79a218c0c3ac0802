"""Habits and warnings: what each labeler's answers look like, with and without disagreement."""

import numpy as np
import pytest

from humanalign.prefer.statistics.habits import Evidence, Timed
from humanalign.prefer.statistics.labelers import labelers
from humanalign.types import Ranking
from prefer.ballots import pool

HONEST, TRUTH = pool(["good"] * 3, prompts=30, seed=5, noise=0.4)
ITEMS = list(TRUTH)
RNG = np.random.default_rng(2)
SHOWN = {
    (item, name): tuple(RNG.permutation(list(TRUTH[item])).tolist())
    for item in ITEMS
    for name in ("good-0", "good-1", "good-2", "odd")
}


def best_first(item):
    return tuple((c,) for c in sorted(TRUTH[item], key=lambda c: -TRUTH[item][c]))


def odd(tiers_of=best_first, **evidence):
    """The report on "odd", who answers by `tiers_of` beside three honest labelers."""
    mine = [Ranking(item, "odd", tiers_of(item)) for item in ITEMS]
    found = labelers(HONEST + mine, evidence=Evidence(shown=SHOWN, **evidence))
    return {report.id: report for report in found}


def warned(report):
    return [finding.name for finding in report.findings if not finding.flag]


def test_honest_labelers_are_warned_of_nothing():
    assert [each.findings for each in odd().values()] == [()] * 4


def test_position_is_read_against_the_logged_order_of_display():
    reports = odd(lambda item: tuple((c,) for c in SHOWN[item, "odd"]))
    [finding] = reports["odd"].findings
    assert (finding.name, finding.flag) == ("position", True)
    assert "100 % of the answers follow the order of display" in finding.sentence
    assert reports["odd"].habits.position_tau == pytest.approx(1.0)
    assert abs(reports["good-0"].habits.position_tau) < 0.4


def times(fast):
    people = [(item, f"good-{n}") for item in ITEMS for n in range(3)]
    pace = {"good-0": 40.0, "good-1": 60.0, "good-2": 80.0}
    return [
        *(Timed(item, name, 500.0, active=pace[name]) for item, name in people),
        *(Timed(item, "odd", 500.0, active=fast) for item in ITEMS),
    ]


@pytest.mark.parametrize(("seconds", "warnings"), [(8.0, ["fast"]), (16.0, [])])
def test_fast_is_under_a_quarter_of_the_pools_pace_and_three_seconds_a_card(seconds, warnings):
    # The pool's median a card is 50/4 = 12.5 s; a quarter of that is 3.1 s, and 3 s is less.
    report = odd(timed=times(seconds))["odd"]
    assert warned(report) == warnings
    assert not report.flagged
    assert report.weight > 0


def test_a_warning_gives_its_figures_and_an_advice():
    [finding] = odd(timed=times(8.0))["odd"].findings
    assert finding.sentence == "takes 2.0 s a card; the pool takes 12.5 s"
    assert "before trusting them" in finding.advice


def test_browser_time_counts_before_the_servers_and_unknown_time_is_none():
    assert odd(timed=times(8.0))["odd"].habits.median_seconds == 8.0
    unknown = [Timed(item, "odd", 0.0) for item in ITEMS]
    assert odd(timed=unknown)["odd"].habits.median_seconds is None
    served = [Timed(item, "odd", 7.0) for item in ITEMS]
    assert odd(timed=served)["odd"].habits.seconds_per_card == 7 / 4


def test_revisions_are_counted_but_not_held_against_anybody():
    timed = [Timed(item, "odd", 9.0, revision=1 + (n < 15)) for n, item in enumerate(ITEMS)]
    report = odd(timed=timed)["odd"]
    assert report.habits.revised == 0.5
    assert report.findings == ()


def golden(item):
    first, second, *_, last = sorted(TRUTH[item], key=lambda c: -TRUTH[item][c])
    return {first: 1, second: 2, last: "F"}


def test_gold_items_that_are_failed_are_named_with_their_share():
    gold = {item: golden(item) for item in ITEMS[:4]}
    worst = odd(
        lambda item: best_first(item)[::-1] if item in gold else best_first(item), gold=gold
    )
    assert worst["odd"].habits.gold == 0.0
    assert warned(worst["odd"]) == ["gold failures"]
    assert "0 % right on 4 items" in worst["odd"].findings[0].sentence
    assert odd(gold=gold)["odd"].habits.gold == 1.0
    assert worst["good-0"].habits.gold > 0.7


def test_two_failed_gold_items_are_too_few():
    gold = {item: golden(item) for item in ITEMS[:2]}
    report = odd(
        lambda item: best_first(item)[::-1] if item in gold else best_first(item), gold=gold
    )
    assert warned(report["odd"]) == []


def test_who_contradicts_the_own_earlier_answers_is_self_inconsistent():
    again = [Ranking(item, "odd", best_first(item)[::-1]) for item in ITEMS[:4]]
    again += [Ranking(item, "good-0", best_first(item)) for item in ITEMS[:4]]
    reports = odd(repeats=again)
    assert (reports["odd"].habits.self_agreement, reports["odd"].habits.self_pairs) == (0.0, 24)
    assert warned(reports["odd"]) == ["self-inconsistent"]
    assert reports["good-0"].habits.self_agreement > 0.63


def test_the_same_two_completions_in_another_item_are_a_repeat_too():
    rankings = [
        Ranking("p", "ann", (("a",), ("b",), ("c",))),
        Ranking("q", "ann", (("b",), ("a",))),
        Ranking("r", "ann", (("b", "c"),)),
    ]
    [report] = labelers(rankings)
    # a > b was turned round, b > c became a tie.
    assert report.habits.self_pairs == 2
    assert report.habits.self_agreement == pytest.approx((0 + 0.5) / 2)


def test_shares_are_counted_over_answers_pairs_and_cards():
    rankings = [
        Ranking("p", "ann", (("a", "b"), ("c",)), ("d",)),
        Ranking("q", "ann", (("a", "b", "c", "d"),)),
    ]
    habits = labelers(rankings)[0].habits
    assert habits.straight == 0.5
    assert habits.tied == pytest.approx((1 / 6 + 6 / 6) / 2)
    assert habits.rejected == pytest.approx((1 / 4 + 0) / 2)


def test_ties_everywhere_are_warned_of_when_the_rest_agrees():
    rankings = [
        Ranking(item, f"r{n}", (best_first(item)[0], sum(best_first(item)[1:], ())))
        for item in ITEMS
        for n in range(3)
    ]
    found = labelers(rankings)
    assert [warned(report) for report in found] == [["tie-heavy"]] * 3
    assert not any(report.flagged for report in found)


def test_a_reversed_labeler_is_to_be_paused_and_asked_again_never_turned_round():
    report = odd(lambda item: best_first(item)[::-1])["odd"]
    [finding] = report.findings
    assert (finding.name, finding.flag, report.weight) == ("reversed", True, 0.0)
    assert "Pause them" in finding.advice
    assert "Never turn their answers round" in finding.advice
