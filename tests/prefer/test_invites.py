"""Invites: one person each, for 72 hours, into the right role and project."""

import re
from functools import partial

import pytest

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore, passwords
from prefer.stores import HOUR, QUICK, at_once, dump, opened

WORDS = "four unrelated words"
GONE = "used before or is too old"


pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(passwords, "HASHER", QUICK)


@pytest.fixture
def place(tmp_path):
    store, clock = opened(tmp_path)
    owner = store.people.create("Olga", "owner", password=WORDS)
    project = store.projects.create("Answers", "ranking", "helpful", by=owner.rater_id)
    return store, clock, owner, project


def test_an_invited_labeler_is_a_member_and_nobody_else_gets_in_by_the_same_link(place):
    store, clock, owner, project = place
    token = store.people.invites.new("labeler", by=owner.rater_id, project_id=project.id)
    assert store.people.invites.open(token).role == "labeler"
    clock.now += 7
    ann = store.people.invites.accept(token, "Ann", password=WORDS, language="ar")
    assert store.people.sign_in("ann", WORDS) == ann
    assert (ann.role, ann.language) == ("labeler", "ar")
    [member] = store.projects.members(project.id)
    assert (member.rater_id, member.name, member.at) == (ann.rater_id, "Ann", clock.now)
    assert store.people.invites.open(token) is None
    with pytest.raises(StoreError, match=GONE):
        store.people.invites.accept(token, "Ben", password=WORDS)
    [row] = store.people.invites.all()
    assert (row.state, row.used_by, row.used_at) == ("used", ann.rater_id, clock.now)
    assert token not in dump(store)


def test_of_many_who_use_one_invite_at_once_exactly_one_gets_in(place):
    store, clock, owner, project = place
    second = FeedbackStore(store.url, clock=clock)
    for round_number in range(5):
        token = store.people.invites.new("labeler", by=owner.rater_id, project_id=project.id)
        outcomes = at_once(
            [
                partial(
                    (store, second)[n % 2].people.invites.accept,
                    token,
                    f"Guest {round_number} {n}",
                    password=WORDS,
                )
                for n in range(6)
            ]
        )
        assert sum(GONE in each for each in outcomes if isinstance(each, str)) == 5
        assert len(store.people.accounts()) == 2 + round_number
        assert len(store.projects.members(project.id)) == 1 + round_number


def test_an_invite_lasts_72_hours_to_the_second(place):
    store, clock, owner, _ = place
    token = store.people.invites.new("labeler", by=owner.rater_id)
    clock.now += 72 * HOUR - 1
    assert store.people.invites.open(token) is not None
    clock.now += 1
    assert store.people.invites.open(token) is None
    with pytest.raises(StoreError, match=GONE):
        store.people.invites.accept(token, "Ann", password=WORDS)
    [row] = store.people.invites.all()
    assert row.state == "expired"
    with pytest.raises(StoreError, match="holds no open invite"):
        store.people.invites.withdraw(row.hash, owner.rater_id)


def test_a_refused_name_or_password_leaves_the_invite_open(place):
    store, _, owner, _ = place
    token = store.people.invites.new("labeler", by=owner.rater_id)
    for name, word, sentence in (
        ("olga", WORDS, "the name 'Olga' is taken"),
        ("Ann", "short", "10 to 256"),
        ("", WORDS, "1 to 64"),
    ):
        with pytest.raises(StoreError, match=sentence):
            store.people.invites.accept(token, name, password=word)
    assert store.people.invites.accept(token, "Ann", password=WORDS).name == "Ann"


def test_who_has_an_account_joins_another_project_with_it(place):
    store, _, owner, project = place
    ann = store.people.create("Ann", "labeler", password=WORDS)
    ben = store.people.create("Ben", "reviewer", password=WORDS)
    by_name, signed_in = (
        store.people.invites.new("labeler", by=owner.rater_id, project_id=project.id)
        for _ in range(2)
    )
    with pytest.raises(StoreError, match="name or password is wrong"):
        store.people.invites.accept(by_name, "ann", password="not the password")
    assert store.people.invites.accept(by_name, "ann", password=WORDS) == ann
    assert store.people.invites.join(signed_in, ben.rater_id) == ben
    assert {each.rater_id for each in store.projects.members(project.id)} == {
        ann.rater_id,
        ben.rater_id,
    }


