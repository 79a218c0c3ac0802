"""Files taken in after other files: revisions in their order, no order of display made up."""

import json
from dataclasses import replace

import pytest

from humanalign.errors import DataError
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.statistics.labelers import weights_of
from humanalign.prefer.statistics.summary import summarise
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.schema import shown
from prefer.ballots import pool
from prefer.stores import opened
from prefer.test_intake import file_of, given_out, project_in
from prefer.work import place, rows, send

pytestmark = pytest.mark.usefixtures("either_database")


def history(*numbers: int):
    """A file with these revisions of one answer: revision 1 prefers the first, 2 the second..."""
    found = file_of({"ann": [["F", "F", "F"]]})
    [first] = found.judgements
    order = [[1, 2, 3], [2, 1, 3], [3, 2, 1]]
    said = [
        replace(
            first, marks=dict(zip(first.marks, order[number - 1], strict=True)), revision=number
        )
        for number in numbers
    ]
    return replace(found, judgements=tuple(said))


def said_last(store, project_id):
    [(_, _, marks, _)] = given_out(store, project_id)
    return list(marks.values())


def test_an_older_file_does_not_undo_a_newer_one(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store)
    store.take_in(project_id, history(2), overlap=0)
    assert store.take_in(project_id, history(1), overlap=0).answers == 0
    assert store.take_in(project_id, history(1, 2), overlap=0).answers == 0
    assert said_last(store, project_id) == [2, 1, 3]


def test_a_longer_history_adds_what_is_newer_and_only_once(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store)
    store.take_in(project_id, history(1), overlap=0)
    added = [store.take_in(project_id, history(3, 1, 2), overlap=0).answers for _ in range(2)]
    assert added == [2, 0]
    assert said_last(store, project_id) == [3, 2, 1]
    revisions = [each.judgement.revision for each in store.records(project_id, revisions=True)]
    assert revisions == [1, 2, 3]
    assert store.verify() == 3


def test_a_file_says_nothing_of_the_order_in_which_completions_were_seen(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store, "pairwise")
    store.take_in(project_id, file_of({"zoe": [[1, 2]] * 30}, "pairwise"), overlap=0)
    material = store.figures.material(project_id)
    [labeler] = summarise(material.judgements, shown=material.shown).labelers
    assert "position" not in [each.name for each in labeler.findings]
    with store._engine.connect() as connection:
        assert connection.execute(shown.select()).all() == []


def test_an_item_shows_what_a_file_said_of_it(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store)
    store.take_in(project_id, file_of({"zoe": [[1, 2, 2]]}), overlap=1)
    [row] = store.items.page(project_id)
    [given] = store.items.item(project_id, row.id).given
    assert (given.rater_id, given.display) == ("zoe", ())
    assert store.queue.next(project_id, "zoe") is None
    assert store.queue.standing(project_id, "zoe").done == 1


def test_the_way_back_leads_only_to_what_was_shown(tmp_path):
    at = place(tmp_path, items=1, overlap=2)
    known = file_of({"ann": [[1, 2, 3]]})
    at.store.take_in(at.project, known, overlap=1)
    assert at.queue.before(at.project, "ann") is None
    send(at, "ann")
    assert at.queue.before(at.project, "ann") == at.ids[0]


def test_a_rich_export_carries_the_weight_of_each_rater(tmp_path):
    rankings, _ = pool(["good", "good", "good", "random", "reversed"], prompts=40, seed=3)
    wanted = weights_of(rankings)
    raters = sorted(wanted)
    store, _ = opened(tmp_path)
    project_id = project_in(store)
    marks = {each: [] for each in raters}
    by = {(each.rater_id, each.comparison_id): each for each in rankings}
    found = file_of({"x": [[1, 2, 3, 4]] * 40})
    said = []
    for number, question in enumerate(found.questions):
        for rater in raters:
            ranking = by.get((rater, str(number)))
            if ranking is not None:
                place_of = {each: tier for tier, (each,) in enumerate(ranking.tiers, 1)}
                marks = [place_of[f"{number}-{k}"] for k in range(4)]
                given = dict(zip(question.completion_ids, marks, strict=True))
                said.append(
                    replace(found.judgements[number], rater_id=rater, marks=given, revision=1)
                )
    named = tuple(replace(found.raters[0], id=each) for each in raters)
    store.take_in(project_id, replace(found, judgements=tuple(said), raters=named), overlap=0)
    given = {each.judgement.rater_id: each.weight for each in store.records(project_id)}
    assert given == pytest.approx(wanted)
    assert len({round(each, 6) for each in given.values()}) > 1


def test_who_is_excluded_weighs_nothing_where_everyone_is_exported(tmp_path):
    at = place(tmp_path)
    at.store.projects.join(at.project, "ann")
    send(at, "ann")
    send(at, "bob")
    at.store.projects.set_standing(at.project, "ann", "excluded", "too fast", "L-OLGA")
    records = at.store.records(at.project, everyone=True)
    assert {each.judgement.rater_id: each.weight > 0 for each in records} == {
        "ann": False,
        "bob": True,
    }
    assert len(rows(at, shown)) == 2


def test_ratings_on_two_scales_are_no_one_file(tmp_path):
    file = tmp_path / "ratings.jsonl"
    lines = [
        {"prompt": "p", "completion": f"c{scale}", "rating": 3, "scale": scale} for scale in (3, 5)
    ]
    file.write_text("\n".join(json.dumps(each) for each in lines))
    with pytest.raises(DataError, match=r"2.*scale: 5, but earlier rows rate from 1 to 3"):
        read_judgements(file)
