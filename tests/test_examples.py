"""The examples run as they stand: nothing is worse to find in a README than one that does not."""

from __future__ import annotations

import importlib.util
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
