"""People and programs that judge: accounts, signing in, sessions, erasing someone's data.

    ann = store.people.create("Ann", "labeler", password="four unrelated words")
    token = store.people.open_session(store.people.sign_in("ann", "four unrelated words").rater_id)
    store.people.of_session(token)  # Ann's account

A rater id is a pseudonym: judgements, the log and every export carry it and never the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, and_, delete, func, select, update

from humanalign.errors import StoreError
from humanalign.prefer.store import passwords, sessions, throttle
from humanalign.prefer.store.accounts import (
    ERASED,
    Account,
    Role,
    account_of,
    clean_about,
    clean_language,
    find_named,
    insert_account,
    prepare,
    require_account,
    require_living,
)
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.database import writing
from humanalign.prefer.store.invites import Invites
from humanalign.prefer.store.personal import everything_about
from humanalign.prefer.store.schema import account, draft, invite
from humanalign.prefer.store.sessions import TokenRow
from humanalign.prefer.store.spelling import clean_name, folded
from humanalign.prefer.store.throttle import NAME_FAILURES, SOURCE_FAILURES, Throttled
from humanalign.types import RaterKind

__all__ = ["Account", "People", "Role", "Throttled", "TokenRow"]


class People:
    """The accounts of one store; `invites` are the ways to a new one."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self.invites = Invites(engine, clock, self.sign_in)

    def create(
        self,
        name: str,
        role: Role,
        *,
        password: str = "",
        language: str = "en",
        about: Mapping[str, str] | None = None,
        kind: RaterKind = "human",
    ) -> Account:
        """A new account. A program's rater id is its name; everyone else draws a pseudonym.

        Without a password nobody can sign in by name. StoreError: the name is taken or unfit, the
        password too short, a program of kind human or a person of another kind.
        """
        new = prepare(name, role, password=password, language=language, about=about, kind=kind)
        with writing(self._engine) as connection:
            now = self._clock()
            made = insert_account(connection, new, now)
            who = f"person:{made.rater_id}"
            append_audit(connection, now, made.rater_id, "create account", who, {"role": role})
        return made

    def account(self, rater_id: str) -> Account:
        """The account of a rater. StoreError: there is none."""
        with self._engine.connect() as connection:
            return require_account(connection, rater_id)

    def named(self, name: str) -> Account | None:
        """The account of this name, whatever the case."""
        with self._engine.connect() as connection:
            row = find_named(connection, name)
        return account_of(row) if row else None

    def everything_about(self, rater_id: str) -> dict[str, list[dict]]:
        """All that is kept about a person, by table: nothing secret, and nothing of others."""
        return everything_about(self._engine, rater_id)

    def accounts(self) -> list[Account]:
        """Every account, the oldest first, erased ones too."""
        rows = select(account).order_by(account.c.at, account.c.rater_id)
        with self._engine.connect() as connection:
            return [account_of(row) for row in connection.execute(rows).mappings()]

    def sign_in(self, name: str, password: str, *, source: str = "") -> Account:
        """The account of this name and password; `source` is where the attempt comes from.

        StoreError: name or password is wrong; which of them, neither words nor time tell.
        Throttled: after 5 failures for a name or 20 from a source, for 2, 4, 8 ... 900 seconds.
        """
        key, origin = throttle.key_of("name", folded(name)), throttle.key_of("source", source)
        with writing(self._engine) as connection:
            if source:
                throttle.check(connection, origin, self._clock())
            throttle.charge(connection, key, NAME_FAILURES, self._clock())
            row = find_named(connection, name)
        stored = row["password"] if row else ""
        if not passwords.matches(stored, password) or row is None:
            if source:
                with writing(self._engine) as connection:
                    throttle.charge(connection, origin, SOURCE_FAILURES, self._clock())
            raise StoreError("name or password is wrong")
        newer = passwords.hashed(password) if passwords.outdated(stored) else stored
        with writing(self._engine) as connection:
            throttle.forgive(connection, key)
            same = and_(account.c.rater_id == row["rater_id"], account.c.password == stored)
            connection.execute(update(account).where(same).values(password=newer))
        return account_of(row)

    def set_password(self, rater_id: str, password: str, *, keep: str = "") -> None:
        """Set the password and end every session but that of the token `keep`.

        StoreError: fewer than 10 characters, an unknown or erased account.
        """
        new = passwords.hashed(password)
        with writing(self._engine) as connection:
            found = require_living(connection, rater_id)
            mine = account.c.rater_id == rater_id
            connection.execute(update(account).where(mine).values(password=new))
            sessions.close_sessions(connection, rater_id, keep)
            throttle.forgive(connection, throttle.key_of("name", folded(found.name)))
            now, who = self._clock(), f"person:{rater_id}"
            append_audit(connection, now, rater_id, "set password", who)

    def set_profile(
        self,
        rater_id: str,
        *,
        language: str | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Set the language of the pages or the self-description; None leaves one as it is."""
        values = {}
        if language is not None:
            values["language"] = clean_language(language)
        if about is not None:
            values["about"] = clean_about(about)
        if not values:
            return
        with writing(self._engine) as connection:
            require_living(connection, rater_id)
            mine = account.c.rater_id == rater_id
            connection.execute(update(account).where(mine).values(**values))

    def open_session(self, rater_id: str, *, days: float = 14) -> str:
        """A new session's token. StoreError: an unknown or erased account."""
        with writing(self._engine) as connection:
            return sessions.open_session(connection, rater_id, days, self._clock())

    def of_session(self, token: str) -> Account | None:
        """The account of an open session; None where it lapsed, was closed or never was."""
        with self._engine.connect() as connection:
            return sessions.of_session(connection, token, self._clock())

    def close_session(self, token: str) -> None:
        """Sign out."""
        with writing(self._engine) as connection:
            sessions.close_session(connection, token)

    def close_sessions(self, rater_id: str) -> None:
        """Sign out everywhere."""
        with writing(self._engine) as connection:
            sessions.close_sessions(connection, rater_id)

    def new_token(self, rater_id: str, name: str, by: str) -> tuple[str, str]:
        """A new API token's id and its secret, which is shown this once.

        StoreError: an unfit name, an unknown or erased account.
        """
        label = clean_name(name, "name of the token")
        with writing(self._engine) as connection:
            now = self._clock()
            made, secret = sessions.new_token(connection, rater_id, label, by=by, now=now)
            detail = {"rater": rater_id}
            append_audit(connection, now, by, "create token", f"token:{made}", detail)
        return made, secret

    def of_token(self, token: str) -> Account | None:
        """The account of an API token; None where it was revoked or never was."""
        with self._engine.connect() as connection:
            return sessions.of_token(connection, token)

    def tokens(self) -> list[TokenRow]:
        """Every API token, the oldest first, revoked ones too."""
        with self._engine.connect() as connection:
            return sessions.list_tokens(connection)

    def revoke_token(self, token_id: str, by: str) -> None:
        """End an API token; once more does nothing. StoreError: unknown id."""
        with writing(self._engine) as connection:
            now = self._clock()
            if sessions.revoke_token(connection, token_id, now):
                append_audit(connection, now, by, "revoke token", f"token:{token_id}")

    def erase(self, rater_id: str, by: str) -> None:
        """Delete what is known of a person; the judgements stay under the pseudonym.

        StoreError: an unknown account, or the only owner.
        """
        with writing(self._engine) as connection:
            found = require_account(connection, rater_id)
            if found.erased:
                return
            if found.role == "owner" and _living_owners(connection) == 1:
                raise StoreError("the only owner cannot be erased; invite another owner first")
            _forget(connection, found, self._clock())
            append_audit(connection, self._clock(), by, "erase", f"person:{rater_id}")

    def has_owner_password(self) -> bool:
        """Whether an owner could sign in with a password."""
        owner = and_(account.c.role == "owner", account.c.password != "")
        with self._engine.connect() as connection:
            return connection.execute(select(account.c.rater_id).where(owner)).first() is not None


def _living_owners(connection: Connection) -> int:
    living = and_(account.c.role == "owner", account.c.erased_at.is_(None))
    return connection.execute(select(func.count()).select_from(account).where(living)).scalar_one()


def _forget(connection: Connection, found: Account, now: float) -> None:
    mine, gone = found.rater_id, f"{ERASED}{found.rater_id}"
    blank = {"name": gone, "folded": folded(gone), "password": "", "about": "{}"}
    values = {**blank, "language": "en", "erased_at": now}
    connection.execute(update(account).where(account.c.rater_id == mine).values(**values))
    sessions.close_sessions(connection, mine)
    sessions.revoke_tokens(connection, mine, now)
    connection.execute(delete(draft).where(draft.c.rater_id == mine))
    # The owner's note on an invite may say whom it was for.
    connection.execute(update(invite).where(invite.c.used_by == mine).values(note=""))
    throttle.forgive(connection, throttle.key_of("name", folded(found.name)))
