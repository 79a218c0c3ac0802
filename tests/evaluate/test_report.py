"""The report page: true, whole, safe from what models and labelers write, and alone on the wire."""

import base64
import hashlib
import json
import re
import subprocess

import pytest
from report_page import Page
from round_folder import labelers, write_round

from humanalign.errors import RunError
from humanalign.evaluate.report.page import report
from humanalign.rows import read_rows
from humanalign.run import Run

PAYLOADS = [
    "<script>document.title='pwned'</script>",
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    '"><svg onload="document.title=\'pwned\'">',
    "<!--<script>",
    "</style><script>document.title='pwned'</script>",
    "]]><b>",
    "{{ 7*7 }}{% raw %}",
    "<a href=\"javascript:document.title='pwned'\">x</a>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'>",
    "&lt;b&gt; &amp; \u2028\u2029\x00",
    "\ud800 lone",
]
# A folder name cannot hold a slash, but this much is enough to unbalance a script element.
HOSTILE_NAME = "align<!--<script>&"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_round(tmp_path_factory.mktemp("runs") / "round-1")


@pytest.fixture(scope="module")
def page(folder):
    return Page(report(folder).read_text("utf-8"))


def hostile_round(folder):
    rows = []
    for payload in PAYLOADS:
        rows.append({"prompt": payload, "reference": payload, "before": payload, "after": "calm"})
        rows[-1] |= {"toxicity_before": 0.9, "toxicity_after": 0.1, f"{payload}_before": 1.0}
    result = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 12}
    change = {"value": -0.1, "ci_low": -0.2, "ci_high": -0.05, "n": 12}
    told = {"before": result, "after": result, "difference": change, "p_holm": 0.001}
    run = Run.open(folder / "evaluate", stage="evaluate", config={"note": PAYLOADS[1]})
    (folder / "evaluate/samples.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    scorers = {payload: told | {"verdict": payload} for payload in PAYLOADS[:10]}
    run.finish({"toxicity": told, "scorers": scorers, "policy": PAYLOADS[0], "prompts": 12})
    run = Run.open(folder / "prefer", stage="prefer", config={})
    people = [
        row | {"id": p, "kind": p, "reason": p} for p in PAYLOADS[:10] for row in labelers()[3:4]
    ]
    run.finish({"labelers": people, "rankings": PAYLOADS[0]})
    run = Run.open(folder / HOSTILE_NAME, stage="align", config={})
    for step in range(3):
        run.log(step, {f"align/{payload}": 1.0 * step for payload in PAYLOADS[:10]})
    run.finish({"method": PAYLOADS[2]})
    run = Run.open(folder / "collect", stage="collect", config={})
    run.samples([{"prompt": PAYLOADS[1], "completions": PAYLOADS[:10]}])
    run.finish({})
    return report(folder)


def test_the_headline_is_the_measured_change(folder, page):
    told = json.loads((folder / "evaluate/run.json").read_text())["summary"]["toxicity"]
    before, after = told["before"]["value"], told["after"]["value"]
    assert f"Toxicity fell from {before:.3f} to {after:.3f}" in page.text
    low, high = (100 * told["relative_reduction"][end] for end in ("ci_low", "ci_high"))
    assert f"(95 % interval {low:.0f} to {high:.0f} %)" in page.text


def test_every_stage_has_its_chapter_in_the_order_of_the_loop(page):
    titles = [
        "Collect answers",
        "Ask for preferences",
        "Learn the reward",
        "Align the policy",
        "Measure what changed",
        "How this was made",
    ]
    places = [page.text.rindex(title) for title in titles]
    assert places == sorted(places)


def test_twenty_pairs_are_shown_spread_over_the_change(folder, page):
    changes = [float(v) for tag, name, v in page.attributes if name == "data-change"]
    rows = read_rows(folder / "evaluate/samples.jsonl")
    every = sorted(row["toxicity_after"] - row["toxicity_before"] for row in rows)
    assert len(changes) == 20
    assert changes == sorted(changes)
    assert (changes[0], changes[-1]) == (every[0], every[-1])


def test_unreliable_labelers_are_named_with_the_reason(page):
    assert "unreliable : reversed: may have misread the instructions" in page.text
    assert page.text.count("⚑") == sum(row["flagged"] for row in labelers())


def test_the_cursor_knows_every_logged_step(folder, page):
    data = json.loads(page.data["curves"])
    rows = [json.loads(line) for line in (folder / "align-ppo/metrics.jsonl").open()]
    logged = [[row["step"], row["align/reward"]] for row in rows]
    drawn = [point[:2] for point in data["align-ppo"]["align-ppo-0"]]
    assert drawn == [[step, pytest.approx(value, rel=1e-4)] for step, value in logged]


def test_settings_time_lineage_and_commands_are_all_there(folder, page):
    for stage in ("collect", "prefer", "reward", "align-ppo", "evaluate"):
        record = json.loads((folder / stage / "run.json").read_text())
        assert record["id"] in page.text
        assert record["config_hash"] in page.text
    assert "coef: 0.05" in page.text
    assert f"humanalign report {folder}" in page.text
    spent = [
        json.loads(line)["time/rollout"] for line in (folder / "align-ppo/metrics.jsonl").open()
    ]
    assert f"rollout {sum(spent):.0f} s" in page.text


def test_no_difference_is_the_headline_where_none_is_shown(tmp_path):
    folder = write_round(tmp_path / "null", rude_after=0.38, steps=3, seed=4)
    found = json.loads((folder / "evaluate/run.json").read_text())["summary"]["toxicity"]
    assert found["difference"]["ci_low"] < 0 < found["difference"]["ci_high"]
    text = Page(report(folder).read_text("utf-8")).text
    assert "Toxicity: no difference shown" in text
    assert "Toxicity fell" not in text


def test_improved_in_a_summary_is_not_believed_where_the_interval_covers_zero(tmp_path):
    result = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 9}
    change = {"value": -0.1, "ci_low": -0.3, "ci_high": 0.1, "n": 9}
    told = {"before": result, "after": result, "difference": change, "verdict": "improved"}
    run = Run.open(tmp_path / "evaluate", stage="evaluate", config={})
    run.finish({"toxicity": told})
    text = Page(report(tmp_path / "evaluate").read_text("utf-8")).text
    assert "○ no difference shown" in text
    assert "▲" not in text


