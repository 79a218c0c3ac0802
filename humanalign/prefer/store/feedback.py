"""The feedback store: prompts, completions, comparisons, raters and their answers, in a database.

    store = FeedbackStore("feedback.db")
    store.add(prompts, completions)
    store.ask(comparisons, overlap=3)
    comparison = store.next("ann")
    store.rank(Ranking(comparison.id, "ann", tiers=(("c1",), ("c2",))), key="any unique text")
    pairs = store.pairs(split="train")

Answers are appended, never updated or deleted: a changed mind is a new revision of the answer.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Table, and_, select

from humanalign.errors import StoreError
from humanalign.prefer.display import order
from humanalign.prefer.files.judgements import Judgements, Question, Record
from humanalign.prefer.marks import RANKED
from humanalign.prefer.pairs import Texts, pairs_of, prompt_split
from humanalign.prefer.statistics.consensus import consensus as agree_on
from humanalign.prefer.store import answers, asking, assign, records
from humanalign.prefer.store.adaptive import widen
from humanalign.prefer.store.agreed import Agreed
from humanalign.prefer.store.audit import Audit
from humanalign.prefer.store.browse import Items
from humanalign.prefer.store.chain import canonical, readable, verify_chain
from humanalign.prefer.store.contents import verify_contents
from humanalign.prefer.store.database import insert_new, open_database, writing
from humanalign.prefer.store.intake import Taken, check_import, take_in
from humanalign.prefer.store.outgoing import agreed_records
from humanalign.prefer.store.outgoing import records as records_of
from humanalign.prefer.store.people import People
from humanalign.prefer.store.progress import Figures
from humanalign.prefer.store.projects import Projects
from humanalign.prefer.store.queue import Queue
from humanalign.prefer.store.records import Thumb
from humanalign.prefer.store.schema import (
    answer,
    completion,
    item,
    item_completion,
    project,
    prompt,
    rater,
    shown,
)
from humanalign.prefer.store.tasks import read_project
from humanalign.types import Comparison, Completion, PreferencePair, Prompt, Ranking, Rater, Split

# Where thumbs given in a chat go.
CHAT = "chat"


class FeedbackStore:
    """Feedback at `url`: a file's path, `sqlite:///FILE` or `postgresql://...`.

    Opening creates the tables or brings them up to date. Threads may share a store; processes
    open their own. Every method is one transaction. `clock` gives seconds since 1970.
    """

    def __init__(self, url: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.url = str(url)
        self._engine = open_database(url)
        self._clock = clock
        self.audit = Audit(self._engine, clock)
        self.people = People(self._engine, clock)
        self.projects = Projects(self._engine, clock)
        self.queue = Queue(self._engine, clock)
        self.items = Items(self._engine)
        self.figures = Figures(self._engine, clock)
        self.agreed = Agreed(self._engine, clock)

    def close(self) -> None:
        """Give the database connections back."""
        self._engine.dispose()

    def add(self, prompts: Iterable[Prompt], completions: Iterable[Completion] = ()) -> None:
        """Store prompts and completions; those already there stay as they are.

        StoreError: a completion whose prompt is neither given nor stored.
        """
        prompt_rows = [records.prompt_row(each) for each in prompts]
        completion_rows = [records.completion_row(each) for each in completions]
        with writing(self._engine) as connection:
            insert_new(connection, prompt, prompt_rows)
            records.require_ids(connection, prompt, [row["prompt_id"] for row in completion_rows])
            insert_new(connection, completion, completion_rows)

    def add_rater(self, new: Rater) -> None:
        """Store a rater. StoreError: the id belongs to a rater of another kind."""
        with writing(self._engine) as connection:
            answers.add_rater(connection, new, self._clock())

    def ask(
        self, comparisons: Iterable[Comparison], overlap: int = 3, project: str | None = None
    ) -> None:
        """Put comparisons to `overlap` raters each; asking again can only raise the overlap.

        They go to the project of this name, by default to one named after their criterion, which
        is made if it is not there. StoreError: a completion that is not stored or answers another
        prompt, or a comparison that another project asks. DataError: the project is of another
        kind or criterion.
        """
        if overlap < 1:
            raise StoreError(f"overlap: expected at least 1 rater a comparison, got {overlap}")
        with writing(self._engine) as connection:
            for criterion, asked in _by_criterion(comparisons).items():
                kind = "pairwise" if all(each.kind == "pairwise" for each in asked) else "ranking"
                place_id = asking.ensure_project(
                    connection, project or criterion, kind, criterion, self._clock()
                )
                put = asking.add_items(connection, place_id, asked, overlap)
                now = self._clock()
                asking.audit_items(connection, place_id, put, overlap, now=now, by="")

    def next(self, rater_id: str) -> Comparison | None:
        """Assign the rater a slot and return its comparison; None when nothing is left to judge.

        A rater who holds an unanswered slot gets that one again. StoreError: unknown rater.
        """
        rows = select(project.c.id).where(project.c.kind.in_(RANKED)).order_by(project.c.at)
        with writing(self._engine) as connection:
            records.require_ids(connection, rater, [rater_id])
            for project_id in connection.execute(rows).scalars().all():
                where = (connection, rater_id, project_id, self._clock())
                item_id = assign.held_item(*where) or assign.next_item(*where)
                if item_id is not None:
                    return records.read_comparisons(connection, [item_id])[0]
        return None

    def order(self, comparison: Comparison, rater: Rater | str) -> tuple[str, ...]:
        """The completion ids as this rater sees, or would see, them: see `display.order`."""
        rater_id = rater if isinstance(rater, str) else rater.id
        here = and_(shown.c.item_id == comparison.id, shown.c.rater_id == rater_id)
        with self._engine.connect() as connection:
            held = connection.execute(select(shown.c.display).where(here)).scalar()
        return tuple(json.loads(held)) if held else order(comparison, rater_id)

    def shown(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """(item id, rater id) -> the completion ids in the order in which they were shown."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(shown.c.item_id, shown.c.rater_id, shown.c.display))
            return {(row[0], row[1]): tuple(json.loads(row[2])) for row in rows}

    def rank(self, ranking: Ranking, key: str, entered: Mapping | None = None) -> Ranking:
        """Append a ranking under the client's unique `key`, and return it as stored.

        The same key with the same ranking returns the first answer and stores nothing. `entered`
        is what the rater typed, kept beside the canonical form. StoreError: another ranking under
        this key, an unknown rater or comparison, completions not named exactly once.
        """
        typed = canonical(entered) if entered else ""
        return self._rank([(ranking, key, typed)])[0]

    def rank_all(self, ranked: Iterable[tuple[Ranking, str]]) -> list[Ranking]:
        """`rank` for many (ranking, key) in one transaction: all are stored, or none."""
        return self._rank([(ranking, key, "") for ranking, key in ranked])

    def thumb(
        self, prompt: Prompt, completion: Completion, rater: Rater, up: bool, *, key: str
    ) -> Thumb:
        """Append a thumb for one answer in a chat; what is new of the others is stored too.

        Idempotent by `key` as `rank` is. StoreError: the key was used for another answer.
        """
        self.add([prompt], [completion])
        asked = Question("thumb", prompt.id, (completion.id,), "")
        row = {
            "item_id": asked.id,
            "rater_id": rater.id,
            "key": key,
            "body": canonical({"up": bool(up)}),
            "entered": "",
            "instructions": "",
            "seconds": 0.0,
        }
        with writing(self._engine) as connection:
            answers.add_rater(connection, rater, self._clock())
            place = asking.ensure_project(connection, CHAT, "thumb", "helpful", self._clock())
            asking.add_items(connection, place, [asked])
            if answers.replayed(connection, row) is None:
                answers.append(connection, row, self._clock())
        return Thumb(prompt.id, completion.id, rater.id, bool(up))

    def rankings(self, criterion: str | None = None) -> list[Ranking]:
        """The latest revision of every rater's answer, by comparison as asked, then by rater.

        Without those of excluded labelers.
        """
        with self._engine.connect() as connection:
            rows = answers.latest(connection, RANKED, criterion)
            return [records.ranking_of(row) for row in rows]

    def thumbs(self) -> list[Thumb]:
        """The latest thumb of every rater and answer, in the order first given."""
        members = select(item_completion.c.item_id, item.c.prompt_id)
        with self._engine.connect() as connection:
            rows = answers.latest(connection, ("thumb",), None)
            parts = members.add_columns(item_completion.c.completion_id).join(item)
            of = {part.item_id: part for part in connection.execute(parts)}
            return [records.thumb_of(row, of[row["item_id"]]) for row in rows]

    def prompts(self) -> dict[str, Prompt]:
        """Every stored prompt by its id."""
        return {row["id"]: records.prompt_of(row) for row in self._rows(prompt)}

    def completions(self) -> dict[str, Completion]:
        """Every stored completion by its id."""
        return {row["id"]: records.completion_of(row) for row in self._rows(completion)}

    def raters(self) -> dict[str, Rater]:
        """Every stored rater by its id."""
        return {row["id"]: Rater(row["id"], row["kind"]) for row in self._rows(rater)}

    def comparisons(self) -> list[Comparison]:
        """Every comparison, in the order asked."""
        with self._engine.connect() as connection:
            return records.read_comparisons(connection)

    def prompt(self, prompt_id: str) -> Prompt:
        """One prompt. StoreError: unknown id."""
        return records.prompt_of(self._row(prompt, prompt_id))

    def completion(self, completion_id: str) -> Completion:
        """One completion. StoreError: unknown id."""
        return records.completion_of(self._row(completion, completion_id))

    def pairs(
        self,
        split: Split | None = None,
        consensus: str = "borda",
        *,
        criterion: str | None = None,
        ties: str = "drop",
        rejects: str = "drop",
    ) -> list[PreferencePair]:
        """The rankings as training pairs, of one split (by prompt) or of all.

        `consensus` names the method of `consensus.consensus`, or "none" for each rater's own
        pairs; `ties` and `rejects` are those of `pairs.pairs_of`.
        """
        rankings = self.rankings(criterion)
        texts, raters = self.texts(), self.raters()
        pairs = pairs_of(
            rankings if consensus == "none" else agree_on(rankings, method=consensus),
            texts,
            ties=ties,
            rejects=rejects,
            ai=[each.id for each in raters.values() if each.kind != "human"],
        )
        chosen = {each.id for each in texts.prompts.values() if split in (None, prompt_split(each))}
        return [pair for pair in pairs if pair.prompt_id in chosen]

    def texts(self) -> Texts:
        """The words behind the ids: prompts by comparison, answers by completion."""
        prompts, asked = self.prompts(), self.comparisons()
        return Texts(
            prompts={each.id: prompts[each.prompt_id] for each in asked},
            answers={each: completion.text for each, completion in self.completions().items()},
            criteria={each.id: each.criterion for each in asked},
        )

    def check_import(self, project_id: str, found: Judgements) -> None:
        """DataError where `take_in` would refuse the file, before anything is stored."""
        with self._engine.connect() as connection:
            check_import(read_project(connection, project_id), found)

    def take_in(self, project_id: str, found: Judgements, *, overlap: int, by: str = "") -> Taken:
        """Store a file's questions and judgements in a project: see `intake.take_in`."""
        return take_in(self._engine, self._clock, project_id, found, overlap=overlap, by=by)

    def records(
        self,
        project_id: str,
        *,
        revisions: bool = False,
        everyone: bool = False,
        weights: Mapping[str, float] | None = None,
    ) -> Iterator[Record]:
        """Every answer of a project with its words, for exports: see `outgoing.records`.

        `weights` by rater id; without them those of the consensus, estimated at the first record.
        """
        chosen = {"revisions": revisions, "everyone": everyone}
        return records_of(self._engine, project_id, weights=weights, **chosen)

    def consensus_records(self, project_id: str, number: int) -> Iterator[Record]:
        """What a consensus version says, with its words. StoreError: no such version."""
        self.agreed.version(project_id, number)
        part = partial(self.agreed.part, project_id, number)
        return agreed_records(self._engine, project_id, part)

    def verify(self) -> int:
        """Check the hash chain and what is named by its content; return the number of answers.

        StoreError names the first damaged row.
        """
        with self._engine.connect() as connection, readable(connection):
            count = verify_chain(connection)
            verify_contents(connection)
        return count

    def snapshot(self) -> str:
        """A content hash of every answer and revision, for lineage; clock and order do not count.

        sha256 (64 hex digits) over (item, rater, revision, instructions, body), sorted.
        """
        columns = (answer.c.item_id, answer.c.rater_id, answer.c.revision)
        content = (answer.c.instructions, answer.c.body)
        digest = hashlib.sha256()
        with self._engine.connect() as connection:
            rows = connection.execute(select(*columns, *content))
            for line in sorted(canonical(dict(row)) for row in rows.mappings()):
                digest.update(line.encode() + b"\n")
        return digest.hexdigest()

    def _rank(self, ranked: Sequence[tuple[Ranking, str, str]]) -> list[Ranking]:
        with writing(self._engine) as connection:
            answers.check_rankings(connection, [ranking for ranking, _, _ in ranked])
            stored = []
            for ranking, key, entered in ranked:
                row = records.ranking_row(ranking) | {"key": key, "entered": entered}
                held = answers.replayed(connection, row)
                stored.append(held or answers.append(connection, row, self._clock()))
                if held is None and stored[-1]["revision"] == 1:
                    widen(connection, ranking.comparison_id, self._clock())
        return [records.ranking_of(row) for row in stored]

    def _rows(self, table: Table) -> list:
        with self._engine.connect() as connection:
            return list(connection.execute(select(table).order_by(table.c.id)).mappings())

    def _row(self, table: Table, row_id: str):
        with self._engine.connect() as connection:
            records.require_ids(connection, table, [row_id])
            return connection.execute(select(table).where(table.c.id == row_id)).mappings().one()


def _by_criterion(comparisons: Iterable[Comparison]) -> dict[str, list[Question]]:
    groups: dict[str, list[Question]] = {}
    for each in comparisons:
        kind = "pairwise" if len(each.completion_ids) == 2 else "ranking"
        asked = Question(kind, each.prompt_id, each.completion_ids, each.criterion)
        groups.setdefault(each.criterion, []).append(asked)
    return groups
