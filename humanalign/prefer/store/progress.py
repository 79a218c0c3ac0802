"""What the owner of a project looks at first: how much is done, by whom, how fast, who works now.

The first revision of an answer is one row per item and rater, so counting those rows counts
answers, however often somebody changed their mind. `pace` reads them in one pass.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Select,
    and_,
    func,
    select,
    union_all,
)

from humanalign.prefer.store.browse import Items
from humanalign.prefer.store.chain import canonical, sha256
from humanalign.prefer.store.material import Material, material_of
from humanalign.prefer.store.schema import (
    answer,
    assignment,
    flag,
    item,
    membership,
    project,
    shown,
    slot,
)

DAY = 86_400.0


@dataclass(frozen=True)
class Counts:
    """A project in numbers. `slots` are answers wanted and `filled` those given; `answers` counts
    extra ones too; `complete` items have no slot left; `held` slots are with a labeler now."""

    items: int
    complete: int
    slots: int
    filled: int
    answers: int
    held: int
    skipped: int
    flagged: int
    last: int

    @property
    def share(self) -> float:
        """How much of the wanted answers is there, 0 to 1."""
        return self.filled / self.slots if self.slots else 0.0


@dataclass(frozen=True)
class Pace:
    """The speed of a project's or a labeler's answers; seconds are medians, None without any."""

    answers: int = 0
    extra: int = 0
    skipped: int = 0
    seconds: float | None = None
    last_at: float | None = None
    days: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """A slot that a labeler holds at this moment."""

    item_id: str
    position: int
    rater_id: str
    at: float
    lease_until: float


class Figures:
    """The owner's counts, and `items` to look through; `clock` gives seconds since 1970."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self.items = Items(engine)

    def counts(self, project_id: str) -> Counts:
        """Every count of one project; zeros where there is none of that id."""
        with self._engine.connect() as connection:
            open_items, open_slots = _open(connection, project_id)
            items = _count(connection, item.c.project_id == project_id)
            slots = connection.execute(
                select(func.count()).select_from(slot).where(slot.c.project_id == project_id)
            ).scalar_one()
            flags = dict(_flags(connection, project_id).all())
            return Counts(
                items=items,
                complete=items - open_items,
                slots=slots,
                filled=slots - open_slots,
                answers=connection.execute(_answers(project_id, func.count())).scalar_one(),
                held=len(_held(connection, project_id, self._clock())),
                skipped=flags.get("skip", 0),
                flagged=sum(n for kind, n in flags.items() if kind != "skip"),
                last=_last(connection, project_id),
            )

    def state(self, project_id: str) -> tuple[int, str]:
        """What statistics depend on: the newest answer's number, and a digest of the settings,
        the members' standing and the gold items' marks."""
        golden = select(item.c.id, item.c.gold).order_by(item.c.position)
        golden = golden.where(item.c.project_id == project_id, item.c.gold.is_not(None))
        aside = and_(membership.c.project_id == project_id, membership.c.status != "active")
        standing = select(membership.c.rater_id, membership.c.status).where(aside)
        chosen = select(project.c.settings).where(project.c.id == project_id)
        asked = {"settings": chosen, "standing": standing.order_by(membership.c.rater_id)}
        asked["gold"] = golden
        with self._engine.connect() as connection:
            parts = {
                name: [list(row) for row in connection.execute(each)]
                for name, each in asked.items()
            }
            return _last(connection, project_id), sha256(canonical({"state": parts}))

    def material(self, project_id: str) -> Material:
        """Everything said in the project, ready for its statistics."""
        return material_of(self._engine, project_id)

    def held(self, project_id: str) -> list[Held]:
        """The slots that labelers hold now, the first to be given back first."""
        with self._engine.connect() as connection:
            return _held(connection, project_id, self._clock())

    def pace(self, project_id: str) -> tuple[Pace, dict[str, Pace]]:
        """The speed of the whole project, and of each labeler by rater id; days are UTC."""
        columns = (answer.c.rater_id, answer.c.at, answer.c.seconds, answer.c.slot, answer.c.timing)
        with self._engine.connect() as connection:
            rows = connection.execute(_answers(project_id, *columns)).all()
            skips = _skips(connection, project_id)
        of: dict[str, list] = defaultdict(list)
        for row in rows:
            of[row[0]].append((row[1], _active(row[2], row[4]), row[3] is None))
        labelers = {each: _pace(of.get(each, ()), skips.get(each, 0)) for each in {*of, *skips}}
        everything = (part for parts in of.values() for part in parts)
        return _pace(list(everything), sum(skips.values())), labelers


