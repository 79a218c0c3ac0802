"""Every sentence a labeler meets is in the Arabic catalog, with the same blanks to fill."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from humanalign import web
from humanalign.web import words

ROOM = Path(web.__file__).parent
# The owner's side is in English; the API speaks to programs.
TEMPLATES = [p for p in sorted(ROOM.glob("templates/**/*.html")) if p.parent.name != "owner"]
MODULES = [p for p in sorted(ROOM.rglob("*.py")) if p.parent.name not in ("owner", "api")]
MARKERS = ("_", "sentence", "translate")
ARABIC = json.loads((ROOM / "catalog" / "ar.json").read_text(encoding="utf-8"))


def keys_of_template(path: Path) -> set[str]:
    tree = Environment().parse(path.read_text(encoding="utf-8"))
    return {
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name)
        and call.node.name == "_"
        and isinstance(call.args[0], nodes.Const)
    }


def keys_of_module(path: Path) -> set[str]:
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in MARKERS
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def used() -> dict[str, str]:
    """Every sentence with a file that says it."""
    found = {key: path.name for path in TEMPLATES for key in keys_of_template(path)}
    return found | {key: path.name for path in MODULES for key in keys_of_module(path)}


def blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_sentence_is_in_the_catalog():
    assert {key: where for key, where in used().items() if key not in ARABIC} == {}


def test_the_catalog_has_no_sentence_that_no_page_says():
    assert sorted(set(ARABIC) - set(used())) == []


def test_both_languages_leave_the_same_blanks():
    assert {en: ar for en, ar in ARABIC.items() if blanks(en) != blanks(ar)} == {}


def test_every_translation_is_written_in_arabic():
    assert [en for en, ar in ARABIC.items() if not re.search("[\u0621-\u064a]", ar)] == []


def test_the_catalog_is_sorted_so_that_changes_are_easy_to_read():
    assert list(ARABIC) == sorted(ARABIC)


def test_a_sentence_is_filled_in_its_language():
    said = words.translator("ar")("{done} of {all}", done=17, all=60)
    assert said == ARABIC["{done} of {all}"].replace("{done}", "17").replace("{all}", "60")
    assert words.translator("en")("{done} of {all}", done=17, all=60) == "17 of 60"


def test_a_name_in_an_arabic_sentence_is_isolated_from_its_direction():
    said = words.translator("ar")("You are signed in as {name}.", name="Bob (2)")
    assert "\u2068Bob (2)\u2069" in said


def test_text_from_elsewhere_is_never_read_as_a_sentence_with_blanks():
    assert words.translator("ar")("set {x.__class__} {0}") == "set {x.__class__} {0}"


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ar-EG,ar;q=0.9,en;q=0.8", "ar"),
        ("en-GB,en;q=0.9,ar;q=0.2", "en"),
        ("fr,ar;q=0.3,en;q=0.1", "ar"),
        ("fr", "en"),
        ("ar;q=0", "en"),
        ("", "en"),
        ("ar;q=x,,;;", "en"),
    ],
)
def test_a_strangers_language_is_the_one_the_browser_prefers(accept: str, language: str):
    assert words.preferred(accept) == language
