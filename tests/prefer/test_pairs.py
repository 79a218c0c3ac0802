"""Rankings become every pair they order, the better answer first, and splits go by prompt."""

from itertools import combinations

import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.formats import read_pairs, write_pairs
from humanalign.prefer.pairs import Texts, pairs_of, prompt_split
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.settings import PreferConfig
from humanalign.types import PreferencePair, Prompt, Ranking, Rater, split_of
from humanalign.verbs.judging import prefer
from prefer.ballots import filled
from prefer.work import place, send

PROMPT = Prompt("Say something.")
TEXTS = Texts({"q": PROMPT}, {c: f"answer {c}" for c in "abcd"})


def said(ranking, **options):
    found = pairs_of([ranking], TEXTS, **options)
    return [(p.chosen[-1] + p.rejected[-1], p.weight) for p in found]


def test_three_answers_give_three_pairs_the_better_first():
    ranking = Ranking("q", "ann", (("c",), ("a",), ("b",)))
    assert said(ranking) == [("ca", 1.0), ("cb", 1.0), ("ab", 1.0)]
    [first, *_] = pairs_of([ranking], TEXTS)
    assert (first.prompt, first.prompt_id, first.rater) == (PROMPT.text, PROMPT.id, "ann")


def test_ties_are_dropped_or_given_both_ways_at_half_the_weight():
    ranking = Ranking("q", "ann", (("a",), ("b", "c")))
    assert said(ranking) == [("ab", 1.0), ("ac", 1.0)]
    assert said(ranking, ties="soft") == [("ab", 1.0), ("ac", 1.0), ("bc", 0.5), ("cb", 0.5)]


def test_f_marks_are_removed_or_lose_to_every_other_answer():
    ranking = Ranking("q", "ann", (("a",), ("b",)), ("c", "d"))
    assert said(ranking) == [("ab", 1.0)]
    losing = said(ranking, rejects="lose", ties="soft")
    assert [pair for pair, _ in losing] == ["ab", "ac", "ad", "bc", "bd"]


def test_two_answers_of_the_same_words_make_no_pair():
    texts = Texts({"q": PROMPT}, {"a": "same", "b": "same", "c": "other"})
    found = pairs_of([Ranking("q", "ann", (("a",), ("b",), ("c",)))], texts)
    assert [(p.chosen, p.rejected) for p in found] == [("same", "other")] * 2


def test_a_consensus_gives_its_margins():
    agreed = Consensus(
        Ranking("q", "consensus", (("a",), ("b",))), ("ann", "bob"), {("a", "b"): 0.25}
    )
    [pair] = pairs_of([agreed], TEXTS)
    assert (pair.margin, pair.rater, pair.source) == (0.25, "consensus", "human")


def test_only_pairs_that_rest_on_models_alone_are_ai():
    own = Ranking("q", "bot", (("a",), ("b",)))
    agreed = Ranking("q", "consensus", (("a",), ("b",)))
    mixed = Consensus(agreed, ("ann", "bot"), {})
    alone = Consensus(agreed, ("bot",), {})
    found = [p.source for p in pairs_of([own, mixed, alone], TEXTS, ai=["bot"])]
    assert found == ["ai", "human", "ai"]


def test_a_pair_says_which_answer_its_rater_saw_first_and_by_what_criterion_it_was_judged():
    texts = Texts(TEXTS.prompts, TEXTS.answers, {"q": "kind"})
    ranking = Ranking("q", "ann", (("b",), ("a",), ("c",)))
    shown = {("q", "ann"): ("a", "b"), ("q", "bob"): ("c", "b", "a")}
    found = pairs_of([ranking], texts, shown=shown)
    assert [(p.chosen[-1] + p.rejected[-1], p.first) for p in found] == [
        ("ba", False),
        ("bc", None),
        ("ac", None),
    ]
    assert {p.criterion for p in found} == {"kind"}


def test_a_row_of_a_file_names_only_what_is_known():
    plain = PreferencePair("p", "c", "r")
    assert "criterion" not in plain.as_row()
    assert "first" not in plain.as_row()
    told = PreferencePair("p", "c", "r", criterion="kind", first=False)
    assert told.as_row() == plain.as_row() | {"criterion": "kind", "first": False}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_criterion_and_order_of_display_come_back_from_a_file(tmp_path, suffix):
    pairs = [PreferencePair("p", "c", "r")]
    pairs += [PreferencePair("p", "c", "r", criterion="kind", first=f) for f in (True, False)]
    assert read_pairs(write_pairs(pairs, tmp_path / f"pairs.{suffix}")) == pairs


def test_a_column_called_first_that_is_no_yes_or_no_is_somebody_elses(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "p", "chosen": "c", "rejected": "r", "first": "model B"}\n')
    assert read_pairs(path)[0].first is None


def test_an_unknown_option_is_refused():
    with pytest.raises(DataError, match="ties: expected drop or soft, got 'sofr'; did you mean"):
        pairs_of([], TEXTS, ties="sofr")
    with pytest.raises(DataError, match="rejects: expected drop or lose"):
        pairs_of([], TEXTS, rejects="win")


