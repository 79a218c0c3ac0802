"""What an evaluation found: every number with its interval, as a table, as JSON, as samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from humanalign.evaluate.measures import Row
from humanalign.evaluate.paired import Paired
from humanalign.evaluate.statistics import Undefined
from humanalign.types import EvalResult

Leaf = EvalResult | Undefined | float | int | str | bool | None
Tree = Mapping[str, "Leaf | Tree | list[dict]"]


@dataclass(frozen=True)
class Evaluation:
    """A policy, alone or beside the one it is compared `against`, on `n` prompts.

    `results` is nested by name (toxicity -> before, after, difference ...); `comparisons` holds
    the paired metrics in the order they are told; `samples` one row for each answer (or pair).
    """

    policy: str
    against: str | None
    n: int
    results: Tree
    comparisons: tuple[Paired, ...]
    samples: tuple[Row, ...]

    def summary(self) -> dict:
        """The results as JSON: each number {value, ci_low, ci_high, n}; a None has its reason."""
        head = {"policy": self.policy, "against": self.against, "prompts": self.n}
        return {**head, **plain(self.results)}

    def table(self) -> list[dict[str, str]]:
        """Rows ready to print: metric, before, after, difference with interval, p, verdict."""
        if self.against is None:
            return [
                {"metric": name, "value": _cell(result)} for name, result in _values(self.results)
            ]
        return [
            {
                "metric": paired.metric,
                "before": f"{paired.before.value:.3f}",
                "after": f"{paired.after.value:.3f}",
                "difference": _cell(paired.difference, sign="+"),
                "p (Holm)": f"{paired.p_holm:.4f}",
                "verdict": paired.verdict,
            }
            for paired in self.comparisons
        ]

    def __str__(self) -> str:
        rows = self.table()
        names = list(rows[0]) if rows else []
        width = {c: max(len(c), *(len(row[c]) for row in rows)) for c in names}
        lines = ["  ".join(c.ljust(width[c]) for c in names)]
        lines += ["  ".join(row[c].ljust(width[c]) for c in names) for row in rows]
        beside = f" against {self.against}" if self.against else ""
        title = f"{self.policy}{beside}, {self.n} prompts, 95 % intervals"
        return "\n".join(line.rstrip() for line in [title, *lines])


def plain(value: object) -> Any:
    """The same as JSON has it, at any depth."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.as_dict() if isinstance(value, EvalResult | Undefined) else value


def _cell(result: EvalResult | Undefined, sign: str = "") -> str:
    if isinstance(result, Undefined):
        return f"undefined: {result.reason}"
    return f"{result.value:{sign}.3f} [{result.ci_low:{sign}.3f}, {result.ci_high:{sign}.3f}]"


def _values(tree: Tree, path: tuple[str, ...] = ()) -> list[tuple[str, EvalResult | Undefined]]:
    found: list[tuple[str, EvalResult | Undefined]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found += _values(value, (*path, name))
        elif isinstance(value, EvalResult | Undefined):
            found.append((" ".join(path if name == "after" else (*path, name)), value))
    return found
