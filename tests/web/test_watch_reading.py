"""metrics.jsonl as columns: read on as it grows, read anew when it was cut back, thinned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from watched_runs import append, make_run, steps

from humanalign.web.watch.folder import Folder, Place, opened
from humanalign.web.watch.lines import last_rows, rows_since
from humanalign.web.watch.series import Series, View
from humanalign.web.watch.thinning import thinned

POINTS = 100


@pytest.fixture
def place(tmp_path: Path) -> Place:
    make_run(tmp_path / "a", steps(1, 20))
    return next(iter(Folder(tmp_path).places().values()))


def rewards(view: View) -> dict[float, float]:
    curve = view.curves.get("align/reward")
    return dict(zip(curve.x.tolist(), curve.y.tolist(), strict=True)) if curve else {}


def on(series: Series, view: View) -> View:
    return series.look(view.edition, view.offset, POINTS)


def test_only_what_was_added_is_given_the_second_time(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    assert rewards(first) == {step: step / 10 for step in range(1, 21)}
    append(place.path, "metrics.jsonl", steps(21, 22))
    second = on(series, first)
    assert (second.whole, rewards(second)) == (False, {21: 2.1, 22: 2.2})
    assert on(series, second).curves == {}


def test_half_a_line_waits_for_its_end(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    line = json.dumps(steps(21, 21)[0]) + "\n"
    with (place.path / "metrics.jsonl").open("a") as file:
        file.write(line[:17])
        file.flush()
        second = on(series, first)
        assert (second.curves, second.offset, second.broken) == ({}, first.offset, 0)
        file.write(line[17:])
    assert rewards(on(series, second)) == {21: 2.1}


def test_a_run_that_was_rewound_is_given_whole_again(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    path = place.path / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:12]))
    append(place.path, "metrics.jsonl", [{"step": 13, "align/reward": -1.0}])
    second = on(series, first)
    assert second.whole
    assert rewards(second) == {**{step: step / 10 for step in range(1, 13)}, 13: -1.0}


def test_a_file_that_was_rewritten_at_the_same_length_is_given_whole_again(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    path = place.path / "metrics.jsonl"
    text = path.read_text()
    path.write_text(text.replace('"align/reward": 2.0', '"align/reward": 7.0'))
    assert path.stat().st_size == first.offset
    assert rewards(on(series, first))[20] == 7.0


def test_a_step_that_comes_again_takes_the_place_of_what_came_after_it(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    append(place.path, "metrics.jsonl", [{"step": 19, "align/reward": 9.0}])
    second = on(series, first)
    assert second.whole
    assert (max(rewards(second)), rewards(second)[19]) == (19, 9.0)


def test_damaged_lines_are_counted_and_the_others_read(place):
    with (place.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 21, "al\nnull\n1, 2\n{"no": 1}\n{"step": "x"}\n\n')
    append(place.path, "metrics.jsonl", steps(22, 22))
    view = Series(place).look("", 0, POINTS)
    assert view.broken == 5
    assert view.last_step == 22


@pytest.mark.parametrize("lines", ['{"step": 21},{"step": 22}\n', '{"step": 23, "l": [1\n2]}\n'])
def test_two_objects_on_a_line_and_one_over_two_lines_are_no_rows(place, lines):
    with (place.path / "metrics.jsonl").open("a") as file:
        file.write(lines)
    view = Series(place).look("", 0, POINTS)
    assert (view.last_step, view.broken) == (20, lines.count("\n"))


def test_what_is_no_finite_number_is_left_out_and_counted(place):
    append(place.path, "metrics.jsonl", [{"step": 21, "align/reward": float("nan")}])
    append(place.path, "metrics.jsonl", [{"step": 22, "align/reward": 1, "align/kl": 10**400}])
    view = Series(place).look("", 0, POINTS)
    assert view.holes == {"align/reward": 1, "align/kl": 1}
    assert 21 not in rewards(view)
    assert rewards(view)[22] == 1.0


def test_a_metric_that_begins_late_has_the_steps_it_was_seen_at(place):
    append(place.path, "metrics.jsonl", steps(21, 2000))
    append(place.path, "metrics.jsonl", [{"step": 2001, "monitor/gold": 3.0}])
    curve = Series(place).look("", 0, POINTS).curves["monitor/gold"]
    assert (curve.x.tolist(), curve.y.tolist()) == ([2001], [3.0])


def test_the_steps_between_two_are_given_finely(place):
    append(place.path, "metrics.jsonl", steps(21, 3000))
    view = Series(place).between(100, 150, POINTS)
    assert rewards(view) == {step: step / 10 for step in range(100, 151)}


def test_metrics_that_are_gone_leave_nothing_and_come_back(place):
    series = Series(place)
    first = series.look("", 0, POINTS)
    (place.path / "metrics.jsonl").unlink()
    second = on(series, first)
    assert (second.whole, second.curves, second.rows) == (True, {}, 0)
    append(place.path, "metrics.jsonl", steps(1, 2))
    assert len(rewards(on(series, second))) == 2


@pytest.mark.parametrize("n", [1, 99, 100, 101, 1999, 20_000])
def test_thinning_keeps_the_extremes_the_ends_and_the_mean(n):
    y = np.random.default_rng(n).normal(size=n)
    x = np.arange(1.0, n + 1)
    thin = thinned(x, y, POINTS)
    assert len(thin.x) <= POINTS
    assert (thin.low.min(), thin.high.max()) == (y.min(), y.max())
    assert (thin.x[0], thin.x[-1], thin.y[-1]) == (1, n, y[-1])
    assert (np.diff(thin.x) > 0).all()
    assert (thin.low <= thin.y + 1e-12).all()
    assert (thin.y <= thin.high + 1e-12).all()


def test_a_spike_of_one_step_in_20_000_is_still_in_the_picture():
    y = np.zeros(20_000)
    y[12_345] = 50.0
    thin = thinned(np.arange(20_000.0), y, 400)
    assert thin.high.max() == 50.0


def test_samples_are_read_on_from_where_reading_ended(place):
    append(place.path, "rollouts.jsonl", [{"step": n} for n in range(30)])
    first = last_rows(place, "rollouts.jsonl", 5)
    assert [row["step"] for row in first.rows] == [25, 26, 27, 28, 29]
    append(place.path, "rollouts.jsonl", [{"step": 30}])
    more = rows_since(place, "rollouts.jsonl", first.edition, first.offset, 5)
    assert (more.fresh, [row["step"] for row in more.rows]) == (False, [30])


def test_samples_that_were_rewound_begin_anew(place):
    append(place.path, "rollouts.jsonl", [{"step": n} for n in range(30)])
    first = last_rows(place, "rollouts.jsonl", 5)
    (place.path / "rollouts.jsonl").write_text('{"step": 0}\n')
    again = rows_since(place, "rollouts.jsonl", first.edition, first.offset, 5)
    assert (again.fresh, again.rows) == (True, [{"step": 0}])


def test_links_and_pipes_are_not_opened(tmp_path, place):
    import os

    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"step": 1}\n')
    (place.path / "rollouts.jsonl").symlink_to(secret)
    os.mkfifo(place.path / "samples.jsonl")
    assert opened(place, "rollouts.jsonl") is None
    assert opened(place, "samples.jsonl") is None


def test_folders_behind_links_are_not_walked(tmp_path):
    make_run(tmp_path / "elsewhere" / "run")
    make_run(tmp_path / "runs" / "deep" / "er" / "mine")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "runs" / "same").symlink_to(tmp_path / "runs" / "deep")
    places = Folder(tmp_path / "runs").places().values()
    assert [place.name for place in places] == ["deep/er/mine"]
