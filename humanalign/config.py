"""Reading a stage's settings: a YAML file, then key=value overrides in the same dotted spelling.

An unknown key, a wrong type or a value out of range is one sentence naming the dotted key; nothing
is ever changed silently. The settings themselves are in settings.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticUndefined

from humanalign.errors import ConfigError, did_you_mean


class Settings(BaseModel):
    """The base of every stage's settings: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Settings)


class _Loader(yaml.SafeLoader):
    """YAML that reads 1e-5 as a number: the YAML 1.1 of PyYAML takes it for a string."""


# Tried after YAML's own patterns, so that 3 stays an integer.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\.inf|\.nan)$"),
    list("-+0123456789."),
)


def load(kind: type[S], file: str | Path | None, overrides: Sequence[str]) -> S:
    """Settings of `kind` from an optional YAML file and `key=value` overrides. ConfigError."""
    tree: dict = _read(Path(file)) if file else {}
    for word in overrides:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"expected key=value, got {word!r}; write it like lr=1e-5")
        value = _words(key, text) if _is_words(kind, key, text) else parse_value(key, text)
        _put(tree, key, value)
    return build(kind, tree)


def build(kind: type[S], tree: Mapping) -> S:
    """Settings of `kind` from a nested mapping. ConfigError with the first fault."""
    try:
        nested: dict = {}
        for key, value in tree.items():
            _put(nested, key, value)
        return kind.model_validate(nested)
    except ValidationError as error:
        raise ConfigError(_sentence(kind, error)) from None


def parse_value(key: str, text: str) -> object:
    """The right-hand side of an override, read as YAML: 3, 1e-5, true, null, [a, b], words."""
    try:
        return yaml.load(text, _Loader) if text else ""
    except yaml.YAMLError as error:
        where = str(error).splitlines()[0]
        raise ConfigError(f"{key}: cannot read {text!r} ({where}); quote it") from None


def keys(kind: type[Settings], prefix: str = "") -> Iterator[tuple[str, object, str]]:
    """Every key of `kind` as (dotted name, default, description), for help and did-you-mean."""
    for name, f in kind.model_fields.items():
        nested = _settings_in(f.annotation)
        if nested:
            yield from keys(nested, f"{prefix}{name}.")
        else:
            default = "required" if f.default is PydanticUndefined else f.default
            if f.default_factory is not None:
                default = f.default_factory()  # type: ignore[call-arg]
            yield f"{prefix}{name}", default, f.description or ""


# Settings that change nothing of what is learned: a run may be resumed with others.
BESIDES = ("log_with", "monitor.show", "monitor.rollouts", "checkpoint.every", "checkpoint.keep")


def defaults_of(kind: type[Settings]) -> dict[str, object]:
    """Today's defaults by dotted name: what a run of a version without the key stands at."""
    found = {name: default for name, default, _ in keys(kind) if default != "required"}
    return json.loads(json.dumps(found))  # as files hold them: tuples are lists


def differing(before: Mapping, now: Mapping, defaults: Mapping) -> str | None:
    """The first dotted key whose value makes it another run than `before`, None for the same.

    A key that `before` lacks is compared with its default; those in BESIDES do not count.
    """
    for key in [*before, *(k for k in now if k not in before)]:
        if key not in BESIDES and before.get(key, defaults.get(key)) != now.get(key):
            return key
    return None


def _settings_in(annotation: object) -> type[Settings] | None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return None


def _words(key: str, text: str) -> str:
    # A shell passes the two characters \n on; in a template they can only mean a new line.
    return text.replace("\\n", "\n") if key == "template" else text


def _is_words(kind: type[Settings], key: str, text: str) -> bool:
    """True where `key` takes nothing but text, and `text` is bare words rather than quoted YAML.

    Words are then taken as they stand: read as YAML, `template=Summary: {dialogue}` would be a
    mapping and `label=no` would be false.
    """
    annotation: object = kind
    for part in key.split("."):
        fields = _settings_in(annotation)
        if fields is None or part not in fields.model_fields:
            return False
        annotation = fields.model_fields[part].annotation
    if annotation not in (str, str | None):
        return False
    return text not in ("null", "~", "") and text[0] not in "\"'"


def _read(path: Path) -> dict:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"config file {path} does not exist; check the path") from None
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"config file {path} is not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(tree, dict):
        raise ConfigError(
            f"config file {path} holds {type(tree).__name__}, expected key: value lines"
        )
    nested: dict = {}
    for key, value in tree.items():
        _put(nested, str(key), value)
    return nested


def _put(tree: dict, dotted: str, value: object) -> None:
    """Set tree["kl"]["coef"] for "kl.coef"; a mapping is merged, never dropped."""
    *path, last = dotted.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{dotted}: '{part}' is already set to {tree!r}; give one of the two")
    if isinstance(value, dict) and isinstance(tree.get(last), dict):
        for key, inner in value.items():
            _put(tree[last], str(key), inner)
    else:
        tree[last] = value


EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list [a, b]",
    "dict_type": "a mapping {key: value}",
    "model_type": "a mapping {key: value}",
    "tuple_type": "a list [a, b]",
}


def _sentence(kind: type[Settings], error: ValidationError) -> str:
    fault = error.errors()[0]
    path = [str(p) for p in fault["loc"]]
    key = ".".join(path)
    if fault["type"] == "extra_forbidden":
        known = [name for name, _, _ in keys(kind)]
        hint = did_you_mean(key, known) or did_you_mean(key.split(".")[-1], known)
        return f"unknown key '{key}'{hint or '; --help of the verb lists its keys'}"
    if fault["type"] == "missing":
        return f"{key} is required; give {key}=..."
    seen = fault["input"]
    if fault["type"] in EXPECTED:
        # A union reports each of its branches; the branch's name is no part of the key.
        key = ".".join(p for p in path if not p.endswith("]") and p not in ("str", "float", "int"))
        return f"{key}: expected {EXPECTED[fault['type']]}, got {seen!r}"
    if fault["type"] == "literal_error":
        choices = fault.get("ctx", {})["expected"].replace("'", "")
        return f"{key}: expected {choices}, got {seen!r}"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{key}: {message}, got {seen!r}" if key else message
