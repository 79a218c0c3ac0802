"""Shares before and after: published intervals, exact p, one family."""

from __future__ import annotations

import numpy as np
import pytest

from humanalign.evaluate.honesty.telling import Measure, paired_shares, tell
from humanalign.evaluate.statistics import Undefined, wilson


def cells(both: int, gained: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """(before, after) with so many items right in both, only after, only before, in neither."""
    before = np.repeat([1.0, 0.0, 1.0, 0.0], [both, gained, lost, neither])
    return before, np.repeat([1.0, 1.0, 0.0, 0.0], [both, gained, lost, neither])


def test_the_difference_has_newcombes_published_interval():
    # Newcombe 1998 (Stat. Med. 17:2635), table III: 36, 12, 2, 0 of 50 -> 0.0569 to 0.3404.
    paired = paired_shares("x", *cells(36, 12, 2, 0), better="higher")
    found = paired.difference
    assert found.value == pytest.approx(0.2)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_p_is_mcnemars_exact():
    # 7 gained and 1 lost: 2 * (1 + 8) / 2^8.
    paired = paired_shares("x", *cells(10, 7, 1, 4), better="higher")
    assert paired.p == pytest.approx(2 * 9 / 256)


def test_equal_answers_leave_an_interval_that_is_not_empty():
    paired = paired_shares("x", *cells(12, 0, 0, 12), better="higher")
    assert (paired.difference.value, paired.p) == (0.0, 1.0)
    assert paired.difference.ci_low < 0 < paired.difference.ci_high


def test_each_side_has_wilsons_interval_and_the_family_holms_p():
    before, after = cells(5, 8, 0, 7)
    told = tell({name: Measure(after, before, share=True) for name in "ab"})
    assert told["a"]["before"] == wilson("a", 5, 20)
    assert told["a"]["p_holm"] == pytest.approx(2 * told["a"]["p"])
    assert told["a"]["verdict"] == "improved"
    assert told["a"]["better"] == "higher"


def test_one_item_gives_a_share_but_no_mean():
    told = tell({"share": Measure(np.ones(1), share=True), "mean": Measure(np.ones(1))})
    assert told["share"]["after"].n == 1
    assert isinstance(told["mean"]["after"], Undefined)
    assert told["share"]["better"] == "higher"
