"""The owner's figures, lists and consensus versions: what the store says about its own content."""

from __future__ import annotations

import hashlib
import json

import pytest
from workplace import Site, make_site

from humanalign.errors import DataError, StoreError
from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.statistics.consensus import consensus
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.agreed import Agreed
from humanalign.prefer.store.progress import Figures
from humanalign.prefer.store.queue import Submission
from humanalign.types import Prompt, Ranking, Rater
from prefer.stores import Clock

on_both = pytest.mark.usefixtures("either_database")
TEXTS = (("Red.", "Green.", "Blue."), ("One.", "Two."), ("Up.", "Down."), ("Hot.", "Cold."))


@pytest.fixture
def site(tmp_path) -> Site:
    """Four items for three labelers each; Ann may start, the clock stands still."""
    made = make_site(tmp_path, texts=TEXTS)
    clock = Clock()
    made.store.close()
    made.store = FeedbackStore(made.store.url, clock=clock)
    return made


def figures(site: Site) -> Figures:
    return site.store.figures


def clock_of(site: Site) -> Clock:
    clock = site.store._clock
    assert isinstance(clock, Clock)
    return clock


def answer(site: Site, rater: str, marks: dict | None = None, **sent) -> str:
    """The rater takes the next item and answers it in the order shown; return the item's id."""
    task = site.store.queue.next(site.project.id, rater)
    assert task is not None
    given = marks or {card.letter: n for n, card in enumerate(task.cards, 1)}
    sent.setdefault("key", f"{rater} {task.item_id} {sent.get('revision', 0)}")
    site.store.queue.submit(Submission(task.item_id, rater, given, **sent))
    return task.item_id


def again(site: Site, item_id: str, rater: str) -> None:
    """The rater changes an answer: everything is tied now."""
    task = site.store.queue.task(item_id, rater)
    marks = {card.letter: 1 for card in task.cards}
    key = f"{rater} {item_id} again {task.revision}"
    site.store.queue.submit(Submission(item_id, rater, marks, key=key, revision=task.revision))


@on_both
def test_counts_say_what_is_done_held_and_put_aside(site):
    ann, ben, eve = (site.labeler, site.hired("Ben"), site.hired("Eve"))
    for who in (ann, ben, eve):
        answer(site, who.rater_id)
    answer(site, ann.rater_id)
    site.store.queue.next(site.project.id, ann.rater_id)
    skipped = site.store.queue.next(site.project.id, ben.rater_id)
    site.store.queue.skip(skipped.item_id, ben.rater_id, "unclear")
    counts = figures(site).counts(site.project.id)
    assert (counts.items, counts.complete) == (4, 1)
    assert (counts.slots, counts.filled, counts.answers) == (12, 4, 4)
    assert (counts.held, counts.skipped, counts.last) == (1, 1, 4)
    assert counts.share == pytest.approx(4 / 12)


def test_a_change_of_mind_is_one_answer_with_a_new_number(site):
    item_id = answer(site, site.labeler.rater_id)
    again(site, item_id, site.labeler.rater_id)
    counts = figures(site).counts(site.project.id)
    assert (counts.answers, counts.last) == (1, 2)


@on_both
def test_a_lease_that_ran_out_is_nobodys_and_its_slot_still_waits(site):
    site.store.queue.next(site.project.id, site.labeler.rater_id)
    held = figures(site).held(site.project.id)
    assert [each.rater_id for each in held] == [site.labeler.rater_id]
    clock_of(site).now += 31 * 60
    assert figures(site).held(site.project.id) == []
    assert figures(site).counts(site.project.id).filled == 0


def test_another_projects_answers_are_not_counted(site):
    other = site.store.projects.create("Other", "ranking", "honest")
    answer(site, site.labeler.rater_id)
    assert figures(site).counts(other.id).last == 0
    assert figures(site).pace(other.id)[1] == {}


