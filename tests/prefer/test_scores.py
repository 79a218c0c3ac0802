"""Scores of items: choix's and evalica's golden values, and likelihoods climbed another way."""

import csv
import json

import numpy as np
import pytest
from scipy.optimize import minimize

from humanalign.errors import DataError
from humanalign.prefer.statistics import duels
from humanalign.prefer.statistics.scores import (
    choices_of_pairs,
    choices_of_rankings,
    rank_centrality,
    spectral_strengths,
    strengths,
)

CLOSE = 1e-6
OUTCOME = {"left": 1.0, "right": 0.0, "tie": 0.5}


def golden(shared, name):
    with (shared / "data" / "evalica" / f"{name}.csv").open() as file:
        played = [(r["left"], r["right"], OUTCOME[r["winner"]]) for r in csv.DictReader(file)]
    scores = {}
    with (shared / "data" / "evalica" / f"{name}-golden.csv").open() as file:
        for row in csv.DictReader(file):
            scores.setdefault(row["algorithm"], {})[row["item"]] = float(row["score"])
    return played, scores


@pytest.mark.parametrize("name", ["food", "simple"])
@pytest.mark.parametrize(
    "method",
    ["average_win_rate", "bradley_terry", "counting", "eigen", "elo", "newman", "pagerank"],
)
def test_duel_scores_are_evalicas(shared, name, method):
    played, scores = golden(shared, name)
    assert getattr(duels, method)(played) == pytest.approx(scores[method], abs=CLOSE)


def choix(shared, name):
    text = (shared / "data" / "choix" / f"testcase-{name}-1.json").read_text()
    return json.loads(text)


def by_number(found):
    return [found[str(number)] for number in range(len(found))]


def test_strengths_from_pairs_are_choixs(shared):
    case = choix(shared, "pairwise")
    pairs = [(str(a), str(b)) for a, b in case["data"]]
    choices = choices_of_pairs(pairs)
    assert by_number(strengths(choices)) == pytest.approx(case["ml_est"], abs=CLOSE)
    assert by_number(spectral_strengths(choices)) == pytest.approx(case["lsr_est"], abs=CLOSE)
    assert by_number(rank_centrality(pairs)) == pytest.approx(case["rc_est"], abs=CLOSE)


@pytest.mark.parametrize("name", ["rankings", "top1"])
def test_strengths_from_rankings_and_best_of_lists_are_choixs(shared, name):
    case = choix(shared, name)
    if name == "rankings":
        choices = choices_of_rankings([[str(each) for each in row] for row in case["data"]])
    else:
        choices = [(str(best), tuple(map(str, rest))) for best, rest in case["data"]]
    assert by_number(strengths(choices)) == pytest.approx(case["ml_est"], abs=CLOSE)
    assert by_number(spectral_strengths(choices)) == pytest.approx(case["lsr_est"], abs=CLOSE)


def climbed(choices, names):
    """The maximum of the Plackett-Luce likelihood by a general optimizer."""
    number = {name: place for place, name in enumerate(names)}
    sets = [[number[winner], *(number[each] for each in rest)] for winner, rest in choices]

    def loss(x):
        return sum(np.logaddexp.reduce(x[each]) - x[each[0]] for each in sets)

    x = minimize(loss, np.zeros(len(names)), options={"gtol": 1e-9}).x
    return dict(zip(names, x - x.mean(), strict=True))


def test_plackett_luce_is_at_the_top_of_its_likelihood():
    rng = np.random.default_rng(0)
    names = list("abcde")
    seen = np.arange(5) + 3 * rng.gumbel(size=(60, 5))
    choices = choices_of_rankings([[names[k] for k in row] for row in np.argsort(-seen)])
    assert strengths(choices) == pytest.approx(climbed(choices, names), abs=1e-4)


def test_bradley_terry_of_duels_is_at_the_top_of_its_likelihood_too():
    rng = np.random.default_rng(1)
    meetings = [rng.choice(list("abcd"), 2, replace=False).tolist() for _ in range(80)]
    played = [(a, b, int(rng.integers(2))) for a, b in meetings]
    choices = choices_of_pairs([(a, b) if won else (b, a) for a, b, won in played])
    weights = duels.bradley_terry([(a, b, float(won)) for a, b, won in played])
    logs = {name: np.log(weight) for name, weight in weights.items()}
    mean = np.mean(list(logs.values()))
    expected = climbed(choices, list("abcd"))
    assert {n: v - mean for n, v in logs.items()} == pytest.approx(expected, abs=1e-4)


def test_spectral_strengths_of_two_items_are_the_log_odds_of_the_wins():
    choices = choices_of_pairs([("a", "b")] * 3 + [("b", "a")])
    expected = {"a": np.log(3) / 2, "b": -np.log(3) / 2}
    assert spectral_strengths(choices) == pytest.approx(expected)
    assert strengths(choices) == pytest.approx(expected)


def test_rank_centrality_looks_at_shares_not_at_how_often_two_met():
    few = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("a", "c"), ("a", "c"), ("c", "a")]
    assert rank_centrality(few) == pytest.approx(rank_centrality(few + few[:2] * 50))


def test_an_item_that_never_loses_is_refused_by_name_unless_a_prior_holds_it():
    choices = choices_of_pairs([("a", "b"), ("b", "c"), ("c", "b")])
    with pytest.raises(DataError, match="between 'a' and 'b', so one would be infinitely strong"):
        strengths(choices)
    held = strengths(choices, prior=0.1)
    # b and c beat each other once; b lost to a besides.
    assert held["a"] > held["c"] > held["b"]
    assert strengths([]) == {}


def test_a_prior_of_ties_holds_an_unbeaten_item_of_duels():
    # One win and half a tie: 1.25 wins to .25.
    weights = duels.bradley_terry([("a", "b", 1.0)], prior=0.5)
    assert weights == pytest.approx({"a": 1.25 / 1.5, "b": 0.25 / 1.5})
