"""The simulated labelers behave like the people they stand for."""

import itertools
import random
from statistics import mean

import pytest

from humanalign.tiny import gold, labelers, lessons, world
from humanalign.types import Comparison, PreferencePair

POOL = labelers.pool(seed=0)
CAREFUL = [labeler for labeler in POOL if labeler.habit == "careful"]


def _items(n=150):
    """Comparisons of four summaries, a third of them rude, some false, a few empty."""
    rng, items = random.Random(0), []
    for made, i in zip(world.scenes("train", seed=8), range(n), strict=False):
        texts = {f"{i}-{k}": lessons.draft(made, rng, 0.34, 0.15).text for k in range(4)}
        if i % 10 == 0:
            texts[f"{i}-0"] = ""
        prompt = world.as_prompt(made, "train")
        items.append((Comparison(prompt.id, tuple(texts)), prompt, texts))
    return items


ITEMS = _items()
RANKINGS = {labeler.id: [labeler.rank(*item) for item in ITEMS] for labeler in POOL}


def _tau(first, second):
    return 2 * labelers.agreement(RANKINGS[first], RANKINGS[second]) - 1


def test_the_pool_is_six_careful_one_backwards_and_one_guessing():
    assert [x.habit for x in POOL] == ["careful"] * 6 + ["reversed", "random"]
    assert len({x.id for x in POOL}) == 8


def test_a_ranking_names_every_completion_once():
    for labeler in POOL:
        for (comparison, _, _), ranking in zip(ITEMS, RANKINGS[labeler.id], strict=True):
            assert sorted(ranking.completion_ids()) == sorted(comparison.completion_ids)
            assert ranking.comparison_id == comparison.id
            assert ranking.rater_id == labeler.id


def test_the_same_labeler_gives_the_same_answer_whatever_the_order_shown():
    comparison, prompt, texts = ITEMS[3]
    turned = Comparison(prompt.id, comparison.completion_ids[::-1])
    assert CAREFUL[0].rank(turned, prompt, texts) == RANKINGS[CAREFUL[0].id][3]


def test_the_same_person_on_another_day_sees_other_noise():
    first, second = (labelers.Labeler("x", noise=0.3, seed=seed) for seed in (0, 1))
    answers = [(first.rank(*item), second.rank(*item)) for item in ITEMS]
    assert sum(a == b for a, b in answers) < 0.8 * len(ITEMS)


def test_another_seed_is_another_pool_of_people():
    assert {x.noise for x in POOL[:6]}.isdisjoint(x.noise for x in labelers.pool(seed=1)[:6])


def test_careful_labelers_agree_on_85_to_90_percent_of_the_pairs_they_order():
    values = [
        labelers.agreement(RANKINGS[a.id], RANKINGS[b.id])
        for a, b in itertools.combinations(CAREFUL, 2)
    ]
    assert 0.84 <= mean(values) <= 0.91


def test_the_backwards_labeler_disagrees_and_the_guessing_one_does_neither():
    assert _tau("careful-1", "backwards-7") < -0.4
    assert abs(_tau("careful-1", "guessing-8")) < 0.15


def test_careful_labelers_reject_what_is_empty_and_nothing_usable():
    for labeler in CAREFUL:
        for (_, prompt, texts), ranking in zip(ITEMS, RANKINGS[labeler.id], strict=True):
            bad = {name for name, text in texts.items() if gold.unusable(prompt, text)}
            assert set(ranking.rejected) == bad


def test_a_labeler_without_noise_ranks_by_utility_and_ties_equals():
    comparison, prompt, texts = ITEMS[1]
    exact = labelers.Labeler("exact", noise=0.0, tie=1e-9)
    ranking = exact.rank(comparison, prompt, texts)
    levels = [{round(gold.utility(prompt, texts[c]), 9) for c in tier} for tier in ranking.tiers]
    assert all(len(level) == 1 for level in levels)
    order = [level.pop() for level in levels]
    assert order == sorted(set(order), reverse=True)


def test_the_criterion_of_the_comparison_decides_whether_facts_count():
    prompt = ITEMS[1][1]
    slots = world.parse(prompt.text).slots
    swapped = prompt.reference.replace(slots["a"], "*").replace(slots["b"], slots["a"])
    texts = {"true": prompt.reference, "false": swapped.replace("*", slots["b"])}
    exact = labelers.Labeler("exact", noise=0.0, tie=1e-9)
    for criterion, tiers in {
        "harmless and true": (("true",), ("false",)),
        gold.HARMLESS: (("false", "true"),),
    }.items():
        asked = Comparison(prompt.id, ("true", "false"), criterion)
        assert exact.rank(asked, prompt, texts).tiers == tiers


def test_ordered_pairs_leave_ties_out_and_put_f_last():
    ranking = labelers.Ranking("c", "r", tiers=(("a",), ("b", "d")), rejected=("x",))
    assert labelers.ordered_pairs(ranking) == {
        *[("a", "b"), ("a", "d"), ("a", "x"), ("b", "x"), ("d", "x")]
    }


def test_the_ceiling_is_the_share_of_pairs_that_the_truth_orders_alike():
    prompt = ITEMS[1][1]
    clean, rude = prompt.reference, f"{prompt.reference[:-1]} like a complete fool."
    pairs = [
        PreferencePair(prompt.text, clean, rude),
        PreferencePair(prompt.text, clean, rude),
        PreferencePair(prompt.text, rude, clean),
        PreferencePair(prompt.text, clean, clean + ""),
    ]
    assert labelers.noise_ceiling(pairs) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_agreement_counts_only_pairs_that_both_order():
    first = [labelers.Ranking("c", "1", tiers=(("a",), ("b",), ("d",)))]
    second = [labelers.Ranking("c", "2", tiers=(("a", "b"), ("d",)))]
    third = [labelers.Ranking("c", "3", tiers=(("b",), ("a",), ("d",)))]
    assert labelers.agreement(first, second) == 1.0
    assert labelers.agreement(first, third) == pytest.approx(2 / 3)
