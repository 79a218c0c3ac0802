"""The errors a user can meet: one root, one class per kind of mistake, one sentence each.

Every message says what is wrong, the value seen and what to do about it. The command line prints
it without a traceback and exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HumanalignError(Exception):
    """Something the user can put right; the message is the whole story."""


class ConfigError(HumanalignError):
    """A setting is unknown, has the wrong type or contradicts another."""


class DataError(HumanalignError):
    """A file, a column, a row or a model directory is not what the stage needs."""


class StoreError(HumanalignError):
    """The feedback store refused: unknown ids, a conflicting answer, a damaged file."""


class RunError(HumanalignError):
    """A run directory belongs to another stage or config, is unfinished, or a guard stopped it."""


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known word, or "" when nothing is close."""
    close = difflib.get_close_matches(value, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
