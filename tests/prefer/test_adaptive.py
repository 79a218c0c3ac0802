"""Adaptive overlap: where labelers disagree, more of them are asked, and never too many."""

from dataclasses import replace
from functools import partial

import pytest

from humanalign.prefer.store.projects import ProjectSettings
from humanalign.prefer.store.queue import Submission
from humanalign.prefer.store.schema import slot
from humanalign.types import Ranking, Rater
from prefer.stores import at_once
from prefer.work import place, rows

pytestmark = pytest.mark.usefixtures("either_database")
ADAPTIVE = ProjectSettings(adaptive=True)
ORDERS = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def adaptive(folder, **more):
    at = place(folder, settings=ADAPTIVE, **more)
    for number in range(9):
        at.store.add_rater(Rater(f"r{number}"))
        at.store.projects.join(at.project, f"r{number}")
    at.cards = [each.id for each in at.store.items.item(at.project, at.ids[0]).completions]
    return at


def sent_as(at, who, order):
    """An answer of this person that puts the completions into this order."""
    task = at.queue.next(at.project, who)
    assert task is not None
    marks = {c.letter: 1 + order.index(at.cards.index(c.completion_id)) for c in task.cards}
    return Submission(task.item_id, who, marks, f"{who} {task.item_id}")


def asked(at):
    return len(rows(at, slot))


def entries(at):
    return [each for each in at.store.audit.page() if each.actor == "adaptive"]


def test_labelers_who_agree_are_enough(tmp_path):
    at = adaptive(tmp_path)
    for number in range(3):
        at.queue.submit(sent_as(at, f"r{number}", (0, 1, 2)))
    assert (asked(at), entries(at)) == (3, [])


def test_labelers_who_agree_on_a_tie_are_enough(tmp_path):
    at = adaptive(tmp_path)
    for number in range(3):
        sent = sent_as(at, f"r{number}", (0, 1, 2))
        at.queue.submit(replace(sent, marks=dict.fromkeys("ABC", 1)))
    assert asked(at) == 3


def test_labelers_who_disagree_bring_two_more_and_no_third(tmp_path):
    at = adaptive(tmp_path)
    for number in range(5):
        before = asked(at)
        at.queue.submit(sent_as(at, f"r{number}", ORDERS[number % 3]))
        assert (before, asked(at)) == (3 if number < 3 else 5, 3 if number < 2 else 5)
    assert at.queue.next(at.project, "r5") is None
    [entry] = entries(at)
    assert (entry.action, entry.subject) == ("raise overlap", f"item:{at.ids[0]}")
    assert dict(entry.detail) == {"overlap": 5, "opened": 2}


def test_nothing_is_opened_while_an_answer_is_outstanding(tmp_path):
    at = adaptive(tmp_path)
    at.queue.next(at.project, "r2")
    for number in range(2):
        at.queue.submit(sent_as(at, f"r{number}", ORDERS[number]))
    assert asked(at) == 3


def test_the_last_answers_sent_at_once_open_the_slots_once(tmp_path):
    at = adaptive(tmp_path)
    sent = [sent_as(at, f"r{number}", ORDERS[number]) for number in range(3)]
    at.queue.submit(sent[0])
    at_once([partial(at.queue.submit, each) for each in (*sent[1:], *sent[1:])])
    assert (asked(at), len(entries(at))) == (5, 1)


def test_what_excluded_labelers_said_makes_nothing_contested(tmp_path):
    at = adaptive(tmp_path, overlap=2)
    at.queue.submit(sent_as(at, "r0", (2, 1, 0)))
    at.store.projects.set_standing(at.project, "r0", "excluded", "too fast", "L-OLGA")
    for number in (1, 2):
        at.queue.submit(sent_as(at, f"r{number}", (0, 1, 2)))
    assert (asked(at), entries(at)) == (3, [])


def test_rankings_by_other_ways_in_are_looked_at_too(tmp_path):
    at = adaptive(tmp_path)
    for number, order in enumerate(ORDERS):
        tiers = tuple((at.cards[each],) for each in order)
        at.store.rank(Ranking(at.ids[0], f"r{number}", tiers), key=f"k{number}")
    assert asked(at) == 5


def test_other_projects_ask_nobody_more_by_themselves(tmp_path):
    at = adaptive(tmp_path)
    at.store.projects.configure(at.project, ProjectSettings(), "L-OLGA")
    for number in range(3):
        at.queue.submit(sent_as(at, f"r{number}", ORDERS[number]))
    assert asked(at) == 3


def test_gold_items_have_their_answer(tmp_path):
    at = adaptive(tmp_path)
    at.queue.set_gold(at.ids[0], dict(zip(at.cards, (1, 2, 3), strict=True)), "L-OLGA")
    for number in range(3):
        at.queue.submit(sent_as(at, f"r{number}", ORDERS[number]))
    assert asked(at) == 3
