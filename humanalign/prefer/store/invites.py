"""Invites: single-use links to an account, good for 72 hours; the store knows their hashes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, and_, select, update

from humanalign.errors import StoreError
from humanalign.prefer.store.accounts import (
    ROLES,
    Account,
    NewAccount,
    Role,
    account_of,
    find_named,
    insert_account,
    prepare,
    require_living,
)
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.database import writing
from humanalign.prefer.store.members import add_member
from humanalign.prefer.store.project_rows import require_project
from humanalign.prefer.store.schema import account, invite
from humanalign.prefer.store.sessions import new_secret, secret_hash
from humanalign.prefer.store.spelling import clean_text, one_of, storable

HOUR = 3600.0
LONGEST_HOURS = 30 * 24
NOTE_LENGTH = 500
# Who made the link that the server prints when it starts; only such a link enters as the owner.
CONSOLE = "console"
FIRST_OWNER = "owner"


@dataclass(frozen=True)
class Invite:
    """A link as the owner sees it; `hash` is of its token, which only its receiver has."""

    hash: str
    role: Role
    project_id: str | None
    note: str
    by: str
    at: float
    expires_at: float
    used_at: float | None
    used_by: str | None
    state: Literal["open", "used", "withdrawn", "expired"]


class Invites:
    """The invites of one store; `sign_in` checks the password of someone who has an account."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        sign_in: Callable[[str, str], Account],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._sign_in = sign_in

    def new(
        self,
        role: Role,
        *,
        by: str,
        project_id: str | None = None,
        note: str = "",
        hours: float = 72,
    ) -> str:
        """A new invite's token; a labeler's may name the project to join.

        StoreError: unknown role or project, a program (it gets an API token), hours out of range.
        """
        if one_of("role", role, ROLES) == "program":
            raise StoreError("role: a program is not invited; create it and give it an API token")
        if not 0 < hours <= LONGEST_HOURS:
            raise StoreError(f"hours: expected more than 0, at most {LONGEST_HOURS}, got {hours}")
        clean_text("note", note, NOTE_LENGTH)
        with writing(self._engine) as connection:
            if project_id is not None:
                require_project(connection, project_id)
            now = self._clock()
            row = {"role": role, "project_id": project_id, "note": note, "by": by, "at": now}
            token = _insert(connection, {**row, "expires_at": now + hours * HOUR})
            detail = {"role": role, "project": project_id}
            append_audit(connection, now, by, "invite", _subject(secret_hash(token)), detail)
        return token

    def open(self, token: str) -> Invite | None:
        """The invite behind a token, while it can be used."""
        with self._engine.connect() as connection:
            return _usable(connection, token, self._clock())

    def all(self) -> list[Invite]:
        """Every invite, the newest first."""
        rows = select(invite).order_by(invite.c.at.desc(), invite.c.hash)
        with self._engine.connect() as connection:
            found = connection.execute(rows).mappings().all()
        return [_invite_of(row, self._clock()) for row in found]

    def withdraw(self, hash: str, by: str) -> None:
        """End an invite that nobody has used. StoreError: unknown, used or expired."""
        with writing(self._engine) as connection:
            now = self._clock()
            if not storable(hash) or not _use_up(connection, hash, None, now):
                raise StoreError("the store holds no open invite of this hash; reload the list")
            append_audit(connection, now, by, "withdraw invite", _subject(hash))

    def accept(
        self,
        token: str,
        name: str,
        *,
        password: str = "",
        language: str = "en",
        about: Mapping[str, str] | None = None,
    ) -> Account:
        """The account that uses up the invite: a new one, or that of this name and password.

        Whoever already has an account of the invited role gives its name and password and joins
        with it. StoreError: the invite is used, withdrawn or expired, the name is taken or unfit,
        the password too short or, for the account of that name, wrong.
        """
        offered = self._require(token)
        with self._engine.connect() as connection:
            row = find_named(connection, name)
        if row and row["role"] == offered.role and row["password"] and password:
            return self.join(token, self._sign_in(name, password).rater_id)
        if row:
            raise StoreError(f"the name '{row['name']}' is taken; choose another")
        new = prepare(name, offered.role, password=password, language=language, about=about)
        with writing(self._engine) as connection:
            return self._enter(connection, offered, new)

    def join(self, token: str, rater_id: str) -> Account:
        """Use up the invite as someone who is signed in. StoreError: it was made for another role.

        A labeler's invite lets everyone join its project; another one raises nobody's role.
        """
        offered = self._require(token)
        with writing(self._engine) as connection:
            found = require_living(connection, rater_id)
            if offered.role not in ("labeler", found.role):
                raise StoreError(
                    f"the invite is for a new {offered.role}, and you are a {found.role}; "
                    "sign out and choose another name"
                )
            self._spend(connection, offered, rater_id)
        return found

    def owner_link(self) -> str:
        """The token of a link that enters as the first owner, once; earlier links end."""
        with writing(self._engine) as connection:
            now = self._clock()
            unused = and_(invite.c.by == CONSOLE, invite.c.used_at.is_(None))
            connection.execute(update(invite).where(unused).values(used_at=now))
            row = {"role": "owner", "project_id": None, "note": "", "by": CONSOLE, "at": now}
            return _insert(connection, {**row, "expires_at": now + 72 * HOUR})

    def accept_owner(self, token: str) -> Account:
        """The first owner, made without a password where there is none yet.

        StoreError: no link of the server, or it was used before or is too old.
        """
        offered = self._require(token)
        if offered.by != CONSOLE:
            raise StoreError("this link is an invite; open it as /join and choose a name")
        first = and_(account.c.role == "owner", account.c.erased_at.is_(None))
        owners = select(account).where(first).order_by(account.c.at, account.c.rater_id)
        new = prepare(FIRST_OWNER, "owner", password="", language="en", about=None)
        with writing(self._engine) as connection:
            row = connection.execute(owners).mappings().first()
            if row is None:
                return self._enter(connection, offered, new)
            self._spend(connection, offered, row["rater_id"])
            return account_of(row)

    def _require(self, token: str) -> Invite:
        found = self.open(token)
        if found is None:
            raise StoreError("this link was used before or is too old; ask for a new one")
        return found

    def _enter(self, connection: Connection, offered: Invite, new: NewAccount) -> Account:
        made = insert_account(connection, new, self._clock())
        self._spend(connection, offered, made.rater_id)
        return made

    def _spend(self, connection: Connection, offered: Invite, rater_id: str) -> None:
        """Use the invite up; StoreError, and the transaction ends, where another was faster."""
        now = self._clock()
        if not _use_up(connection, offered.hash, rater_id, now):
            raise StoreError("this link was used before or is too old; ask for a new one")
        if offered.project_id is not None and offered.role == "labeler":
            add_member(connection, offered.project_id, rater_id, now)
        detail = {"role": offered.role, "project": offered.project_id}
        append_audit(connection, now, rater_id, "accept invite", _subject(offered.hash), detail)


def _insert(connection: Connection, row: Mapping) -> str:
    token = new_secret()
    connection.execute(invite.insert(), {**row, "hash": secret_hash(token)})
    return token


def _use_up(connection: Connection, digest: str, rater_id: str | None, now: float) -> bool:
    """One statement decides: of two who use an invite at once, one changes the row."""
    unused = and_(invite.c.hash == digest, invite.c.used_at.is_(None), invite.c.expires_at > now)
    spent = update(invite).where(unused).values(used_at=now, used_by=rater_id)
    return connection.execute(spent).rowcount == 1


def _usable(connection: Connection, token: str, now: float) -> Invite | None:
    mine = invite.c.hash == secret_hash(token)
    row = connection.execute(select(invite).where(mine)).mappings().first()
    found = _invite_of(row, now) if row else None
    return found if found and found.state == "open" else None


def _invite_of(row: Mapping, now: float) -> Invite:
    if row["used_at"] is not None:
        state = "used" if row["used_by"] else "withdrawn"
    else:
        state = "open" if row["expires_at"] > now else "expired"
    return Invite(**row, state=state)


def _subject(digest: str) -> str:
    return f"invite:{digest[:12]}"
