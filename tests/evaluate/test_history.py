"""The trend: like beside like, and one sentence where nothing is alike."""

import json

import pytest

from humanalign.errors import DataError
from humanalign.evaluate.history import trends
from humanalign.evaluate.history_page import drawn, page
from humanalign.evaluate.told import lines


def told(value):
    return {"after": {"value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "n": 50}}


def write(
    root, name, value, *, prompts="p", sampling="s", scorer="t", status="finished", **summary
):
    folder = root / name
    folder.mkdir(parents=True)
    terms = {"version": 1, "prompts": prompts, "sampling": sampling}
    terms["scorers"] = {"toxicity": scorer, "reward": f"reward of {name}"}
    record = {
        "stage": "evaluate",
        "id": f"evaluate-{name}",
        "status": status,
        "started": f"2026-01-0{len(list(root.iterdir()))}T10:00",
        "summary": {
            "policy": "m",
            "model": f"runs/{name}",
            "toxicity": {**told(value), "better": "lower"},
            "scorers": {"reward": told(value)},
            "length": told(12.0 + value),
            "comparable": terms,
            **summary,
        },
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def series(history):
    return {t.metric: [(at, p["value"]) for at, p in t.points] for t in history.trends}


def test_runs_on_the_same_terms_make_a_trend_in_the_order_of_time(tmp_path):
    for name, value in (("b", 0.4), ("a", 0.2), ("c", 0.1)):
        write(tmp_path, name, value)
    found = series(trends(tmp_path))
    assert found["toxicity"] == [(0, 0.4), (1, 0.2), (2, 0.1)]
    assert found["length"] == [(0, 12.4), (1, 12.2), (2, 12.1)]


def test_each_scorer_is_compared_with_itself_only(tmp_path):
    """The reward of each run is another one; toxicity and length are the same everywhere."""
    write(tmp_path, "a", 0.4)
    write(tmp_path, "b", 0.2)
    assert set(series(trends(tmp_path))) == {"toxicity", "length"}


def test_other_prompts_or_another_toxicity_leave_a_run_out(tmp_path):
    write(tmp_path, "a", 0.4)
    write(tmp_path, "other", 0.9, prompts="q")
    write(tmp_path, "b", 0.2)
    write(tmp_path, "c", 0.1, scorer="another")
    history = trends(tmp_path)
    found = series(history)
    assert found["toxicity"] == [(0, 0.4), (2, 0.2)]
    assert [at for at, _ in found["length"]] == [0, 2, 3]
    assert [run.path.name for run in history.alone] == ["other"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompts": "q"}, "differ in prompts, scorer reward;"),
        ({"sampling": "z"}, "differ in sampling, scorer reward;"),
        ({"prompts": "q", "scorer": "u"}, "differ in prompts, scorer reward, scorer toxicity;"),
    ],
)
def test_where_nothing_is_alike_the_sentence_names_what_differs(tmp_path, change, said):
    write(tmp_path, "a", 0.4)
    write(tmp_path, "b", 0.2, **change)
    with pytest.raises(DataError, match=said):
        trends(tmp_path)


def test_unfinished_and_older_evaluations_do_not_count(tmp_path):
    write(tmp_path, "a", 0.4)
    write(tmp_path, "b", 0.2, status="running")
    write(tmp_path, "c", 0.2, comparable=None)
    with pytest.raises(DataError, match="holds 1 finished evaluations"):
        trends(tmp_path)


def test_a_copy_of_a_run_is_no_second_point(tmp_path):
    folder = write(tmp_path, "a", 0.4)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "run.json").write_text((folder / "run.json").read_text())
    with pytest.raises(DataError, match="holds 1 finished"):
        trends(tmp_path)


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"stage": "evaluate", "summary": null}'])
def test_a_file_that_is_no_run_is_passed_over_and_named(tmp_path, text):
    for name in "ab":
        write(tmp_path, name, 0.4)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/run.json").write_text(text)
    found = trends(tmp_path)
    assert [path.name for path in found.damaged] == ["odd"]
    said = "\n".join(lines({**found.summary(), "page": "history.html"}))
    assert f"Passed over, as run.json is damaged or no run: {tmp_path / 'odd'}" in said


def test_red_teams_of_the_same_terms_make_a_trend(tmp_path):
    for name, value in (("a", 0.4), ("b", 0.2)):
        terms = {"version": 1, "id": "red"}
        path = write(tmp_path, name, 0.4, comparable=terms, attack_success=told(value))
        record = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**record, "stage": "redteam"}))
    assert series(trends(tmp_path))["attack success"] == [(0, 0.4), (1, 0.2)]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        trends(tmp_path / "nowhere")


def test_a_suite_is_compared_by_its_own_file_whatever_the_prompts(tmp_path):
    for name, prompts in (("a", "p"), ("b", "q")):
        terms = {"version": 1, "prompts": prompts, "sampling": "s", "scorers": {"hhh": "file"}}
        write(tmp_path, name, 0.4, comparable=terms, hhh={"overall": told(0.7)})
    assert set(series(trends(tmp_path))) == {"helpful, honest, harmless"}


def test_the_table_and_the_page_show_every_value(tmp_path):
    for name, value in (("a", 0.43), ("b", 0.21)):
        write(tmp_path, name, value)
    history = trends(tmp_path)
    text = "\n".join(lines({**history.summary(), "page": "history.html"}))
    assert "0.43" in text
    assert "0.21" in text
    assert "less is better" in text
    html = page(history)
    assert "run 1: 0.430, run 2: 0.210" in html
    assert "runs/b" in html
    assert "http" not in html.split("</style>")[1]


def test_lower_values_are_drawn_lower(tmp_path):
    for name, value in (("a", 0.4), ("b", 0.2)):
        write(tmp_path, name, value)
    picture = str(drawn(trends(tmp_path).trends[0], 2))
    heights = [float(part.split('"')[0]) for part in picture.split('cy="')[1:]]
    assert heights[0] < heights[1]


def test_a_model_with_a_name_of_markup_stays_text(tmp_path):
    for name in ("a", "b"):
        write(tmp_path, name, 0.4, model="<script>alert(1)</script>")
    assert "<script>" not in page(trends(tmp_path))
