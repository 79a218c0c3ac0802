"""Markdown that strangers and models write, and templates: nothing in them runs or is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from humanalign.web import render
from humanalign.web.render import markdown

HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "![x](https://evil.example/x.png)",
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        '<a href="https://x" onclick="alert(1)">x</a>',
        "[x](data:text/html,<script>)",
        "<iframe src=//evil.example></iframe>",
        "[x]: javascript:alert(1)\n[x]",
        "<style>*{display:none}</style>",
    ],
)
def test_markdown_of_models_runs_nothing_and_loads_nothing(text: str):
    made = str(markdown(text)).lower()
    assert "<img" not in made
    assert "<script" not in made
    assert "<iframe" not in made
    assert "<style" not in made
    assert 'href="javascript' not in made
    assert 'href="data:' not in made
    assert re.search(r"<\w[^>]*\son\w+=", made) is None


def test_a_link_in_markdown_tells_its_target_nothing():
    assert str(markdown("[a](https://b.example)")) == (
        '<p><a href="https://b.example" rel="noopener noreferrer nofollow">a</a></p>\n'
    )


def test_a_picture_in_markdown_becomes_a_link_that_the_reader_may_follow():
    assert '<a href="https://b.example/x.png"' in str(markdown("![plan](https://b.example/x.png)"))


def test_headings_of_instructions_stay_below_that_of_the_page():
    assert str(markdown("# A\n\n###### B")) == "<h2>A</h2>\n<h6>B</h6>\n"


def test_no_template_turns_escaping_off():
    folder = Path(render.__file__).parent / "templates"
    loose = [p.name for p in folder.rglob("*.html") if "|safe" in p.read_text().replace(" ", "")]
    assert loose == []