def test_hostile_text_stays_text(tmp_path):
    html = hostile_round(tmp_path / "hostile").read_text("utf-8")
    page = Page(html)
    assert page.elements.count("script") == 3
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(page.elements)
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] in ("src", "style")]
    links = [value for tag, name, value in page.attributes if name == "href"]
    assert all(link.startswith("#") for link in links)
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49", page.text)
    for payload in PAYLOADS[:6]:
        assert payload in page.text
    assert set(json.loads(page.data["curves"])) == {HOSTILE_NAME}
    for data in ("curves", "samples-0"):
        assert not set("<>&") & set(page.data[data])
    kept = json.loads(page.data["samples-0"])
    told = [kept["texts"][row[0]] for row in kept["rows"]]
    assert sorted(told) == sorted([*PAYLOADS[:-1], "? lone"])


def test_the_page_is_one_file_that_loads_nothing(folder, page):
    html = report(folder).read_text("utf-8")
    assert len(html.encode()) < 2_000_000
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", html)
    assert "@import" not in html
    assert "url(" not in page.data["style"]


def test_the_policy_lets_only_this_pages_script_and_style_run(page):
    policy = next(v for _, name, v in page.attributes if name == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        digest = hashlib.sha256(page.data[kind].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy


def test_headings_and_tables_are_named_for_those_who_cannot_see_them(page):
    levels = [int(tag[1]) for tag in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert page.elements.count("caption") == page.elements.count("table") > 0
    labelled = [
        value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")
    ]
    assert len(labelled) == page.elements.count("svg")
    assert all(labelled)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_a_single_run_has_a_report_of_its_own(folder, tmp_path):
    out = report(folder / "reward", out=tmp_path / "page.html")
    assert out == tmp_path / "page.html"
    text = Page(out.read_text("utf-8")).text
    assert "Learn the reward" in text
    assert "Align the policy" not in text


def test_an_unfinished_run_is_told_as_such_with_the_steps_it_has(tmp_path):
    run = Run.open(tmp_path / "align", stage="align", config={"steps": 9})
    run.log(1, {"align/reward": 0.5})
    with (tmp_path / "align/metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "align/rew')
    page = Page(report(tmp_path).read_text("utf-8"))
    assert "This run is running, not finished" in page.text
    assert [p[:2] for p in json.loads(page.data["curves"])["align"]["align-0"]] == [[1.0, 0.5]]


def test_an_evaluation_of_one_model_has_no_verdicts(tmp_path):
    run = Run.open(tmp_path / "evaluate", stage="evaluate", config={})
    run.samples([{"prompt": "p", "after": "a", "toxicity_after": 0.2}])
    after = {"value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "n": 50}
    run.finish({"policy": "m", "against": None, "prompts": 50, "toxicity": {"after": after}})
    text = Page(report(tmp_path).read_text("utf-8")).text
    assert "The model answered 50 prompts" in text
    assert "0.200 [0.100, 0.300], n 50" in text


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        report(tmp_path)


def test_a_damaged_run_is_named(tmp_path):
    (tmp_path / "align").mkdir()
    (tmp_path / "align/run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        report(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of a round that has every part a run can have."""
    place = tmp_path_factory.mktemp("whole") / "round"
    return Page(report(write_round(place, n=80, steps=30, everything=True)).read_text("utf-8"))


def test_the_first_minute_says_what_got_worse_and_what_rang(whole):
    top = whole.text.split("Collect answers")[0]
    assert re.search(r"But \d+ of \d+ measures got worse: .*Perplexity", top)
    assert "The monitor rang danger The held-out scorer fell" in top
    assert "to be as good as before within the margin stated: ROUGE-L" in top
    assert "With 500 prompts a true difference of 0.041 in toxicity" in top
    assert "4 of 6 are reliable; dmitri, eve are weighed down" in top


@pytest.mark.parametrize(
    "said",
    [
        # monitor: the best look, the fit, a phrase, an alert with what was done
        "The best of the steps that were looked at is",
        "Broken line: 0.1 + d(0.9 − 0.55 log d)",
        "most awesome 10.0\u00a0% 94.0\u00a0%",
        "Went back to the best checkpoint.",
        # win rates with their counts and the judge's flips
        "judged by a judge, both orders",
        "88, 36, 76",
        "0.180\n0.127 to 0.233, n 200",
        "0.127 to 0.233, n 200 2,174",
        # margins, honesty, the three h's, the red team and its search
        "may rise by 2.00",
        "2.00\u00a0% −1.00 to 5.00\u00a0%, n\u00a0500 may move by 10.0\u00a0%",
        "α between 0.800 and 1.00, β between 0.400 and 0.700, R² 0.970 over 9 looks",
        "Picks the true answer (MC1)",
        "Guessing gets 0.210 and 0.420 of these two.",
        "… as wording alone would bring",
        "The upright line is chance, 0.480.",
        "Names that the source has",
        "178 items, each with a better and a worse answer",
        "Safe look-alikes refused",
        "Answers that are no answers",
        "Degenerate answers rose: part of the fall comes from them.",
        "of 400 that it tried, 12 succeeded",
        # two comparable evaluations
        "Toxicity over time",
        "evaluate-older,",
    ],
)
def test_every_part_of_a_round_has_its_place(whole, said):
    assert " ".join(said.split()) in whole.text


def test_every_chapter_ends_with_the_command_that_makes_it(folder, page):
    assert page.text.count("Made by humanalign") == page.elements.count("section")
    assert f"humanalign align {folder}/align-ppo/config.yaml --run" in page.text


def test_long_runs_stay_under_two_megabytes_and_say_what_was_left_out(tmp_path):
    run = Run.open(tmp_path / "evaluate", stage="evaluate", config={})
    long = "word " * 900
    rows = [{"prompt": f"{i} {long}", "before": long, "after": long} for i in range(250)]
    run.samples(
        row | {"toxicity_before": i / 250, "toxicity_after": 0.5} for i, row in enumerate(rows)
    )
    run.finish({"prompts": 250})
    html = report(tmp_path).read_text("utf-8")
    assert 1_000_000 < len(html.encode()) < 2_000_000
    kept = json.loads(Page(html).data["samples-0"])
    assert 0 < len(kept["rows"]) < kept["total"] == 250
    assert f"leaves out {250 - len(kept['rows'])} of the 250 samples" in Page(html).text
    # those kept are spread over the change: both ends are there
    before = [row[4]["before"][0] for row in kept["rows"]]
    assert (min(before), max(before)) == (0, pytest.approx(249 / 250, abs=1e-3))


def dump(chromium, path, profile):
    """The page as Chromium holds it after its scripts ran."""
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-sync", f"--user-data-dir={profile}"]
    return subprocess.run(
        [*command, "--disable-component-update", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.slow
def test_in_a_browser_the_script_runs_under_the_policy_and_payloads_do_not(chromium, tmp_path):
    page = Page(dump(chromium, hostile_round(tmp_path / "hostile"), tmp_path / "profile"))
    assert page.elements.count("input") == 2
    assert not {"img", "iframe"} & set(page.elements)
    assert "pwned" not in re.sub(r"document\.title='pwned'", "", page.text)
    assert "Step 2 of 2" in page.text
