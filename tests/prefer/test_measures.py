"""Coefficients from flat arrays: equal to those of lists, to scipy's and to published values."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from humanalign.prefer.statistics import measures
from humanalign.prefer.statistics.agreement import gwet_ac1, gwet_ac2, kendall_w, krippendorff_alpha
from humanalign.prefer.statistics.bootstrap import Sums, intervals
from humanalign.prefer.statistics.votes import levels, marks_of, votes_in
from humanalign.types import Ranking
from prefer.ballots import pool
from prefer.test_agreement import UNITS

EXACT = 1e-12


def mixed(seed=0, prompts=40):
    """A pool's rankings with some ties and F marks."""
    rng = np.random.default_rng(seed)
    rankings = []
    for each in pool(["good"] * 5 + ["random"], prompts=prompts, seed=seed)[0]:
        tiers = list(each.tiers)
        if rng.random() < 0.3:
            tiers = [tiers[0] + tiers[1], *tiers[2:]]
        rejected = tiers.pop() if rng.random() < 0.3 else ()
        rankings.append(Ranking(each.comparison_id, each.rater_id, tuple(tiers), rejected))
    return rankings


RANKINGS = mixed()
MARKS = marks_of(RANKINGS)
VOTES = votes_in(MARKS)
TABLES = {}
for ranking in RANKINGS:
    TABLES.setdefault(ranking.comparison_id, []).append(ranking)


def units(value):
    """value(ranking, completion id) of every rater, by comparison and completion."""
    found = {}
    for ranking in RANKINGS:
        for name in ranking.completion_ids():
            found.setdefault((ranking.comparison_id, name), []).append(value(ranking, name))
    return list(found.values())


def rows():
    """The raters' levels of each comparison, completions in one order."""
    for table in TABLES.values():
        names = sorted(table[0].completion_ids())
        yield [[levels(ranking)[name] for name in names] for ranking in table]


def test_alpha_of_ranks_is_that_of_the_list_of_levels():
    ranks = measures.units_of(MARKS, MARKS.level, 5)
    expected = krippendorff_alpha(units(lambda r, c: levels(r)[c]), "ordinal").value
    found = measures.alpha_of(ranks, np.arange(5), "ordinal")
    assert found.value() == pytest.approx(expected, abs=EXACT)
    assert found.n == 40


def test_alpha_of_pairs_is_that_of_the_list_of_signs():
    signs = {}
    for ranking in RANKINGS:
        mark = levels(ranking)
        for a, b in combinations(sorted(mark), 2):
            sign = int(np.sign(mark[b] - mark[a]))
            signs.setdefault((ranking.comparison_id, a, b), []).append(sign)
    expected = krippendorff_alpha(list(signs.values()), "nominal").value
    found = measures.alpha_of(measures.pair_units(VOTES), np.array([-1, 0, 1]), "nominal")
    assert found.value() == pytest.approx(expected, abs=EXACT)


def test_mean_tau_b_is_the_mean_of_scipys_over_every_two_raters_of_an_item():
    taus = []
    for table in rows():
        for a, b in combinations(table, 2):
            if len(set(a)) > 1 and len(set(b)) > 1:
                taus.append(kendalltau(a, b).statistic)
    assert measures.mean_tau_b(VOTES).value() == pytest.approx(np.mean(taus), abs=EXACT)


def test_mean_kendall_w_is_the_mean_over_items():
    # Kendall's identity on the items without ties: W = (1 + (m - 1) mean Spearman) / m.
    values = [kendall_w(table).value for table in rows()]
    assert measures.mean_kendall_w(MARKS, VOTES).value() == pytest.approx(np.mean(values))
    untied = [table for table in rows() if all(len(set(each)) == 4 for each in table)]
    assert untied
    for table in untied:
        rho = np.mean([spearmanr(a, b).statistic for a, b in combinations(table, 2)])
        assert kendall_w(table).value == pytest.approx((1 + 2 * rho) / 3)


