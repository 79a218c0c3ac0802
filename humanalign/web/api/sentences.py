"""Errors of validation as one sentence: which field, what was expected, what came instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SHOWN = 40
# What pydantic calls a mistake -> what to say; {names} are of its context.
EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that is not infinite",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "a JSON object, sent with Content-Type: application/json",
    "list_type": "a list",
    "literal_error": "{expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_pattern_mismatch": "text of the form {pattern}",
}


def sentence_of(errors: Sequence[Mapping]) -> str:
    """The first mistake that validation found, as one sentence."""
    first = errors[0]
    where = ".".join(_shown(part) for part in first["loc"][1:]) or str(first["loc"][0])
    kind, context = first["type"], first.get("ctx") or {}
    got = _short(first.get("input"))
    if kind == "json_invalid":
        return "body: is not JSON; send an object with Content-Type: application/json"
    if kind == "missing":
        return f"{where}: is required"
    if kind == "extra_forbidden":
        return f"{where}: is not a field of this request; leave it out"
    if kind in ("too_long", "string_too_long", "too_short", "string_too_short"):
        return f"{where}: expected {_size(kind, context)}"
    if kind in EXPECTED:
        return f"{where}: expected {EXPECTED[kind].format(**context)}, got {got}"
    return f"{where}: {first['msg']}".replace("Value error, ", "")


def _size(kind: str, context: Mapping) -> str:
    bound = context.get("max_length", context.get("min_length"))
    words = "at most" if kind.endswith("long") else "at least"
    if kind.startswith("string"):
        return f"{words} {bound:,} characters"
    return f"{words} {bound:,} entries, got {context.get('actual_length')}"


def _shown(part: object) -> str:
    text = str(part)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _short(value: object) -> str:
    """The value seen, cut where it is long; a container by its kind only."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bytes):
        return "a body that is no JSON"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > 10**SHOWN:
        return "a very large number"
    return _shown(repr(value))
