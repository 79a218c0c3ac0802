"""A labeler's work in the store: what comes next, what an answer does, and what races leave."""

from collections import Counter

import pytest

from humanalign.errors import DataError, StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.answers import KeyReused
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.assign import LEASE_SECONDS
from humanalign.prefer.store.projects import ProjectSettings
from humanalign.prefer.store.queue import Conflict, Submission
from humanalign.prefer.store.schema import answer, assignment, flag, slot
from humanalign.types import Completion, Prompt, Sampler
from prefer.stores import at_once
from prefer.work import PEOPLE, STRICT, place, rows, send

pytestmark = pytest.mark.usefixtures("either_database")


def test_letters_mean_the_cards_as_this_rater_saw_them(tmp_path):
    at = place(tmp_path)
    for who in PEOPLE[:3]:
        task = at.queue.next(at.project, who)
        send(at, who, task.item_id, {"A": 2, "B": "F", "C": 1})
        [mine] = [each for each in at.store.rankings() if each.rater_id == who]
        a, b, c = (card.completion_id for card in task.cards)
        assert (mine.tiers, mine.rejected) == (((c,), (a,)), (b,))
        assert at.queue.task(task.item_id, who).marks == {"A": 2, "B": "F", "C": 1}


def test_each_completion_is_shown_first_to_one_of_as_many_raters(tmp_path):
    at = place(tmp_path, items=4)
    first = Counter()
    for who in PEOPLE[:3]:
        for _ in range(4):
            task = at.queue.next(at.project, who)
            first[task.item_id, task.cards[0].completion_id] += 1
            send(at, who, task.item_id)
    assert len(first) == 12
    assert set(first.values()) == {1}


def test_an_item_comes_again_until_it_is_answered_and_never_afterwards(tmp_path):
    at = place(tmp_path, items=2)
    assert [at.queue.next(at.project, "ann").item_id for _ in range(2)] == [at.ids[0]] * 2
    send(at, "ann")
    assert at.queue.next(at.project, "ann").item_id == at.ids[1]
    send(at, "ann")
    assert at.queue.next(at.project, "ann") is None


def test_an_answer_sent_again_under_its_key_is_the_first_one(tmp_path):
    at = place(tmp_path)
    first = send(at, "ann", key="k")
    again = send(at, "ann", at.ids[0], key="k")
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.revision, again.at) == (first.revision, first.at)
    assert len(rows(at, answer)) == 1


def test_a_key_does_not_serve_for_another_answer_nor_for_another_person(tmp_path):
    at = place(tmp_path)
    send(at, "ann", key="k")
    with pytest.raises(KeyReused, match="already used for another answer"):
        send(at, "ann", at.ids[0], {"A": 3, "B": 2, "C": 1}, "k", 1)
    with pytest.raises(KeyReused):
        send(at, "bob", key="k")
    assert len(rows(at, answer)) == 1


def test_an_answer_to_an_older_revision_is_refused_with_the_one_that_stands(tmp_path):
    at = place(tmp_path)
    send(at, "ann")
    send(at, "ann", at.ids[0], {"A": 3, "B": 2, "C": 1}, revision=1)
    with pytest.raises(Conflict, match="answered again elsewhere") as refused:
        send(at, "ann", at.ids[0], key="late", revision=1)
    assert refused.value.held.revision == 2
    assert refused.value.held.marks == {"A": 3, "B": 2, "C": 1}
    assert [row["revision"] for row in rows(at, answer)] == [1, 2]


def test_a_card_without_a_mark_is_named_and_nothing_is_stored(tmp_path):
    at = place(tmp_path)
    with pytest.raises(DataError, match="B"):
        send(at, "ann", marks={"A": 1, "C": 2})
    assert rows(at, answer) == []


def test_an_item_that_was_never_shown_takes_no_answer(tmp_path):
    at = place(tmp_path)
    with pytest.raises(StoreError, match="holds no item"):
        send(at, "ann", at.ids[0])
    with pytest.raises(StoreError, match="holds no item"):
        send(at, "ann", "nothing")


def test_an_answer_whose_slot_was_given_away_is_kept_as_an_extra(tmp_path):
    at = place(tmp_path, overlap=1)
    shown = at.queue.next(at.project, "ann")
    at.clock.now += LEASE_SECONDS
    assert not send(at, "bob").extra
    with pytest.raises(StoreError, match="no longer held"):
        at.queue.heartbeat(at.ids[0], "ann")
    late = send(at, "ann", at.ids[0])
    assert (late.extra, late.revision) == (True, 1)
    assert at.queue.task(at.ids[0], "ann").cards == shown.cards
    assert at.queue.next(at.project, "cid") is None