def _answers(project_id: str, *columns: ColumnElement) -> Select:
    """The first revision of every answer of the project."""
    of = and_(item.c.project_id == project_id, answer.c.revision == 1)
    return select(*columns).select_from(answer.join(item, item.c.id == answer.c.item_id)).where(of)


def _count(connection: Connection, where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(item).where(where)).scalar_one()


def _open(connection: Connection, project_id: str) -> tuple[int, int]:
    """(items, slots) that still wait for an answer: nobody took them, or whoever did is not done.

    Both parts are one step in an index, however many slots are filled.
    """
    free = select(slot.c.position.label("position")).where(
        slot.c.project_id == project_id, slot.c.taken.is_(False)
    )
    begun = (
        select(item.c.position)
        .join(assignment, assignment.c.item_id == item.c.id)
        .where(assignment.c.answered_at.is_(None), item.c.project_id == project_id)
    )
    waiting = union_all(free, begun).subquery()
    row = connection.execute(
        select(func.count(waiting.c.position.distinct()), func.count()).select_from(waiting)
    ).one()
    return row[0], row[1]


def _last(connection: Connection, project_id: str) -> int:
    # A subquery, so that the database walks back from the newest answer and stops at once.
    of = select(item.c.project_id).where(item.c.id == answer.c.item_id).scalar_subquery()
    newest = select(answer.c.id).where(of == project_id).order_by(answer.c.id.desc()).limit(1)
    return connection.execute(newest).scalar() or 0


def _flags(connection: Connection, project_id: str) -> CursorResult:
    return connection.execute(
        select(flag.c.kind, func.count())
        .join(item, item.c.id == flag.c.item_id)
        .where(item.c.project_id == project_id)
        .group_by(flag.c.kind)
    )


def _skips(connection: Connection, project_id: str) -> dict[str, int]:
    rows = connection.execute(
        select(flag.c.rater_id, func.count())
        .join(item, item.c.id == flag.c.item_id)
        .where(item.c.project_id == project_id, flag.c.kind == "skip")
        .group_by(flag.c.rater_id)
    )
    return dict(rows.tuples().all())


def _held(connection: Connection, project_id: str, now: float) -> list[Held]:
    seen = and_(shown.c.item_id == assignment.c.item_id, shown.c.rater_id == assignment.c.rater_id)
    rows = connection.execute(
        select(
            assignment.c.item_id,
            item.c.position,
            assignment.c.rater_id,
            func.coalesce(shown.c.at, now),
            assignment.c.lease_until,
        )
        .join(item, item.c.id == assignment.c.item_id)
        .outerjoin(shown, seen)
        .where(assignment.c.answered_at.is_(None), assignment.c.lease_until > now)
        .where(item.c.project_id == project_id)
        .order_by(assignment.c.lease_until, item.c.position)
    )
    return [Held(*row) for row in rows]


def _active(seconds: float, timing: str | None) -> float:
    """The seconds a person worked: what the page measured, else what the server did."""
    if not timing:
        return seconds
    active = json.loads(timing).get("active")
    return float(active) if isinstance(active, int | float) and active > 0 else seconds


def _pace(parts: Iterable[tuple[float, float, bool]], skipped: int) -> Pace:
    """`parts`: (at, seconds, extra) of each answer."""
    parts = list(parts)
    if not parts:
        return Pace(skipped=skipped)
    days = Counter(int(at // DAY) for at, _, _ in parts)
    measured = [seconds for _, seconds, _ in parts if seconds > 0]
    return Pace(
        answers=len(parts),
        extra=sum(extra for _, _, extra in parts),
        skipped=skipped,
        seconds=median(measured) if measured else None,
        last_at=max(at for at, _, _ in parts),
        days={_day(number): days[number] for number in sorted(days)},
    )


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).date().isoformat()
