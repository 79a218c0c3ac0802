"""Imports go down the layers only, rooms never meet, nothing goes in circles."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "humanalign"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = ("collect", "prefer", "reward", "align", "evaluate")
# Lower may not import higher. The first word of a module's name below humanalign tells its layer.
LAYERS = [
    ("types", "errors", "rooms"),
    ("rows", "intervals", "config", "settings", "run", "conversations"),
    ("objectives",),
    (
        *("hub", "loading", "encoding", "decoding", "attention", "adapters", "models", "heads"),
        *("cache", "sampling", "train", "averaging", "interrupts", "console", "products"),
        "trackers",
    ),
    ROOMS,
    ("verbs", "cli", "loop", "web", "tiny", "__main__", "demo"),
]
LEVEL = {name: i for i, layer in enumerate(LAYERS) for name in layer}
# Stated in the contract: a run directory and the settings may be read by everything above them.
STORE_SIDE = ("store", "statistics.summary", "statistics.consensus", "pairs", "files.exports")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {name_of(path): path for path in MODULES}


def imports(path: Path) -> set[str]:
    """The modules of ours that `path` imports anywhere, inside functions too."""
    found: set[str] = set()
    package = name_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            names = {f"{module}.{alias.name}" for alias in node.names}
            found |= {n if n in KNOWN else module for n in names}
    return found


GRAPH = {name: imports(path) for name, path in KNOWN.items()}


def top(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def arrows() -> list[tuple[str, str]]:
    ours = [(a, b) for a, targets in GRAPH.items() for b in targets if b in KNOWN]
    return [(a, b) for a, b in ours if top(a) and top(b) and top(a) != top(b)]


def test_every_module_belongs_to_a_layer():
    assert sorted({top(name) for name in KNOWN} - {""} - set(LEVEL)) == []


def test_imports_go_down_the_layers():
    upward = [f"{a} -> {b}" for a, b in arrows() if LEVEL[top(a)] < LEVEL[top(b)]]
    assert upward == []


def test_rooms_never_import_each_other():
    assert [f"{a} -> {b}" for a, b in arrows() if {top(a), top(b)} <= set(ROOMS)] == []


def test_no_module_is_reached_from_itself():
    ours = {name: {t for t in targets if t in KNOWN} for name, targets in GRAPH.items()}
    try:
        list(TopologicalSorter(ours).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_objectives_know_torch_and_the_standard_library_only():
    standard = set(sys.stdlib_module_names) | {"torch", ""}
    foreign = {
        f"{name}: {target}"
        for name, targets in GRAPH.items()
        if top(name) == "objectives"
        for target in targets
        if target.split(".")[0] not in standard and not target.startswith("humanalign.objectives")
    }
    assert sorted(foreign) == []


def test_the_store_side_works_without_torch():
    lines = [f"import humanalign.prefer.{module}" for module in STORE_SIDE]
    lines += ["import sys", "assert 'torch' not in sys.modules, 'torch was imported'"]
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
