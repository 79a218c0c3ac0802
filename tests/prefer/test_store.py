"""The feedback store: what was ranked is what it holds, once, for ever, for each rater."""

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humanalign.errors import StoreError
from humanalign.prefer.files.formats import read_pairs, write_groups, write_pairs
from humanalign.prefer.store import FeedbackStore
from humanalign.rows import read_rows
from humanalign.types import Comparison, Completion, Prompt, Ranking, Rater
from prefer.ballots import MODEL, filled, weak_orders

pytestmark = pytest.mark.usefixtures("either_database")


def marked_orders(cards):
    """(tiers, rejected) of card numbers: every weak order of every choice of F marks."""
    for count in range(cards + 1):
        for rejected in combinations(range(cards), count):
            left = [card for card in range(cards) if card not in rejected]
            for tiers in weak_orders(len(left)) if left else [()]:
                yield tuple(tuple(left[c] for c in tier) for tier in tiers), rejected


def won(tiers):
    """The (better, worse) pairs of a weak order, read off one by one."""
    place = {card: n for n, tier in enumerate(tiers) for card in tier}
    return {(a, b) for a in place for b in place if place[a] < place[b]}


@pytest.mark.parametrize(("cards", "orders"), [(2, 3 + 2 + 1), (3, 13 + 9 + 3 + 1), (4, 150)])
def test_what_was_ranked_is_what_the_store_holds_and_every_export_says(tmp_path, cards, orders):
    store, [comparison] = filled(tmp_path / "s.db", cards)
    ids = comparison.completion_ids
    answered = {}
    for number, (tiers, rejected) in enumerate(marked_orders(cards)):
        rater = f"r{number:03}"
        store.add_rater(Rater(rater))
        named = tuple(tuple(ids[c] for c in tier) for tier in tiers)
        ranking = Ranking(comparison.id, rater, named, tuple(ids[c] for c in rejected))
        store.rank(ranking, key=rater)
        answered[rater] = ranking
    assert len(answered) == orders
    assert {r.rater_id: r for r in store.rankings()} == answered

    text = {each: store.completion(each).text for each in ids}
    expected = {(rater, text[a], text[b]) for rater, r in answered.items() for a, b in won(r.tiers)}
    pairs = store.pairs(consensus="none")
    for name in ("p.jsonl", "p.csv", "p.parquet", "p.jsonl.gz"):
        read = read_pairs(write_pairs(pairs, tmp_path / name))
        assert read == pairs
        assert {(p.rater, p.chosen, p.rejected) for p in read} == expected
        assert len(read) == len(expected)
    for layout in ("conversation", "hh"):
        read = read_pairs(write_pairs(pairs, tmp_path / "p.jsonl", format=layout))
        said = [(p.chosen.strip(), p.rejected.strip()) for p in read]
        assert said == [(p.chosen, p.rejected) for p in pairs]
    for name in ("g.jsonl", "g.parquet"):
        path = write_groups(store.rankings(), store.texts(), tmp_path / name)
        assert {(p.rater, p.chosen, p.rejected) for p in read_pairs(path)} == expected
        for row in read_rows(path):
            marks = dict(zip(row["completion_ids"], row["ranks"], strict=True))
            ranking = answered[row["rater"]]
            assert {c for c, mark in marks.items() if mark == "F"} == set(ranking.rejected)


