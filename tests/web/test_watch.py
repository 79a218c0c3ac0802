"""The live page's API and pages: what is told of runs in any state, and who is told."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from watched_runs import HOSTILE, alert, append, make_run, steps

from humanalign.errors import ConfigError, RunError
from humanalign.web.watch import folder, glance, start
from humanalign.web.watch.api import Watched
from humanalign.web.watch.app import create_app
from humanalign.web.watch.glance import Glances, settings_of

HTML = {"Accept": "text/html"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path / "round" / "align", steps(1, 10))
    return tmp_path


@pytest.fixture(autouse=True)
def _walked_each_time(monkeypatch):
    monkeypatch.setattr(folder, "WALK_SECONDS", 0.0)


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[TestClient]:
    """One app and one loop for all tests: to make them anew costs more than most tests do."""
    app = create_app(tmp_path_factory.mktemp("none"))
    address = "http://127.0.0.1:8001"
    with TestClient(app, base_url=address, raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def browser(client: TestClient, runs: Path) -> TestClient:
    """The app over this test's runs."""
    client.app.state.watched = Watched(folder.Folder(runs))  # type: ignore[attr-defined]
    return client


def told(browser: TestClient) -> dict[str, dict]:
    return {run["name"]: run for run in browser.get("/api/runs").json()["runs"]}


def id_of(browser: TestClient, name: str = "round/align") -> str:
    return told(browser)[name]["id"]


def aged(path: Path, seconds: float) -> None:
    for file in path.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def test_a_run_is_told_with_its_progress_and_the_time_left(browser):
    run = told(browser)["round/align"]
    # 40 of 50 steps are left, 4 seconds each by its own clock.
    assert (run["step"], run["steps"], run["left"], run["group"]) == (10, 50, 160, "round")
    assert run["key"] == {"label": "reward", "value": "1.00"}


@pytest.mark.parametrize(
    ("seconds", "status", "age"),
    [(5, "running", None), (200, "silent", 180), (3010, "stopped", 3000), (9999, "stopped", 7200)],
)
def test_a_run_that_writes_nothing_is_told_from_one_that_works(runs, browser, seconds, status, age):
    aged(runs / "round" / "align", seconds)
    run = told(browser)["round/align"]
    assert (run["status"], run["age"]) == (status, age)


def test_only_runs_that_changed_are_told_again_and_all_of_them_once_one_is_gone(runs, browser):
    make_run(runs / "b")
    first = browser.get("/api/runs").json()
    asked = {"edition": first["edition"]}
    again = browser.get("/api/runs", params=asked).json()
    assert (again["runs"], again["edition"], again["whole"]) == ([], first["edition"], False)
    append(runs / "b", "metrics.jsonl", steps(1, 1))
    changed = browser.get("/api/runs", params=asked).json()
    assert [(run["name"], run["step"]) for run in changed["runs"]] == [("b", 1)]
    shutil.rmtree(runs / "round")
    last = browser.get("/api/runs", params={"edition": changed["edition"]}).json()
    assert (last["whole"], [run["name"] for run in last["runs"]]) == (True, ["b"])


def test_the_listing_bears_runs_that_come_and_go_while_others_ask(tmp_path):
    places = {str(n): folder.Place(str(n), str(n), tmp_path) for n in range(60)}
    glances, halves = Glances(), (dict(list(places.items())[:30]), places)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda n: len(glances.listing(halves[n % 2])["runs"]), range(24)))
    finally:
        sys.setswitchinterval(before)
    assert found == [30, 60] * 12


def test_a_step_takes_no_less_than_its_parts_together(runs, browser):
    # Older runs leave the monitor out of time/step: here 4 seconds, and 2 of the monitor beside.
    rows = steps(1, 10, **{"time/rollout": 3.0, "time/update": 1.0, "time/monitor": 2.0})
    make_run(runs / "m", rows, steps=20)
    run = told(browser)["m"]
    assert (run["pace"], run["steps"], run["left"]) == (6.0, 20, 60.0)
    split = browser.get(f"/api/runs/{run['id']}").json()["split"]
    assert split == {"rollout": 3.0, "update": 1.0, "monitor": 2.0, "step": 6.0}


def test_gold_is_drawn_with_its_interval_as_its_band(runs, browser):
    looks = {"monitor/gold": 1.0, "monitor/gold_low": 0.5, "monitor/gold_high": 1.5}
    append(runs / "round" / "align", "metrics.jsonl", steps(11, 12, **looks))
    curves = browser.get(f"/api/runs/{id_of(browser)}/metrics").json()["curves"]
    assert curves["monitor/gold"] == {
        "x": [11, 12],
        "y": [1, 1],
        "low": [0.5, 0.5],
        "high": [1.5, 1.5],
    }
    assert "monitor/gold_low" not in curves


def test_a_finished_run_stays_finished_however_old(runs, browser):
    make_run(runs / "old", stage="reward", status="finished", summary={"accuracy": 0.8})
    aged(runs / "old", 1e6)
    run = told(browser)["old"]
    assert (run["status"], run["key"]["value"]) == ("finished", "0.800")


