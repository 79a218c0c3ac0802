"""A constitution: a rule is enough, its requests can be reworded, and a broken file is named."""

import pytest

from humanalign.errors import ConfigError
from humanalign.prefer.constitution import load_constitution, principle
from humanalign.tiny import tasks

RULE = "Do not insult anybody."


def test_the_requests_are_word_for_word_what_the_bundled_model_was_trained_on():
    rule = principle("r", RULE)
    assert rule.ask_critique("P", "R") == tasks.CRITIQUE.format(
        prompt="P", response="R", principle=RULE
    )
    assert rule.ask_revision("P", "R", "C") == tasks.REVISION.format(
        prompt="P", response="R", critique="C", principle=RULE
    )
    assert rule.ask_comparison("P", "x", "y") == tasks.COMPARISON.format(
        prompt="P", response_a="x", response_b="y", principle=RULE
    )


def test_the_default_constitution_forbids_insults_and_inventions():
    rules = {each.name: each.rule for each in load_constitution()}
    assert rules["no-insults"] == RULE
    assert rules["facts"] == "Name only facts of the conversation."


def test_requests_can_be_reworded(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("principles: [{name: n, rule: Be brief., comparison: 'Which is shorter?'}]")
    [rule] = load_constitution(path)
    assert rule.comparison == "Which is shorter?"
    assert rule.critique_request == "Say how the response breaks this rule. Be brief."
    assert rule.ask_comparison("P", "x", "y").endswith("\n\nWhich is shorter?\n\nAnswer:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("principles: []", "expected a list under 'principles'"),
        ("- rule", "expected a list under 'principles'"),
        ("principles: [{name: n}]", "principle 1: has no 'rule'"),
        ("principles: [{name: n, rule: ''}]", "principle 1: rule: expected text, got ''"),
        ("principles: [{name: n, rulle: x}]", "unknown key 'rulle'.*did you mean 'rule'"),
        ("principles: [only text]", "principle 1: expected name and rule"),
        ("principles: [{name: n, rule: a}, {name: n, rule: b}]", "the name 'n' is used twice"),
        ("principles: [", "is not YAML"),
    ],
)
def test_a_broken_constitution_is_told_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_constitution(path)
    assert "\n" not in str(error.value)


def test_a_missing_constitution_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read"):
        load_constitution(tmp_path / "gone.yaml")
