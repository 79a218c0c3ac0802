"""What a sceptic asks: the longer answer, words alone, the backbone as it came."""

import numpy as np
import pytest
from scipy.optimize import minimize

from humanalign.reward.model import LearnedReward
from humanalign.reward.trust.baselines import features_of, frozen_gaps, longer_wins, tfidf_gaps
from humanalign.reward.trust.logistic import STRENGTHS, choose_strength, fit_differences
from humanalign.reward.trust.tfidf import Vocabulary, terms_of
from humanalign.types import PreferencePair

NICE, RUDE = ["thanks a lot", "of course", "glad to help"], ["go away", "shut up now", "you fool"]


def manners(n: int, *, first: int = 0) -> list[PreferencePair]:
    """Pairs of a polite and a rude answer among words that say nothing."""
    rng = np.random.default_rng(first)

    def said(phrase):
        words = rng.choice(["w1", "w2", "w3", "w4", "w5"], size=4).tolist()
        return " ".join([*words[:2], phrase, *words[2:]])

    return [
        PreferencePair(f"prompt {first + i}", said(NICE[i % 3]), said(RUDE[i % 3]))
        for i in range(n)
    ]


def test_terms_are_words_and_neighbouring_words_in_lower_case():
    assert terms_of("The cat, THE mat") == [
        "the",
        "cat",
        "the",
        "mat",
        "the cat",
        "cat the",
        "the mat",
    ]


def test_tf_idf_weighs_as_counted_by_hand():
    """Three texts; "b" in two of them, "a" in all; pairs of words occur once and are dropped."""
    words = Vocabulary.of(["a b", "b c a", "a d"])
    assert words.column == {"a": 0, "b": 1}
    a, b = np.log(4 / 4) + 1, np.log(4 / 3) + 1
    row = words.rows(["b x b a"]).toarray()[0]
    by_hand = np.array([a, (1 + np.log(2)) * b])
    assert row == pytest.approx(by_hand / np.linalg.norm(by_hand))
    assert words.rows(["nothing known"]).toarray().tolist() == [[0.0, 0.0]]


def test_the_logistic_fit_is_the_minimum_of_the_penalised_loss():
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(40, 3)), rng.random(40)

    def loss(w):
        return -(weights * np.log(1 / (1 + np.exp(-(rows @ w))))).sum() + w @ w / (2 * 0.7)

    other = minimize(
        loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}
    )
    assert fit_differences(rows, weights, strength=0.7) == pytest.approx(other.x, abs=1e-4)


def test_noise_is_held_down_harder_than_a_signal():
    rng = np.random.default_rng(1)
    prompts, weights = [f"p{n}" for n in range(100)], np.ones(100)
    noise = rng.normal(size=(100, 20))
    clear = np.abs(rng.normal(size=(100, 20)))
    assert choose_strength(noise, weights, prompts) == STRENGTHS[0]
    assert choose_strength(clear, weights, prompts) > STRENGTHS[0]


def test_words_alone_tell_polite_answers_from_rude_ones_on_unseen_prompts():
    gaps = tfidf_gaps(manners(60), manners(30, first=100))
    assert (gaps > 0).all()


def test_pairs_without_a_common_word_leave_words_undecided():
    train = [PreferencePair(f"p{n}", f"only{n}", f"other{n}") for n in range(6)]
    assert tfidf_gaps(train, train[:2]).tolist() == [0.0, 0.0]


def test_a_tie_stored_both_ways_teaches_nothing():
    pairs = manners(40)
    ties = [
        PreferencePair(p.prompt, *sides, weight=0.5)
        for p in pairs
        for sides in ((p.chosen, p.rejected), (p.rejected, p.chosen))
    ]
    assert tfidf_gaps(ties, manners(10, first=100)) == pytest.approx(np.zeros(10), abs=1e-6)


def test_the_longer_answer_is_counted_in_characters():
    pairs = [PreferencePair("p", "four", "sixsix"), PreferencePair("p", "a b c d", "abcdef")]
    assert longer_wins(pairs).tolist() == [-2.0, 1.0]


def test_the_frozen_backbone_is_read_in_any_order_alike(calm_encoder):
    start = LearnedReward.start(calm_encoder)
    texts = [(p.prompt, p.chosen) for p in manners(40)]
    features = features_of(start, texts)
    one = start.features([texts[7][0]], [texts[7][1]]).numpy()[0]
    assert features[7] == pytest.approx(one, abs=1e-5)


def test_the_frozen_backbone_learns_from_its_features(calm_encoder):
    words = " ".join(f"w{n}" for n in range(1, 4))
    pairs = [PreferencePair(f"w{n} {words}", f"w{n} good", f"w{n} rude") for n in range(5, 30)]
    gaps = frozen_gaps(pairs[:15], pairs[15:], LearnedReward.start(calm_encoder))
    assert (gaps > 0).all()