@pytest.mark.parametrize(
    ("kept", "key"),
    [
        ({"proxy": 0.8}, {"label": "reward, held out", "value": "0.800"}),
        (None, None),
    ],
)
def test_the_key_number_of_a_run_that_went_back_is_of_what_was_kept(runs, browser, kept, key):
    summary = {"reward_after": None, "kept_step": 3, "steps": 10, "kept": kept}
    make_run(runs / "back", steps(1, 10), status="finished", summary=summary)
    assert told(browser)["back"]["key"] == key


def test_the_newest_run_comes_first(runs, browser):
    make_run(runs / "b", started="2026-01-03T10:00:00+00:00")
    make_run(runs / "a", started="2026-01-02T10:00:00+00:00")
    assert list(told(browser)) == ["b", "a", "round/align"]


HUGE = "1" + "0" * 400
STRANGE = {
    "config.yaml": f'a: &a [1]\nb: *a\n- c\n---\ns: "\\ud800"\nx: 0x{"f" * 6000}',
    "alerts.jsonl": f'{{"samples": 3}}\n[]\n{{"step": {HUGE}, "rule": "\\ud800"}}\n',
    "samples.jsonl": f'{{"prompt": {{"a": [null]}}, "n": {HUGE}, "\\ud800": "\\ud800"}}\n',
    "metrics.jsonl": f'{{"step": 11, "\\ud800": 1, "n": {HUGE}}}\n{{"step": {HUGE}}}\n',
}
DAMAGES = [
    '{"stage": 3',
    "[]",
    "null",
    "",
    '{"stage": ["x"]}',
    '{"stage": "align", "summary": [1], "started": 7, "seconds": "x", "status": {}, "seed": []}',
    "[" * 100_000,
    '{"stage": "evaluate", "status": "finished", "summary": {"toxicity": 3, "scorers": []}}',
    '{"stage": "a\\ud800", "started": "\\ud800", "summary": {"\\ud800": "\\ud800"}}',
    f'{{"stage": "align", "status": "finished", "summary": {{"steps": {HUGE}}}}}',
    f'{{"stage": "align", "seconds": {HUGE}, "steps": {HUGE}}}',
]


@pytest.mark.parametrize("record", DAMAGES)
def test_no_record_is_so_damaged_that_a_page_breaks(runs, browser, record):
    id = id_of(browser)
    (runs / "round" / "align" / "run.json").write_text(record)
    for name, content in STRANGE.items():
        (runs / "round" / "align" / name).write_text(content)
    asked = (f"/api/runs/{id}", f"/runs/{id}", "/api/runs", f"/api/runs/{id}/samples")
    more = (f"/api/compare?run={id}", f"/compare?run={id}", f"/api/runs/{id}/metrics")
    assert [browser.get(path).status_code for path in (*asked, *more)] == [200] * 7


def test_a_setting_too_long_to_be_spelt_is_said_to_be(runs, browser):
    (runs / "round" / "align" / "config.yaml").write_text(f'x: 0x{"f" * 6000}\ny: "\\ud800"')
    settings = browser.get(f"/api/runs/{id_of(browser)}").json()["settings"]
    assert settings == [["x", "cannot be shown"], ["y", "?"]]


def test_a_run_that_cannot_be_told_leaves_the_others_on_the_page(runs, browser, monkeypatch):
    def read(record, _):
        if record.stage == "reward":
            raise OverflowError("nobody had thought of this")

    make_run(runs / "b", stage="reward")
    monkeypatch.setattr(glance, "key_number", read)
    status = {name: run["status"] for name, run in told(browser).items()}
    assert status == {"round/align": "running", "b": "damaged"}


def test_settings_that_would_unfold_to_gigabytes_are_not_read(runs, browser):
    bomb = "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}, r: *a{n - 1}}}\n" for n in range(1, 40)
    )
    (runs / "round" / "align" / "config.yaml").write_text(bomb)
    said = browser.get(f"/api/runs/{id_of(browser)}").json()["settings_said"]
    assert said == "config.yaml is damaged and cannot be shown."


def test_alerts_come_with_the_samples_that_show_them(runs, browser):
    append(runs / "round" / "align", "alerts.jsonl", [alert(), alert(5, level="notice")])
    run = browser.get(f"/api/runs/{id_of(browser)}").json()
    assert run["alerts"] == {"notice": 1, "warning": 0, "danger": 1}
    assert run["shown"][0]["samples"][0]["texts"] == [
        ["prompt", "Say hello."],
        ["completion", HOSTILE],
    ]


def test_metrics_come_in_groups_with_reward_and_distance_first(browser):
    view = browser.get(f"/api/runs/{id_of(browser)}/metrics").json()
    first = [metric["name"] for metric in view["groups"][0]["metrics"]]
    assert first == ["align/reward", "align/kl"]
    assert view["groups"][-1]["title"] == "Time"


