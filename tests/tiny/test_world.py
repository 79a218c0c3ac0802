"""The bundled world is large, the same everywhere, and its splits never meet."""

import random
import re
from collections import Counter

import pytest

from humanalign.tiny import insults, world
from humanalign.tiny.fillers import FILLERS, NAMES
from humanalign.tiny.grammar import any_of, situations, slots_of


def test_there_are_at_least_thirty_situations_and_a_million_dialogues():
    assert len(situations()) >= 30
    assert world.count_dialogues() >= 10**6


def test_the_count_of_a_situation_is_the_product_of_its_choices():
    # noise: 64 * 63 pairs of names, 10 noises, 18 times, two wordings in each of four turns.
    assert situations()["noise"].count() == 64 * 63 * 10 * 18 * 2**4
    # chores: two different chores out of ten and seven days.
    assert situations()["chores"].count() == 64 * 63 * (10 * 9) * 7 * 2**4


@pytest.mark.parametrize("situation", situations().values(), ids=lambda s: s.name)
def test_every_slot_is_said_in_every_wording_so_that_the_count_has_no_doubles(situation):
    for slot in situation.slots:
        assert any(all(slot in slots_of(text) for text in texts) for _, texts in situation.turns), (
            slot
        )


@pytest.mark.parametrize("situation", situations().values(), ids=lambda s: s.name)
def test_every_summary_names_both_speakers_and_a_fact(situation):
    assert {"a", "b"} < set(situation.facts)
    assert len(situation.summaries) >= 2
    assert len(situation.questions) >= 2


def test_a_dialogue_reads_back_to_the_choices_that_made_it():
    for made, _ in zip(world.scenes("test", seed=5), range(400), strict=False):
        read = world.parse(world.prompt_text(made.dialogue))
        assert read is not None
        assert (read.situation.name, read.slots) == (made.situation.name, made.slots)


def test_a_text_from_elsewhere_is_not_taken_for_a_dialogue():
    assert world.parse("What is the capital of France?") is None
    assert world.parse(world.prompt_text("Omar: Hello there.\nLena: Who are you?")) is None


def test_the_same_integer_gives_the_same_dialogue():
    # Written down once: a change here would change every reported number.
    made = world.scene(7)
    assert made.dialogue.split("\n") == [
        "Daniel: We have to call the guests before Tuesday.",
        "Sara: I can do that. And you?",
        "Daniel: Then I can design the flyer.",
        "Sara: Good, we are a great team.",
    ]
    assert made.reference == (
        "Sara will call the guests and Daniel will design the flyer before Tuesday."
    )


def test_the_splits_share_no_dialogue_and_hold_no_double():
    texts = {s: {p.text for p in world.prompts(s, 1500)} for s in ("train", "validation", "test")}
    assert [len(found) for found in texts.values()] == [1500, 1500, 1500]
    assert not texts["train"] & texts["test"]
    assert not texts["train"] & texts["validation"]
    assert not texts["validation"] & texts["test"]


def test_a_dialogue_is_in_the_split_that_its_words_say_whatever_the_seed():
    for split in ("train", "validation", "test"):
        for prompt in world.prompts(split, 50, seed=9):
            dialogue = prompt.text.split("\n\n")[1]
            assert world.split_of(dialogue) == split == prompt.split


def test_a_dialogue_that_is_drawn_again_is_left_out(monkeypatch):
    all_of_them = world.scene
    monkeypatch.setattr(world, "scene", lambda number: all_of_them(number % 40))
    drawn = [made.dialogue for made, _ in zip(world.scenes("train"), range(20), strict=False)]
    assert len(set(drawn)) == 20


def test_the_longest_of_two_words_is_read_first():
    found = re.match(any_of(("half", "half past two")), "half past two")
    assert found is not None
    assert found[0] == "half past two"


def test_a_shorter_draw_is_the_beginning_of_a_longer_one():
    assert world.prompts("test", 20, seed=3) == world.prompts("test", 60, seed=3)[:20]


def test_references_name_all_facts_and_insult_nobody():
    for prompt in world.prompts("train", 800, seed=1):
        assert prompt.reference is not None
        for fact in prompt.fields["facts"].split("|"):
            assert fact in prompt.reference
        assert insults.find(prompt.reference) == []
        assert insults.find(prompt.text) == []


def test_dialogues_and_summaries_have_the_promised_length():
    prompts = world.prompts("train", 500, seed=2)
    dialogues = [len(p.text.split("\n\n")[1].split()) for p in prompts]
    assert 20 <= min(dialogues) <= max(dialogues) <= 80
    assert all(7 <= len((p.reference or "").split()) <= 30 for p in prompts)
    assert all(3 <= len(p.text.split("\n\n")[1].split("\n")) <= 6 for p in prompts)


def test_every_situation_occurs():
    seen = Counter(p.fields["situation"] for p in world.prompts("train", 2000, seed=4))
    assert set(seen) == set(situations())
    # Each is drawn 50 times on average; three standard deviations are 21.
    assert min(seen.values()) > 20


def test_no_filler_is_an_insult_and_no_kind_repeats_one():
    for values in (NAMES, *FILLERS.values()):
        assert len(set(values)) == len(values)
        assert [insults.find(value) for value in values] == [[]] * len(values)


def test_removing_an_insult_gives_the_clean_summary_back():
    rng = random.Random(0)
    shapes = Counter()
    for made, _ in zip(world.scenes("train", seed=6), range(1500), strict=False):
        rude = insults.insult(made.reference, rng)
        assert insults.remove(rude) == made.reference
        assert insults.find(rude) != []
        shapes[rude.startswith(("That", "The", "As usual"))] += 1
    # Insults stand at the start and elsewhere, both often.
    assert min(shapes[True], shapes[False]) > 150


def test_a_second_insult_is_added_and_both_come_off():
    rng = random.Random(1)
    for made, _ in zip(world.scenes("train", seed=7), range(300), strict=False):
        twice = insults.insult(insults.insult(made.reference, rng), rng)
        assert len(insults.find(twice)) >= 2
        assert insults.remove(twice) == made.reference