@on_both
def test_the_pace_prefers_the_seconds_that_the_page_measured(site):
    clock_of(site).now = 5 * 86_400.0 - 1
    task = site.store.queue.next(site.project.id, site.labeler.rater_id)
    clock_of(site).now += 100
    marks = {card.letter: 1 for card in task.cards}
    sent = Submission(task.item_id, site.labeler.rater_id, marks, "k", timing={"active": 12.5})
    site.store.queue.submit(sent)
    everybody, labelers = figures(site).pace(site.project.id)
    # 5 days and 99 seconds after the first of January 1970.
    assert everybody.days == {"1970-01-06": 1}
    assert labelers[site.labeler.rater_id].seconds == 12.5


@on_both
def test_pages_by_key_show_every_item_once_in_either_direction(site):
    items = figures(site).items
    seen, after = [], 0
    for _ in range(2):
        page = items.page(site.project.id, after=after, limit=3)
        seen += [row.id for row in page]
        after = page[-1].position
    assert seen == site.items
    assert items.page(site.project.id, after=after) == []
    newest = items.page(site.project.id, limit=3, newest_first=True)
    rest = items.page(site.project.id, after=newest[-1].position, limit=3, newest_first=True)
    assert [row.id for row in newest + rest] == site.items[::-1]


@on_both
def test_a_list_keeps_only_what_was_asked_for(site):
    ann, ben, eve = (site.labeler, site.hired("Ben"), site.hired("Eve"))
    done = {answer(site, who.rater_id) for who in (ann, ben, eve)}
    task = site.store.queue.next(site.project.id, ann.rater_id)
    site.store.queue.skip(task.item_id, ann.rater_id, "upsetting")
    items = figures(site).items
    unfinished = {row.id for row in items.page(site.project.id, show="unfinished")}
    assert unfinished == set(site.items) - done
    assert [row.id for row in items.page(site.project.id, show="skipped")] == [task.item_id]
    assert items.page(site.project.id, show="gold") == []
    assert items.count(site.project.id, "unfinished") == 3


def test_an_item_that_everybody_holds_is_not_finished_yet(site):
    for who in (site.labeler, site.hired("Ben"), site.hired("Eve")):
        held = site.store.queue.next(site.project.id, who.rater_id).item_id
    unfinished = figures(site).items.page(site.project.id, show="unfinished")
    assert held in [row.id for row in unfinished]
    assert figures(site).counts(site.project.id).complete == 0


@on_both
def test_an_item_shows_every_revision_and_the_order_in_which_it_was_seen(site):
    rater = site.labeler.rater_id
    item_id = answer(site, rater, note="hard to say")
    again(site, item_id, rater)
    cards = site.store.queue.task(item_id, rater).cards
    detail = figures(site).items.item(site.project.id, item_id)
    assert [each.revision for each in detail.given] == [1, 2]
    assert detail.given[0].display == tuple(card.completion_id for card in cards)
    assert detail.given[0].note == "hard to say"
    first = competition_marks(detail.given[0].body["tiers"], ())
    assert first == {card.completion_id: n for n, card in enumerate(cards, 1)}


def test_an_item_of_another_project_is_unknown_here(site):
    other = site.store.projects.create("Other", "ranking", "honest")
    with pytest.raises(StoreError, match="holds no item"):
        figures(site).items.item(other.id, site.items[0])


@on_both
def test_what_an_excluded_labeler_said_is_left_out_until_they_are_back(site):
    ann, ben = site.labeler.rater_id, site.hired("Ben").rater_id
    answer(site, ann)
    answer(site, ben)
    stand = site.store.projects.set_standing
    stand(site.project.id, ben, "excluded", "answers at random", ann)
    kept = figures(site).material(site.project.id).judgements
    assert [each.rater_id for each in kept] == [ann]
    stand(site.project.id, ben, "active", "was a mistake", ann)
    assert len(figures(site).material(site.project.id).judgements) == 2


@pytest.mark.parametrize(
    ("kind", "marks", "values"), [("thumb", {"A": "up"}, {1}), ("rating", {"A": 3, "B": 1}, {1, 3})]
)
def test_thumbs_and_ratings_become_marks_that_are_higher_for_better(tmp_path, kind, marks, values):
    texts = (("Red.",),) if kind == "thumb" else (("Red.", "Green."),)
    site = make_site(tmp_path, kind, texts)
    answer(site, site.labeler.rater_id, marks)
    (rated,) = site.store.figures.material(site.project.id).judgements
    assert set(rated.marks.values()) == values


