"""What two evaluations must share for their numbers to be compared.

The version of the measures, the prompts with their references, the way of sampling, and each
scorer by all that its numbers depend on: weights, settings, code. Every part has a hash, so that
what differs can be named. The seed is no part of it: another draw of the same is comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Protocol, runtime_checkable

from humanalign.errors import ConfigError
from humanalign.sampling import Sampling
from humanalign.types import Prompt, content_id

# Raised by one when a measure changes its meaning: older runs are then no longer comparable.
VERSION = 2


@runtime_checkable
class Identified(Protocol):
    """A scorer that can say which one it is; those of reward/ can."""

    def identity(self) -> str:
        """An id made of everything that a score depends on."""
        ...


def comparable(
    prompts: Sequence[Prompt],
    scorers: Mapping[str, object],
    sampling: Sampling,
    samples: int,
) -> dict:
    """{"version", "prompts", "sampling", "scorers": {name: hash}, "id"}: equal ids, equal terms.

    The order of the prompts has no part in it. A scorer that cannot be identified has the hash
    None, and is never comparable.
    """
    found = {
        "version": VERSION,
        "prompts": content_id("prompts", sorted([p.id, p.reference or ""] for p in prompts)),
        "sampling": content_id("sampling", asdict(sampling), samples),
        "scorers": {name: scorer_id(scorer) for name, scorer in sorted(scorers.items())},
    }
    return found | {"id": content_id(found)}


def with_scorers(terms: Mapping, more: Mapping[str, str | None]) -> dict:
    """The same terms with more scorers, by name and hash, and the id of the whole."""
    whole = {key: value for key, value in terms.items() if key != "id"}
    whole["scorers"] = {**terms["scorers"], **more}
    return whole | {"id": content_id(whole)}


def scorer_id(scorer: object) -> str | None:
    """The scorer's own identity, None where it has none."""
    try:
        return scorer.identity() if isinstance(scorer, Identified) else None
    except ConfigError:  # a function without a source file, say
        return None
