"""Poor labelers are found, named with a reason, and honest ones are left alone."""

import numpy as np
import pytest

from humanalign.prefer.display import order
from humanalign.prefer.statistics.labelers import labelers, weights_of
from humanalign.types import Comparison, Ranking, Rater
from prefer.ballots import pool

# Raw agreement near 73 %, as InstructGPT's labelers (arXiv:2203.02155).
NOISE = 0.6
BAD = ["good"] * 7 + ["reversed"] + ["random"] * 2


def reports(kinds, per_labeler, seed):
    rankings, _ = pool(kinds, prompts=per_labeler * len(kinds) // 3, seed=seed, noise=NOISE)
    return labelers(rankings)


def test_a_reversed_labeler_is_named_by_twelve_prompts_and_told_why():
    found = [r for seed in range(20) for r in reports(BAD, 12, seed) if "reversed" in r.id]
    assert sum(r.flagged for r in found) == 20
    named = [r.reason for r in found if r.flagged]
    assert sum("may have misread the instructions" in reason for reason in named) >= 18
    assert all(r.weight == 0 for r in found if r.flagged)


@pytest.mark.parametrize(("prompts", "share"), [(30, 0.85), (50, 0.95)])
def test_a_random_labeler_is_mostly_named_by_thirty_prompts_and_by_fifty(prompts, share):
    found = [r for seed in range(20) for r in reports(BAD, prompts, seed) if "random" in r.id]
    assert sum(r.flagged for r in found) >= share * len(found)


def test_honest_labelers_beside_poor_ones_are_not_flagged():
    found = [r for n in (12, 30) for seed in range(20) for r in reports(BAD, n, seed)]
    honest = [r for r in found if "good" in r.id]
    assert sum(r.flagged for r in honest) <= 0.01 * len(honest)


def test_honest_labelers_are_not_flagged():
    everyone = [r for n in (10, 30) for seed in range(10) for r in reports(["good"] * 10, n, seed)]
    assert sum(r.flagged for r in everyone) <= 0.01 * len(everyone)
    assert all(r.reason == "" for r in everyone if not r.flagged)


def test_nobody_is_flagged_on_fewer_than_ten_prompts():
    rankings, _ = pool(["good", "good", "reversed"], prompts=9, seed=0, noise=0.1)
    assert [r.flagged for r in labelers(rankings)] == [False] * 3
    rankings, _ = pool(["good", "good", "reversed"], prompts=10, seed=0, noise=0.1)
    assert [r.id for r in labelers(rankings) if r.flagged] == ["reversed-2"]


def habit(tiers_of):
    """Three honest labelers and one ("odd") whose answers come from `tiers_of`."""
    rankings, truth = pool(["good"] * 3, prompts=30, seed=5, noise=0.3)
    comparisons = [Comparison(p, tuple(ids)) for p, ids in truth.items()]
    renamed = {comparison.prompt_id: comparison.id for comparison in comparisons}
    rankings = [
        Ranking(renamed[r.comparison_id], r.rater_id, r.tiers, r.rejected) for r in rankings
    ]
    odd = [Ranking(c.id, "odd", *tiers_of(c)) for c in comparisons]
    return {r.id: r for r in labelers(rankings + odd, comparisons=comparisons)}["odd"]


@pytest.mark.parametrize(
    ("tiers_of", "reason"),
    [
        (lambda c: ((c.completion_ids,), ()), "straight line"),
        (lambda c: (tuple((i,) for i in order(c, "odd")), ()), "position"),
        (lambda c: ((c.completion_ids[:1],), c.completion_ids[1:]), "F-heavy"),
        (lambda c: ((c.completion_ids[:1], c.completion_ids[1:]), ()), "tie-heavy"),
        (lambda c: ((c.completion_ids[2:], c.completion_ids[:2]), ()), "random"),
    ],
)
def test_the_reason_of_a_flag_is_the_habit(tiers_of, reason):
    report = habit(tiers_of)
    assert report.flagged
    assert report.reason.startswith(reason)


def test_a_labelers_agreement_has_the_interval_of_its_mean_over_prompts():
    rankings, _ = pool(["good"] * 3, prompts=150, seed=4, noise=NOISE)
    found = labelers(rankings)[0].agreement
    orders = {}
    for r in rankings:
        orders.setdefault(r.comparison_id, {})[r.rater_id] = r.completion_ids()
    shares = []
    for by in orders.values():
        mine, others = by.pop("good-0"), by.values()
        pairs = [(a, b) for n, a in enumerate(mine) for b in mine[n + 1 :]]
        shares.append(np.mean([o.index(a) < o.index(b) for o in others for a, b in pairs]))
    half = 1.96 * np.std(shares) / 150**0.5
    assert found.value == pytest.approx(np.mean(shares))
    assert found.ci_low == pytest.approx(np.mean(shares) - half, abs=0.15 * half)
    assert found.ci_high == pytest.approx(np.mean(shares) + half, abs=0.15 * half)


def test_a_lone_rater_is_reported_without_agreement():
    rankings = [Ranking(f"p{n}", "ann", (("a",), ("b",))) for n in range(12)]
    [report] = labelers(rankings, {"ann": Rater("ann", "model")})
    assert (report.n, report.flagged, report.kind) == (0, False, "model")
    assert report.agreement.as_dict() == {"value": 0.5, "ci_low": 0.0, "ci_high": 1.0, "n": 0}
    assert report.tau is None


def test_weights_are_the_log_odds_of_a_prior_of_seven_in_ten():
    # Two raters, ten pairs, always alike: p = (7 + 10)/(10 + 10).
    rankings = [Ranking(f"p{n}", r, (("a",), ("b",))) for n in range(10) for r in ("ann", "bob")]
    expected = np.log(17 / 3)
    assert weights_of(rankings) == pytest.approx({"ann": expected, "bob": expected})


def test_weights_stay_between_zero_and_two():
    rankings, _ = pool(["good"] * 6 + ["reversed"], prompts=200, seed=3, noise=0.05)
    weights = weights_of(rankings)
    assert weights.pop("reversed-6") == 0.0
    assert set(weights.values()) == {2.0}


def test_where_nobody_keeps_a_weight_everybody_counts():
    # Two raters who always disagree: neither can be believed more than the other.
    rankings = [
        Ranking(f"p{n}", r, tiers)
        for n in range(40)
        for r, tiers in (("ann", (("a",), ("b",))), ("bob", (("b",), ("a",))))
    ]
    assert weights_of(rankings) == {"ann": 1.0, "bob": 1.0}