def test_models_are_told_apart_only_where_there_are_several(site, tmp_path):
    lonely = make_site(tmp_path / "lonely", "thumb", (("Red.",), ("Blue.",)))
    assert figures(lonely).material(lonely.project.id).models == {}
    models = figures(site).material(site.project.id).models
    assert set(models.values()) == {"secret-0", "secret-1", "secret-2"}


def rankings(site: Site) -> list[Ranking]:
    return list(figures(site).material(site.project.id).judgements)


def agreed(site: Site) -> Agreed:
    return site.store.agreed


def some_answers(site: Site) -> None:
    for who in (site.labeler, site.hired("Ben"), site.hired("Eve")):
        for _ in TEXTS:
            answer(site, who.rater_id)


def test_a_version_keeps_what_the_consensus_said_when_it_was_made(site):
    some_answers(site)
    made = agreed(site).make(site.project.id, "borda", "owner")
    expected = consensus(rankings(site), weights=made.weights)
    again(site, site.items[0], site.labeler.rater_id)
    kept = {each.ranking.comparison_id: each for each in agreed(site).rows(site.project.id, 1)}
    for each in expected:
        row = kept[each.ranking.comparison_id]
        assert (row.ranking, row.raters, row.contested) == (
            *(each.ranking, each.raters),
            each.contested,
        )
        assert row.margins == pytest.approx(dict(each.margins))


def test_the_digest_covers_every_row_of_the_version(site):
    some_answers(site)
    made = agreed(site).make(site.project.id, "borda")
    with site.store._engine.connect() as connection:
        bodies = connection.exec_driver_sql("SELECT body FROM consensus_row").scalars().all()
    content = "".join(f"{body}\n" for body in sorted(bodies))
    assert made.digest == hashlib.sha256(content.encode()).hexdigest()
    assert {json.loads(body)["item"] for body in bodies} == set(site.items)


@on_both
def test_the_same_answers_in_another_store_and_order_give_the_same_digest(site, tmp_path):
    some_answers(site)
    backwards = [Prompt(f"Prompt number {n}") for n in (4, 3, 2, 1)]
    twin = make_site(tmp_path / "twin", texts=TEXTS[::-1], prompts=backwards)
    given = rankings(site)
    for who in {each.rater_id for each in given} - {twin.labeler.rater_id}:
        twin.store.add_rater(Rater(who))
    twin.store.rank_all([(each, f"{n}") for n, each in enumerate(reversed(given))])
    first = agreed(site).make(site.project.id, "kemeny")
    second = agreed(twin).make(twin.project.id, "kemeny")
    assert (first.digest, first.snapshot) == (second.digest, second.snapshot)


def test_a_version_is_made_again_only_when_answers_or_method_changed(site):
    some_answers(site)
    make = agreed(site).make
    numbers = [make(site.project.id, "borda").number, make(site.project.id, "borda").number]
    numbers.append(make(site.project.id, "kemeny").number)
    again(site, site.items[0], site.labeler.rater_id)
    numbers.append(make(site.project.id, "kemeny").number)
    assert numbers == [1, 1, 2, 3]
    assert [each.number for each in agreed(site).all(site.project.id)] == [3, 2, 1]


def test_what_cannot_be_agreed_on_is_one_sentence(site):
    with pytest.raises(StoreError, match="no rankings to agree on yet"):
        agreed(site).make(site.project.id)
    some_answers(site)
    with pytest.raises(DataError, match="'bord'; did you mean 'borda'"):
        agreed(site).make(site.project.id, "bord")
    with pytest.raises(StoreError, match="holds no consensus version 7"):
        agreed(site).rows(site.project.id, 7)


def test_making_a_version_is_in_the_audit_log(site):
    some_answers(site)
    made = agreed(site).make(site.project.id, "borda", "L-OWNER")
    entry = site.store.audit.page(limit=1)[0]
    assert (entry.actor, entry.subject) == ("L-OWNER", f"project:{site.project.id}")
    assert entry.detail["digest"] == made.digest
