"""People: names and passwords, sessions and tokens that can be taken back, data that is erased."""

import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore, passwords
from humanalign.prefer.store.people import Throttled
from humanalign.prefer.store.spelling import clean_name, folded, storable
from humanalign.types import Rater
from prefer.stores import HOUR, QUICK, at_once, dump, opened, statements_of

WORDS = "four unrelated words"


pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(passwords, "HASHER", QUICK)


def ann(store, **more):
    return store.people.create("Ann", "labeler", password=WORDS, **more)


def failures(store, name, count, source=""):
    for _ in range(count):
        with pytest.raises(StoreError, match="name or password is wrong"):
            store.people.sign_in(name, "not the password", source=source)


def test_who_signs_in_is_who_was_created(tmp_path):
    store, _ = opened(tmp_path)
    made = ann(store, language="ar", about={"languages": "Arabic, English"})
    assert made.rater_id.startswith("L-")
    assert len(made.rater_id) == 10
    assert (made.role, made.language, made.about["languages"]) == (
        "labeler",
        "ar",
        "Arabic, English",
    )
    assert store.people.sign_in("ann ", WORDS) == made
    assert store.people.named("ANN") == store.people.account(made.rater_id) == made
    assert store.people.accounts() == [made]
    assert store.raters()[made.rater_id] == Rater(made.rater_id, "human")


def test_no_password_can_be_read_out_of_the_store(tmp_path):
    store, _ = opened(tmp_path)
    made = ann(store)
    token, (_, secret) = (
        store.people.open_session(made.rater_id),
        store.people.new_token(made.rater_id, "laptop", made.rater_id),
    )
    held = dump(store)
    assert made.rater_id in held
    assert "$argon2id$" in held
    assert [each for each in (WORDS, token, secret) if each in held] == []


def test_a_password_of_an_account_without_one_is_never_right(tmp_path):
    store, _ = opened(tmp_path)
    store.people.create("Ann", "owner")
    failures(store, "Ann", 1)
    with pytest.raises(StoreError, match="name or password is wrong"):
        store.people.sign_in("Ann", "")


def test_whoever_is_refused_costs_one_hash_and_hears_the_same(tmp_path, monkeypatch):
    store, _ = opened(tmp_path)
    ann(store)
    store.people.create("Passwordless", "labeler")
    checked = []

    class Counting:
        hash, check_needs_rehash = QUICK.hash, QUICK.check_needs_rehash

        def verify(self, *pair):
            checked.append(pair)
            return QUICK.verify(*pair)

    monkeypatch.setattr(passwords, "HASHER", Counting())
    for number, name in enumerate(("Ann", "Nobody", "Passwordless"), 1):
        failures(store, name, 1)
        assert len(checked) == number


def test_a_short_password_is_refused_and_a_long_one_too(tmp_path):
    store, _ = opened(tmp_path)
    for word in ("123456789", "x" * 257):
        with pytest.raises(StoreError, match=f"10 to 256 characters, got {len(word)}"):
            store.people.create("Ann", "labeler", password=word)
    assert store.people.accounts() == []


def test_accents_typed_in_two_ways_are_one_password_and_one_name(tmp_path):
    store, _ = opened(tmp_path)
    made = store.people.create("Zoe\u0308", "labeler", password="cafe\u0301 au lait")
    assert made.name == "Zo\u00eb"
    assert store.people.sign_in("ZO\u00cb", "caf\u00e9 au lait") == made