def test_a_late_answer_takes_a_slot_that_is_free(tmp_path):
    at = place(tmp_path, overlap=2)
    at.queue.next(at.project, "ann")
    at.clock.now += LEASE_SECONDS
    send(at, "bob")
    assert not send(at, "ann", at.ids[0]).extra
    assert sorted(row["slot"] for row in rows(at, answer)) == [0, 1]


def test_a_lease_that_ran_out_is_still_the_raters_until_someone_takes_the_slot(tmp_path):
    at = place(tmp_path, overlap=1)
    at.queue.next(at.project, "ann")
    at.clock.now += 10 * LEASE_SECONDS
    task = at.queue.next(at.project, "ann")
    assert task.lease_until == at.clock.now + LEASE_SECONDS
    assert at.queue.next(at.project, "bob") is None


def test_a_heartbeat_keeps_the_slot_from_others(tmp_path):
    at = place(tmp_path, overlap=1)
    at.queue.next(at.project, "ann")
    for _ in range(3):
        at.clock.now += LEASE_SECONDS - 1
        at.queue.heartbeat(at.ids[0], "ann")
        assert at.queue.next(at.project, "bob") is None


def test_a_lapsed_slot_goes_to_one_of_those_who_ask_at_once(tmp_path):
    at = place(tmp_path, overlap=1)
    at.queue.next(at.project, "ann")
    at.clock.now += LEASE_SECONDS
    given = at_once([lambda who=who: at.queue.next(at.project, who) for who in PEOPLE[1:] * 2])
    assert len({task and task.item_id for task in given}) == 2
    assert len(rows(at, assignment)) == 1


def test_no_more_raters_than_slots_get_an_item_when_all_ask_at_once(tmp_path):
    at = place(tmp_path)
    given = at_once([lambda who=who: at.queue.next(at.project, who) for who in PEOPLE])
    assert sorted(task is None for task in given) == [False, False, False, True]
    assert sorted(row["slot"] for row in rows(at, assignment)) == [0, 1, 2]


def test_one_person_in_two_browsers_is_given_one_item(tmp_path):
    at = place(tmp_path, items=5)
    given = at_once([lambda: at.queue.next(at.project, "ann")] * 6)
    assert {task.item_id for task in given} == {at.ids[0]}
    assert len(rows(at, assignment)) == 1


def test_a_double_click_stores_one_answer_whichever_process_it_reaches(tmp_path):
    at = place(tmp_path)
    other = FeedbackStore(tmp_path / "s.db", clock=at.clock)
    at.queue.next(at.project, "ann")
    sent = Submission(at.ids[0], "ann", STRICT, "k")
    done = at_once([lambda s=s: s.queue.submit(sent) for s in (at.store, other) * 3])
    assert sorted(receipt.replayed for receipt in done) == [False] + [True] * 5
    assert len(rows(at, answer)) == 1
    assert at.store.verify() == 1


def test_two_tabs_that_answer_at_once_leave_one_answer_and_one_conflict(tmp_path):
    at = place(tmp_path)
    at.queue.next(at.project, "ann")
    calls = [lambda k=k: send(at, "ann", at.ids[0], key=k) for k in ("tab 1", "tab 2")]
    done = at_once(calls)
    assert sorted(isinstance(each, str) for each in done) == [False, True]
    assert len(rows(at, answer)) == 1


def test_skipping_while_answering_leaves_one_of_the_two(tmp_path):
    at = place(tmp_path, items=8, overlap=1)
    for item_id in at.ids:
        assert at.queue.next(at.project, "ann").item_id == item_id
        at_once(
            [
                lambda item_id=item_id: at.queue.skip(item_id, "ann", "unclear"),
                lambda item_id=item_id: send(at, "ann", item_id),
            ]
        )
    answered = {row["item_id"] for row in rows(at, answer)}
    # An answer that comes after the skip is kept too; nothing is ever lost.
    assert answered == set(at.ids)
    assert {row["slot"] for row in rows(at, answer)} == {0}
    assert at.queue.next(at.project, "bob") is None


def test_a_skipped_item_goes_to_another_and_never_comes_back(tmp_path):
    at = place(tmp_path, overlap=1)
    at.queue.next(at.project, "ann")
    at.queue.skip(at.ids[0], "ann", "upsetting", "too much for me")
    assert at.queue.next(at.project, "ann") is None
    assert at.queue.next(at.project, "bob").item_id == at.ids[0]
    [noted] = rows(at, flag)
    assert (noted["reason"], noted["note"]) == ("upsetting", "too much for me")


def test_an_answered_item_cannot_be_skipped_nor_any_without_a_known_reason(tmp_path):
    at = place(tmp_path, items=2)
    send(at, "ann")
    with pytest.raises(StoreError, match="answered already"):
        at.queue.skip(at.ids[0], "ann", "unclear")
    with pytest.raises(DataError, match="reason: expected one of"):
        at.queue.skip(at.queue.next(at.project, "ann").item_id, "ann", "dull")


