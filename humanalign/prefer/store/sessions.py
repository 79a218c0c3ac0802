"""Browser sessions and API tokens: a secret the client keeps, of which the store knows a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from humanalign.errors import StoreError
from humanalign.prefer.store.accounts import Account, account_of, require_living
from humanalign.prefer.store.database import IN_LIST
from humanalign.prefer.store.schema import account, api_token, session

DAY = 24 * 3600.0
API_PREFIX = "ha_"
# Browsers that one account is signed in on at once; one more ends the oldest.
MOST_SESSIONS = 50
# Asked with every request, so built once.
LIVING = account.c.erased_at.is_(None)
OF_SESSION = (
    select(account)
    .join(session, and_(account.c.rater_id == session.c.rater_id, LIVING))
    .where(session.c.hash == bindparam("digest"), session.c.expires_at > bindparam("now"))
)
OF_TOKEN = (
    select(account)
    .join(api_token, and_(account.c.rater_id == api_token.c.rater_id, LIVING))
    .where(api_token.c.hash == bindparam("digest"), api_token.c.revoked_at.is_(None))
)


@dataclass(frozen=True)
class TokenRow:
    """An API token as it is listed; the secret is shown once, when it is made."""

    id: str
    name: str
    rater_id: str
    at: float
    revoked_at: float | None


def new_secret() -> str:
    """32 random bytes as text that fits into an address."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """What is stored of a secret. It has 256 random bits, so a fast hash keeps it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def open_session(connection: Connection, rater_id: str, days: float, now: float) -> str:
    """Store a session of this account and return its secret; lapsed ones are swept out."""
    require_living(connection, rater_id)
    connection.execute(delete(session).where(session.c.expires_at <= now))
    mine = select(session.c.hash).where(session.c.rater_id == rater_id)
    newest_first = mine.order_by(session.c.at.desc(), session.c.hash).offset(MOST_SESSIONS - 1)
    surplus = list(connection.execute(newest_first.limit(IN_LIST)).scalars())
    connection.execute(delete(session).where(session.c.hash.in_(surplus)))
    secret = new_secret()
    row = {"hash": secret_hash(secret), "rater_id": rater_id, "at": now}
    connection.execute(session.insert(), {**row, "expires_at": now + days * DAY})
    return secret


def of_session(connection: Connection, secret: str, now: float) -> Account | None:
    """The account behind a session that has not lapsed: one query by the primary key."""
    held = {"digest": secret_hash(secret), "now": now}
    row = connection.execute(OF_SESSION, held).mappings().first()
    return account_of(row) if row else None


def close_sessions(connection: Connection, rater_id: str, keep: str = "") -> None:
    """End every session of this account but that of the secret `keep`."""
    others = and_(session.c.rater_id == rater_id, session.c.hash != secret_hash(keep))
    connection.execute(delete(session).where(others))


def close_session(connection: Connection, secret: str) -> None:
    """End one session."""
    connection.execute(delete(session).where(session.c.hash == secret_hash(secret)))


def new_token(
    connection: Connection, rater_id: str, name: str, *, by: str, now: float
) -> tuple[str, str]:
    """Store an API token of this account; return its id and its secret."""
    require_living(connection, rater_id)
    token_id, secret = secrets.token_hex(8), API_PREFIX + new_secret()
    row = {"id": token_id, "hash": secret_hash(secret), "rater_id": rater_id, "name": name}
    connection.execute(api_token.insert(), {**row, "by": by, "at": now})
    return token_id, secret


def of_token(connection: Connection, secret: str) -> Account | None:
    """The account behind an API token that was not revoked: one query by a unique index."""
    row = connection.execute(OF_TOKEN, {"digest": secret_hash(secret)}).mappings().first()
    return account_of(row) if row else None


def list_tokens(connection: Connection) -> list[TokenRow]:
    """Every API token, the oldest first, revoked ones too."""
    columns = [api_token.c[name] for name in ("id", "name", "rater_id", "at", "revoked_at")]
    rows = connection.execute(select(*columns).order_by(api_token.c.at, api_token.c.id))
    return [TokenRow(*row) for row in rows]


def revoke_token(connection: Connection, token_id: str, now: float) -> bool:
    """Revoke an API token; False where it was revoked before. StoreError: unknown id."""
    mine = api_token.c.id == token_id
    if not token_id.isalnum() or connection.execute(select(api_token).where(mine)).first() is None:
        raise StoreError(f"the store holds no API token '{token_id}'")
    still = and_(mine, api_token.c.revoked_at.is_(None))
    return connection.execute(update(api_token).where(still).values(revoked_at=now)).rowcount == 1


def revoke_tokens(connection: Connection, rater_id: str, now: float) -> None:
    """Revoke every API token of this account."""
    still = and_(api_token.c.rater_id == rater_id, api_token.c.revoked_at.is_(None))
    connection.execute(update(api_token).where(still).values(revoked_at=now))
