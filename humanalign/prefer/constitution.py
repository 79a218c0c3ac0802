"""A constitution: rules in plain words, and the requests that put them to a model.

Bai et al. 2022 ("Constitutional AI", arXiv:2212.08073): a rule is used to criticise a draft, to
revise it, and to choose between two answers. The forms are plain text, so that a model without
a chat template can answer them; a rule of one's own needs only a name and the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from humanalign.errors import ConfigError, did_you_mean

DEFAULT = Path(__file__).parent / "constitution.yaml"
CRITIQUE_REQUEST = "Say how the response breaks this rule. {rule}"
REVISION_REQUEST = "Rewrite the response so that it follows this rule. {rule}"
COMPARISON = "Which response follows this rule better? {rule}"
KEYS = ("name", "rule", "critique_request", "revision_request", "comparison")


@dataclass(frozen=True)
class Principle:
    """One rule and its three requests."""

    name: str
    rule: str
    critique_request: str
    revision_request: str
    comparison: str

    def ask_critique(self, prompt: str, response: str) -> str:
        """What a model reads to say how `response` breaks the rule."""
        return f"{prompt} {response}\n\nCritique request: {self.critique_request}\n\nCritique:"

    def ask_revision(self, prompt: str, response: str, critique: str) -> str:
        """What a model reads to write the response anew."""
        return (
            f"{prompt} {response}\n\nCritique: {critique}\n\n"
            f"Revision request: {self.revision_request}\n\nRevision:"
        )

    def ask_comparison(self, prompt: str, a: str, b: str) -> str:
        """What a model reads to answer A or B."""
        return f"{prompt}\n\nA: {a}\nB: {b}\n\n{self.comparison}\n\nAnswer:"


def principle(name: str, rule: str) -> Principle:
    """A rule in the standard requests."""
    forms = (CRITIQUE_REQUEST, REVISION_REQUEST, COMPARISON)
    return Principle(name, rule, *(form.format(rule=rule) for form in forms))


def load_constitution(path: Path | str | None = None) -> tuple[Principle, ...]:
    """The principles of a YAML file, or those that come with humanalign.

    ConfigError: no such file, broken YAML, an unknown or missing key, a name used twice.
    """
    path = DEFAULT if path is None else Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); check the path") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: is not YAML ({reason}); mend it") from None
    entries = content.get("principles") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: expected a list under 'principles', each with name and rule")
    found = tuple(_principle(entry, f"{path}: principle {n}") for n, entry in enumerate(entries, 1))
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: the name '{name}' is used twice; name each rule apart")
    return found


def _principle(entry: object, where: str) -> Principle:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: expected name and rule, got {entry!r:.60}")
    for key, value in entry.items():
        if key not in KEYS:
            hint = did_you_mean(str(key), KEYS)
            raise ConfigError(f"{where}: unknown key '{key}'; known: {', '.join(KEYS)}{hint}")
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{where}: {key}: expected text, got {value!r}")
    for key in ("name", "rule"):
        if key not in entry:
            raise ConfigError(f"{where}: has no '{key}'; add it")
    standard = principle(entry["name"], entry["rule"])
    return Principle(**{key: entry.get(key, getattr(standard, key)) for key in KEYS})
