"""What a project takes: questions of its kind by its criterion, and gold that fits the scale."""

import pytest

from humanalign.errors import DataError, StoreError
from humanalign.prefer.files.judgements import Question
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.projects import ProjectSettings
from humanalign.prefer.store.schema import item, slot
from humanalign.types import Comparison, Completion, Prompt, Rater, Sampler
from prefer.stores import opened
from prefer.work import place, rows

pytestmark = pytest.mark.usefixtures("either_database")
PROMPT = Prompt("a new prompt")
WORDS = [Completion(PROMPT.id, f"answer {k}", Sampler("m")) for k in range(3)]
IDS = tuple(each.id for each in WORDS)


def add(at, question, **more):
    return at.queue.add(at.project, [PROMPT], WORDS, [question], overlap=1, **more)


@pytest.mark.parametrize(
    ("kind", "question", "sentence"),
    [
        ("thumb", Question("ranking", PROMPT.id, IDS), "is a ranking of 3, but project 'P'"),
        ("pairwise", Question("ranking", PROMPT.id, IDS), "is of kind pairwise"),
        ("ranking", Question("rating", PROMPT.id, IDS), "is a rating of 3, but"),
        ("ranking", Question("ranking", PROMPT.id, IDS, "honest"), "asks by 'honest', but"),
    ],
)
def test_a_question_that_does_not_fit_its_project_is_refused(tmp_path, kind, question, sentence):
    cards = {"pairwise": 2, "thumb": 1}.get(kind, 3)
    at = place(tmp_path, kind=kind, cards=cards)
    with pytest.raises(DataError, match=sentence):
        add(at, question)
    assert len(rows(at, item)) == 1


def test_a_choice_of_two_fits_where_completions_are_ranked(tmp_path):
    at = place(tmp_path)
    assert len(add(at, Question("pairwise", PROMPT.id, IDS[:2]))) == 1


def test_comparisons_are_not_asked_in_a_project_of_another_kind_or_criterion(tmp_path):
    store, _ = opened(tmp_path)
    store.projects.create("thumbs", "thumb", "care")
    store.projects.create("ranks", "ranking", "care")
    store.add([PROMPT], WORDS)
    for name, sentence in (("thumbs", "is of kind thumb"), ("ranks", "asks by 'honest'")):
        with pytest.raises(DataError, match=sentence):
            store.ask([Comparison(PROMPT.id, IDS, "honest")], project=name)
    assert store.comparisons() == []


def test_a_project_made_by_asking_is_as_one_made_by_its_owner(tmp_path):
    store, _ = opened(tmp_path)
    store.add([PROMPT], WORDS)
    store.ask([Comparison(PROMPT.id, IDS)], project=" Answers ")
    [made] = store.projects.all()
    other = store.projects.create("Other", "ranking", "helpful")
    assert (made.name, made.settings, made.definition) == (
        "Answers",
        other.settings,
        other.definition,
    )
    assert store.projects.instructions(made.id).text == store.projects.instructions(other.id).text
    assert "create project" in [each.action for each in store.audit.page()]


def test_asking_finds_a_project_whose_name_is_cased_otherwise(tmp_path):
    store, _ = opened(tmp_path)
    made = store.projects.create("Answers", "ranking", "helpful")
    store.add([PROMPT], WORDS)
    store.ask([Comparison(PROMPT.id, IDS)], project="answers")
    assert [each.id for each in store.projects.all()] == [made.id]
    with pytest.raises(StoreError, match="cannot be seen"):
        store.ask([Comparison(PROMPT.id, IDS)], project="a\tb")


def test_an_item_is_the_question_it_stands_for():
    for kind, ids, criterion in (
        ("ranking", IDS, "helpful"),
        ("thumb", IDS[:1], ""),
        ("thumb", IDS[:1], "helpful"),
        ("rating", IDS[:1], "honest"),
    ):
        question = Question(kind, PROMPT.id, ids, criterion)
        assert Item(PROMPT.id, ids, criterion, kind).id == question.id


def test_gold_that_comes_with_an_item_sent_again_is_set(tmp_path):
    at = place(tmp_path)
    add(at, Question("ranking", PROMPT.id, IDS))
    gold = dict(zip(IDS, (1, 2, "F"), strict=True))
    [item_id] = add(at, Question("ranking", PROMPT.id, IDS, gold=gold), by="L-OLGA")
    assert at.store.items.item(at.project, item_id).gold == gold
    entry = at.store.audit.page()[0]
    assert (entry.actor, entry.action) == ("L-OLGA", "add items")
    assert dict(entry.detail) == {"items": 1, "new": 0, "gold": 1, "overlap": 1}
    add(at, Question("ranking", PROMPT.id, IDS))
    assert at.store.items.item(at.project, item_id).gold == gold


@pytest.mark.parametrize("marks", [(1, 2), (1, 2, "up")])
def test_gold_that_no_rater_could_give_is_refused(tmp_path, marks):
    at = place(tmp_path)
    gold = dict(zip(IDS, marks, strict=False))
    with pytest.raises(DataError):
        add(at, Question("ranking", PROMPT.id, IDS, gold=gold))
    assert len(rows(at, slot)) == 3


def test_gold_ratings_lie_on_the_scale_of_the_project(tmp_path):
    at = place(tmp_path, kind="rating", cards=1, settings=ProjectSettings(scale=5))
    one = IDS[:1]
    add(at, Question("rating", PROMPT.id, one, gold={one[0]: 5}))
    with pytest.raises(DataError, match="from 1 to 5"):
        add(at, Question("rating", PROMPT.id, one, gold={one[0]: 6}))


def test_a_thumb_from_a_chat_needs_no_criterion(tmp_path):
    store, _ = opened(tmp_path)
    store.thumb(PROMPT, WORDS[0], Rater("ann"), True, key="k")
    assert [each.up for each in store.thumbs()] == [True]
    assert store.verify() == 1
