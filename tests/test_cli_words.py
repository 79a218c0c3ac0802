"""The words of a command line: key=value, --key value and --switch say the same thing."""

from __future__ import annotations

import json

import pytest

from humanalign.cli import run, show, split_words
from humanalign.errors import ConfigError

KNOWN = {"pairs": None, "lr": 1e-5, "max_tokens": 256, "https": False, "kl.coef": 0.1}


@pytest.mark.parametrize(
    "words",
    [
        ["pairs=a.jsonl", "https=true"],
        ["--pairs", "a.jsonl", "--https"],
        ["--pairs=a.jsonl", "--https=true"],
        ["--pairs", "a.jsonl", "--https", "true"],
    ],
)
def test_each_spelling_of_a_key_says_the_same(words):
    assert split_words(words, "RUN", KNOWN) == ("", None, ["pairs=a.jsonl", "https=true"])


def test_a_switch_takes_no_word_that_is_not_true_or_false():
    words = ["--https", "runs/1", "--https", "false"]
    assert split_words(words, "RUN", KNOWN) == ("runs/1", None, ["https=true", "https=false"])


def test_a_dash_stands_for_the_underscore_of_a_key():
    words = ["--max-tokens", "64", "--kl.coef=0.2"]
    assert split_words(words, "", KNOWN)[2] == ["max_tokens=64", "kl.coef=0.2"]


@pytest.mark.parametrize("spec", ["rule:length?target=3", "runs/toxic?label=a=b", "hf:x?label=y"])
def test_a_reward_with_options_of_its_own_is_a_name_and_no_key(spec):
    assert split_words([spec, "lr=1"], "RUN", KNOWN) == (spec, None, ["lr=1"])


def test_a_negative_number_is_a_value():
    assert split_words(["--lr", "-1"], "", KNOWN)[2] == ["lr=-1"]


def test_the_value_of_one_key_is_never_the_next_key():
    with pytest.raises(ConfigError, match="--pairs needs a value"):
        split_words(["--pairs", "--https"], "", KNOWN)


def test_an_unknown_key_without_a_value_is_told_which_was_meant():
    with pytest.raises(ConfigError, match="did you mean 'https'"):
        split_words(["--htps"], "", KNOWN)


@pytest.mark.parametrize("words", [["--prompt", "x.jsonl"], ["--prompt=x.jsonl"]])
def test_an_unknown_key_with_a_value_is_told_which_was_meant(words, capsys):
    assert run(["score", "rule:length", *words]) == 2
    assert "unknown key 'prompt'; did you mean 'prompts'" in capsys.readouterr().err


def test_a_verb_reads_its_keys_as_options_beside_its_own(tmp_path, capsys):
    """--json belongs to the command wherever it stands; --pairs to the verb's settings."""
    rows = [{"prompt": f"w{i}", "chosen": "a b c", "rejected": "a"} for i in range(4)]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(json.dumps(row) for row in rows))
    assert run(["score", "rule:length", "--json", "--pairs", str(pairs)]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"]["value"] == 1.0


def test_a_reward_card_is_printed_as_its_sentences_and_warnings(capsys):
    show({"steps": 3, "card": {"accuracy": None, "warnings": ["Look out."], "sign": {"p": 1.0}}})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "steps: 3"
    assert printed[1].startswith("No pair was held out")
    assert printed[-1] == "! Look out."
    assert len(printed) == 4


def test_a_number_is_printed_with_what_is_known_of_it(capsys):
    interval = {"ci_low": 0.1, "ci_high": 0.3}
    show({"share": {"value": 0.2, **interval, "n": 4}, "alpha": {"value": 0.2, **interval}})
    assert capsys.readouterr().out == "share: 0.2 [0.100, 0.300] n=4\nalpha: 0.2 [0.100, 0.300]\n"
