"""Planted leaks are found, clean data has none, and near duplicates are those of brute force."""

import numpy as np
import pytest

from humanalign.reward.trust.leaks import contradictions, leaks, plain
from humanalign.reward.trust.shingles import jaccard, near_pairs, triples
from humanalign.types import PreferencePair


def texts(n: int, words: int = 12, *, seed: int = 0) -> list[str]:
    """Random texts of 40 common words."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{w}" for w in rng.integers(0, 40, size=words)) for _ in range(n)]


def pairs_on(prompts, seed):
    answers = texts(2 * len(prompts), seed=seed)
    return [PreferencePair(prompt, *answers[2 * n : 2 * n + 2]) for n, prompt in enumerate(prompts)]


def test_clean_parts_have_no_leak():
    found = leaks(pairs_on(texts(300, seed=1), 2), pairs_on(texts(100, seed=3), 4))
    assert (found["same_prompts"], found["near_prompts"], found["same_answers"]) == (0, 0, 0)
    assert found["examples"] == []


def test_planted_leaks_are_counted_and_shown():
    prompts = texts(50, words=30, seed=1)
    train = pairs_on(prompts, 2)
    shouted = prompts[0].upper().replace(" ", ",  ") + "?!"
    changed = " ".join(["other", *prompts[1].split()[1:]])
    test = pairs_on([shouted, changed, "quite another prompt"], 5)
    stolen = PreferencePair("and one more", train[7].chosen, "its own answer")
    found = leaks(train, [*test, stolen])
    assert (found["same_prompts"], found["near_prompts"], found["same_answers"]) == (1, 1, 1)
    assert [line.split(":")[0] for line in found["examples"]] == [
        "prompt in both parts",
        "nearly the same",
        "answer in both parts",
    ]


def test_stock_phrases_are_no_leak():
    train = [PreferencePair("p", "I do not know that.", "No idea at all, really sorry about it.")]
    test = [PreferencePair("q", "I do not know that!", "something else")]
    assert leaks(train, test)["same_answers"] == 0


def test_pairs_judged_both_ways_are_counted_but_not_stored_ties():
    both = [PreferencePair("p", *sides, rater=r) for sides, r in (("ab", "ann"), ("ba", "bob"))]
    ties = [PreferencePair("q", *sides, weight=0.5) for sides in ("ab", "ba")]
    assert contradictions([*both, *ties, PreferencePair("r", "a", "b")]) == 1


def test_case_spaces_and_punctuation_do_not_tell_texts_apart():
    assert plain("  Why -- oh,\nWHY?_") == plain("why oh why") == "why oh why"


def test_near_duplicates_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    known = texts(40, words=30)
    asked = []
    for text in known:
        words = text.split()
        for place in rng.integers(0, 30, size=rng.integers(0, 5)):
            words[place] = "changed"
        asked.append(" ".join(words))

    def grams(text):
        words = text.split()
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    expected = [
        (i, j)
        for i, a in enumerate(asked)
        for j, b in enumerate(known)
        if len(grams(a) & grams(b)) / len(grams(a) | grams(b)) >= 0.8
    ]
    assert 5 < len(expected) < 40
    assert near_pairs(asked, known) == expected


def test_jaccard_as_counted_by_hand():
    # abc bcd cde against abc bcd cdx: two triples shared of four.
    assert jaccard(triples("a b c d e"), triples("a b c d x")) == 0.5
    assert jaccard(triples("a b"), triples("a b")) == 1.0
    assert jaccard(triples("a b"), triples("b a")) == 0.0


def test_the_place_of_a_word_in_a_triple_counts():
    assert jaccard(triples("a b c"), triples("c b a")) == pytest.approx(0.0)
