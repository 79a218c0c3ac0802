"""Every objective returns its golden values, has some, and they notice a damaged line."""

from __future__ import annotations

import inspect

import pytest

import humanalign.objectives as objectives
from golden import EXACT
from golden.losses import ROWS
from golden.mutate import MUTATIONS, forget, load_copy

MODULES = ["advantage", "ilql", "kl", "masked", "policy", "preference", "reward", "vocabulary"]
COVERED = {row.function for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.function}: {row.case}")
def test_an_objective_returns_its_golden_values(row):
    assert row.error(objectives) <= EXACT["atol"]


@pytest.mark.parametrize("kind", objectives.kinds())
def test_every_registered_objective_has_a_golden_row(kind):
    functions = [objectives.lookup(kind, name) for name in objectives.names(kind)]
    keys = {f"{f.__module__.rsplit('.', 1)[1]}.{f.__name__}" for f in functions}
    assert keys - COVERED == set()


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_a_golden_row(name):
    module = getattr(objectives, name)
    public = {
        f"{name}.{key}"
        for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and key[0] != "_"
    }
    assert public - COVERED == set()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m[0]}: {m[1]} -> {m[2]}")
def test_a_damaged_line_changes_a_golden_value(mutation, tmp_path):
    name = "damaged_objectives"
    try:
        damaged = load_copy(tmp_path, name, *mutation)
        assert any(_disagrees(row, damaged) for row in ROWS)
    finally:
        forget(name)


def _disagrees(row, package) -> bool:
    try:
        return row.error(package) > EXACT["atol"]
    except (RuntimeError, ValueError, IndexError):
        return True
