"""Handing out work: the overlap is never exceeded, nothing is left over, no order is favoured."""

import sqlite3
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from scipy.special import chdtrc

from humanalign.prefer.display import order
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.assign import LEASE_SECONDS
from humanalign.types import Comparison, Ranking, Rater
from prefer.ballots import filled


def rank_next(store, rater):
    """Answer the rater's next comparison as it is displayed; False when nothing is left."""
    comparison = store.next(rater)
    if comparison is None:
        return False
    tiers = tuple((each,) for each in store.order(comparison, rater))
    store.rank(Ranking(comparison.id, rater, tiers), key=f"{rater} {comparison.id}")
    return True


def work(path, rater):
    """One labeler in a process of its own works until nothing is left."""
    store = FeedbackStore(path)
    store.add_rater(Rater(rater))
    done = 0
    while rank_next(store, rater):
        done += 1
    return done


def counts(path):
    """(answers, answers per item, slots that answered twice, extras) straight from the file."""
    with sqlite3.connect(path) as file:
        per_item = file.execute("SELECT count(*) FROM answer GROUP BY item_id").fetchall()
        slots = file.execute("SELECT item_id, slot FROM answer WHERE slot IS NOT NULL").fetchall()
        extras = file.execute("SELECT count(*) FROM answer WHERE slot IS NULL").fetchone()[0]
    return [n for (n,) in per_item], max(Counter(slots).values()), extras


def test_processes_that_rank_at_once_fill_every_slot_and_no_more(tmp_path):
    store, _ = filled(tmp_path / "s.db", 3, prompts=20)
    raters = [f"p{number}" for number in range(4)]
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        done = list(processes.map(work, [tmp_path / "s.db"] * 4, raters))
    assert sum(done) == 60
    assert counts(tmp_path / "s.db") == ([3] * 20, 1, 0)
    assert store.verify() == 60


def test_threads_that_share_a_store_and_send_twice_leave_one_answer_each(tmp_path):
    store, comparisons = filled(tmp_path / "s.db", 2, prompts=10)
    raters = [f"t{number}" for number in range(3)]
    for rater in raters:
        store.add_rater(Rater(rater))

    def submit(job):
        rater, comparison = job
        tiers = tuple((each,) for each in comparison.completion_ids)
        return store.rank(Ranking(comparison.id, rater, tiers), key=f"{rater} {comparison.id}")

    jobs = [(rater, each) for each in comparisons for rater in raters for _ in range(2)]
    with ThreadPoolExecutor(12) as threads:
        assert len(list(threads.map(submit, jobs))) == 60
    assert counts(tmp_path / "s.db") == ([3] * 10, 1, 0)


def test_a_new_store_may_be_opened_by_many_at_once(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(work, [tmp_path / "new.db"] * 8, "abcdefgh"))
    assert done == [0] * 8
    assert set(FeedbackStore(tmp_path / "new.db").raters()) == set("abcdefgh")


def test_a_rater_gets_the_same_comparison_until_it_is_answered(tmp_path):
    store, comparisons = filled(tmp_path / "s.db", 2, prompts=2)
    assert [store.next("ann"), store.next("ann")] == [comparisons[0]] * 2
    assert rank_next(store, "ann")
    assert store.next("ann") == comparisons[1]
    assert rank_next(store, "ann")
    assert store.next("ann") is None


def test_a_slot_that_was_left_is_given_away_and_the_late_answer_kept_as_an_extra(tmp_path):
    now = [1000.0]
    filled(tmp_path / "s.db", 2)[0].close()
    store = FeedbackStore(tmp_path / "s.db", clock=lambda: now[0])
    for rater in ("bob", "cid", "dan"):
        store.add_rater(Rater(rater))
    comparison = store.next("ann")
    assert comparison is not None
    assert rank_next(store, "bob")
    assert rank_next(store, "cid")
    now[0] += LEASE_SECONDS - 1
    assert store.next("dan") is None
    now[0] += 1
    assert rank_next(store, "dan")
    late = Ranking(comparison.id, "ann", (comparison.completion_ids,))
    store.rank(late, key="late")
    assert counts(tmp_path / "s.db") == ([4], 1, 1)
    assert late in store.rankings()


def test_the_order_of_display_is_the_same_for_a_rater_and_whatever_order_was_asked():
    asked = Comparison("p", ("a", "b", "c", "d"))
    turned = Comparison("p", ("d", "c", "b", "a"))
    assert order(asked, "ann") == order(turned, Rater("ann"))
    assert sorted(order(asked, "ann")) == ["a", "b", "c", "d"]


def test_every_completion_is_shown_in_every_place_equally_often():
    places = Counter()
    for number in range(10_000):
        shown = order(Comparison(f"p{number}", ("a", "b", "c", "d")), "ann")
        places.update(enumerate(shown))
    assert len(places) == 16
    # A permutation fixes rows and columns: 9 degrees of freedom, and the sum is 4/3 too large.
    chi_square = sum((count - 2500) ** 2 / 2500 * 3 / 4 for count in places.values())
    assert chdtrc(9, chi_square) > 0.001
