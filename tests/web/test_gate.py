"""The gate: consent, instructions, questions; asked again when the instructions change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from workplace import GUIDE, QUIZ, Site, make_site

from humanalign.prefer.store.people import Account
from humanalign.prefer.store.projects import ProjectSettings
from humanalign.web.app import create_app

RIGHT = {"q0": "1", "q1": "0", "q2": "0"}


class Newcomer:
    """Somebody who has just joined a project, in a browser without scripts."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.account: Account = site.store.people.create("eve", "labeler")
        site.store.projects.join(site.project.id, self.account.rater_id)
        self.client = TestClient(
            create_app(site.store), base_url="http://localhost", follow_redirects=False
        )
        token = site.token(self.account)
        self.client.cookies.set("ha_session", token, domain="localhost.local")

    def get(self, path: str = "/gate") -> Response:
        return self.client.get(self.site.home + path, headers={"Accept": "text/html"})

    def send(self, **fields: str) -> Response:
        page = self.client.get("/work").text
        csrf = re.findall(r'name="csrf" content="(\w+)"', page)[0]
        version = self.site.store.projects.instructions(self.site.project.id).id
        return self.client.post(
            f"{self.site.home}/gate",
            data={"csrf": csrf, "version": version, **fields},
            headers={"Sec-Fetch-Site": "same-origin", "Accept": "text/html"},
        )

    def due(self) -> str:
        return self.site.store.projects.gate(self.site.project.id, self.account.rater_id)


@pytest.fixture
def newcomer(tmp_path: Path):
    site = make_site(tmp_path, settings=ProjectSettings(warning="Insults ahead.", pass_mark=0.6))
    yield Newcomer(site)
    site.store.close()


@pytest.fixture
def reader(newcomer):
    """A newcomer who has consented."""
    newcomer.send(step="consent", agreed="yes")
    return newcomer


def test_work_leads_to_consent_first_with_warning_and_pseudonym(newcomer):
    assert newcomer.get("").headers["location"].endswith("/gate")
    page = newcomer.get().text
    assert "Insults ahead." in page
    assert newcomer.account.rater_id in page
    assert "stop at any time" in page


def test_consent_needs_a_tick(newcomer):
    assert newcomer.send(step="consent").status_code == 422
    assert newcomer.due() == "consent"
    assert newcomer.send(step="consent", agreed="yes").status_code == 303
    assert newcomer.due() == "instructions"


def test_the_questions_cannot_be_answered_before_consent(newcomer):
    assert newcomer.send(step="quiz", **RIGHT).status_code == 303
    assert newcomer.due() == "consent"


def test_a_projects_own_consent_text_replaces_the_built_in_one(newcomer):
    own = ProjectSettings(consent="We pay *nobody*. <script>x</script>")
    newcomer.site.store.projects.configure(newcomer.site.project.id, own, "owner")
    page = newcomer.get().text
    assert "<em>nobody</em>" in page
    assert "<script>x" not in page
    assert "pseudonym" not in page


def test_the_way_on_stands_below_the_instructions(reader):
    page = reader.get().text
    assert page.index("Give 1 to the best.") < page.index("Go on to the questions")


def test_right_answers_lead_to_work(reader):
    assert reader.send(step="quiz", **RIGHT).headers["location"] == reader.site.home
    assert reader.due() == "open"


def test_wrong_answers_are_explained_and_one_may_try_again(reader):
    page = reader.send(step="quiz", q0="0", q1="1", q2="0")
    assert "Right: 1 of 3." in page.text
    assert [question.why in page.text for question in QUIZ] == [True, True, False]
    assert reader.due() == "instructions"
    assert reader.send(step="quiz", **RIGHT).status_code == 303
    member = reader.site.store.projects.member(reader.site.project.id, reader.account.rater_id)
    assert (member.tries, member.score) == (2, 1.0)


def test_who_passes_with_a_mistake_reads_what_was_wrong(reader):
    page = reader.send(step="quiz", **RIGHT | {"q2": "1"})
    assert "You have passed" in page.text
    assert QUIZ[2].why in page.text
    assert reader.due() == "open"


def test_a_question_without_an_answer_is_named(reader):
    page = reader.send(step="quiz", q0="1", q2="0")
    assert page.status_code == 422
    assert "Question 2 has no answer yet." in page.text
    assert reader.due() == "instructions"


@pytest.mark.parametrize("given", ["9", "-1", "one", "²", "9" * 5000])
def test_an_answer_that_is_none_passes_nobody(reader, given):
    assert reader.send(step="quiz", q0=given, q1=given, q2=given).status_code in (200, 422)
    assert reader.due() == "instructions"


def test_answers_to_an_older_version_do_not_count(reader):
    page = reader.send(step="quiz", **RIGHT | {"version": "0" * 16})
    assert page.status_code == 409
    assert "changed while you were here" in page.text
    assert reader.due() == "instructions"


def test_new_instructions_are_asked_again_and_say_so(reader):
    reader.send(step="quiz", **RIGHT)
    store, project = reader.site.store, reader.site.project
    store.projects.publish(project.id, GUIDE + "\n\nTies are rare.", QUIZ, "owner")
    assert reader.get("").headers["location"].endswith("/gate")
    assert "The instructions have changed" in reader.get().text
    assert reader.send(step="quiz", **RIGHT).status_code == 303
    assert reader.due() == "open"


def test_who_is_asked_again_by_the_owner_reads_why(reader):
    reader.send(step="quiz", **RIGHT)
    person = (reader.site.project.id, reader.account.rater_id)
    reader.site.store.projects.ask_again(*person, "owner", "1 is the best, not the worst.")
    page = reader.get().text
    assert "once more" in page
    assert "1 is the best, not the worst." in page


def test_instructions_without_questions_need_one_press(reader):
    reader.site.store.projects.publish(reader.site.project.id, GUIDE + "\n\nGo.", (), "owner")
    assert "I have read them; start" in reader.get().text
    assert reader.send(step="quiz").headers["location"] == reader.site.home
    assert reader.due() == "open"


def test_the_right_answers_are_not_in_the_page_before_it_is_graded(reader):
    page = reader.get("/gate?step=quiz").text
    assert not any(question.why in page for question in QUIZ)
    assert " checked" not in page


def test_instructions_stay_at_hand_during_work(reader):
    reader.send(step="quiz", **RIGHT)
    page = reader.get("/instructions").text
    assert "Give 1 to the best." in page
    assert "Go on to the questions" not in page
