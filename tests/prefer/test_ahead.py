"""What is left for a rater and what comes next, however the queue was changed on the way."""

import random
from collections import defaultdict

import pytest
from sqlalchemy import event

from humanalign.prefer.files.judgements import Judgement, Judgements, Question
from humanalign.prefer.store import ahead
from humanalign.prefer.store.assign import LEASE_SECONDS
from humanalign.prefer.store.schema import answer, assignment, flag, item, reached, slot
from humanalign.types import Completion, Prompt, Rater, Sampler
from prefer.work import PEOPLE, place, rows, send

MOST_ITEMS = 40


class World:
    """The queue as its rules say it should be, read anew from the tables each time."""

    def __init__(self, at) -> None:
        mine = {each["id"]: each["position"] for each in rows(at, item)}
        self.place = mine
        self.free = {each["item_id"] for each in rows(at, slot) if not each["taken"]}
        self.held, self.lapsed = {}, defaultdict(set)
        self.met = defaultdict(set)
        self.done, self.skipped = defaultdict(set), defaultdict(set)
        for row in rows(at, assignment):
            self.met[row["rater_id"]].add(row["item_id"])
            if row["answered_at"] is None:
                self.held.setdefault(row["rater_id"], set()).add(row["item_id"])
                if row["lease_until"] <= at.clock.now:
                    self.lapsed[row["rater_id"]].add(row["item_id"])
        for row in rows(at, answer):
            self.done[row["rater_id"]].add(row["item_id"])
        for row in rows(at, flag, flag.c.kind == "skip"):
            self.skipped[row["rater_id"]].add(row["item_id"])

    def left(self, who: str) -> tuple[set, set, set]:
        """(items held, lapsed ones to take over, free ones to take)."""
        met = self.met[who] | self.done[who] | self.skipped[who]
        lapsed = {each for other in self.lapsed.values() for each in other} - met
        return self.held.get(who, set()), lapsed, self.free - met

    def standing(self, who: str) -> tuple[int, int, int]:
        held, lapsed, free = self.left(who)
        return len(self.done[who]), len(held | lapsed | free), len(self.skipped[who])

    def next(self, who: str) -> str | None:
        for choice in self.left(who):
            if choice:
                return min(choice, key=self.place.__getitem__)
        return None


def more_items(at, rng):
    prompt = Prompt(f"more {rng.random()}")
    words = [Completion(prompt.id, f"{k}", Sampler("m")) for k in range(3)]
    question = Question("ranking", prompt.id, tuple(each.id for each in words))
    at.ids += at.queue.add(at.project, [prompt], words, [question], overlap=rng.randint(1, 3))


def step(at, rng, who):
    """Something that happens in a project."""
    kind = rng.choice(["work"] * 8 + ["skip", "wait", "raise", "add", "exclude", "late"])
    if kind == "add" and len(at.ids) < MOST_ITEMS:
        more_items(at, rng)
    elif kind == "raise":
        chosen = rng.sample(at.ids, rng.choice((1, min(12, len(at.ids)))))
        at.queue.raise_overlap(chosen, rng.randint(1, 5), "L-OLGA")
    elif kind == "wait":
        at.clock.now += LEASE_SECONDS / 2
    elif kind == "exclude":
        for standing in ("excluded", "active"):
            at.store.projects.set_standing(at.project, who, standing, "why", "L-OLGA")
    elif kind == "late":
        seen = [row["item_id"] for row in rows(at, assignment) if row["rater_id"] == who]
        world = World(at)
        waiting = [each for each in seen if each not in world.done[who]]
        if waiting:
            send(at, who, rng.choice(waiting))
    else:
        task = at.queue.next(at.project, who)
        if task and kind == "skip":
            at.queue.skip(task.item_id, who, "unclear")
        elif task and rng.random() < 0.9:
            send(at, who, task.item_id, key=f"{who} {task.item_id} {rng.random()}")


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_and_what_comes_next_follow_the_rules_whatever_happened(
    tmp_path, monkeypatch, seed
):
    monkeypatch.setattr(ahead, "STEP", 1)
    monkeypatch.setattr(ahead, "FEW", 2)
    rng = random.Random(seed)
    at = place(tmp_path, items=12, overlap=2)
    for who in PEOPLE:
        at.store.projects.join(at.project, who)
    for _ in range(90):
        who = rng.choice(PEOPLE)
        step(at, rng, who)
        other = rng.choice(PEOPLE)
        stands = at.queue.standing(at.project, other)
        assert (stands.done, stands.open, stands.skipped) == World(at).standing(other)
        expected = World(at).next(other)
        task = at.queue.next(at.project, other)
        assert (task and task.item_id) == expected
    assert rows(at, reached)


