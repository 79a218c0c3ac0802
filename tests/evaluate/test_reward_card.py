"""The reward card for readers: three true sentences, every number with its interval and n."""

from __future__ import annotations

import re

import pytest
from report_page import Page
from reward_cards import card, change, share
from test_report import PAYLOADS

from humanalign.evaluate.report.card_charts import Mark, learning, reliability, strip, strip_axis
from humanalign.evaluate.report.page import report
from humanalign.evaluate.report.reward_card import (
    summary_markdown,
    told_card,
    verdict,
)
from humanalign.run import Run

NARROW = {"value": 0.7, "ci_low": 0.68, "ci_high": 0.72, "n": 200}


def page_of(folder, told):
    run = Run.open(folder / "reward", stage="reward", config={})
    run.finish({"accuracy": NARROW, "pairs": 1123, "card": told})
    return Page(report(folder).read_text("utf-8"))


def results(tree):
    """Every {value, ci_low, ci_high, n} of the card."""
    if isinstance(tree, dict) and "ci_low" in tree:
        yield tree
    elif isinstance(tree, dict | list):
        for inner in tree.values() if isinstance(tree, dict) else tree:
            yield from results(inner)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("card"), card())


def test_the_first_sentence_says_how_right_on_what():
    told = {"pairs": {"train": 9, "test": 412, "test_prompts": 141}, "accuracy": NARROW}
    assert verdict(told)[0] == (
        "On 412 pairs of 141 prompts that it never saw, this reward picks the answer that the "
        "labelers preferred 70.0\u00a0% of the time (68.0 to 72.0\u00a0%); a coin gets 50\u00a0%."
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"pairs": {"test": 9}}, "On 9 pairs, this reward"),
        ({"pairs": {"train": 3, "test": 9}}, "On 9 pairs that it never saw, this reward"),
        (
            {"pairs": {"train": 3, "test": 9}, "leaks": {"same_prompts": 2}},
            "On 9 pairs, 2 of which are in its training pairs, this reward",
        ),
    ],
)
def test_nothing_is_called_unseen_that_may_have_been_seen(told, words):
    assert verdict({**told, "accuracy": NARROW})[0].startswith(words)


def test_the_second_sentence_claims_only_what_an_interval_leaves_over():
    rows = [("a", 0.1, 0.05), ("b", 0.01, 0.05), ("c", -0.1, 0.05)]
    told = {"baselines": [{"name": n, "difference": change(d, r, 9)} for n, d, r in rows]}
    assert verdict(told)[1] == (
        "It beats a (+10.0 points, 5.0 to 15.0); it loses to c (−10.0 points, −15.0 to −5.0); it "
        "is not shown to beat b (+1.0 points, −4.0 to 6.0)."
    )


@pytest.mark.parametrize(
    ("reward", "finding"),
    [
        (0.60, "the labelers are the better judges"),
        (0.69, "about as good a judge as one of them"),
        (0.80, "may be steadier than one"),
        (0.90, "look for a leak"),
    ],
)
def test_the_third_sentence_sets_the_reward_beside_the_labelers(reward, finding):
    told = {
        "reward": change(reward, 0.02, 99),
        "each_other": NARROW,
        "ceiling": change(0.82, 0.02, 9),
    }
    assert finding in verdict({"labelers": told})[-1]


def test_intervals_that_overlap_a_little_still_tell_two_shares_apart():
    """.02 and .02 in quadrature are .028: a gap of .03 is one though the intervals touch."""
    told = {"labelers": {"reward": change(0.67, 0.02, 99), "each_other": NARROW}}
    assert "better judges" in verdict(told)[-1]


def test_every_number_stands_in_the_page_with_its_interval_and_n(page):
    missing = [
        each
        for each in results({k: v for k, v in card().items() if k != "baselines"})
        if f"{each['value']:.3f} [{each['ci_low']:.3f}, {each['ci_high']:.3f}], n {each['n']}"
        not in page.text.replace("[0, ", "[0.000, ")
    ]
    assert missing == []


def test_the_page_of_a_reward_is_headed_by_its_accuracy_and_begins_with_the_verdict(page):
    text = page.text.replace("\u00a0", " ")
    assert text.index("Right on 66 % of unseen pairs") < text.index("On 412 pairs of 141 prompts")
    assert text.index("the labelers are the better judges") < text.index("Before you trust it")
    assert text.index(card()["warnings"][0]) < text.index("Does it know how sure to be?")


