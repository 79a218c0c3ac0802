"""The settings of a project: what its owner may choose, and within which ranges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from humanalign.errors import ConfigError, did_you_mean
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.spelling import storable

# Smallest and largest value of each number.
RANGES = {
    "overlap": (1, 100),
    "contested_overlap": (1, 100),
    "pass_mark": (0.0, 1.0),
    "scale": (2, 9),
    "gold_every": (0, 1000),
}
LENGTHS = {"warning": 2_000, "consent": 20_000}


@dataclass(frozen=True)
class ProjectSettings:
    """How a project runs. ConfigError: a value of the wrong type or out of range.

    `overlap` people judge each item and `contested_overlap` a contested one, where that is more:
    when its owner asks for it, or by itself where `adaptive`;
    `blur` hides completions until revealed; `warning` is shown before consent; `consent` is
    Markdown ("": the built-in text); `pass_mark` is the share of the quiz to get right; a rating
    goes from 1 to `scale`; every `gold_every`-th item has a known answer (0: none).
    """

    overlap: int = 3
    contested_overlap: int = 5
    blur: bool = False
    warning: str = ""
    consent: str = ""
    pass_mark: float = 0.8
    scale: int = 3
    gold_every: int = 0
    adaptive: bool = False

    def __post_init__(self) -> None:
        for name, kind in _kinds().items():
            value = getattr(self, name)
            fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            if kind is float and type(value) is int:
                fits = True
            if not fits:
                raise ConfigError(f"{name}: expected {_words(kind)}, got {value!r}")
            _check_range(name, value)


def read_settings(content: Mapping[str, object]) -> ProjectSettings:
    """Settings from JSON; what is not given has its default.

    ConfigError: an unknown key, a value of the wrong type or out of range.
    """
    known = _kinds()
    for key in content:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"; the keys are {', '.join(known)}"
            raise ConfigError(f"settings: unknown key {key!r}{hint}")
    return ProjectSettings(**content)  # pyright: ignore[reportArgumentType] - checked on creation


def settings_text(settings: ProjectSettings) -> str:
    """Settings as the store keeps them."""
    return canonical(asdict(settings))


def settings_of(text: str) -> ProjectSettings:
    """Settings as the store kept them."""
    return read_settings(json.loads(text))


def _kinds() -> dict[str, type]:
    return {each.name: type(each.default) for each in fields(ProjectSettings)}


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]


def _check_range(name: str, value: object) -> None:
    if isinstance(value, str):
        if len(value) > LENGTHS[name]:
            raise ConfigError(
                f"{name}: expected at most {LENGTHS[name]:,} characters, got {len(value):,}"
            )
        if not storable(value):
            raise ConfigError(f"{name}: holds a character that is no text (U+0000 or half a pair)")
    elif isinstance(value, int | float) and name in RANGES:
        low, high = RANGES[name]
        if not low <= value <= high:
            raise ConfigError(f"{name}: expected {low} to {high}, got {value}")