@settings(
    max_examples=15,
    deadline=None,
    # Each example opens a store of its own in the database that the fixture chose.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_long_rankings_are_held_as_given(tmp_path_factory, data):
    cards = data.draw(st.integers(5, 9))
    marks = data.draw(st.lists(st.integers(0, cards), min_size=cards, max_size=cards))
    store, [comparison] = filled(tmp_path_factory.mktemp("store") / "s.db", cards)
    ids = comparison.completion_ids
    tiers = tuple(
        tuple(c for c, mark in zip(ids, marks, strict=True) if mark == rank)
        for rank in sorted({mark for mark in marks if mark})
    )
    rejected = tuple(c for c, mark in zip(ids, marks, strict=True) if mark == 0)
    ranking = Ranking(comparison.id, "ann", tiers, rejected, seconds=1.5, instructions="v2")
    assert store.rank(ranking, key="k") == ranking
    assert FeedbackStore(store.url).rankings() == [ranking]
    assert {(p.chosen, p.rejected) for p in store.pairs(consensus="none")} == {
        (store.completion(a).text, store.completion(b).text) for a, b in won(tiers)
    }


def simple(comparison, rater="ann", *, turned=False):
    ids = comparison.completion_ids[::-1] if turned else comparison.completion_ids
    return Ranking(comparison.id, rater, tuple((each,) for each in ids))


def test_a_replay_returns_the_first_answer_and_stores_nothing(tmp_path):
    store, [comparison] = filled(tmp_path / "s.db", 3)
    first = store.rank(simple(comparison), key="k")
    before = store.snapshot()
    assert store.rank(simple(comparison), key="k") == first
    assert store.snapshot() == before
    assert store.verify() == 1


def test_a_key_cannot_be_used_for_another_answer(tmp_path):
    store, [comparison] = filled(tmp_path / "s.db", 3)
    store.rank(simple(comparison), key="k")
    with pytest.raises(StoreError, match="key 'k' was already used for another answer"):
        store.rank(simple(comparison, turned=True), key="k")
    assert store.rankings() == [simple(comparison)]


def test_a_changed_answer_is_a_new_revision_and_the_old_one_stays(tmp_path):
    store, [comparison] = filled(tmp_path / "s.db", 3)
    store.rank(simple(comparison), key="k1")
    store.rank(simple(comparison, turned=True), key="k2")
    assert store.rankings() == [simple(comparison, turned=True)]
    with store._engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT revision FROM answer ORDER BY id").all()
    assert rows == [(1,), (2,)]


def test_many_rankings_are_stored_together_or_not_at_all(tmp_path):
    store, comparisons = filled(tmp_path / "s.db", 3, prompts=2)
    broken = Ranking(comparisons[1].id, "ann", ())
    with pytest.raises(StoreError, match="leaves out"):
        store.rank_all([(simple(comparisons[0]), "a"), (broken, "b")])
    assert store.rankings() == []
    store.rank_all([(simple(each), each.id) for each in comparisons])
    assert store.rankings() == [simple(each) for each in comparisons]


@pytest.mark.parametrize(
    ("tiers", "rejected", "message"),
    [
        ((("a",), ("b",)), (), "leaves out completion"),
        ((("a",), ("b", "a"), ("c",)), (), "names completion .* twice"),
        ((("a",), ("b",), ("c",)), ("c",), "names completion .* twice"),
        ((("a",), ("b",), ("c",), ("x",)), (), "names completion 'x', which is not compared"),
        ((("a",), (), ("b",), ("c",)), (), "has an empty tier"),
    ],
)
def test_a_ranking_must_name_each_completion_once(tmp_path, tiers, rejected, message):
    store, [comparison] = filled(tmp_path / "s.db", 3)
    real = dict(zip("abc", comparison.completion_ids, strict=True))
    tiers = tuple(tuple(real.get(c, c) for c in tier) for tier in tiers)
    ranking = Ranking(comparison.id, "ann", tiers, tuple(real[c] for c in rejected))
    with pytest.raises(StoreError, match=message):
        store.rank(ranking, key="k")
    assert store.rankings() == []


def test_unknown_raters_comparisons_and_completions_are_named(tmp_path):
    store, [comparison] = filled(tmp_path / "s.db", 3)
    with pytest.raises(StoreError, match="no rater 'bob'"):
        store.rank(simple(comparison, "bob"), key="k")
    with pytest.raises(StoreError, match="no rater 'bob'"):
        store.next("bob")
    with pytest.raises(StoreError, match="no comparison 'nothing'"):
        store.rank(Ranking("nothing", "ann", ()), key="k")
    with pytest.raises(StoreError, match="no completion 'c1'"):
        store.ask([Comparison(comparison.prompt_id, ("c1", "c2"))])
    with pytest.raises(StoreError, match="no prompt 'gone'"):
        store.add([], [Completion("gone", "text", MODEL)])


def test_answers_to_different_prompts_are_not_compared(tmp_path):
    store, [one, two] = filled(tmp_path / "s.db", 2, prompts=2)
    mixed = Comparison(one.prompt_id, (one.completion_ids[0], two.completion_ids[0]))
    with pytest.raises(StoreError, match="compare answers to one prompt"):
        store.ask([mixed])


def test_a_rater_keeps_its_kind(tmp_path):
    store, _ = filled(tmp_path / "s.db", 2)
    store.add_rater(Rater("ann"))
    with pytest.raises(StoreError, match="rater 'ann' is stored with kind human, not model"):
        store.add_rater(Rater("ann", "model"))


def test_prompts_and_completions_come_back_whole(tmp_path):
    store = FeedbackStore(tmp_path / "new" / "s.db")
    prompt = Prompt(
        "Grüße \u2028 an\nalle",
        messages=(("user", "Hi"), ("assistant", "Hello")),
        reference="ref",
        source="file",
        split="test",
        fields={"a": "b"},
    )
    answer = Completion(prompt.id, "", MODEL, finish_reason="length")
    for _ in range(2):
        store.add([prompt], [answer])
    assert store.prompts() == {prompt.id: prompt}
    assert store.prompt(prompt.id) == prompt
    assert store.completions() == {answer.id: answer}
    with pytest.raises(StoreError, match="no prompt 'x'"):
        store.prompt("x")


def test_asking_again_changes_nothing_but_a_higher_overlap(tmp_path):
    store, comparisons = filled(tmp_path / "s.db", 3, prompts=2)
    store.ask(comparisons, overlap=2)
    store.ask(comparisons, overlap=5)
    assert store.comparisons() == comparisons
    for number in range(6):
        store.add_rater(Rater(f"r{number}"))
    given = [store.next(f"r{number}") for number in range(6)]
    assert given == [comparisons[0]] * 5 + [comparisons[1]]


def test_thumbs_are_kept_apart_from_rankings_and_the_latest_counts(tmp_path):
    store = FeedbackStore(f"sqlite:///{tmp_path}/s.db")
    prompt = Prompt("hello")
    answer = Completion(prompt.id, "hi", MODEL)
    first = store.thumb(prompt, answer, Rater("ann"), True, key="k1")
    assert store.thumb(prompt, answer, Rater("ann"), True, key="k1") == first
    with pytest.raises(StoreError, match="already used"):
        store.thumb(prompt, answer, Rater("ann"), False, key="k1")
    store.thumb(prompt, answer, Rater("ann"), False, key="k2")
    store.thumb(prompt, answer, Rater("bob"), True, key="k3")
    assert [(t.completion_id, t.rater_id, t.up) for t in store.thumbs()] == [
        (answer.id, "ann", False),
        (answer.id, "bob", True),
    ]
    assert store.rankings() == []
    assert store.comparisons() == []
    assert store.next("ann") is None
    assert store.verify() == 3


def test_rankings_are_told_apart_by_criterion(tmp_path):
    store, [helpful] = filled(tmp_path / "s.db", 2)
    harmless = Comparison(helpful.prompt_id, helpful.completion_ids, "harmless")
    store.ask([harmless])
    store.rank(simple(helpful), key="a")
    store.rank(simple(harmless, turned=True), key="b")
    assert store.rankings("harmless") == [simple(harmless, turned=True)]
    with pytest.raises(StoreError, match=r"criterion 'harmles'; asked: harmless, helpful; did you"):
        store.rankings("harmles")


def test_the_snapshot_depends_on_the_answers_and_not_on_their_order(tmp_path):
    stores = [filled(tmp_path / name, 3, prompts=3) for name in ("a.db", "b.db", "c.db")]
    for (store, comparisons), step in zip(stores, (1, -1, 1), strict=True):
        for each in comparisons[::step]:
            store.rank(simple(each), key=f"{step}{each.id}")
    a, b, c = (store for store, _ in stores)
    assert a.snapshot() == b.snapshot()
    c.rank(simple(stores[2][1][0], turned=True), key="changed")
    assert c.snapshot() != a.snapshot()
