"""Projects: settings, instruction versions, members, and what stands between them and work."""

import re
from dataclasses import replace
from functools import partial

import pytest

from humanalign.errors import ConfigError, StoreError
from humanalign.prefer.defaults import default_definition, default_instructions
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.projects import ProjectSettings, Question, read_settings
from humanalign.types import Comparison, Completion, Prompt, Rater, Sampler
from prefer.stores import at_once, opened, statements_of

KINDS = ("ranking", "pairwise", "thumb", "rating")
CRITERIA = ("helpful", "honest", "harmless", "toxicity", "brevity")
QUIZ = (Question("Which?", ("this", "that"), 1, "Because."),)


on_either = pytest.mark.usefixtures("either_database")


@pytest.fixture
def place(tmp_path):
    store, clock = opened(tmp_path)
    project = store.projects.create("Answers", "ranking", "helpful", by="L-OLGA")
    ann = store.people.create("Ann", "labeler")
    store.projects.join(project.id, ann.rater_id)
    return store, clock, project.id, ann.rater_id


@on_either
def test_a_project_is_read_back_as_it_was_made(place):
    store, clock, _, _ = place
    clock.now += 1
    settings = ProjectSettings(overlap=5, blur=True, warning="Läuft", pass_mark=1, scale=5)
    made = store.projects.create(
        " Tone ", "rating", "polite", definition="No sneers.", settings=settings, by="L-OLGA"
    )
    assert (made.name, made.kind, made.criterion) == ("Tone", "rating", "polite")
    assert (made.definition, made.status, made.at) == ("No sneers.", "open", clock.now)
    assert made.settings == settings
    assert store.projects.get(made.id) == store.projects.named("Tone") == made
    assert [each.name for each in store.projects.all()] == ["Answers", "Tone"]
    assert store.projects.criteria()["polite"] == "No sneers."
    assert store.projects.named("tune") is None


@on_either
def test_of_two_projects_made_at_once_under_one_name_one_is(place):
    store, clock, _, _ = place
    second = FeedbackStore(store.url, clock=clock)
    calls = [
        partial(each.projects.create, name, "thumb", "helpful")
        for each, name in ((store, "Tone"), (second, "tone"), (store, "TONE"), (second, "Tone"))
    ]
    refused = [each for each in at_once(calls) if isinstance(each, str)]
    assert len(refused) == 3
    assert all("exists; choose another name" in each for each in refused)


@on_either
def test_what_no_project_can_be_is_refused_and_leaves_nothing_behind(place):
    store, _, _, _ = place
    for given, sentence in (
        ({"name": ""}, "name: expected 1 to 64"),
        ({"kind": "quiz"}, "kind: expected one of ranking, pairwise, thumb, rating, got 'quiz'"),
        ({"criterion": "a\tb"}, "criterion: character U\\+0009"),
        ({"definition": "\0"}, "definition: holds a character"),
        ({"criterion": "helpful", "definition": "other words"}, "is defined already"),
        ({"instructions": " \n"}, "the text is empty"),
        ({"instructions": "x" * 100_001}, "expected at most 100,000 characters, got 100,001"),
        ({"quiz": [replace(QUIZ[0], answer=2)]}, "question 1: the right option is number 3"),
        ({"quiz": [replace(QUIZ[0], answer=-1)]}, "question 1: the right option is number 0"),
        ({"quiz": [*QUIZ, replace(QUIZ[0], options=("a",))]}, "question 2: expected 2 to 8"),
        ({"quiz": [replace(QUIZ[0], options=("a", "a"))]}, "two options are the same"),
        ({"quiz": [replace(QUIZ[0], why=" ")]}, "or the reason is empty"),
        ({"quiz": QUIZ * 21}, "at most 20 questions, got 21"),
    ):
        with pytest.raises(StoreError, match=sentence):
            store.projects.create(**{"name": "New", "kind": "thumb", "criterion": "new", **given})
    assert [each.name for each in store.projects.all()] == ["Answers"]
    assert list(store.projects.criteria()) == ["helpful"]


@on_either
def test_a_criterion_is_defined_once_for_all_its_projects(place):
    store, _, project, _ = place
    assert store.projects.get(project).definition == default_definition("helpful") != ""
    store.projects.define("helpful", "Of use.", "L-OLGA")
    assert store.projects.get(project).definition == "Of use."
    again = store.projects.create("More", "thumb", "helpful", definition="Of use.")
    assert again.definition == "Of use."
    assert "Of use." in store.projects.instructions(again.id).text