def test_an_invite_makes_nobody_an_owner_who_is_signed_in_as_a_labeler(place):
    store, _, owner, _ = place
    ann = store.people.create("Ann", "labeler", password=WORDS)
    token = store.people.invites.new("owner", by=owner.rater_id)
    with pytest.raises(StoreError, match="for a new owner, and you are a labeler"):
        store.people.invites.join(token, ann.rater_id)
    with pytest.raises(StoreError, match="is taken"):
        store.people.invites.accept(token, "Ann", password=WORDS)
    assert store.people.account(ann.rater_id).role == "labeler"


def test_an_owners_invite_enters_as_a_known_owner_only_with_the_password(place):
    store, _, owner, _ = place
    token = store.people.invites.new("owner", by=owner.rater_id)
    with pytest.raises(StoreError, match="name or password is wrong"):
        store.people.invites.accept(token, "olga", password="a wild guess")
    with pytest.raises(StoreError, match="is taken"):
        store.people.invites.accept(token, "olga")
    assert store.people.invites.accept(token, "olga", password=WORDS) == owner
    other = store.people.invites.new("owner", by=owner.rater_id)
    assert store.people.invites.accept(other, "Otto", password=WORDS).role == "owner"


def test_a_withdrawn_invite_opens_nothing_and_withdrawing_is_audited(place):
    store, _, owner, _ = place
    token = store.people.invites.new("reviewer", by=owner.rater_id, note="for the office")
    [row] = store.people.invites.all()
    store.people.invites.withdraw(row.hash, owner.rater_id)
    assert store.people.invites.open(token) is None
    assert [each.state for each in store.people.invites.all()] == ["withdrawn"]
    last = store.audit.page(limit=1)[0]
    assert (last.actor, last.action) == (owner.rater_id, "withdraw invite")
    for gone in (row.hash, "x", "\0"):
        with pytest.raises(StoreError, match="holds no open invite"):
            store.people.invites.withdraw(gone, owner.rater_id)


def test_invites_that_cannot_be_are_refused(place):
    store, _, owner, _ = place
    for role, more, sentence in (
        ("program", {}, "a program is not invited"),
        ("boss", {}, "role: expected one of"),
        ("labeler", {"project_id": "nowhere"}, "holds no project 'nowhere'"),
        ("labeler", {"hours": 0}, "hours: expected more than 0"),
        ("labeler", {"hours": float("nan")}, "hours: expected more than 0"),
        ("labeler", {"note": "x" * 501}, "note: expected at most 500"),
    ):
        with pytest.raises(StoreError, match=sentence):
            store.people.invites.new(role, by=owner.rater_id, **more)
    assert store.people.invites.all() == []


def test_the_servers_link_makes_the_first_owner_and_enters_as_that_one_afterwards(tmp_path):
    store, clock = opened(tmp_path)
    invites = store.people.invites
    first = invites.owner_link()
    owner = invites.accept_owner(first)
    assert (owner.name, owner.role, owner.has_password) == ("owner", "owner", False)
    clock.now += 1
    store.people.create("Later", "owner")
    assert invites.accept_owner(invites.owner_link()) == owner
    with pytest.raises(StoreError, match=GONE):
        invites.accept_owner(first)
    assert re.fullmatch(r"[\w-]{43}", first)


def test_the_servers_newest_link_ends_the_ones_before(tmp_path):
    store, _ = opened(tmp_path)
    old, new = store.people.invites.owner_link(), store.people.invites.owner_link()
    with pytest.raises(StoreError, match=GONE):
        store.people.invites.accept_owner(old)
    assert store.people.invites.accept_owner(new).role == "owner"


def test_the_servers_link_enters_once_even_for_many_at_once(tmp_path):
    store, _ = opened(tmp_path)
    token = store.people.invites.owner_link()
    outcomes = at_once([partial(store.people.invites.accept_owner, token)] * 6)
    assert sum(isinstance(each, str) for each in outcomes) == 5
    assert len(store.people.accounts()) == 1


def test_an_ordinary_invite_does_not_enter_as_the_owner(place):
    store, _, owner, _ = place
    for role in ("labeler", "owner"):
        token = store.people.invites.new(role, by=owner.rater_id)
        with pytest.raises(StoreError, match="this link is an invite"):
            store.people.invites.accept_owner(token)
        assert store.people.invites.open(token) is not None
