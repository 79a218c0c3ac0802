"""A labeler says that something is wrong with an item: they keep it, and its owner reads why."""

from __future__ import annotations

import re

import pytest
from conftest import OWN
from desk import home
from office import Office, opened
from plain_browser import Labeler, rows
from workplace import Site

KEPT = "select kind, reason, note from flag"


def complain(labeler: Labeler, **fields: str):
    """Fill in the form of the report's own page, as a browser without scripts does."""
    action, task = labeler.form(labeler.get())
    page = labeler.get(f"{action}/report").text
    assert re.findall(r'action="([^"]+/report)"', page) == [f"{action}/report"]
    return action, labeler.send(f"{action}/report", {"csrf": task["csrf"], **fields})


def test_who_reports_an_item_keeps_it_and_can_answer(place):
    site, labeler = place(texts=[("a", "b")])
    action, sent = complain(labeler, reason="broken", note="The prompt ends in the middle")
    assert sent.headers["location"] == f"{action}?reported=1"
    page = labeler.get(sent.headers["location"])
    assert re.search(r'id="reported">Your report is sent', page.text)
    assert rows(site, KEPT) == [("report", "broken", "The prompt ends in the middle")]
    assert labeler.form(labeler.get())[0] == action
    assert labeler.answer(A="1", B="2").status_code == 303


def test_nothing_is_said_to_be_reported_before_it_is(place):
    _, labeler = place(texts=[("a", "b")])
    assert re.search(r'id="reported" hidden>', labeler.get().text)


def test_a_reason_that_is_none_or_somebody_elses_form_is_refused(place):
    site, labeler = place(texts=[("a", "b")])
    assert complain(labeler, reason="boring")[1].status_code == 422
    assert complain(labeler, reason="other", who="L-SOMEBODY")[1].status_code == 403
    assert rows(site, KEPT) == []


def test_a_script_is_told_in_json(place):
    _, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    body = {"csrf": fields["csrf"], "reason": "unsafe"}
    said = labeler.client.post(
        f"{action}/report", data=body, headers={**OWN, "Accept": "application/json"}
    )
    assert said.json() == {"reported": True}


def reported(site: Site) -> str:
    """The item that Ann was shown and reported."""
    task = site.store.queue.next(site.project.id, site.labeler.rater_id)
    site.store.queue.report(task.item_id, site.labeler.rater_id, "unsafe", "names a <b>person</b>")
    return task.item_id


def test_the_owner_finds_reported_items_and_reads_why(fresh, boss):
    item = reported(fresh)
    assert f'href="{home(fresh)}/items?show=flagged"><bdi>Reported 1 time' in (
        boss.get(home(fresh)).text
    )
    listed = boss.get(f"{home(fresh)}/items?show=flagged").text
    assert "reported by somebody" in listed
    assert (f"/items/{item}" in listed, "reported 1 time<" in listed) == (True, True)
    page = boss.get(f"{home(fresh)}/items/{item}").text
    assert "names a &lt;b&gt;person&lt;/b&gt;" in page
    assert re.search(r">reported</span>.*?unsafe", page, re.DOTALL)


@pytest.fixture
def office(tmp_path):
    yield from opened(tmp_path)


def test_a_program_reports_too_and_keeps_its_task(office: Office):
    task = office.next(office.program)
    sent = {"reason": "wrong instructions", "note": "asks for code"}
    assert office.program.told("POST", office.at(task, "report"), sent) == {"reported": True}
    assert office.next(office.program)["item"] == task["item"]
    flags = office.store.items.item(office.site.project.id, task["item"]).flags
    assert [(each.kind, each.reason, each.note) for each in flags] == [("report", *sent.values())]
    status, said = office.program.refused("POST", office.at(task, "report"), {"reason": "dull"})
    assert (status, "reason" in said) == (422, True)
