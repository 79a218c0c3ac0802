"""Passwords as argon2id hashes; checking one takes the same time whether or not a hash exists.

Hashing takes tens of milliseconds, so it is done outside of write transactions.
"""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from humanalign.errors import StoreError

# argon2-cffi's own defaults: RFC 9106's second choice, 64 MiB a hash.
HASHER = PasswordHasher()
SHORTEST, LONGEST = 10, 256
# Strangers decide how many sign-ins run at once; this bounds their memory to 256 MiB.
_AT_ONCE = BoundedSemaphore(4)


def hashed(password: str) -> str:
    """The hash to store. StoreError: fewer than 10 or more than 256 characters."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise StoreError(
            f"password: expected {SHORTEST} to {LONGEST} characters, got {len(password)}; "
            "three or four unrelated words are good"
        )
    with _AT_ONCE:
        return HASHER.hash(_spelled(password))


def matches(stored: str, password: str) -> bool:
    """Whether `password` is the one hashed as `stored`; "" matches nothing, in the same time."""
    decoy = _decoy(HASHER)
    with _AT_ONCE:
        try:
            return HASHER.verify(stored or decoy, _spelled(password[:LONGEST])) and bool(stored)
        except (Argon2Error, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether `stored` was hashed with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def _spelled(password: str) -> bytes:
    """The same bytes from every keyboard: systems compose accents differently."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _decoy(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_bytes(16))
