"""The owner's summary: values, intervals, sentences and warnings for every kind of answer."""

import json
from itertools import combinations

import numpy as np
import pytest

from humanalign.prefer.statistics.agreement import krippendorff_alpha
from humanalign.prefer.statistics.explain import Figure, human_range
from humanalign.prefer.statistics.summary import Rated, Timed, summarise
from humanalign.types import Ranking, Rater
from prefer.ballots import pool

RANKINGS, _ = pool(["good"] * 4, prompts=40, seed=1, noise=0.6)
SUMMARY = summarise(RANKINGS)


def test_answers_items_and_raters_are_counted():
    assert (SUMMARY.kind, SUMMARY.answers, SUMMARY.items, SUMMARY.raters) == ("ranking", 120, 40, 4)
    assert [report.id for report in SUMMARY.labelers] == [f"good-{n}" for n in range(4)]


def test_raw_agreement_is_the_share_of_pairs_on_which_two_raters_agree():
    same = []
    for item in {r.comparison_id for r in RANKINGS}:
        orders = [r.completion_ids() for r in RANKINGS if r.comparison_id == item]
        for one, two in combinations(orders, 2):
            for a, b in combinations(one, 2):
                same.append(two.index(a) < two.index(b))
    found = SUMMARY.figure("pair_agreement")
    assert found.value == pytest.approx(np.mean(same))
    assert found.low < found.value < found.high
    assert found.n == 40


def test_every_figure_has_a_sentence_and_an_interval_or_a_reason():
    names = [each.name for each in (*SUMMARY.figures, *SUMMARY.time)]
    assert names == [
        *("pair_agreement", "alpha_pairs", "alpha_ranks", "tau_b", "kendall_w", "ac2_ranks"),
        *("ac1_rejected", "rejected_share", "tie_share"),
        *("median_seconds", "median_active", "median_per_card", "total_hours"),
    ]
    for each in (*SUMMARY.figures, *SUMMARY.time):
        assert each.sentence.endswith(".")
        assert each.reason or each.low is not None, each.name


def test_a_number_is_explained_in_its_own_sentence():
    value = SUMMARY.figure("pair_agreement").value
    assert (
        f"the same order {100 * value:.0f} % of the time"
        in SUMMARY.figure("pair_agreement").sentence
    )


def test_f_marks_that_nobody_gave_have_no_coefficient_but_a_share():
    assert SUMMARY.figure("ac1_rejected").value is None
    assert SUMMARY.figure("ac1_rejected").reason == "every mark is the same"
    share = SUMMARY.figure("rejected_share")
    # Wilson's upper bound of 0 of 40: z^2/(n + z^2).
    assert (share.value, share.low) == (0.0, pytest.approx(0.0, abs=1e-12))
    assert share.high == pytest.approx(3.8415 / 43.8415, abs=1e-4)


def test_a_project_without_a_second_rater_says_what_is_missing():
    alone = summarise([Ranking("p", "ann", (("a",), ("b",)))])
    agreed = alone.figure("pair_agreement")
    assert agreed.text() == "not defined"
    assert agreed.sentence == "Not defined yet: no item was judged by two labelers."
    assert alone.figure("tie_share").reason == "one item says nothing of the spread"
    assert summarise([]).answers == 0


def test_agreement_outside_of_what_people_reach_is_warned_of_for_helpfulness_only():
    assert human_range(0.70, "helpful") == ""
    assert "Less means unclear instructions" in human_range(0.55, "helpful")
    assert "not independent" in human_range(0.95, "helpful")
    assert human_range(0.95, "toxicity") == ""
    twice = [Ranking(r.comparison_id, f"copy-{r.rater_id}", r.tiers) for r in RANKINGS]
    copied = summarise([*RANKINGS, *twice])
    assert (copied.figure("pair_agreement").warning != "") == (
        copied.figure("pair_agreement").value > 0.77
    )


def test_times_are_medians_of_server_and_browser():
    first = RANKINGS[:9]
    timed = [
        Timed(r.comparison_id, r.rater_id, 60.0 + n, active=4.0 * n + 4)
        for n, r in enumerate(first)
    ]
    found = summarise(RANKINGS, answers=timed)
    # Of nine, the second and the eighth hold the median with 96 % (binomial).
    assert found.figure("median_seconds").text() == "64.0 s (61.0 to 67.0)"
    assert found.figure("median_active").value == 20.0
    assert found.figure("median_per_card").value == 5.0
    assert found.figure("total_hours").value == pytest.approx(sum(range(4, 40, 4)) / 3600)


def test_rankings_bring_their_own_seconds_where_no_times_are_given():
    rankings = [Ranking("p", f"r{n}", (("a",), ("b",)), seconds=10.0 * n) for n in range(1, 8)]
    assert summarise(rankings).figure("median_seconds").value == 40.0


def test_models_are_compared_by_wins_ties_counting_half():
    models = {"a": "tuned", "b": "base", "c": "tuned"}
    rankings = [
        Ranking("p", "r1", (("a",), ("b",))),
        Ranking("p", "r2", (("a",), ("b",))),
        Ranking("q", "r1", (("b", "c"),)),
        Ranking("q", "r2", (("b",), ("c",))),
        Ranking("s", "r2", (("a",), ("c",))),
    ]
    found = summarise(rankings, models=models)
    # a beats b twice, c ties and loses once: 2.5 of 4; a against c is one model's own.
    assert [each.model for each in found.models] == ["tuned", "base"]
    assert [each.rate.value for each in found.models] == [2.5 / 4, 1.5 / 4]
    [match] = found.matches
    assert (match.first, match.second, match.rate.value) == ("base", "tuned", 1.5 / 4)
    # Half a tie more: 2.75 wins to 1.75.
    assert found.models[0].strength == pytest.approx(np.log(2.75 / 1.75) / 2, abs=1e-6)