def test_gwets_coefficients_are_those_of_the_lists():
    rejected = measures.units_of(MARKS, MARKS.rejected.astype(int), 2)
    expected = gwet_ac1(units(lambda r, c: c in r.rejected)).value
    assert measures.gwet_of(rejected, np.eye(2)).value() == pytest.approx(expected, abs=EXACT)
    ranks = measures.units_of(MARKS, MARKS.level, 4)
    expected = gwet_ac2(units(lambda r, c: levels(r)[c])).value
    found = measures.gwet_of(ranks, measures.ordinal_weights(4)).value()
    assert found == pytest.approx(expected, abs=EXACT)


def test_gwets_coefficients_of_krippendorffs_table_are_the_published_ones():
    # His example of four raters (cac.raw4raters in the R package irrCAC) is the same table.
    assert gwet_ac1(UNITS).value == pytest.approx(0.77544, abs=5e-6)
    assert gwet_ac2(UNITS).value == pytest.approx(0.89894, abs=5e-6)
    assert gwet_ac2([[1, 1], [1]]).reason == "every value is 1"


def test_shares_of_f_and_of_ties_are_those_counted_one_by_one():
    failed = sum(len(r.rejected) for r in RANKINGS)
    assert measures.rejected_share(MARKS).value() == pytest.approx(failed / (4 * len(RANKINGS)))
    pairs = tied = 0
    for ranking in RANKINGS:
        mark = {c: n for n, tier in enumerate(ranking.tiers) for c in tier}
        for a, b in combinations(mark, 2):
            pairs += 1
            tied += mark[a] == mark[b]
    assert measures.tie_share(MARKS, VOTES).value() == pytest.approx(tied / pairs)


def test_an_interval_does_not_depend_on_the_order_of_the_answers():
    def found(rankings):
        marks = marks_of(rankings)
        ranks = measures.units_of(marks, marks.level, 5)
        return intervals([measures.alpha_of(ranks, np.arange(5), "ordinal")])

    assert found(RANKINGS) == found(RANKINGS[::-1])


def test_the_interval_of_a_mean_is_as_wide_as_the_normal_one():
    values = np.random.default_rng(1).normal(size=3_000)
    sums = Sums(np.column_stack([values, np.ones(3_000)]), lambda s: s[..., 0] / s[..., 1], 3_000)
    [(low, high)] = intervals([sums])
    half = 1.96 * values.std() / 3_000**0.5
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_what_is_undefined_in_many_resamples_has_no_interval():
    # Only one of three comparisons says anything: a third of the resamples hold nothing.
    rows = np.array([[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])

    def formula(sums):
        with np.errstate(invalid="ignore"):
            return sums[..., 0] / sums[..., 1]

    assert intervals([Sums(rows, formula, 2)]) == [None]
    assert intervals([Sums(rows[:1], formula, 1)]) == [None]


@pytest.mark.slow
def test_95_percent_of_the_intervals_of_every_coefficient_hold_the_truth():
    noise, items = 0.8, 120
    # Concordance of normal scores that correlate by r is 1/2 + asin(r)/pi (Kendall), and
    # Spearman's rho of four of them follows from the two correlations (Moran 1948).
    r = 1 / (1 + noise**2)
    agree = 0.5 + np.arcsin(r) / np.pi
    rho = 3 / (4 + 1) * (2 / np.pi * np.arcsin(r) + (4 - 2) * 2 / np.pi * np.arcsin(r / 2))
    truth = {"pairs": agree, "alpha": 2 * agree - 1, "tau": 2 * agree - 1, "w": (1 + 2 * rho) / 3}
    held = dict.fromkeys(truth, 0)
    for seed in range(500):
        rankings, _ = pool(["good"] * 3, prompts=items, seed=seed, noise=noise)
        marks = marks_of(rankings)
        votes = votes_in(marks)
        signs = np.array([-1, 0, 1])
        sums = [
            measures.pair_agreement(votes),
            measures.alpha_of(measures.pair_units(votes), signs, "nominal"),
            measures.mean_tau_b(votes),
            measures.mean_kendall_w(marks, votes),
        ]
        for name, (low, high) in zip(truth, intervals(sums, seed=seed), strict=True):
            held[name] += low <= truth[name] <= high
    assert all(0.93 <= count / 500 <= 0.97 for count in held.values()), held
