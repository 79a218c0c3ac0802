"""Tiny random policies, and the token the tests of a preference turn on."""

from __future__ import annotations

from pathlib import Path

import tiny_models

from humanalign.models import Policy


def causal(path: Path) -> Policy:
    return Policy.load(tiny_models.save_causal(path), device="cpu")


def t5(path: Path) -> Policy:
    return Policy.load(tiny_models.save_t5(path), device="cpu")


FAMILIES = {"causal": causal, "t5": t5}