def test_every_picture_and_every_table_of_the_card_is_named(page):
    labels = [v for tag, name, v in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.elements.count("svg") > 20
    assert all(labels)
    assert page.elements.count("caption") == page.elements.count("table")


@pytest.mark.parametrize("part", [*card(), "everything"])
@pytest.mark.parametrize("left", [None, {}, [], "?", {"value": None}])
def test_any_part_of_a_card_may_be_missing_or_odd(part, left):
    told = dict.fromkeys(card(), left) if part == "everything" else card() | {part: left}
    shown = told_card(told)
    assert shown
    assert shown.verdict
    assert summary_markdown({"card": told})


def test_without_held_out_pairs_nothing_is_claimed():
    assert "nothing is known" in verdict({"accuracy": None})[0]
    assert verdict({"accuracy": None})[0].startswith("No pair was held out")


def test_ties_alone_are_not_told_as_nothing_held_out():
    told = verdict({"accuracy": None, "pairs": {"train": 9, "test": 0, "ties": 10}})[0]
    assert told.startswith("All 10 held-out pairs are ties, so nothing is known")


@pytest.mark.parametrize("told", [None, {}, "card", []])
def test_a_run_without_a_card_is_told_as_before(tmp_path, told):
    text = page_of(tmp_path, told).text
    assert "picks the preferred answer this often: 0.700 [0.680, 0.720], n 200" in text.replace(
        "\u00a0", " "
    )


def test_names_and_warnings_in_a_card_stay_text(tmp_path):
    told = card() | {"warnings": PAYLOADS[:10]}
    told["by"] = {"source": {payload: share(0.5, 20) for payload in PAYLOADS[:10]}}
    told["leaks"] = {"same_prompts": 1, "examples": PAYLOADS[:5]}
    page = page_of(tmp_path, told)
    assert page.elements.count("script") == 2
    assert {"img", "iframe"} & set(page.elements) == set()
    assert PAYLOADS[0] in page.text


def test_names_in_the_markdown_card_neither_break_its_table_nor_become_html():
    name = "a|b <script>[x](y)\n# c"
    text = summary_markdown({"card": card() | {"by": {"source": {name: share(0.5, 20)}}}})
    row = next(line for line in text.splitlines() if "script" in line)
    assert row.startswith(r"| By source: a\|b &lt;script>\[x\](y) \# c | 0.500 ")
    assert len(re.findall(r"(?<!\\)\|", row)) == 4


def test_names_of_labels_in_the_markdown_card_stay_text():
    """In headings of pictures, in columns, in rows: labels are words of a data file."""
    evil = "<img src=x onerror=y>|[a](javascript:1)"
    rename = {"nothate": evil, "hate": "hate"}
    told = {
        "accuracy": LABELLED["accuracy"],
        "auroc": {rename.get(k, k): v for k, v in LABELLED["auroc"].items()},
        "calibration": {rename.get(k, k): v for k, v in LABELLED["calibration"].items()},
        "confusion": {evil: {evil: 150, "hate": 10}, "hate": {evil: 18, "hate": 22}},
    }
    text = summary_markdown(told)
    assert "<" not in text
    assert text.count(r"\|\[a\]") >= 4


def test_the_markdown_card_says_what_the_page_says():
    text = summary_markdown({"card": card()})
    for sentence in (*verdict(card()), *card()["warnings"]):
        assert sentence in text
    assert "| 2,246 pairs, extrapolated | 0.699 " in text


LABELLED = {
    "labels": ["nothate", "hate"],
    "accuracy": share(0.86, 200),
    "macro_f1": share(0.71, 200),
    "auroc": {"nothate": share(0.91, 200), "hate": share(0.915, 200), "never": None},
    "confusion": {"nothate": {"nothate": 150, "hate": 10}, "hate": {"nothate": 18, "hate": 22}},
    "calibration": {"nothate": card()["calibration"], "hate": card()["calibration"], "never": None},
}


def labelled_page(folder, told, samples=()):
    run = Run.open(folder / "reward", stage="reward", config={})
    run.samples(samples)
    run.finish(told)
    return Page(report(folder).read_text("utf-8"))


def test_a_classifier_is_set_beside_always_saying_the_commonest_label(tmp_path):
    """160 of 200 texts are nothate: 80 %."""
    text = labelled_page(tmp_path, LABELLED).text.replace("\u00a0", " ")
    assert "names the label that most votes went to 86.0 % of the time (81.2 to 90.8 %)" in text
    assert "Always saying 'nothate' would be right 80.0 % of the time." in text
    assert "AUROC of 0.91 to 0.92" in text
    assert "Before you trust it" not in text


def test_a_classifier_no_better_than_the_commonest_label_is_warned_of(tmp_path):
    text = labelled_page(tmp_path, LABELLED | {"accuracy": share(0.83, 60)}).text
    assert "It is not shown to beat always saying 'nothate'." in text


def test_every_number_of_a_classifier_stands_in_the_page(tmp_path):
    text = labelled_page(tmp_path, LABELLED).text.replace("[0, ", "[0.000, ")
    for each in results({k: v for k, v in LABELLED.items() if k != "calibration"}):
        low, high = each["ci_low"], each["ci_high"]
        assert f"{each['value']:.3f} [{low:.3f}, {high:.3f}], n {each['n']}" in text
    for row in ("nothate 150 10", "hate 18 22"):
        assert row in text


@pytest.mark.parametrize(
    ("accuracy", "headline"),
    [
        (share(0.7, 200), "Right on 70\u00a0% of unseen pairs"),
        (share(0.59, 60), "Not shown to be better than chance on unseen pairs"),
        (None, ""),
    ],
)
def test_the_headline_claims_no_more_than_the_interval(accuracy, headline):
    told = told_card({"accuracy": accuracy, "warnings": []})
    assert told is not None
    assert told.headline == headline


def test_two_labels_have_one_reliability_and_three_have_three(tmp_path):
    three = LABELLED | {"calibration": {name: card()["calibration"] for name in "abc"}}
    for name, told, expected in (("two", LABELLED, 1), ("three", three, 3)):
        page = labelled_page(tmp_path / name, told)
        labels = [v for _, key, v in page.attributes if key == "aria-label"]
        assert sum(str(v).startswith("Reliability") for v in labels) == expected


def test_the_texts_a_classifier_was_most_wrong_about_stay_text(tmp_path):
    rows = [{"text": p, "label": p, "said": p, "probability": 0.01} for p in PAYLOADS[:10]]
    page = labelled_page(tmp_path, LABELLED, rows)
    assert page.elements.count("script") == 2
    assert PAYLOADS[0] in page.text


def places(svg, tag="circle", axis="cx"):
    return [float(x) for x in re.findall(rf'<{tag} class="\w+" [^>]*?{axis}="([\d.]+)"', str(svg))]


def test_a_dot_stands_where_the_scale_below_it_says():
    edges = (0.4, 0.9)
    ticks = re.findall(r'x="([\d.]+)" y="13"[^>]*>([\d.]+)<', str(strip_axis(edges)))
    (a, low), (b, high) = ((float(x), float(t)) for x, t in (ticks[0], ticks[-1]))
    dot = places(strip([Mark(0.66, 0.5, 0.8)], edges, line=0.5))[0]
    assert dot == pytest.approx(a + (0.66 - low) * (b - a) / (high - low), abs=0.2)


def test_a_bar_begins_at_the_line_of_chance_on_either_side():
    for value in (0.4, 0.7):
        svg = str(strip([Mark(value, value - 0.1, value + 0.1)], (0.2, 0.9), line=0.5, bars=True))
        line = float(re.findall(r'class="chance" x1="([\d.]+)"', svg)[0])
        start, wide = map(
            float, re.findall(r'class="bar after" x="([\d.]+)"[^>]*width="([\d.]+)', svg)[0]
        )
        assert (start if value > 0.5 else start + wide) == pytest.approx(line, abs=0.11)


def test_deserved_confidence_stands_on_the_broken_line():
    bins = [{"confidence": c, "accuracy": change(c, 0.05, 50)} for c in (0.55, 0.75, 0.95)]
    svg = str(reliability([], bins, "label"))
    ends = [
        float(x)
        for x in re.findall(r'class="ideal" points="([\d., ]+)"', svg)[0].replace(",", " ").split()
    ]
    x0, y0, x1, y1 = ends
    for x, y in zip(places(svg), places(svg, axis="cy"), strict=True):
        # 2.5 aside, so that the two series do not cover each other
        assert y == pytest.approx(y0 + (x - 2.5 - x0) * (y1 - y0) / (x1 - x0), abs=0.3)


def test_doublings_of_the_training_pairs_stand_at_equal_distances():
    marks = [(100.0 * 2**i, Mark(0.6, 0.5, 0.7)) for i in range(3)]
    a, b, c, d = places(learning(marks, (800.0, Mark(0.7, 0.6, 0.8)), "label"))
    assert (b - a, c - b) == pytest.approx((d - c, d - c), abs=0.2)
    assert 42 < a < d < 292  # inside the axes, the first near one end and the last near the other
    assert d - a > 150