@on_either
def test_a_quiz_of_ones_own_goes_with_the_default_text(place):
    store, _, _, _ = place
    made = store.projects.create("Own", "thumb", "honest", quiz=QUIZ)
    version = store.projects.instructions(made.id)
    assert version.quiz == QUIZ
    assert version.text == default_instructions("honest", "thumb")[0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"overlapp": 3}, "settings: unknown key 'overlapp'; did you mean 'overlap'?"),
        ({"zzz": 3}, "settings: unknown key 'zzz'; the keys are overlap, contested_overlap"),
        ({"overlap": 0}, "overlap: expected 1 to 100, got 0"),
        ({"overlap": "3"}, "overlap: expected a whole number, got '3'"),
        ({"overlap": True}, "overlap: expected a whole number, got True"),
        ({"overlap": 3.0}, "overlap: expected a whole number, got 3.0"),
        ({"blur": 1}, "blur: expected true or false, got 1"),
        ({"pass_mark": 1.1}, "pass_mark: expected 0.0 to 1.0, got 1.1"),
        ({"pass_mark": float("nan")}, "pass_mark: expected 0.0 to 1.0, got nan"),
        ({"scale": 1}, "scale: expected 2 to 9, got 1"),
        ({"warning": "x" * 2001}, "warning: expected at most 2,000 characters, got 2,001"),
        ({"consent": "\0"}, "consent: holds a character that is no text"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(content, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        read_settings(content)


@on_either
def test_settings_and_status_change_when_told(place):
    store, _, project, _ = place
    settings = ProjectSettings(gold_every=7)
    store.projects.configure(project, settings, "L-OLGA")
    store.projects.set_status(project, "archived", "L-OLGA")
    found = store.projects.get(project)
    assert (found.settings, found.status) == (settings, "archived")
    entry = store.audit.page()[1]
    assert (entry.action, entry.detail) == ("configure project", {"gold_every": 7})
    with pytest.raises(StoreError, match="status: expected one of open, paused, archived"):
        store.projects.set_status(project, "closed", "L-OLGA")


@on_either
def test_every_change_of_the_instructions_is_a_version_and_old_ones_stay(place):
    store, _, project, _ = place
    projects = store.projects
    first = projects.instructions(project)
    second = projects.publish(project, "Read this.", QUIZ, "L-OLGA")
    assert projects.publish(project, "Read this.", list(QUIZ), "L-OLGA") == second
    third = projects.publish(project, "Read this.", (), "L-OLGA")
    fourth = projects.publish(project, "Read this.", QUIZ, "L-OLGA")
    versions = [first, second, third, fourth]
    assert projects.versions(project) == versions
    assert [each.number for each in versions] == [1, 2, 3, 4]
    assert len({each.id for each in versions}) == 4
    assert projects.instructions(project) == fourth
    assert [projects.version(each.id) for each in versions] == versions
    assert fourth.quiz == QUIZ


@on_either
def test_the_same_words_have_the_same_id_in_every_store(tmp_path):
    ids = []
    for name in ("a", "b"):
        store, clock = opened(tmp_path / name)
        clock.now += len(ids)
        made = store.projects.create("Answers", "ranking", "helpful", by=name)
        ids.append(store.projects.instructions(made.id).id)
    assert ids[0] == ids[1]


@on_either
def test_a_project_that_asking_made_has_the_default_instructions(tmp_path):
    store, _ = opened(tmp_path)
    prompt = Prompt("What is 1 + 1?")
    answers = [Completion(prompt.id, each, Sampler("m")) for each in ("2", "3")]
    store.add([prompt], answers)
    store.ask([Comparison(prompt.id, tuple(each.id for each in answers), "honest")])
    [project] = store.projects.all()
    assert project.definition == default_definition("honest")
    version = store.projects.instructions(project.id)
    assert (version.text, version.quiz) == default_instructions("honest", project.kind)
    assert store.projects.instructions(project.id) == version


@on_either
def test_the_gate_opens_step_by_step(place):
    store, clock, project, ann = place
    projects = store.projects
    version = projects.instructions(project).id
    assert projects.gate(project, ann) == "consent"
    projects.consent(project, ann)
    agreed = clock.now
    clock.now += 9
    projects.consent(project, ann)
    assert projects.gate(project, ann) == "instructions"
    assert not projects.record_quiz(project, ann, version, 0.79)
    assert projects.gate(project, ann) == "instructions"
    assert projects.record_quiz(project, ann, version, 0.8)
    assert projects.gate(project, ann) == "open"
    member = projects.member(project, ann)
    assert (member.consented_at, member.passed, member.score) == (agreed, version, 0.8)
    assert (member.tries, member.name, member.role) == (2, "Ann", "labeler")


@pytest.fixture
def inside(place):
    store, _, project, ann = place
    store.projects.consent(project, ann)
    store.projects.record_quiz(project, ann, store.projects.instructions(project).id, 1)
    assert store.projects.gate(project, ann) == "open"
    return store, project, ann


@on_either
def test_new_instructions_are_asked_again_and_an_old_version_does_not_pass(inside):
    store, project, ann = inside
    old = store.projects.instructions(project).id
    new = store.projects.publish(project, "Other words.", QUIZ, "L-OLGA").id
    assert store.projects.gate(project, ann) == "instructions"
    assert not store.projects.record_quiz(project, ann, old, 1)
    assert store.projects.gate(project, ann) == "instructions"
    assert store.projects.record_quiz(project, ann, new, 1)
    assert store.projects.gate(project, ann) == "open"


@on_either
def test_going_back_to_old_words_asks_again_too(inside):
    store, project, ann = inside
    first = store.projects.instructions(project)
    store.projects.publish(project, "Other words.", QUIZ, "L-OLGA")
    store.projects.publish(project, first.text, first.quiz, "L-OLGA")
    assert store.projects.gate(project, ann) == "instructions"


@on_either
def test_asking_again_closes_the_gate_until_the_quiz_is_passed(inside):
    store, project, ann = inside
    store.projects.ask_again(project, ann, "L-OLGA", "Please read point 2.")
    assert store.projects.gate(project, ann) == "instructions"
    assert store.projects.member(project, ann).reason == "Please read point 2."
    store.projects.record_quiz(project, ann, store.projects.instructions(project).id, 1)
    assert store.projects.gate(project, ann) == "open"
    assert store.projects.member(project, ann).reason == ""


@on_either
def test_standing_and_status_hold_a_member_up_and_can_be_taken_back(inside):
    store, project, ann = inside
    projects = store.projects
    for status in ("paused", "excluded"):
        projects.set_standing(project, ann, status, "too fast", "L-OLGA")
        assert projects.gate(project, ann) == status
        assert projects.member(project, ann).reason == "too fast"
    projects.set_standing(project, ann, "active", "", "L-OLGA")
    for status, expected in (("paused", "closed"), ("archived", "closed"), ("open", "open")):
        projects.set_status(project, status, "L-OLGA")
        assert projects.gate(project, ann) == expected
    with pytest.raises(StoreError, match="reason: say why"):
        projects.set_standing(project, ann, "excluded", " ", "L-OLGA")
    with pytest.raises(StoreError, match="expected one of active, paused, excluded"):
        projects.set_standing(project, ann, "gone", "x", "L-OLGA")


@on_either
def test_a_program_needs_no_reading_but_can_be_paused(place):
    store, _, project, _ = place
    store.people.create("judge", "program", kind="model")
    store.projects.join(project, "judge")
    assert store.projects.gate(project, "judge") == "open"
    store.projects.set_standing(project, "judge", "paused", "broken", "L-OLGA")
    assert store.projects.gate(project, "judge") == "paused"


@on_either
def test_one_persons_steps_change_nobody_else(inside):
    store, project, ann = inside
    ben = store.people.create("Ben", "labeler").rater_id
    other = store.projects.create("Other", "thumb", "honest").id
    for where, who in ((project, ben), (other, ann), (other, ben)):
        store.projects.join(where, who)
    store.projects.set_standing(other, ann, "excluded", "x", "L-OLGA")
    store.projects.ask_again(project, ben, "L-OLGA", "y")
    store.projects.consent(other, ben)
    assert store.projects.gate(project, ann) == "open"
    assert store.projects.gate(project, ben) == "consent"
    assert store.projects.gate(other, ann) == "excluded"
    assert store.projects.gate(other, ben) == "instructions"


@on_either
def test_joining_twice_changes_nothing(inside):
    store, project, ann = inside
    before = store.projects.member(project, ann)
    store.projects.join(project, ann)
    assert store.projects.members(project) == [before]
    assert [each.id for each in store.projects.projects_of(ann)] == [project]
    assert store.projects.projects_of("L-NOBODY") == []


@on_either
def test_a_rater_without_an_account_goes_by_its_id(place):
    store, _, project, _ = place
    store.add_rater(Rater("simulated-1", "rule"))
    store.projects.join(project, "simulated-1")
    member = store.projects.member(project, "simulated-1")
    assert (member.name, member.role) == ("simulated-1", "program")


@on_either
def test_the_entry_is_the_gate_and_the_newest_instructions(inside):
    store, project, ann = inside
    first = store.projects.entry(project, ann)
    assert (first.gate, first.instructions) == ("open", store.projects.instructions(project).id)
    new = store.projects.publish(project, "Other words.", (), "L-OLGA").id
    then = store.projects.entry(project, ann)
    assert (then.gate, then.instructions) == ("instructions", new)


@on_either
def test_gate_entry_and_member_are_one_query_each(inside):
    store, project, ann = inside
    for call in (store.projects.gate, store.projects.entry, store.projects.member):
        assert len(statements_of(store, partial(call, project, ann))) == 1


@on_either
def test_strangers_are_no_members_and_unknown_ids_are_named(place):
    store, _, project, ann = place
    projects = store.projects
    assert projects.member(project, "L-NOBODY") is None
    for unknown in ("nowhere", "\0", "\ud800", ""):
        for call, sentence in (
            (partial(projects.get, unknown), "holds no project"),
            (partial(projects.join, unknown, ann), "holds no project"),
            (partial(projects.publish, unknown, "x", (), "L-OLGA"), "holds no project"),
            (partial(projects.version, unknown), "holds no instructions"),
            (partial(projects.gate, unknown, ann), "holds no member"),
            (partial(projects.gate, project, unknown), "holds no member"),
            (partial(projects.consent, project, unknown), "holds no member"),
            (partial(projects.record_quiz, project, ann, unknown, 1), "holds no instructions"),
        ):
            with pytest.raises(StoreError, match=sentence):
                call()
    with pytest.raises(StoreError, match="score: expected a share from 0 to 1, got 80"):
        projects.record_quiz(project, ann, projects.instructions(project).id, 80)


@on_either
def test_a_quiz_of_another_project_passes_nothing(inside):
    store, project, ann = inside
    other = store.projects.create("Other", "thumb", "honest").id
    with pytest.raises(StoreError, match="of this project"):
        store.projects.record_quiz(project, ann, store.projects.instructions(other).id, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_and_kind_has_whole_instructions_and_a_quiz_that_can_be_asked(
    criterion, kind
):
    text, quiz = default_instructions(criterion, kind, definition="", scale=5)
    headings = re.findall(r"^#+ .*", text, flags=re.MULTILINE)
    assert headings[0] == f"# How to judge: {criterion}"
    wanted = ["## What you do", "## What does not count", "## When you are unsure"]
    assert [each for each in wanted if each not in headings] == []
    assert "## Look after yourself" in headings
    assert ("## An example" in headings) == (kind == "ranking")
    assert re.search(r"\{[{%]|\n\n\n|[^\n]\n#", text) is None
    assert len(quiz) == 5
    assert len({each.answer for each in quiz}) == 3, "the right answer is not always in one place"
    right = [len(each.options[each.answer]) == max(map(len, each.options)) for each in quiz]
    assert sum(right) < 5, "the longest option is not always right"


def test_ranking_instructions_explain_the_best_ties_f_facts_length_and_doubt():
    for criterion in CRITERIA:
        text, _ = default_instructions(criterion, "ranking")
        for point in (
            "1 is the best",
            "same number is a tie",
            "Use it sparingly",
            "F removes an answer",
            "nonsense, too confusing to follow",
            "Longer is not better",
            "Style",
            "Look up names, dates, numbers",
            "When you are unsure",
            "too upsetting",
        ):
            assert point in text, (criterion, point)


def test_the_example_of_each_ranking_is_summed_up_as_its_table_marks_it():
    for criterion in CRITERIA:
        text, _ = default_instructions(criterion, "ranking")
        marks: dict[str, list[str]] = {}
        for letter, mark in re.findall(r"^\| ([A-F]) \|.*\| ([1-9F]) \|", text, re.MULTILINE):
            marks.setdefault(mark, []).append(letter)
        summary = "  ".join(f"{mark}: {'='.join(cards)}" for mark, cards in sorted(marks.items()))
        assert f"`{summary}`" in text
        assert "F" in marks


def test_a_definition_of_ones_own_is_text_and_no_template():
    text, _ = default_instructions("brevity", "thumb", definition="{{ 7 * 7 }} {% raw %} Short.")
    assert "{{ 7 * 7 }} {% raw %} Short." in text