def test_a_fifth_of_the_prompts_is_for_testing_and_stays_so():
    ids = [Prompt(f"prompt {n}").id for n in range(5000)]
    test = [each for each in ids if split_of(each) == "test"]
    assert abs(len(test) / 5000 - 0.2) < 0.02
    assert [each for each in test if split_of(each, test=0.1) == "test"] != []
    assert all(split_of(each, test=0.3) == "test" for each in test)
    assert split_of("0123456789abcdef") == "train"


def test_a_prompt_that_its_file_set_apart_never_comes_into_training():
    assert prompt_split(Prompt("x", split="test")) == "test"
    assert prompt_split(Prompt("x", split="validation")) == "validation"


def test_the_store_splits_its_pairs_by_prompt(tmp_path):
    store, comparisons = filled(tmp_path / "s.db", 4, prompts=40)
    store.add_rater(Rater("bob"))
    for each in comparisons:
        for rater in ("ann", "bob"):
            ids = each.completion_ids[:: 1 if rater == "ann" else -1]
            store.rank(Ranking(each.id, rater, tuple((c,) for c in ids)), key=rater + each.id)
    train, test = (store.pairs(split=s, consensus="none") for s in ("train", "test"))
    assert not {p.prompt_id for p in train} & {p.prompt_id for p in test}
    assert len(train) + len(test) == 40 * 2 * 6
    assert len(test) == 12 * sum(split_of(each.prompt_id) == "test" for each in comparisons)
    # Ann and Bob contradict each other everywhere, so they agree on nothing.
    assert store.pairs() == []


def test_the_store_gives_the_pairs_of_its_consensus(tmp_path):
    store, [comparison] = filled(tmp_path / "s.db", 4)
    ids = comparison.completion_ids
    for number, order in enumerate([ids, ids, (ids[1], ids[0], *ids[2:])]):
        store.add_rater(Rater(f"r{number}"))
        store.rank(
            Ranking(comparison.id, f"r{number}", tuple((c,) for c in order)), key=str(number)
        )
    texts = [store.completion(each).text for each in ids]
    for method in ("borda", "kemeny", "bradley-terry"):
        found = store.pairs(consensus=method)
        assert [(p.chosen, p.rejected) for p in found] == list(combinations(texts, 2))
        assert [p.margin < 1 for p in found] == [True] + [False] * 5


def test_the_prefer_verb_keeps_what_each_person_said_about_held_out_prompts(tmp_path):
    """Ann and a model judge every prompt; the consensus is for training, her votes for the card."""
    store, comparisons = filled(tmp_path / "s.db", 3, prompts=30)
    store.add_rater(Rater("bot", "model"))
    for each in comparisons:
        for rater in ("ann", "bot"):
            ranking = Ranking(each.id, rater, tuple((c,) for c in each.completion_ids))
            store.rank(ranking, key=rater + each.id)
    summary = prefer(PreferConfig(store=str(tmp_path / "s.db")), tmp_path / "run")
    own = read_pairs(tmp_path / "run/data/judged.test.jsonl")
    held = read_pairs(tmp_path / "run/data/pairs.test.jsonl")
    assert {p.rater for p in own} == {"ann"}
    assert {(p.prompt, p.chosen, p.rejected) for p in own} == {
        (p.prompt, p.chosen, p.rejected) for p in held
    }
    assert {p.criterion for p in own + held} == {comparisons[0].criterion}
    assert len(own) == 3 * sum(split_of(each.prompt_id) == "test" for each in comparisons)
    assert summary["pairs"] == 90


def test_votes_are_kept_with_what_was_seen_first_and_without_whoever_was_excluded(tmp_path):
    at = place(tmp_path, items=12, overlap=2)
    # Ann ranks as shown, Bob the other way round.
    for who, marks in (("ann", {"A": 1, "B": 2, "C": 3}), ("bob", {"A": 3, "B": 2, "C": 1})):
        at.store.projects.join(at.project, who)
        for _ in at.ids:
            send(at, who, marks=marks)
    at.store.projects.set_standing(at.project, "ann", "excluded", "too fast", "bob")
    prefer(PreferConfig(store=at.store.url), tmp_path / "run")
    own = read_pairs(tmp_path / "run/data/judged.test.jsonl")
    seen = {key: list(ids) for key, ids in at.store.shown().items() if key[1] == "bob"}
    words = at.store.texts()
    expected = [
        (rater, words.answers[better], words.answers[worse], ids.index(better) < ids.index(worse))
        for (item, rater), ids in seen.items()
        if split_of(words.prompts[item].id) == "test"
        for better, worse in combinations(ranked(at.store, item, rater), 2)
    ]
    assert sorted((p.rater, p.chosen, p.rejected, p.first) for p in own) == sorted(expected)
    assert {(p.rater, p.first) for p in own} == {("bob", False)}


def ranked(store, item, rater):
    """The completions in the order in which the rater put them."""
    [said] = [
        each for each in store.rankings() if (each.comparison_id, each.rater_id) == (item, rater)
    ]
    return said.completion_ids()
