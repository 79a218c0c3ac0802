"""Consensus: weights beat plain counting, Kemeny is exact, ties and F marks are honest."""

import time
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from humanalign.errors import DataError
from humanalign.prefer.statistics.agreement import agreement
from humanalign.prefer.statistics.consensus import METHODS, consensus
from humanalign.prefer.statistics.crowd import _nodes, crowd_scores, negative_log_posterior
from humanalign.prefer.statistics.votes import levels, votes_of
from humanalign.types import Ranking
from prefer.ballots import pool

BAD = ["good"] * 7 + ["reversed"] + ["random"] * 2


def recovered(agreed, truth):
    """The share of true pairs that a consensus orders rightly, a tie counting 1/2."""
    marks = []
    for each in agreed:
        scores, mark = truth[each.ranking.comparison_id], levels(each.ranking)
        for a, b in combinations(scores, 2):
            lean = np.sign(mark[b] - mark[a]) * np.sign(scores[a] - scores[b])
            marks.append((1 + lean) / 2)
    return float(np.mean(marks))


def simulated(kinds, method="borda", weights=None, seeds=4):
    shares = []
    for seed in range(seeds):
        rankings, truth = pool(kinds, prompts=300, seed=seed)
        shares.append(recovered(consensus(rankings, method=method, weights=weights), truth))
    return float(np.mean(shares))


def test_weights_recover_what_bad_labelers_spoil():
    plain, weighted = simulated(BAD, weights={}), simulated(BAD)
    assert 0.71 < plain < 0.77
    assert 0.79 < weighted < 0.84
    assert weighted - plain > 0.05


def test_weights_cost_a_clean_pool_next_to_nothing():
    clean = ["good"] * 10
    assert simulated(clean) > simulated(clean, weights={}) - 0.01


@pytest.mark.parametrize("method", ["kemeny", "bradley-terry"])
def test_the_other_methods_withstand_bad_labelers_too(method):
    assert simulated(BAD, method) > simulated(BAD, weights={}) + 0.03


def test_borda_of_three_rankings_counted_by_hand():
    rankings = [
        Ranking("p", "ann", (("a",), ("b",), ("c",))),
        Ranking("p", "bob", (("a",), ("c",), ("b",))),
        Ranking("p", "cid", (("b",), ("a",), ("c",))),
    ]
    [agreed] = consensus(rankings, weights={})
    # Wins: a 2+2+1, b 1+0+2, c 0+1+0; votes: ab 2-1, ac 3-0, bc 2-1.
    assert agreed.ranking == Ranking("p", "consensus", (("a",), ("b",), ("c",)))
    assert agreed.margins == pytest.approx({("a", "b"): 1 / 3, ("a", "c"): 1, ("b", "c"): 1 / 3})
    assert agreed.contested == (("a", "b"), ("b", "c"))
    assert agreed.raters == ("ann", "bob", "cid")


def test_a_lead_of_less_than_the_lightest_vote_is_a_tie():
    rankings = [Ranking("p", "ann", (("a",), ("b",))), Ranking("p", "bob", (("b",), ("a",)))]
    [near] = consensus(rankings, weights={"ann": 1.5, "bob": 1.0})
    assert near.ranking.tiers == (("a", "b"),)
    assert near.contested == (("a", "b"),)
    [far] = consensus(rankings, weights={"ann": 2.0, "bob": 0.9})
    assert far.ranking.tiers == (("a",), ("b",))
    assert far.margins == pytest.approx({("a", "b"): 1.1 / 2.9})


@pytest.mark.parametrize("method", METHODS)
def test_one_rater_alone_is_followed(method):
    ranking = Ranking("p", "ann", (("c",), ("a", "d")), ("b",))
    [agreed] = consensus([ranking], method=method)
    assert agreed.ranking == Ranking("p", "consensus", (("c",), ("a", "d")), ("b",))


@pytest.mark.parametrize("method", METHODS)
def test_what_most_of_the_weight_marks_f_is_rejected(method):
    rankings = [
        Ranking("p", "ann", (("a",), ("b",)), ("c",)),
        Ranking("p", "bob", (("a",), ("b",)), ("c",)),
        Ranking("p", "cid", (("c",), ("a",)), ("b",)),
    ]
    [agreed] = consensus(rankings, method=method, weights={})
    assert agreed.ranking.rejected == ("c",)
    assert agreed.ranking.tiers == (("a",), ("b",))
    [heavy] = consensus(rankings, method=method, weights={"cid": 9.0})
    assert heavy.ranking.rejected == ("b",)


def test_kemeny_breaks_the_fewest_votes_of_all_orders():
    rng = np.random.default_rng(7)
    for case in range(20):
        ids = "abcdef"[: rng.integers(2, 7)]
        voters = [
            Ranking("p", f"r{k}", tuple((ids[i],) for i in rng.permutation(len(ids))))
            for k in range(5)
        ]

        def broken(order, voters=voters):
            marks = [levels(voter) for voter in voters]
            return sum(m[a] > m[b] for m in marks for a, b in combinations(order, 2))

        [agreed] = consensus(voters, method="kemeny", weights={})
        # Five voters leave no pair undecided, so nothing is tied.
        order = agreed.ranking.completion_ids()
        assert broken(order) == min(broken(each) for each in permutations(ids)), case


def test_kemeny_says_where_its_limit_is():
    ids = "abcdefgh"
    with pytest.raises(DataError, match="8 completions are too many, the limit is 7; use borda"):
        consensus([Ranking("p", "ann", tuple((c,) for c in ids))], method="kemeny")
    with pytest.raises(DataError, match="got 'kemmeny'; did you mean 'kemeny'"):
        consensus([], method="kemmeny")


def test_the_gradient_of_crowd_bradley_terry_is_the_numerical_one():
    rankings, _ = pool(["good", "reversed", "random"], prompts=3, seed=0)
    votes = votes_of(rankings)
    nodes, first, second = _nodes(votes)
    x = np.random.default_rng(1).normal(size=len(nodes) + 3)
    _, gradient = negative_log_posterior(x, votes, first, second)
    numerical = approx_fprime(x, lambda at: negative_log_posterior(at, votes, first, second)[0])
    np.testing.assert_allclose(gradient, numerical, atol=1e-5)


def test_crowd_scores_of_a_clear_winner():
    scores = crowd_scores([Ranking("p", r, (("a",), ("b",))) for r in ("ann", "bob")])
    assert scores["p", "a"] == pytest.approx(-scores["p", "b"], abs=1e-4)
    assert scores["p", "a"] > 0.2


@pytest.mark.parametrize("method", METHODS)
def test_the_consensus_does_not_depend_on_the_order_of_the_rankings(method):
    rankings, _ = pool(BAD, prompts=40, seed=4)
    by_id = {c.ranking.comparison_id: c for c in consensus(rankings, method=method)}
    shuffled = [rankings[k] for k in np.random.default_rng(0).permutation(len(rankings))]
    assert {c.ranking.comparison_id: c for c in consensus(shuffled, method=method)} == by_id


def test_an_empty_pool_has_no_consensus():
    assert [consensus([], method=method) for method in METHODS] == [[], [], []]


@pytest.mark.slow
def test_ten_thousand_prompts_of_five_raters_take_less_than_twenty_seconds():
    rankings, _ = pool(["good"] * 5, prompts=10_000, seed=0, overlap=5)
    start = time.process_time()
    first = consensus(rankings)
    agreement(rankings)
    assert time.process_time() - start < 20
    assert consensus(rankings) == first
