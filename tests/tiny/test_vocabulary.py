"""The tokenizer gives back exactly what it was given."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanalign.tiny import recipe
from humanalign.tiny.lessons import lessons

_, TOKENIZER = recipe.load()


def _there_and_back(text: str) -> str:
    return TOKENIZER.decode(TOKENIZER(text).input_ids, skip_special_tokens=True)


def test_texts_of_the_world_come_back_exactly_and_in_whole_words():
    for lesson in itertools.islice(lessons("test", seed=1), 400):
        for text in (lesson.source, lesson.target):
            assert _there_and_back(text) == text
        words = lesson.source.split()
        assert len(TOKENIZER(lesson.source).input_ids) < 1.8 * len(words)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_any_other_text_comes_back_too(text):
    assert _there_and_back(text) == text


@pytest.mark.parametrize("text", ["Zebra?!  Two  spaces", "naïve ☃ 日本", "\n\n\tx", " ", ""])
def test_unusual_texts_come_back(text):
    assert _there_and_back(text) == text


def test_a_sequence_ends_with_one_eos_and_padding_is_another_token():
    ids = TOKENIZER("Omar asks Lena.").input_ids
    assert ids.count(TOKENIZER.eos_token_id) == 1
    assert ids[-1] == TOKENIZER.eos_token_id
    assert TOKENIZER.pad_token_id == 0 != TOKENIZER.eos_token_id


def test_the_vocabulary_is_small_and_a_verdict_is_one_token():
    assert len(TOKENIZER) <= 2000
    for word in ("A", "B", "Yes", "No"):
        assert len(TOKENIZER(word, add_special_tokens=False).input_ids) == 1