def test_runs_are_compared_by_what_differs_and_by_final_numbers(runs, browser):
    accuracy = {"value": 0.8, "ci_low": 0.7, "ci_high": 0.9, "n": 50}
    make_run(runs / "x", config={"kl": {"coef": 0.2}}, summary={"accuracy": accuracy})
    ids = [id_of(browser, "round/align"), id_of(browser, "x")]
    found = browser.get("/api/compare", params={"run": [*ids, "gone"]}).json()
    assert found["settings"] == [{"key": "kl.coef", "values": ["0.1", "0.2"]}]
    assert found["numbers"][0]["values"] == [None, "0.800 [0.700,\u00a00.900], n\u00a050"]
    assert found["gone"] == 1


def test_a_run_that_was_deleted_is_said_to_be_gone(runs, browser):
    id = id_of(browser)
    shutil.rmtree(runs / "round")
    answer = browser.get(f"/api/runs/{id}/metrics")
    assert (answer.status_code, answer.json()["error"][:17]) == (404, "This run is gone:")
    assert told(browser) == {}


@pytest.mark.parametrize(
    "id", ["%2e%2e", "..%2f..%2fetc", "round%2falign", "/etc", "round", "a" * 5000, "%00"]
)
def test_no_id_is_a_path(browser, id):
    for path in (f"/api/runs/{id}", f"/runs/{id}", f"/api/runs/{id}/metrics"):
        assert browser.get(path).status_code == 404


@pytest.mark.parametrize("query", ["after=-1", "points=0", "points=1e9", "after=x", "edition=%00"])
def test_a_query_of_the_wrong_form_is_refused_or_read_as_from_the_start(browser, query):
    answer = browser.get(f"/api/runs/{id_of(browser)}/metrics?{query}")
    assert answer.status_code in (200, 422)


@pytest.mark.parametrize("file", ["run.json", "../align/run.json", "/etc/passwd"])
def test_samples_are_read_from_two_files_only(browser, file):
    answer = browser.get(f"/api/runs/{id_of(browser)}/samples", params={"file": file})
    assert answer.status_code == 422


def test_every_answer_carries_the_shields_headers_and_no_other_host_is_served(browser):
    page = browser.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert browser.get("/api/runs", headers={"Host": "evil.example"}).status_code == 400


def test_nothing_can_be_written(browser):
    for path in ("/", "/api/runs", f"/api/runs/{id_of(browser)}"):
        for method in ("POST", "PUT", "DELETE"):
            sent = browser.request(method, path, headers={"Sec-Fetch-Site": "same-origin"})
            assert sent.status_code == 405


def test_names_of_folders_are_text_on_the_page(runs, browser):
    make_run(runs / "<script>alert(1)<" / "x")
    id = next(run["id"] for name, run in told(browser).items() if name.endswith("/x"))
    assert "<script>alert" not in browser.get(f"/runs/{id}", headers=HTML).text


def test_where_others_can_connect_only_the_link_lets_in(runs):
    app = create_app(runs, hosts=("*",), token="secret")
    browser = TestClient(app, base_url="http://lab.example", follow_redirects=False)
    assert browser.get("/api/runs").status_code == 401
    assert "Open the link" in browser.get("/", headers=HTML).text
    assert browser.get("/enter/guess").status_code == 401
    entered = browser.get("/enter/secret")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    kept = entered.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=lax" in kept
    assert browser.get("/api/runs").status_code == 200


def test_another_host_than_this_machine_gets_a_link_with_a_token(runs, monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(start, "serve", lambda _, listening: listening.close())
    start.watch(runs, host="0.0.0.0", port=0, say=lines.append)
    assert re.search(r"http://\S+:\d+/enter/[\w-]{32}$", lines[0])
    start.watch(runs, port=0, say=lines.append)
    assert re.search(r"http://127\.0\.0\.1:\d+$", lines[-2])


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match="nowhere is no folder"):
        start.watch(tmp_path / "nowhere")


def test_a_port_that_is_taken_is_named(runs):
    with start.listen("127.0.0.1", 0) as other:
        other.listen()
        with pytest.raises(ConfigError, match="cannot listen there"):
            start.watch(runs, port=other.getsockname()[1])


def test_the_verb_serves_without_torch_and_ends_well_on_ctrl_c(runs):
    program = (
        "import sys\nfrom humanalign.cli import run\n"
        f"code = run(['watch', {str(runs)!r}, 'port=0'])\n"
        "sys.exit(code or (99 if 'torch' in sys.modules else 0))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = next(f for line in process.stderr if (f := re.search(r"http://\S+", line)))[0]
    for _ in range(200):
        try:
            assert len(httpx2.get(f"{address}/api/runs").json()["runs"]) == 1
            break
        except httpx2.TransportError:
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0


def test_settings_are_read_in_the_spelling_of_the_command_line(browser):
    place = browser.app.state.watched.folder.find(id_of(browser))  # type: ignore[attr-defined]
    assert settings_of(place) == ({"kl.coef": 0.1, "method": "ppo", "steps": 50}, "")
