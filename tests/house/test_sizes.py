"""Files stay short, say what they are, and are named after their subject."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "humanalign"
MODULES = sorted(PACKAGE.rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base"}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_has_400_lines_and_half_of_them_have_fewer_than_151():
    sizes = {str(p.relative_to(PACKAGE)): lines(p) for p in MODULES}
    assert {name: n for name, n in sizes.items() if n >= 400} == {}
    assert statistics.median(n for n in sizes.values() if n > 1) <= 150


def test_folders_are_at_most_three_deep():
    deep = [p for p in MODULES if len(p.relative_to(PACKAGE).parts[:-1]) > 3]
    assert deep == []


def test_no_file_hides_behind_a_name_that_says_nothing():
    parts = {part for p in MODULES for part in p.relative_to(PACKAGE).with_suffix("").parts}
    assert parts & VAGUE == set()


def test_every_module_says_what_it_is():
    silent = [
        str(p.relative_to(PACKAGE))
        for p in MODULES
        if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_functions_stay_within_40_lines_and_take_at_most_5_positional_arguments():
    long = []
    for path in MODULES:
        if "versions" in path.parts:
            continue  # a list of tables, written once and never edited
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first = node.body[0]
            said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            body = node.body[1:] if said and len(node.body) > 1 else node.body
            size = (node.body[-1].end_lineno or 0) - body[0].lineno + 1
            named = [a.arg for a in node.args.args if a.arg not in ("self", "cls")]
            if size > 40 or len(named) > 5:
                long.append(f"{path.relative_to(PACKAGE)}:{node.name} ({size}, {len(named)})")
    assert long == []
