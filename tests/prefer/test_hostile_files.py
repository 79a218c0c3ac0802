"""Whatever stands in a file, reading it gives judgements or one sentence, never another error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanalign.errors import DataError
from humanalign.prefer.files.exports import export_chunks
from humanalign.prefer.files.judgements import records_of
from humanalign.prefer.files.reading import LAYOUTS, read_judgements
from humanalign.rows import write_rows

MESSAGES = [{"role": "user", "content": "Hi"}], [{"role": "assistant", "content": "Hello"}]
REPLIES = [{"role": "assistant", "text": "r", "rank": n, "replies": []} for n in range(2)]
SUMMARIES = [{"text": "a", "policy": "m"}, {"text": "b", "policy": "n"}]
RANKED = {"value": [{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 2}]}
SAID = [{"user_id": "u", "status": "submitted", "values": {"ranking": RANKED}}]
RESULT = [{"type": "ranker", "to_name": "items", "value": {"ranker": {"1": ["a"], "F": ["b"]}}}]
ITEMS = [{"id": each, "title": each, "body": each} for each in "ab"]
ROWS = {
    "groups": {"prompt": "p", "completions": ["a", "b"], "ranks": [1, "F"], "models": ["m", "n"]},
    "preference": {"prompt": MESSAGES[0], "chosen": MESSAGES[1], "rejected": MESSAGES[1]},
    "unpaired": {"prompt": "p", "completion": "a", "label": True},
    "ratings": {"prompt": "p", "completion": "a", "rating": 2, "scale": 3},
    "choice": {"prompt": "p", "completion_a": "a", "completion_b": "b", "choice": 1},
    "annotators": {"instruction": "p", "response1": "a", "response2": "b", "annotator1": 1},
    "worker": {"info": {"post": "p"}, "summaries": SUMMARIES, "choice": 0, "worker": "w"},
    "matches": {"left": "a", "right": "b", "winner": "tie"},
    "tree": {"prompt": {"role": "prompter", "text": "p", "replies": REPLIES}},
    "votes": {"tweet": "t", "hate_speech": 1, "offensive_language": 0, "neither": 2},
    "coded": {"user": "t", "A1_is_abuse.0": "1", "A1_is_abuse.1": "0"},
    "argilla": {
        "fields": {"prompt": "p", "response-1": "a", "response-2": "b"},
        "responses": SAID,
        "metadata": {"raters": "{}", "models": "[]"},
    },
    "label-studio": {
        "data": {"prompt": "p", "items": ITEMS},
        "annotations": [{"completed_by": {"email": "e"}, "lead_time": 1, "result": RESULT}],
        "meta": {"models": ["m", "n"]},
    },
    "work": {"prompt": "p", "completions": ["a", "b"]},
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.floats()
    | st.sampled_from(
        ["", "a", "F", "0", "1", "-1", "\x00", "\ud800", "[", "nan", "²", "inf", "9" * 5000]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "value", "rank", "replies", "role", "id"]), inner
        )
    ),
    max_leaves=6,
)


def the_rich_row(tmp_path):
    found = read_judgements(write_rows(tmp_path / "g.jsonl", [ROWS["groups"]]))
    return json.loads(b"".join(export_chunks("rich", records_of(found))))


def broken(draw, value):
    """`value` with one of its parts, at any depth, replaced."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: broken(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], broken(draw, value[place]), *value[place + 1 :]]
    return draw(JSON)


def test_every_layout_has_its_row_here():
    assert {*ROWS, "rich"} == {*LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_row_is_read(tmp_path, layout):
    row = ROWS.get(layout) or the_rich_row(tmp_path)
    assert read_judgements(write_rows(tmp_path / "x.jsonl", [row])).layout == layout


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_broken_row_gives_judgements_or_one_sentence(tmp_path_factory, layout, data):
    folder = tmp_path_factory.mktemp("x")
    row = ROWS.get(layout) or the_rich_row(folder)
    name = data.draw(st.sampled_from(sorted(row)))
    path = folder / "x.jsonl"
    # Escaped, because a lone surrogate can only be written so.
    path.write_text(json.dumps({**row, name: broken(data.draw, row[name])}) + "\n")
    said = None
    try:
        found = read_judgements(path, layout=layout)
        for export in ("rich", "groups", "argilla", "label-studio"):
            b"".join(export_chunks(export, records_of(found)))
    except DataError as error:
        said = str(error)
    assert said is None or (said.startswith(str(path)) and "\n" not in said)
