"""Consensus versions: what the labelers agree on, derived from their answers and kept beside them.

A version is made on demand, numbered, and never changed. Its digest covers every row, so the same
answers by the same method give the same digest on any machine, whenever it is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, RowMapping, and_, func, select

from humanalign.errors import StoreError
from humanalign.prefer.statistics.consensus import Consensus, consensus
from humanalign.prefer.statistics.labelers import weights_of
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.database import in_chunks, writing
from humanalign.prefer.store.material import rankings_of
from humanalign.prefer.store.schema import consensus_row, consensus_version, item
from humanalign.types import Ranking

# Rows of a version written at a time.
BATCH = 1_000
# Margins and weights are kept to this many digits, so that a sum in another order is the same.
DIGITS = 9


@dataclass(frozen=True)
class ConsensusVersion:
    """One version. `snapshot` is the content hash of the answers it was derived from, `weights`
    each labeler's say, `digest` the content hash of its rows."""

    project_id: str
    number: int
    method: str
    snapshot: str
    weights: Mapping[str, float]
    digest: str
    at: float


class Agreed:
    """The consensus versions of projects; `clock` gives seconds since 1970."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def make(self, project_id: str, method: str = "borda", by: str = "") -> ConsensusVersion:
        """Derive the next version from the answers as they are now, and return it.

        The newest version is returned again where neither the answers nor the method changed.
        StoreError: nothing is ranked yet. DataError: an unknown method.
        """
        with self._engine.connect() as connection:
            rankings = rankings_of(connection, project_id)
        if not rankings:
            raise StoreError("there are no rankings to agree on yet; wait for the first answers")
        weights = {each: round(w, DIGITS) for each, w in weights_of(rankings).items()}
        rows = [_row(each) for each in consensus(rankings, method=method, weights=weights)]
        values = {
            "project_id": project_id,
            "method": method,
            "snapshot": digest_of(_said(each) for each in rankings),
            "weights": canonical(weights),
            "digest": digest_of(canonical(each) for each in rows),
        }
        return self._store(values, rows, by)

    def all(self, project_id: str) -> list[ConsensusVersion]:
        """Every version of a project, the newest first."""
        wanted = select(consensus_version).where(consensus_version.c.project_id == project_id)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.order_by(consensus_version.c.number.desc())).mappings()
            return [_version(row) for row in rows]

    def version(self, project_id: str, number: int) -> ConsensusVersion:
        """One version. StoreError: the project holds none of that number."""
        for each in self.all(project_id):
            if each.number == number:
                return each
        raise StoreError(f"the project holds no consensus version {number}; make one first")

    def rows(self, project_id: str, number: int) -> list[Consensus]:
        """What a version says, in the order the items were asked.

        StoreError: the project holds no version of that number.
        """
        return list(self.stream(project_id, number))

    def page(self, project_id: str, number: int, after: int, limit: int) -> list[Consensus]:
        """At most `limit` rows of a version, without its first `after`, in the order asked.

        StoreError: the project holds no version of that number.
        """
        self.version(project_id, number)
        here = and_(consensus_row.c.project_id == project_id, consensus_row.c.number == number)
        wanted = (
            select(consensus_row.c.item_id, consensus_row.c.body)
            .join(item, item.c.id == consensus_row.c.item_id)
            .where(here)
            .order_by(item.c.position)
            .offset(after)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [_consensus(row.item_id, row.body) for row in connection.execute(wanted)]

    def stream(self, project_id: str, number: int) -> Iterator[Consensus]:
        """The same with one page in memory. StoreError, at once: no version of that number."""
        self.version(project_id, number)
        return self._pages(project_id, number)

    def part(self, project_id: str, number: int, item_ids: Sequence[str]) -> dict[str, Consensus]:
        """What a version says about these items; those it does not speak of are left out."""
        here = and_(consensus_row.c.project_id == project_id, consensus_row.c.number == number)
        found: dict[str, Consensus] = {}
        with self._engine.connect() as connection:
            for chunk in in_chunks(item_ids):
                wanted = select(consensus_row.c.item_id, consensus_row.c.body)
                wanted = wanted.where(here, consensus_row.c.item_id.in_(chunk))
                for row in connection.execute(wanted):
                    found[row.item_id] = _consensus(row.item_id, row.body)
        return {each: found[each] for each in item_ids if each in found}

    def of_item(self, project_id: str, item_id: str) -> tuple[int, Ranking] | None:
        """(version, ranking) for an item by the newest version; None where it has none."""
        newest = select(func.max(consensus_version.c.number))
        newest = newest.where(consensus_version.c.project_id == project_id)
        with self._engine.connect() as connection:
            number = connection.execute(newest).scalar()
            here = and_(
                consensus_row.c.project_id == project_id,
                consensus_row.c.number == number,
                consensus_row.c.item_id == item_id,
            )
            body = connection.execute(select(consensus_row.c.body).where(here)).scalar()
        if number is None or body is None:
            return None
        return number, _consensus(item_id, body).ranking

    def _pages(self, project_id: str, number: int) -> Iterator[Consensus]:
        last: int | None = 0
        while last is not None:
            wanted = (
                select(item.c.id, item.c.position)
                .where(item.c.project_id == project_id, item.c.position > last)
                .order_by(item.c.position)
                .limit(BATCH)
            )
            with self._engine.connect() as connection:
                rows = connection.execute(wanted).all()
            yield from self.part(project_id, number, [row.id for row in rows]).values()
            last = rows[-1].position if rows else None

    def _store(self, values: Mapping, rows: list[dict], by: str) -> ConsensusVersion:
        project_id = values["project_id"]
        newest = select(func.max(consensus_version.c.number))
        newest = newest.where(consensus_version.c.project_id == project_id)
        with writing(self._engine) as connection:
            number = connection.execute(newest).scalar() or 0
            held = select(consensus_version).where(
                consensus_version.c.project_id == project_id, consensus_version.c.number == number
            )
            last = connection.execute(held).mappings().first()
            if last and all(last[name] == values[name] for name in ("method", "snapshot")):
                return _version(last)
            now = self._clock()
            full = {**values, "number": number + 1, "at": now}
            connection.execute(consensus_version.insert(), full)
            key = {"project_id": project_id, "number": number + 1}
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                lines = [key | {"item_id": e["item"], "body": canonical(e)} for e in part]
                connection.execute(consensus_row.insert(), lines)
            detail = {"number": number + 1, "method": full["method"], "digest": full["digest"]}
            append_audit(connection, now, by, "consensus", f"project:{project_id}", detail)
        return self.version(project_id, number + 1)


def _row(agreed: Consensus) -> dict:
    ranking = agreed.ranking
    return {
        "item": ranking.comparison_id,
        "tiers": ranking.tiers,
        "rejected": ranking.rejected,
        "raters": agreed.raters,
        "margins": [[*pair, round(lean, DIGITS)] for pair, lean in agreed.margins.items()],
        "contested": agreed.contested,
    }


def _consensus(item_id: str, body: str) -> Consensus:
    row = json.loads(body)
    tiers = tuple(tuple(tier) for tier in row["tiers"])
    return Consensus(
        ranking=Ranking(item_id, "consensus", tiers, tuple(row["rejected"])),
        raters=tuple(row["raters"]),
        margins={(better, worse): lean for better, worse, lean in row["margins"]},
        contested=tuple((a, b) for a, b in row["contested"]),
    )


def _version(row: RowMapping) -> ConsensusVersion:
    return ConsensusVersion(**{**row, "weights": json.loads(row["weights"])})


def _said(ranking: Ranking) -> str:
    """One answer as the snapshot knows it: clock, key and order of arrival do not count."""
    return canonical(
        {
            "item": ranking.comparison_id,
            "rater": ranking.rater_id,
            "tiers": [sorted(tier) for tier in ranking.tiers],
            "rejected": sorted(ranking.rejected),
        }
    )


def digest_of(lines: Iterable[str]) -> str:
    """A content hash of the lines in any order: two stores ask the same items differently."""
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
