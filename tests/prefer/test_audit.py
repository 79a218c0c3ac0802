"""The audit log: everything an owner does is in it, and altering it shows."""

import pytest
from sqlalchemy import text

from humanalign.errors import StoreError
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.database import writing
from prefer.stores import opened

pytestmark = pytest.mark.usefixtures("either_database")


def filled_log(folder, entries=5):
    store, clock = opened(folder)
    for number in range(entries):
        clock.now += 1
        store.audit.record("L-OLGA", f"act {number}", "person:L-ANN", {"n": number, "x": "ä"})
    return store, clock


def test_the_newest_entries_come_first_and_pages_leave_none_out(tmp_path):
    store, clock = filled_log(tmp_path)
    first = store.audit.page(limit=2)
    second = store.audit.page(before=first[-1].seq, limit=2)
    last = store.audit.page(before=second[-1].seq, limit=2)
    assert [each.detail["n"] for each in (*first, *second, *last)] == [4, 3, 2, 1, 0]
    newest = first[0]
    assert (newest.seq, newest.at, newest.actor) == (5, clock.now, "L-OLGA")
    assert (newest.action, newest.subject) == ("act 4", "person:L-ANN")
    assert newest.detail == {"n": 4, "x": "ä"}


def test_an_untouched_log_is_sound(tmp_path):
    store, _ = filled_log(tmp_path)
    assert store.audit.verify() == 5


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        ("UPDATE audit_event SET body = replace(body, 'act 2', 'act 9') WHERE seq = 3", 3),
        ("UPDATE audit_event SET hash = replace(hash, 'a', 'b') WHERE seq = 2", 2),
        ("DELETE FROM audit_event WHERE seq = 4", 4),
        ("DELETE FROM audit_event WHERE seq = 5", 5),
        ("DELETE FROM audit_event", 1),
        ("UPDATE audit_event SET seq = 6 WHERE seq = 5", 5),
        ("UPDATE chain_head SET seq = 6 WHERE id = 2", 6),
    ],
)
def test_damage_is_found_and_its_row_named(tmp_path, statement, row):
    store, _ = filled_log(tmp_path)
    with store._engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(text(statement))
    with pytest.raises(StoreError, match=f"audit_event row {row} .*restore the store"):
        store.audit.verify()


def test_an_entry_is_stored_with_what_it_tells_of_or_not_at_all(tmp_path):
    store, clock = filled_log(tmp_path)
    with writing(store._engine) as connection:
        append_audit(connection, clock.now, "L-OLGA", "never done", "nothing")
        connection.rollback()
    assert store.audit.verify() == 5


def test_whatever_an_owner_does_to_people_and_projects_is_in_the_log(tmp_path):
    store, _ = opened(tmp_path)
    people, projects = store.people, store.projects
    olga = people.create("Olga", "owner").rater_id
    ann = people.create("Ann", "labeler").rater_id
    project = projects.create("Answers", "ranking", "helpful", by=olga)
    projects.join(project.id, ann)
    done = len(store.audit.page())
    token, _ = people.new_token(ann, "laptop", olga)
    people.revoke_token(token, olga)
    projects.configure(project.id, project.settings, olga)
    projects.set_status(project.id, "paused", olga)
    projects.define("helpful", "of use", olga)
    projects.publish(project.id, "New words", (), olga)
    projects.set_standing(project.id, ann, "excluded", "answers at random", olga)
    projects.set_standing(project.id, ann, "active", "", olga)
    projects.ask_again(project.id, ann, olga, "please read point 2")
    people.invites.new("labeler", by=olga)
    people.invites.withdraw(people.invites.all()[0].hash, olga)
    people.erase(ann, olga)
    entries = list(reversed(store.audit.page()))[done:]
    assert [each.action for each in entries] == [
        "create token",
        "revoke token",
        "configure project",
        "set project status",
        "define criterion",
        "publish instructions",
        "set standing",
        "set standing",
        "ask again",
        "invite",
        "withdraw invite",
        "erase",
    ]
    assert {each.actor for each in entries} == {olga}
    assert entries[6].detail == {
        "project": project.id,
        "status": "excluded",
        "reason": "answers at random",
        "opened": 0,
    }
    assert entries[6].subject == f"person:{ann}"
    assert store.audit.verify() == done + len(entries)
