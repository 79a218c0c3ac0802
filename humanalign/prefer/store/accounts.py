"""Accounts as rows: what a new one must be, and how one is read back."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, RowMapping, or_, select

from humanalign.errors import StoreError
from humanalign.prefer.store.answers import add_rater
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.passwords import hashed
from humanalign.prefer.store.schema import account
from humanalign.prefer.store.spelling import clean_name, clean_text, folded, one_of, storable
from humanalign.types import Rater, RaterKind

# A program is a client of the API that ranks.
Role = Literal["owner", "reviewer", "labeler", "program"]
ROLES: tuple[Role, ...] = get_args(Role)
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,4})?")
ABOUT_ENTRIES, ABOUT_LENGTH = 20, 500
# What an erased account is called, before its rater id.
ERASED = "erased-"
# No i, l, o, u: pseudonyms are read aloud and typed.
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Account:
    """Someone who can sign in, or a program that holds a token. `at`: seconds since 1970."""

    rater_id: str
    name: str
    role: Role
    language: str
    about: Mapping[str, str]
    at: float
    erased: bool
    has_password: bool


@dataclass(frozen=True)
class NewAccount:
    """An account that passed its checks and waits for its transaction; `password` is hashed."""

    name: str
    role: Role
    kind: RaterKind
    password: str
    language: str
    about: str


def prepare(
    name: str,
    role: str,
    *,
    password: str,
    language: str,
    about: Mapping[str, str] | None,
    kind: RaterKind = "human",
) -> NewAccount:
    """Check a new account and hash its password, which takes tens of milliseconds.

    StoreError: an unfit name, role, language or description, a short password, a program of kind
    human or a person of another kind.
    """
    fit = one_of("role", role, ROLES)
    if (fit == "program") == (kind == "human"):
        expected = "rule or model" if fit == "program" else "human"
        raise StoreError(f"kind: a {fit} is of kind {expected}, not {kind}; give that kind")
    if folded(name).startswith(ERASED):
        raise StoreError(f"name: one cannot begin with '{ERASED}'; choose another")
    return NewAccount(
        name=clean_name(name),
        role=fit,
        kind=kind,
        password=hashed(password) if password else "",
        language=clean_language(language),
        about=clean_about(about or {}),
    )


def insert_account(connection: Connection, new: NewAccount, now: float) -> Account:
    """Store a new account and its rater within the caller's write transaction.

    StoreError: the name is taken, or the rater id is one of another kind.
    """
    program = new.role == "program"
    rater_id = new.name if program else f"L-{''.join(secrets.choice(LETTERS) for _ in range(8))}"
    key = folded(new.name)
    same = or_(account.c.folded == key, account.c.rater_id == rater_id)
    if connection.execute(select(account.c.rater_id).where(same)).first():
        raise StoreError(f"the name '{new.name}' is taken; choose another")
    add_rater(connection, Rater(rater_id, new.kind), now)
    row = {"rater_id": rater_id, "name": new.name, "folded": key, "password": new.password}
    row |= {"role": new.role, "language": new.language, "about": new.about, "at": now}
    connection.execute(account.insert(), row)
    return require_account(connection, rater_id)


def find_account(connection: Connection, rater_id: str) -> RowMapping | None:
    """The row of an account by its rater id."""
    if not storable(rater_id):
        return None
    mine = account.c.rater_id == rater_id
    return connection.execute(select(account).where(mine)).mappings().first()


def find_named(connection: Connection, name: str) -> RowMapping | None:
    """The row of an account by its name, whatever the case."""
    if not storable(name):
        return None
    mine = account.c.folded == folded(name)
    return connection.execute(select(account).where(mine)).mappings().first()


def require_account(connection: Connection, rater_id: str) -> Account:
    """The account of this rater. StoreError: there is none."""
    row = find_account(connection, rater_id)
    if row is None:
        raise StoreError(f"the store holds no account '{rater_id}'; create it first")
    return account_of(row)


def require_living(connection: Connection, rater_id: str) -> Account:
    """The account of this rater. StoreError: there is none, or it was erased."""
    found = require_account(connection, rater_id)
    if found.erased:
        raise StoreError(f"account '{rater_id}' was erased; create another")
    return found


def account_of(row: RowMapping) -> Account:
    """The account in a row of `account`."""
    return Account(
        rater_id=row["rater_id"],
        name=row["name"],
        role=row["role"],
        language=row["language"],
        about=json.loads(row["about"]),
        at=row["at"],
        erased=row["erased_at"] is not None,
        has_password=bool(row["password"]),
    )


def clean_language(language: str) -> str:
    """`language` as it is. StoreError: no language tag such as en or pt-BR."""
    if not LANGUAGE.fullmatch(language) or len(language) > 8:
        raise StoreError(f"language: expected a tag such as en or pt-BR, got {language[:20]!r}")
    return language


def clean_about(about: Mapping[str, str]) -> str:
    """A self-description as JSON. StoreError: no texts, or too many or too long ones."""
    if len(about) > ABOUT_ENTRIES:
        raise StoreError(f"about: expected at most {ABOUT_ENTRIES} entries, got {len(about)}")
    for key, value in about.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise StoreError(f"about: expected texts, got {key!r}: {value!r}")
        clean_text("about", key, ABOUT_LENGTH)
        clean_text("about", value, ABOUT_LENGTH)
    return canonical(about)
