"""Ensembles: who disagrees and how far, by scipy and by hand; each member is asked once."""

from dataclasses import dataclass, field

import pytest
from scipy.stats import spearmanr

from humanalign.reward.combine import Ensemble, WeightedSum
from humanalign.reward.rules import rule_reward


@dataclass
class Says:
    """Gives the scores it was made with, and counts how often it is asked."""

    scores: list[float]
    calls: list[int] = field(default_factory=list)

    def score(self, prompts, completions):
        del prompts
        self.calls.append(len(completions))
        return self.scores


ROWS = ["p"] * 4, ["a", "b", "c", "d"]


def test_disagreement_is_the_standard_deviation_of_the_members_by_row():
    found = Ensemble((Says([1, 2, 3, 4]), Says([3, 2, 3, 0]))).disagreement(*ROWS)
    assert found.std == [1.0, 0.0, 0.0, 2.0]
    assert found.scores == [2.0, 2.0, 3.0, 2.0]


def test_rank_agreement_is_the_mean_of_spearmans_rho_over_pairs_of_members():
    columns = [[1.0, 2, 3, 4], [3.0, 2, 3, 0], [0.1, 0.1, 0.3, 0.2]]
    found = Ensemble(tuple(map(Says, columns))).disagreement(*ROWS).rank_agreement
    a, b, c = columns
    expected = sum(spearmanr(x, y).statistic for x, y in [(a, b), (a, c), (b, c)]) / 3
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_member_that_never_differs_has_no_rank_agreement():
    assert Ensemble((Says([1] * 4), Says([1, 2, 3, 4]))).disagreement(*ROWS).rank_agreement is None


def test_every_member_is_asked_once_for_scores_and_disagreement():
    members = Says([1, 2, 3, 4]), Says([3, 2, 3, 0])
    Ensemble(members, "pessimistic", 2.0).disagreement(*ROWS)
    assert [member.calls for member in members] == [[4], [4]]


def test_the_same_parts_have_one_identity_and_other_weights_another():
    part, other = rule_reward("length", {}), rule_reward("length", {"target": "3"})
    assert WeightedSum(((1.0, part),)).identity() == WeightedSum(((1.0, part),)).identity()
    found = {
        WeightedSum(((1.0, part),)).identity(),
        WeightedSum(((2.0, part),)).identity(),
        WeightedSum(((1.0, other),)).identity(),
        Ensemble((part, other)).identity(),
        Ensemble((part, other), "pessimistic", 1.0).identity(),
        Ensemble((part, other), "pessimistic", 2.0).identity(),
    }
    assert len(found) == 6
