"""Pictures and marked words: what is drawn is what was measured, and text stays text."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanalign.evaluate.report.card_charts import Mark
from humanalign.evaluate.report.charts import MOST_POINTS, curve, histogram, interval, number
from humanalign.evaluate.report.marked import flag, mark
from humanalign.evaluate.report.monitor_charts import Fit, Series, over_optimisation


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.3412, "0.341"),
        (-0.5, "−0.500"),
        (2.4249, "2.42"),
        (13.25, "13.2"),
        (99.96, "100.0"),
        (371.4, "371"),
        (1600, "1,600"),
        (12345.6, "12,346"),
        (0.00012, "0.00012"),
        (0.0000012, "1.2e−06"),
        (None, "–"),
        (float("nan"), "–"),
        (True, "–"),
        ("<b>", "–"),
    ],
)
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text


def test_the_highest_value_is_drawn_highest_and_the_last_one_rightmost():
    drawn = curve("c", "Reward", "", [1, 2, 3], [0.0, 5.0, 2.0])
    steps, values, x, y = zip(*drawn.points, strict=True)
    assert (steps, values) == ((1, 2, 3), (0, 5, 2))
    assert y[1] < y[2] < y[0]
    assert x[0] < x[1] < x[2]
    # equal steps stand at equal distances
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.11)


def test_grid_labels_stand_where_their_values_are():
    """The label's height must be that of a point with the label's value."""
    drawn = curve("c", "Clipped", "", [1, 2], [0.08, 0.19])
    labels = re.findall(r'y="([\d.]+)" text-anchor="end">(0\.\d+)</text>', str(drawn.svg))
    (_, low, _, y_low), (_, high, _, y_high) = drawn.points
    assert len(labels) >= 3
    for y, label in labels:
        expected = y_low + (float(label) - low) * (y_high - y_low) / (high - low)
        # 3.5 units down, so that the middle of the digits stands at the line
        assert float(y) - 3.5 == pytest.approx(expected, abs=0.3)


def test_the_thick_line_is_the_running_mean():
    drawn = curve("c", "Reward", "", range(60), [0.0, 1.0] * 30)
    heights = {value: y for _, value, _, y in drawn.points}
    thick = re.search(r'class="line" points="([^"]+)"', str(drawn.svg)).group(1).split()
    # four steps, two of them 0 and two 1: the middle of the line lies half way
    half = (heights[0.0] + heights[1.0]) / 2
    assert float(thick[30].split(",")[1]) == pytest.approx(half, abs=0.15)


def test_a_long_curve_is_thinned_to_means():
    values = np.arange(1000, dtype=float)
    drawn = curve("c", "Reward", "", range(1000), values)
    assert len(drawn.points) <= MOST_POINTS
    assert drawn.points[0][1] == pytest.approx(values[:3].mean())
    assert drawn.points[-1][:2] == (999.0, 999.0)
    assert drawn.note == "each point is the mean of 3 steps"


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [-3.0, -3.0], [1e-9, 2e-9], [1e9, 3e9]])
def test_a_flat_or_extreme_curve_stays_inside_its_frame(values):
    drawn = curve("c", "x", "", range(len(values)), values)
    assert all(42 <= x <= 292 and 22 <= y <= 144 for _, _, x, y in drawn.points)
    assert "nan" not in drawn.svg


def test_a_metric_name_cannot_become_markup():
    drawn = curve("c", '"><script>alert(1)</script>', "", [1], [1.0])
    assert "<script" not in drawn.svg
    assert "&lt;script" in drawn.svg


def test_bars_of_both_sides_share_one_scale():
    """60 of 100 before and 30 of 100 after in the first bin: the bars are 2 to 1."""
    svg = str(histogram([0.01] * 60 + [0.99] * 40, [0.01] * 30 + [0.99] * 70, "toxicity"))
    tall = {
        side: [float(h) for h in re.findall(rf'class="{side}"[^/]*? height="([\d.]+)"', svg)]
        for side in ("before", "after")
    }
    assert tall["before"][0] == pytest.approx(2 * tall["after"][0], abs=0.15)
    assert tall["after"][-1] == pytest.approx(96.0)
    feet = re.findall(r'class="before"[^/]*? y="([\d.]+)"[^/]*? height="([\d.]+)"', svg)
    assert all(float(y) + float(height) == pytest.approx(120.0, abs=0.11) for y, height in feet)
    assert sum(h > 0 for h in tall["before"]) == 2


def test_an_alert_is_flagged_at_its_step_and_told_to_those_who_cannot_see():
    drawn = curve("c", "KL", "", [0, 10, 20], [0.0, 1.0, 2.0], unit="nats", alerts=[5, 99])
    at = [float(x) for x in re.findall(r'class="alert"><line x1="([\d.]+)"', str(drawn.svg))]
    # half way between the first two points; step 99 is outside
    assert at == [pytest.approx((drawn.points[0][2] + drawn.points[1][2]) / 2, abs=0.1)]
    assert "alerts at step 5" in drawn.svg
    assert ">nats</text>" in drawn.svg


def test_over_optimisation_draws_the_fit_where_the_formula_lies():
    """start 0, alpha 1, beta 1: d(1 - log d) is 1 at d = 1, its highest."""
    points = tuple((d, Mark(v, v - 0.1, v + 0.1)) for d, v in ((0.0, 0.0), (1.0, 1.0), (2.0, 0.5)))
    svg = str(over_optimisation([Series("after", points)], Fit(0, 1, 1), 1.0, "label"))
    line = re.search(r'class="ideal" points="([^"]+)"', svg).group(1).split()
    drawn = [tuple(map(float, point.split(","))) for point in line]
    top = min(drawn, key=lambda point: point[1])
    chosen = float(re.search(r'class="chance" x1="([\d.]+)"', svg).group(1))
    assert top[0] == pytest.approx(chosen, abs=3)


def test_an_interval_that_covers_zero_is_drawn_across_the_zero_line():
    svg = str(interval(0.1, -0.2, 0.4, (-1, 1)))
    low, high = map(float, re.search(r'whisker after" x1="([\d.]+)" x2="([\d.]+)"', svg).groups())
    zero = float(re.search(r'zero" x1="([\d.]+)"', svg).group(1))
    assert low < zero < high
    assert zero == pytest.approx(60.0)


TEXTS = st.text(st.sampled_from("ab \n\t.é"), max_size=30)


@given(TEXTS, TEXTS)
def test_marked_pieces_are_the_texts_to_the_letter(before, after):
    left, right, share = mark(before, after)
    assert "".join(piece.text for piece in left) == before
    assert "".join(piece.text for piece in right) == after
    assert 0 <= share <= 1


def test_only_the_words_that_differ_are_marked():
    left, right, share = mark("Ann is an idiot today.", "Ann is a friend today.")
    assert [piece.text for piece in left if piece.changed] == ["an idiot"]
    assert [piece.text for piece in right if piece.changed] == ["a friend"]
    # 3 of 5 words on each side are the same, and the full stop
    assert share == pytest.approx(1 - 2 * 4 / 12)


def test_unsupported_spans_cut_the_pieces_and_end_once():
    left, _, _ = mark("Ann met Zed in Rome", "Ann met Bob in Rome")
    found = flag(left, [[4, 11, "claim"], [15, 19, "name"], [15, 99, "beyond"], ["a", 2, "x"]])
    assert "".join(piece.text for piece in found) == "Ann met Zed in Rome"
    assert [(p.text, p.changed, p.kind, p.last) for p in found if p.kind] == [
        ("met", False, "claim", False),
        (" ", False, "claim", False),
        ("Zed", True, "claim", True),
        ("Rome", False, "name", True),
    ]


def test_the_same_text_is_not_marked():
    left, right, share = mark("the same\nwords ", "the same\nwords ")
    assert not any(piece.changed for piece in left + right)
    assert share == 0