def test_hashes_of_weaker_parameters_are_renewed_when_someone_signs_in(tmp_path, monkeypatch):
    store, _ = opened(tmp_path)
    made = ann(store)
    stronger = type(QUICK)(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", stronger)
    assert "t=2" not in dump(store)
    store.people.sign_in("ann", WORDS)
    assert "m=16,t=2" in dump(store)
    assert store.people.sign_in("ann", WORDS) == made


def test_the_default_parameters_are_argon2id_with_64_mib():
    hasher = type(QUICK)()
    assert hasher.hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_the_sixth_guess_of_a_name_has_to_wait_longer_each_time(tmp_path):
    store, clock = opened(tmp_path)
    ann(store)
    failures(store, "ann", 5)
    waits = []
    for _ in range(11):
        with pytest.raises(Throttled) as caught:
            store.people.sign_in("ANN", WORDS)
        waits.append(caught.value.seconds)
        clock.now += waits[-1]
        failures(store, "ann", 1)
    assert [wait // 2 for wait in waits[:6]] == [1, 2, 4, 8, 16, 32]
    assert waits[-1] in (900, 901)


def test_an_unknown_name_is_throttled_as_a_known_one_is(tmp_path):
    store, _ = opened(tmp_path)
    failures(store, "nobody", 5)
    with pytest.raises(Throttled):
        store.people.sign_in("nobody", WORDS)


def test_signing_in_ends_the_counting_and_an_hour_of_rest_does_too(tmp_path):
    store, clock = opened(tmp_path)
    ann(store)
    for _ in range(3):
        failures(store, "ann", 4)
        store.people.sign_in("ann", WORDS)
    failures(store, "ann", 4)
    clock.now += HOUR + 1
    failures(store, "ann", 4)
    store.people.sign_in("ann", WORDS)


def test_twenty_failures_from_one_source_stop_it_whatever_the_name(tmp_path):
    store, clock = opened(tmp_path)
    ann(store)
    for n in range(20):
        failures(store, f"name {n}", 1, source="203.0.113.9")
    with pytest.raises(Throttled):
        store.people.sign_in("ann", WORDS, source="203.0.113.9")
    store.people.sign_in("ann", WORDS, source="203.0.113.10")
    clock.now += 3
    store.people.sign_in("ann", WORDS, source="203.0.113.9")


def test_guesses_sent_at_once_through_two_stores_get_no_further_than_one_by_one(tmp_path):
    store, clock = opened(tmp_path)
    ann(store)
    second = FeedbackStore(store.url, clock=clock)
    calls = [partial(each.people.sign_in, "ann", "a guess") for each in (store, second) * 10]
    outcomes = at_once(calls)
    assert sum("wrong" in each for each in outcomes) == 5
    assert sum("wait" in each for each in outcomes) == 15


def test_of_two_who_choose_one_name_at_once_one_gets_it(tmp_path):
    store, clock = opened(tmp_path)
    second = FeedbackStore(store.url, clock=clock)
    names = ["Maria", "MARIA", "maria ", "Maria"] * 2
    outcomes = at_once(
        [
            partial((store, second)[n % 2].people.create, name, "labeler")
            for n, name in enumerate(names)
        ]
    )
    refused = [each for each in outcomes if isinstance(each, str)]
    assert len(refused) == 7
    assert all("is taken; choose another" in each for each in refused)
    assert len(store.people.accounts()) == 1


def test_hashing_never_holds_up_those_who_write(tmp_path, monkeypatch):
    store, _ = opened(tmp_path)
    made = ann(store)

    class Slow:
        check_needs_rehash = QUICK.check_needs_rehash

        def hash(self, word):
            # A write in the middle of hashing would wait for ever if the lock were held.
            store.audit.record("x", "in between", "y")
            return QUICK.hash(word)

        def verify(self, *pair):
            store.audit.record("x", "in between", "y")
            return QUICK.verify(*pair)

    monkeypatch.setattr(passwords, "HASHER", Slow())
    calls = [
        partial(store.people.create, "Ben", "labeler", password=WORDS),
        partial(store.people.sign_in, "ann", WORDS),
        partial(store.people.set_password, made.rater_id, WORDS),
    ]
    before = time.monotonic()
    for call in calls:
        call()
    assert time.monotonic() - before < 20


def test_names_that_nobody_could_read_are_refused(tmp_path):
    store, _ = opened(tmp_path)
    for name, sentence in {
        "   ": "expected 1 to 64 characters, got 0",
        "x" * 65: "expected 1 to 64 characters, got 65",
        "a\x00b": "U\\+0000 cannot be seen",
        "a\nb": "U\\+000A cannot be seen",
        "a\u202eb": "U\\+202E cannot be seen",
        "a\ud800": "U\\+D800 cannot be seen",
        "a\u2028b": "U\\+2028 cannot be seen",
    }.items():
        with pytest.raises(StoreError, match=sentence):
            store.people.create(name, "labeler")
        assert store.people.named(name) is None


def test_names_are_kept_as_written_and_are_one_whatever_the_case(tmp_path):
    store, _ = opened(tmp_path)
    assert store.people.create("  Straße 7 ", "labeler").name == "Straße 7"
    for same in ("STRASSE 7", "straße  7", "Stra\u200dße 7"):
        with pytest.raises(StoreError, match="is taken"):
            store.people.create(same, "labeler")


@given(st.text(max_size=70))
def test_every_name_is_either_refused_or_fit_for_both_databases(name):
    try:
        fit = clean_name(name)
    except StoreError:
        return
    assert storable(fit)
    assert clean_name(fit) == fit
    assert len(folded(fit)) <= 256
    assert folded(fit.upper()) == folded(fit.lower()) or fit.upper().lower() != fit.lower()


UNFIT = [
    ({"role": "admin"}, "role: expected one of owner, reviewer, labeler, program, got 'admin'"),
    ({"language": "english"}, "language: expected a tag"),
    ({"about": {"age": 7}}, "about: expected texts"),
    ({"about": {"x": "y" * 501}}, "about: expected at most 500 characters"),
    ({"about": {"x": "\0"}}, "no text"),
    ({"kind": "rule"}, "a labeler is of kind human, not rule"),
    ({"role": "program"}, "a program is of kind rule or model, not human"),
]


def test_unfit_accounts_are_refused_in_one_sentence(tmp_path):
    store, _ = opened(tmp_path)
    for more, sentence in UNFIT:
        with pytest.raises(StoreError, match=sentence):
            store.people.create("Ann", **{"role": "labeler", **more})
    assert store.people.accounts() == []


def test_a_program_keeps_its_name_as_its_rater_id(tmp_path):
    store, _ = opened(tmp_path)
    store.add_rater(Rater("careful-1", "rule"))
    made = store.people.create("careful-1", "program", kind="rule")
    assert made.rater_id == made.name == "careful-1"
    store.add_rater(Rater("careful-2", "model"))
    with pytest.raises(StoreError, match="stored with kind model, not rule"):
        store.people.create("careful-2", "program", kind="rule")


def test_a_session_ends_by_closing_by_time_and_by_a_new_password(tmp_path):
    store, clock = opened(tmp_path)
    people, made = store.people, ann(store)
    first, second, third = (people.open_session(made.rater_id) for _ in range(3))
    assert people.of_session(first) == made
    people.close_session(first)
    assert [people.of_session(each) for each in (first, second)] == [None, made]
    people.set_password(made.rater_id, "another long password", keep=second)
    assert [people.of_session(each) for each in (second, third)] == [made, None]
    clock.now += 14 * 24 * HOUR - 1
    assert people.of_session(second) == made
    clock.now += 1
    assert people.of_session(second) is None
    fourth = people.open_session(made.rater_id)
    people.close_sessions(made.rater_id)
    assert people.of_session(fourth) is None
    with pytest.raises(StoreError, match="name or password is wrong"):
        people.sign_in("ann", WORDS)


def test_no_made_up_token_opens_anything(tmp_path):
    store, _ = opened(tmp_path)
    token = store.people.open_session(ann(store).rater_id)
    for wrong in ("", "x", token[:-1], token + " ", "ha_" + token, "\0", "\ud800", "é" * 9):
        assert store.people.of_session(wrong) is None
        assert store.people.of_token(wrong) is None


def test_a_session_and_a_token_are_looked_up_in_one_query_through_an_index(tmp_path):
    store, _ = opened(tmp_path)
    made = ann(store)
    session = store.people.open_session(made.rater_id)
    _, secret = store.people.new_token(made.rater_id, "laptop", made.rater_id)
    for call in (
        partial(store.people.of_session, session),
        partial(store.people.of_token, secret),
    ):
        assert call() == made
        [statement] = statements_of(store, call)
        if store._engine.dialect.name == "sqlite":
            with store._engine.connect() as connection:
                raw = connection.connection.driver_connection
                count = statement.count("?")
                steps = raw.execute(f"EXPLAIN QUERY PLAN {statement}", ["x"] * count).fetchall()
            assert all("USING INDEX" in step[3] for step in steps)


def test_an_api_token_works_until_it_is_revoked(tmp_path):
    store, clock = opened(tmp_path)
    made = store.people.create("judge", "program", kind="model")
    token_id, secret = store.people.new_token("judge", "night run", "L-OWNER")
    assert secret.startswith("ha_")
    assert store.people.of_token(secret) == made
    clock.now += 5
    store.people.revoke_token(token_id, "L-OWNER")
    store.people.revoke_token(token_id, "L-OWNER")
    assert store.people.of_token(secret) is None
    [row] = store.people.tokens()
    assert (row.id, row.name, row.rater_id) == (token_id, "night run", "judge")
    assert (row.at, row.revoked_at) == (clock.now - 5, clock.now)
    assert [each.action for each in store.audit.page()][:2] == ["revoke token", "create token"]
    with pytest.raises(StoreError, match="holds no API token 'x'"):
        store.people.revoke_token("x", "L-OWNER")


def test_the_profile_changes_only_where_it_is_told_to(tmp_path):
    store, _ = opened(tmp_path)
    made = ann(store, about={"a": "1"})
    store.people.set_profile(made.rater_id, language="ar")
    store.people.set_profile(made.rater_id)
    assert store.people.account(made.rater_id).about == {"a": "1"}
    store.people.set_profile(made.rater_id, about={})
    found = store.people.account(made.rater_id)
    assert (found.language, found.about) == ("ar", {})


def test_of_someone_erased_only_the_pseudonym_is_left(tmp_path):
    store, clock = opened(tmp_path)
    owner = store.people.create("Olga", "owner")
    invited = store.people.invites.new("labeler", by=owner.rater_id, note="for Annabel")
    who = store.people.invites.accept(
        invited, "Annabel", password=WORDS, about={"town": "Springfield"}
    )
    session = store.people.open_session(who.rater_id)
    _, secret = store.people.new_token(who.rater_id, "laptop", who.rater_id)
    store.people.erase(who.rater_id, owner.rater_id)
    store.people.erase(who.rater_id, owner.rater_id)
    held = dump(store).lower()
    assert [each for each in ("annabel", "springfield", "argon2") if each in held] == []
    assert who.rater_id.lower() in held
    found = store.people.account(who.rater_id)
    assert (found.name, found.erased, found.has_password) == (f"erased-{who.rater_id}", True, False)
    assert store.people.of_session(session) is None
    assert store.people.of_token(secret) is None
    assert [each.revoked_at for each in store.people.tokens()] == [clock.now]
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM session").all() == []
    for call in (
        partial(store.people.open_session, who.rater_id),
        partial(store.people.set_password, who.rater_id, WORDS),
        partial(store.people.set_profile, who.rater_id, language="en"),
    ):
        with pytest.raises(StoreError, match="was erased"):
            call()
    assert [each.action for each in store.audit.page()].count("erase") == 1
    assert store.people.create("Annabel", "labeler").rater_id != who.rater_id


def test_the_only_owner_cannot_be_erased(tmp_path):
    store, _ = opened(tmp_path)
    first = store.people.create("Olga", "owner")
    with pytest.raises(StoreError, match="the only owner"):
        store.people.erase(first.rater_id, first.rater_id)
    second = store.people.create("Otto", "owner")
    store.people.erase(first.rater_id, second.rater_id)


def test_only_an_owners_password_counts_as_one(tmp_path):
    store, _ = opened(tmp_path)
    ann(store)
    owner = store.people.create("Olga", "owner")
    assert not store.people.has_owner_password()
    store.people.set_password(owner.rater_id, WORDS)
    assert store.people.has_owner_password()


def test_an_unknown_account_is_named(tmp_path):
    store, _ = opened(tmp_path)
    people = store.people
    for unknown in ("L-NOBODY0", "a\0b", "\ud800", ""):
        for call in (people.account, people.open_session, partial(people.erase, by="x")):
            with pytest.raises(StoreError, match="holds no account"):
                call(unknown)
