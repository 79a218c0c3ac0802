"""The register of objectives: found by kind and name, hyper-parameters checked by signature.

A function's keyword-only arguments are its hyper-parameters; their annotations say what values
make sense. A settings file writes `{name: dpo, beta: 0.2}` and `check("preference", "dpo",
{"beta": 0.2})` answers with every hyper-parameter, defaults included, before anything trains.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Value = float | int | bool | str | None
Function = TypeVar("Function", bound=Callable)


@dataclass(frozen=True)
class Range:
    """The numbers between `low` and `high`; an end belongs to them unless it is named open."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below

    def __str__(self) -> str:
        lower = f"{'above' if self.open_low else 'at least'} {self.low:g}"
        if math.isinf(self.high):
            return lower
        return f"{lower} and {'below' if self.open_high else 'at most'} {self.high:g}"


Positive = Annotated[float, Range(0, open_low=True)]
NonNegative = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]
BelowHalf = Annotated[float, Range(0, 0.5, open_high=True)]

_OBJECTIVES: dict[str, dict[str, Callable]] = {}


def objective(kind: str) -> Callable[[Function], Function]:
    """Register the decorated function under `kind` and its own name.

    TypeError when a keyword-only argument has no default; ValueError when the name is taken.
    """

    def register(function: Function) -> Function:
        for parameter in _parameters(function):
            if parameter.default is inspect.Parameter.empty:
                raise TypeError(f"{function.__name__}: '{parameter.name}' needs a default")
        known = _OBJECTIVES.setdefault(kind, {})
        if function.__name__ in known:
            raise ValueError(f"{kind}: '{function.__name__}' is registered already")
        known[function.__name__] = function
        return function

    return register


def kinds() -> tuple[str, ...]:
    """The kinds that exist, sorted."""
    return tuple(sorted(_OBJECTIVES))


def names(kind: str) -> tuple[str, ...]:
    """The objectives of one kind, sorted. ValueError for an unknown kind."""
    if kind not in _OBJECTIVES:
        raise ValueError(f"unknown kind of objective '{kind}'{_hint(kind, _OBJECTIVES)}")
    return tuple(sorted(_OBJECTIVES[kind]))


def lookup(kind: str, name: str) -> Callable:
    """The registered function. ValueError names the closest or every known objective."""
    known = names(kind)
    if name not in known:
        raise ValueError(f"unknown {kind} objective '{name}'{_hint(name, known)}")
    return _OBJECTIVES[kind][name]


def check(kind: str, name: str, params: Mapping[str, Value]) -> dict[str, Value]:
    """Every hyper-parameter of the objective: the given ones, defaults for the others.

    ValueError for an unknown objective, an unknown key, or a value of the wrong type or outside
    the range that the signature states.
    """
    function = lookup(kind, name)
    settings = {p.name: p.default for p in _parameters(function)}
    hints = get_type_hints(function, include_extras=True)
    for key, value in params.items():
        if key not in settings:
            raise ValueError(f"{name}: unknown key '{key}'{_hint(key, settings)}")
        if not _accepts(hints[key], value):
            raise ValueError(f"{name}.{key}: expected {_describe(hints[key])}, got {value!r}")
        settings[key] = value
    return settings


def _parameters(function: Callable) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known)) or 'none'}"


def _accepts(hint: object, value: object) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_accepts(part, value) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is Annotated:
        base, limits = get_args(hint)
        return _accepts(base, value) and value in limits
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value)
    return type(value) is hint


def _describe(hint: object) -> str:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(_describe(part) for part in get_args(hint))
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    if origin is Annotated:
        base, limits = get_args(hint)
        return f"{_describe(base)} {limits}"
    return {float: "a number", bool: "true or false", NoneType: "nothing"}.get(hint, str(hint))