def test_contested_items_that_have_all_their_answers_come_last():
    ab, ba = (("a",), ("b",)), (("b",), ("a",))
    abc, cba = (("a",), ("b",), ("c",)), (("c",), ("b",), ("a",))
    # Three pairs that split tell more than one, but they have their answers.
    votes = {"full": [abc, cba, abc, cba], "open": [ab, ab, ba]}
    rankings = [
        Ranking(item, f"r{n}", tiers)
        for item, orders in votes.items()
        for n, tiers in enumerate(orders)
    ]
    sure = [Ranking(f"p{n}", f"r{k}", ab) for n in range(30) for k in range(4)]
    assert [e.item for e in summarise(rankings + sure).contested] == ["full", "open"]
    found = summarise(rankings + sure, contested_overlap=4)
    assert [(e.item, e.answers) for e in found.contested] == [("open", 3), ("full", 4)]


RATED = [
    Rated(f"p{n}", f"r{k}", {f"a{n}": 1 + (n + (k == 2) * (n % 2)) % 3})
    for n in range(30)
    for k in range(3)
]


def test_ratings_have_the_coefficients_of_marks():
    found = summarise(RATED)
    units = [[each.marks[f"a{n}"] for each in RATED if each.item == f"p{n}"] for n in range(30)]
    assert found.kind == "rating"
    for level in ("nominal", "ordinal"):
        expected = krippendorff_alpha(units, level).value
        assert found.figure(f"alpha_{level}").value == pytest.approx(expected)
    assert found.figure("mean_mark").value == pytest.approx(np.mean(np.concatenate(units)))


def test_the_agreement_of_two_ratings_is_the_share_of_cuts_with_both_on_one_side():
    apart = [Rated("p", "r1", {"a": 1}), Rated("p", "r2", {"a": 3})]
    near = [Rated("q", "r1", {"b": 2}), Rated("q", "r2", {"b": 3})]
    # 1 and 3 are apart at both cuts, 2 and 3 at one of two.
    assert summarise(apart + near).figure("mark_agreement").value == pytest.approx((0 + 0.5) / 2)


def test_thumbs_are_a_share_of_ups_and_a_thumbs_labeler_can_be_found_reversed():
    rng = np.random.default_rng(3)
    good = {n: int(rng.random() < 0.5) for n in range(40)}
    thumbs = [
        Rated(f"p{n}", f"r{k}", {f"a{n}": 1 - up if k == 3 else up})
        for n, up in good.items()
        for k in range(4)
    ]
    found = summarise(thumbs, scale=(0, 1))
    ups = np.mean([each.marks[f"a{each.item[1:]}"] for each in thumbs])
    assert found.figure("mean_mark").value == pytest.approx(ups)
    assert found.figure("mean_mark").percent
    assert [r.reason.split(":")[0] for r in found.labelers] == ["", "", "", "reversed"]


def test_a_rater_with_one_mark_for_everything_is_a_straight_line_where_others_differ():
    flat = [Rated(f"p{n}", "flat", {f"a{n}": 2}) for n in range(30)]
    report = {each.id: each for each in summarise(RATED + flat).labelers}["flat"]
    assert "straight line" in [finding.name for finding in report.findings]


def test_gold_thumbs_are_given_as_words_or_marks():
    thumbs = [Rated(f"p{n}", "ann", {f"a{n}": n % 2}) for n in range(4)]
    gold = {"p0": {"a0": "up"}, "p1": {"a1": "up"}, "p2": {"a2": 0}, "p3": {"a3": "down"}}
    [report] = summarise(thumbs, scale=(0, 1), gold=gold).labelers
    assert (report.habits.gold, report.habits.gold_items) == (0.5, 4)


def test_several_rated_completions_of_an_item_compare_models():
    rated = [Rated(f"p{n}", r, {f"a{n}": 3, f"b{n}": 1}) for n in range(3) for r in ("r1", "r2")]
    models = {f"{side}{n}": side for side in "ab" for n in range(3)}
    assert summarise(rated, models=models).models[0].model == "a"


def test_a_summary_is_the_same_for_every_order_of_the_answers_and_is_json():
    raters = {f"good-{n}": Rater(f"good-{n}", "rule") for n in range(4)}
    one = json.dumps(summarise(RANKINGS, raters=raters).as_dict())
    two = json.dumps(summarise(RANKINGS[::-1], raters=raters).as_dict())
    assert one == two
    assert '"kind": "rule"' in one


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ({"percent": True}, "72.6 % (70.0 to 75.0)"),
        ({"suffix": "s"}, "0.7 s (0.7 to 0.8)"),
        ({}, "0.726 (0.700 to 0.750)"),
    ],
)
def test_a_figure_reads_as_a_number_with_its_interval(kind, text):
    figure = Figure("f", "F", 0.726, 0.7, 0.75, 9, "items", "It is.", **kind)
    assert figure.text() == text
    assert figure.as_dict()["value"] == 0.726
