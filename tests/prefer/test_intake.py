"""Files taken in and given out again: every mark, every rater, nothing twice."""

from __future__ import annotations

import json
from functools import partial
from itertools import product

import pytest

from humanalign.errors import DataError, StoreError
from humanalign.prefer.files.judgements import Judgement, Judgements, Question
from humanalign.prefer.store import FeedbackStore
from humanalign.types import Completion, Prompt, Rater, Sampler

pytestmark = pytest.mark.usefixtures("either_database")


def file_of(marks: dict[str, list], kind: str = "ranking", criterion: str = "helpful", scale=3):
    """A file in which each rater gives each list of marks to a prompt of its own."""
    prompts, completions, questions, judgements = [], [], [], []
    for number in range(len(next(iter(marks.values())))):
        prompt = Prompt(f"prompt {number}")
        size = len(next(iter(marks.values()))[number])
        words = [Completion(prompt.id, f"answer {k}", Sampler("m")) for k in range(size)]
        question = Question(kind, prompt.id, tuple(each.id for each in words), criterion)
        prompts.append(prompt)
        completions += words
        questions.append(question)
        for rater, given in marks.items():
            by_id = dict(zip(question.completion_ids, given[number], strict=True))
            judgements.append(Judgement(question.id, rater, by_id, seconds=4.0, note="n"))
    raters = tuple(Rater(each) for each in marks)
    return Judgements(
        "file", "rich", *map(tuple, (prompts, completions, questions, judgements)), raters, scale
    )


def given_out(store: FeedbackStore, project_id: str) -> list[tuple]:
    return [
        (r.judgement.rater_id, r.question.id, dict(r.judgement.marks), r.judgement.note)
        for r in store.records(project_id)
    ]


def project_in(store: FeedbackStore, kind: str = "ranking") -> str:
    return store.projects.create("p", kind, "helpful").id


def test_every_mark_of_three_cards_comes_back_as_it_went_in(tmp_path):
    competition = [
        list(m)
        for m in product([1, 2, 3, "F"], repeat=3)
        if all(x == "F" or 1 + sum(y != "F" and y < x for y in m) == x for x in m)
    ]
    assert len(competition) == 26  # weak orders of 3, of 2 (3 pairs), of 1 (3), and all F
    found = file_of({"ann": competition, "bob": competition[::-1]})
    store = FeedbackStore(tmp_path / "s.db")
    taken = store.take_in(project_in(store), found, overlap=0, by="me")
    assert (taken.items, taken.answers, taken.raters) == (26, 52, 2)
    said = {(j.rater_id, j.question_id): dict(j.marks) for j in found.judgements}
    out = given_out(store, store.projects.named("p").id)
    assert {(rater, item): marks for rater, item, marks, _ in out} == said
    assert store.verify() == 52


@pytest.mark.parametrize(("kind", "marks"), [("thumb", ["up"]), ("rating", [3, 1])])
def test_thumbs_and_ratings_come_back_as_they_went_in(tmp_path, kind, marks):
    store = FeedbackStore(tmp_path / "s.db")
    found = file_of({"ann": [marks]}, kind)
    project_id = project_in(store, kind)
    store.take_in(project_id, found, overlap=0)
    [(_, _, given, note)] = given_out(store, project_id)
    assert (list(given.values()), note) == (marks, "n")


def test_the_same_file_again_stores_nothing_twice(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    found = file_of({"ann": [[1, 2], [2, 1]]})
    project_id = project_in(store)
    store.take_in(project_id, found, overlap=0)
    again = store.take_in(project_id, found, overlap=0)
    assert (again.items, again.answers) == (0, 0)
    assert store.verify() == 2


def test_answers_in_the_file_count_towards_the_overlap(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store)
    store.take_in(project_id, file_of({"ann": [[1, 2]], "bob": [[1, 2]]}), overlap=3)
    store.add_rater(Rater("cem"))
    store.add_rater(Rater("dan"))
    assert store.queue.next(project_id, "cem") is not None
    assert store.queue.next(project_id, "dan") is None
    assert store.queue.next(project_id, "ann") is None


def test_whoever_has_an_account_here_is_not_the_one_a_file_names(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    account = store.people.create("ann", "labeler", password="a long password")
    project_id = project_in(store)
    store.take_in(project_id, file_of({account.rater_id: [[1, 2]]}), overlap=0)
    [(rater, *_)] = given_out(store, project_id)
    assert rater == f"imported:{account.rater_id}"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            file_of({"ann": [[1, 2]]}, "rating"),
            "a question is a rating of 2, but project 'p'",
        ),
        (file_of({"ann": [[1, 2]]}, criterion="honest"), "asks by 'honest'"),
    ],
)
def test_what_does_not_fit_the_project_is_refused_before_anything_is_stored(
    tmp_path, found, message
):
    store = FeedbackStore(tmp_path / "s.db")
    project_id = project_in(store)
    for refuses in (store.check_import, partial(store.take_in, overlap=1)):
        with pytest.raises(DataError, match=message):
            refuses(project_id, found)
    assert store.prompts() == {}


def test_a_question_belongs_to_one_project(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    store.take_in(project_in(store), file_of({"ann": [[1, 2]]}), overlap=1)
    other = store.projects.create("q", "ranking", "helpful").id
    with pytest.raises(StoreError, match="asked already in project 'p'"):
        store.take_in(other, file_of({"ann": [[1, 2]]}), overlap=1)


def test_an_import_is_in_the_audit_log(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    store.take_in(project_in(store), file_of({"ann": [[1, 2]]}), overlap=1, by="L-OWNER")
    entry = store.audit.page()[0]
    assert (entry.actor, entry.action) == ("L-OWNER", "import")
    assert json.loads(json.dumps(dict(entry.detail)))["answers"] == 1
