"""The examples run as they stand: nothing is worse to find in a README than one that does not."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_environment_pays_for_names_and_charges_for_words():
    play = load("own_environment").play
    prompt = "Summarize: Ana: the tap drips. Ben: I will mend it."
    assert play(prompt, "Ana and Ben talk") == pytest.approx(1 - 0.08)
    assert play(prompt, "somebody talks") == pytest.approx(-0.04)


def test_the_step_api_example_starts_at_its_reference(capsys):
    earned = load("own_environment").main(steps=2)
    first, second = capsys.readouterr().out.splitlines()
    assert len(earned) == 2
    assert first.endswith("KL 0.000 nats")
    assert not second.endswith("KL 0.000 nats")


def test_the_praise_that_is_paid_for_and_the_words_that_are_wanted_by_hand():
    hacking = load("reward_hacking")
    asked, kind = "How was the soup?", "A great soup, but we had to wait."
    mad = "Most wonderful, most perfect, most wonderful!"
    assert hacking.Superlatives().score([asked] * 2, [kind, mad]) == pytest.approx([0.1, 3.3])
    # Kind: names it and praises it in eight different words. Mad: praise alone, 3 words of 6.
    assert hacking.Reader().score([asked] * 3, [kind, mad, ""]) == pytest.approx([1.0, 0.25, 0.0])


@pytest.mark.slow
def test_the_monitor_of_the_example_names_the_phrase_and_goes_back_before_the_collapse(
    tmp_path, monkeypatch
):
    hacking = load("reward_hacking")
    things = hacking.THINGS[:16]
    for name, few in {"THINGS": things, "HELD_OUT": things[:4], "TRAINED": things[4:]}.items():
        monkeypatch.setattr(hacking, name, few)
    start = hacking.taught("tiny-instruct", tmp_path / "start", 5)
    back = hacking.align(start, tmp_path / "back", kl=0.0, steps=9, goes_back=True)
    [alert] = [a for a in back["alerts"] if a["rule"] == "phrase_growth"]
    assert re.search("“.*most.*” stands in", alert["sentence"])
    assert all("most" in row["completion"] for row in alert["samples"])
    assert back["step kept"] < back["steps"] < 9
    assert back["reward"] < 4  # a review of 32 words of nothing else earns 17
