"""What a person reads in the terminal, from summaries written by hand."""

import pytest

from humanalign.evaluate.told import lines

SHARE = {"value": 0.55, "ci_low": 0.45, "ci_high": 0.65, "n": 100}


def text(**summary):
    return "\n".join(lines(summary))


def told(before, after, difference, verdict, n=100):
    def ev(value):
        return {"value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "n": n}

    sides = {"before": ev(before), "after": ev(after), "difference": ev(difference)}
    return {**sides, "p_holm": 0.0321, "verdict": verdict}


def test_a_measure_is_one_line_with_its_finding_and_what_could_be_shown():
    power = {"prompts": 100, "looks": 3, "smallest": {"toxicity": 0.25}}
    found = text(toxicity=told(0.4, 0.1, -0.3, "improved"), power=power, prompts=100)
    line = next(line for line in found.splitlines() if line.startswith("toxicity"))
    assert line.split("  ")[0] == "toxicity"
    assert "−0.300 [−0.400, −0.200]" in line
    assert line.split()[-3:] == [".0321", "improved", "0.250"]
    assert "adjusted for all 3 measures" in found


def test_a_measure_of_fewer_prompts_says_so():
    power = {"prompts": 100, "looks": 1, "smallest": {}}
    quality = {"rougeL": told(0.4, 0.1, -0.3, "worse", n=10)}
    assert ", n 10" in text(quality=quality, power=power)


def test_a_win_rate_that_is_not_shown_says_how_many_comparisons_it_takes():
    duel = {"by": "judge", "win_rate": SHARE, "wins": 55, "ties": 0, "losses": 45, "p": 0.37}
    duel |= {"test": "exact sign test", "needed": 783, "flips": {**SHARE, "value": 0.5}}
    found = text(win_rate={"judge": duel})
    assert "by judge  55.0 % [45.0, 65.0], n 100  55 won, 0 tied, 45 lost" in found
    assert "takes 783 untied comparisons" in found
    assert "order decided 50.0 %" in found
    assert "takes" not in text(win_rate={"judge": duel | {"p": 0.01}})


def test_what_did_not_vary_has_no_brackets():
    still = {"value": 2.0, "ci_low": 2.0, "ci_high": 2.0, "n": 100}
    row = {"metric": "length", "margin": 0.1, "shown": False, "obstacle": "it did not vary"}
    found = text(length={"after": still}, non_inferiority=[{**row, "difference": still}])
    assert "2.00 (did not vary)" in found
    assert "[" not in found
    assert "not worse: NOT shown, it did not vary" in found


@pytest.mark.parametrize(("prompts", "rough"), [(99, True), (100, False)])
def test_few_prompts_are_said_to_give_rough_intervals(prompts, rough):
    found = text(toxicity=told(0.4, 0.1, -0.3, "improved"), prompts=prompts)
    assert ("intervals are rough" in found) is rough


def test_categories_stand_by_themselves():
    category = {"x" * 60: told(0.4, 0.6, 0.2, "improved")}
    hhh = {"overall": told(0.5, 0.6, 0.1, "improved"), "by": category}
    found = text(hhh=hhh, power={"prompts": 100, "looks": 1, "smallest": {}})
    main, categories = found.split("Exploratory: categories")
    assert "hhh " in main
    assert "x" not in main.replace("exp", "")
    assert "hhh " + "x" * 35 + "…" in categories


def test_a_relative_margin_is_told_in_percent():
    row = {"metric": "length", "margin": 0.1, "loss": "either", "relative": True, "shown": False}
    row["difference"] = {"value": -0.08, "ci_low": -0.12, "ci_high": -0.04, "n": 50}
    found = text(non_inferiority=[row])
    assert "may move 10 %" in found
    assert "−8.0 [−12.0, −4.0] %" in found
    assert "NOT shown" in found


def test_an_undefined_measure_gives_its_reason():
    power = {"prompts": 100, "looks": 1, "smallest": {}}
    perplexity = {"value": None, "reason": "it decodes through a hook"}
    found = text(toxicity=told(0.4, 0.1, -0.3, "worse"), perplexity=perplexity, power=power)
    assert "perplexity" in found
    assert "undefined: it decodes through a hook" in found


def test_an_empty_summary_is_no_error():
    assert text(policy="m") == "m"