@pytest.mark.usefixtures("either_database")
def test_the_number_of_tasks_ends_where_the_last_one_is_done(tmp_path):
    at = place(tmp_path, items=4, overlap=2)
    for who in ("ann", "bob", "cid"):
        for _ in range(2):
            send(at, who)
    stands = at.queue.standing(at.project, "cid")
    tasks = 0
    while at.queue.next(at.project, "cid"):
        send(at, "cid")
        tasks += 1
    assert (stands.done, stands.open) == (2, tasks)
    assert at.queue.standing(at.project, "cid").open == 0


@pytest.mark.usefixtures("either_database")
def test_whoever_has_answered_before_takes_over_what_another_let_lapse(tmp_path):
    at = place(tmp_path, items=2, overlap=1)
    left = at.queue.next(at.project, "ann").item_id
    send(at, "bob")
    at.clock.now += LEASE_SECONDS
    assert at.queue.standing(at.project, "bob").open == 1
    assert at.queue.next(at.project, "bob").item_id == left


def long_queue(folder, items):
    """A queue in which "zed" has answered all but the last few items, and others none."""
    at = place(folder, items=items + 5, overlap=2, kind="pairwise", cards=2)
    store = at.store
    questions, said = [], []
    for number in range(items):
        detail = Prompt(f"prompt {number}")
        ids = tuple(Completion(detail.id, f"{detail.text} {k}", Sampler("m")).id for k in range(2))
        questions.append(Question("pairwise", detail.id, ids))
        said.append(Judgement(questions[-1].id, "zed", dict(zip(ids, (1, 2), strict=True))))
    found = Judgements("f", "x", (), (), tuple(questions), tuple(said), (Rater("zed"),))
    store.take_in(at.project, found, overlap=0)
    assert at.queue.next(at.project, "zed").item_id == at.ids[items]
    return at


def steps_of(at, call) -> int:
    """How many hundreds of instructions SQLite runs for a call."""
    ticks = []

    def watch(driver, *_rest):
        driver.set_progress_handler(lambda: ticks.append(1), 100)

    event.listen(at.store._engine, "checkout", watch)
    call()
    event.remove(at.store._engine, "checkout", watch)
    return len(ticks)


def test_work_takes_no_more_steps_after_many_answers_than_after_few(tmp_path):
    few, many = (long_queue(tmp_path / str(size), size) for size in (70, 1400))
    for call in (
        lambda at: at.queue.standing(at.project, "zed"),
        lambda at: at.queue.next(at.project, "zed"),
    ):
        assert steps_of(many, lambda call=call: call(many)) < 20 + 2 * steps_of(
            few, lambda call=call: call(few)
        )


@pytest.mark.usefixtures("either_database")
def test_an_item_that_a_rater_lost_comes_again_while_others_are_wanted_for_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ahead, "STEP", 1)
    at = place(tmp_path, items=4, overlap=2)
    for who in ("bob", "cid"):
        at.queue.next(at.project, who)
    for _ in range(3):
        send(at, "ann")
    assert at.queue.next(at.project, "ann") is None
    at.clock.now += LEASE_SECONDS
    assert at.queue.next(at.project, "ann").item_id == at.ids[0]
    at.queue.skip(at.ids[0], "cid", "unclear")
    at.clock.now += LEASE_SECONDS
    assert at.queue.next(at.project, "dan").item_id == at.ids[0]
    assert at.queue.next(at.project, "ann").item_id == at.ids[0]