def test_overlap_raised_while_people_answer_opens_exactly_the_slots_asked_for(tmp_path):
    at = place(tmp_path, items=3, overlap=1)

    def work(who):
        while (task := at.queue.next(at.project, who)) is not None:
            send(at, who, task.item_id)

    raised = [lambda: at.queue.raise_overlap(at.ids, 3, "owner")] * 2
    opened_now = at_once([*(lambda who=who: work(who) for who in PEOPLE), *raised])[-2:]
    for who in PEOPLE:
        work(who)
    assert sorted(opened_now) == [0, 6]
    held = Counter((row["item_id"], row["slot"]) for row in rows(at, answer))
    assert held == {(item_id, n): 1 for item_id in at.ids for n in range(3)}
    assert all(row["taken"] for row in rows(at, slot))


def test_a_draft_comes_back_until_the_answer_replaces_it(tmp_path):
    at = place(tmp_path)
    item = at.queue.next(at.project, "ann").item_id
    at.queue.save_draft(item, "ann", {"marks": {"A": 1}})
    at.queue.save_draft(item, "ann", {"marks": {"A": 2}})
    assert at.queue.next(at.project, "ann").draft == {"marks": {"A": 2}}
    assert rows(at, answer) == []
    send(at, "ann", item)
    assert at.queue.task(item, "ann").draft is None


def test_what_is_done_left_and_skipped_is_counted_for_each_person(tmp_path):
    at = place(tmp_path, items=4, overlap=2)
    send(at, "ann")
    at.queue.skip(at.queue.next(at.project, "ann").item_id, "ann", "other")
    at.queue.next(at.project, "ann")
    mine, yours = (at.queue.standing(at.project, who) for who in ("ann", "bob"))
    assert (mine.done, mine.open, mine.skipped) == (1, 2, 1)
    assert (yours.done, yours.open, yours.skipped) == (0, 4, 0)


def test_undo_walks_back_through_my_answers_only(tmp_path):
    at = place(tmp_path, items=3)
    for _ in range(3):
        send(at, "ann")
    send(at, "bob")
    assert at.queue.before(at.project, "ann") == at.ids[2]
    assert at.queue.before(at.project, "ann", at.ids[2]) == at.ids[1]
    assert at.queue.before(at.project, "ann", at.ids[0]) is None
    assert at.queue.before(at.project, "bob") == at.ids[0]
    assert at.queue.before(at.project, "cid") is None


def test_changing_an_answer_keeps_its_slot_and_its_time(tmp_path):
    at = place(tmp_path)
    at.queue.next(at.project, "ann")
    at.clock.now += 42
    send(at, "ann", at.ids[0], note="first")
    at.clock.now += 5
    send(at, "ann", at.ids[0], {"A": 1, "B": 1, "C": 1}, revision=1, note="second")
    first, second = sorted(rows(at, answer), key=lambda row: row["revision"])
    assert (first["slot"], second["slot"]) == (0, 0)
    assert (first["seconds"], second["seconds"]) == (42.0, 0.0)
    assert (first["note"], second["note"]) == ("first", "second")
    assert at.queue.task(at.ids[0], "ann").note == "second"


def test_a_paused_project_gives_no_work_and_keeps_what_is_sent(tmp_path):
    at = place(tmp_path, items=2)
    held = at.queue.next(at.project, "ann").item_id
    at.store.projects.set_status(at.project, "paused", "owner")
    assert at.queue.next(at.project, "ann") is None
    assert send(at, "ann", held).revision == 1


def test_gold_comes_after_every_so_many_answers_and_to_everyone(tmp_path):
    at = place(tmp_path, items=5, overlap=1, settings=ProjectSettings(gold_every=2))
    prompt = Prompt("gold")
    made = [Completion(prompt.id, f"gold {k}", Sampler("m")) for k in range(3)]
    ids = tuple(each.id for each in made)
    gold = Item(prompt.id, ids, "helpful", gold=dict(zip(ids, (1, 2, 3), strict=True)))
    [gold_id] = at.queue.add(at.project, [prompt], made, [gold], overlap=1)
    met = {}
    for who in ("ann", "bob"):
        met[who] = [send(at, who).item_id for _ in range(3)]
    assert [ids.index(gold_id) for ids in met.values()] == [2, 2]


def test_dense_ranks_are_stored_as_the_competition_ranks_that_they_mean(tmp_path):
    at = place(tmp_path, cards=4)
    send(at, "ann", marks={"A": 1, "B": 2, "C": 2, "D": 3})
    assert at.queue.task(at.ids[0], "ann").marks == {"A": 1, "B": 2, "C": 2, "D": 4}
