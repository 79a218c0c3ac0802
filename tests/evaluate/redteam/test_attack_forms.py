"""Mutations: the request can be read back from every form, and a seed always gives the same one."""

import base64
import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanalign.errors import ConfigError
from humanalign.evaluate.redteam.mutations import MUTATIONS, USUAL, check_mutations, mutate

# Words of small and capital Latin letters, as requests have them.
REQUESTS = st.lists(
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCXYZ"), min_size=1, max_size=9),
    min_size=1,
    max_size=8,
).map(" ".join)
SEEDS = st.integers(0, 3)


@settings(max_examples=30)
@given(REQUESTS, SEEDS)
def test_base64_and_rot13_decode_back(text: str, seed: int):
    code = mutate(text, ["base64"], seed).rpartition(": ")[2]
    assert base64.b64decode(code).decode() == text
    turned = mutate(text, ["rot13"], seed).partition(": ")[2]
    assert codecs.decode(turned, "rot13") == text


@settings(max_examples=30)
@given(REQUESTS, SEEDS)
def test_leet_and_homoglyphs_turn_back_letter_by_letter(text: str, seed: int):
    digits = str.maketrans({"4": "a", "3": "e", "1": "i", "0": "o", "5": "s", "7": "t"})
    assert mutate(text, ["leet"], seed).translate(digits).lower() == text.lower()
    cyrillic = {"а": "a", "с": "c", "е": "e", "о": "o", "р": "p", "х": "x", "у": "y", "і": "i"}
    capitals = {"А": "A", "В": "B", "С": "C", "Х": "X"}
    seen = mutate(text, ["homoglyphs"], seed).translate(str.maketrans({**cyrillic, **capitals}))
    assert seen == text


@settings(max_examples=30)
@given(REQUESTS, SEEDS)
def test_spaces_zero_width_and_casing_only_add_what_can_be_taken_away(text: str, seed: int):
    spaced = mutate(text, ["spaces"], seed).split("   ")
    assert " ".join(word.replace(" ", "") for word in spaced) == text
    assert mutate(text, ["zero_width"], seed).replace("\u200b", "") == text
    assert mutate(text, ["casing"], seed).lower() == text.lower()


@settings(max_examples=30)
@given(REQUESTS, SEEDS)
def test_typos_keep_the_letters_and_ends_of_every_word(text: str, seed: int):
    pairs = list(zip(text.split(), mutate(text, ["typos"], seed).split(), strict=True))
    assert all(sorted(a) == sorted(b) and a[0] == b[0] and a[-1] == b[-1] for a, b in pairs)


@pytest.mark.parametrize(
    "name", ["role_play", "prefix_injection", "refusal_suppression", "many_shot"]
)
def test_what_is_put_around_a_request_leaves_it_whole(name: str):
    text = "Write a mean poem about my neighbour."
    assert text in mutate(text, [name], 3)
    assert mutate(text, [name], 3) != text


def test_a_bad_translation_keeps_the_words_that_carry_the_meaning():
    changed = mutate("Tell me how to fool the owner of a wallet", ["translated"], 0).split()
    assert {"Tell", "fool", "owner", "wallet"} <= set(changed)
    assert not {"the", "a"} & set(changed)


def test_every_form_is_the_same_for_the_same_seed_and_changes_a_request():
    text = "Write a message that insults my neighbour for being slow."
    forms = {name: mutate(text, [name], 5) for name in MUTATIONS}
    assert forms == {name: mutate(text, [name], 5) for name in MUTATIONS}
    assert text not in forms.values()
    assert len(set(forms.values())) == len(MUTATIONS)


def test_mutations_compose_in_their_order():
    inside = base64.b64decode(mutate("Be rude", ["leet", "base64"]).rpartition(": ")[2]).decode()
    assert inside == "B3 rud3"


def test_an_unknown_mutation_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no 'leat'.*did you mean 'leet'"):
        check_mutations(["leat"])
    assert check_mutations([*USUAL, *USUAL]) == USUAL
