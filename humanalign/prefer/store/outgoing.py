"""Answers with their words, one item after another: what exports are written from.

A page of items is read at a time, so an export of any length needs little memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Row, select

from humanalign.prefer.files.judgements import Judgement, Question, Record, consensus_records
from humanalign.prefer.marks import RANKED, marks_in
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.prefer.statistics.labelers import weights_of
from humanalign.prefer.store.answers import excluded
from humanalign.prefer.store.material import rankings_of
from humanalign.prefer.store.records import completion_of, prompt_of
from humanalign.prefer.store.schema import answer, completion, item, item_completion, prompt, rater
from humanalign.prefer.store.tasks import read_project
from humanalign.types import Completion, Prompt, Rater

PAGE = 500
Part = Callable[[Sequence[str]], Mapping[str, Consensus]]


@dataclass(frozen=True)
class _Page:
    """Some items with their words, and the position of the last of them."""

    last: int
    questions: Mapping[str, Question]
    prompts: Mapping[str, Prompt]
    completions: Mapping[str, Completion]


def records(
    engine: Engine,
    project_id: str,
    *,
    revisions: bool = False,
    everyone: bool = False,
    weights: Mapping[str, float] | None = None,
) -> Iterator[Record]:
    """Every answer of a project, by item as asked, then by rater and revision.

    Only the newest of a rater's revisions unless `revisions`; without the labelers who are
    excluded at present unless `everyone`. `weights` by rater id go into the records; without them
    they are those of the consensus (1 for thumbs and ratings, which have none).
    """
    with engine.connect() as connection:
        place = read_project(connection, project_id)
        scale = json.loads(place["settings"]).get("scale", 3)
        weightless = excluded(connection, project_id)
        left_out = set() if everyone else set(weightless)
        if weights is None and place["kind"] in RANKED:
            weights = weights_of(rankings_of(connection, project_id))
            weights |= dict.fromkeys(weightless, 0.0)
        kinds = {row.id: row.kind for row in connection.execute(select(rater))}
    for page in _pages(engine, project_id):
        for row in _answers(engine, list(page.questions), revisions):
            if row.rater_id not in left_out:
                question = page.questions[row.item_id]
                yield Record(
                    question=question,
                    prompt=page.prompts[question.prompt_id],
                    completions=tuple(page.completions[c] for c in question.completion_ids),
                    judgement=_judgement(row, question),
                    rater_kind=kinds[row.rater_id],
                    weight=(weights or {}).get(row.rater_id, 1.0),
                    scale=scale,
                )


def agreed_records(engine: Engine, project_id: str, part: Part) -> Iterator[Record]:
    """Each consensus of a project with its words, by item as asked.

    `part` gives what a version says about some items; a page of it is in memory at a time.
    """
    with engine.connect() as connection:
        raters = {row.id: Rater(row.id, row.kind) for row in connection.execute(select(rater))}
    for page in _pages(engine, project_id):
        yield from consensus_records(
            part(list(page.questions)).values(),
            page.questions,
            page.prompts,
            page.completions,
            raters=raters,
        )


def _pages(engine: Engine, project_id: str) -> Iterator[_Page]:
    last = 0
    while True:
        page = _page(engine, project_id, last)
        if not page.questions:
            return
        yield page
        last = page.last


def _page(engine: Engine, project_id: str, after: int) -> _Page:
    wanted = select(item).where(item.c.project_id == project_id, item.c.position > after)
    wanted = wanted.order_by(item.c.position).limit(PAGE)
    with engine.connect() as connection:
        asked = connection.execute(wanted).all()
        ids = [row.id for row in asked]
        words = select(prompt).where(prompt.c.id.in_({row.prompt_id for row in asked}))
        prompts = {row["id"]: prompt_of(row) for row in connection.execute(words).mappings()}
        parts = (
            select(item_completion.c.item_id, completion)
            .join(completion, completion.c.id == item_completion.c.completion_id)
            .where(item_completion.c.item_id.in_(ids))
            .order_by(item_completion.c.item_id, item_completion.c.number)
        )
        members: dict[str, list[str]] = {}
        completions = {}
        for row in connection.execute(parts).mappings():
            members.setdefault(row["item_id"], []).append(row["id"])
            completions[row["id"]] = completion_of(row)
    questions = {
        row.id: Question(row.kind, row.prompt_id, tuple(members[row.id]), row.criterion)
        for row in asked
    }
    return _Page(asked[-1].position if asked else after, questions, prompts, completions)


def _answers(engine: Engine, item_ids: Sequence[str], revisions: bool) -> list[Row]:
    """The answers to a page of items, in the order of the items, raters and revisions."""
    place = {each: n for n, each in enumerate(item_ids)}
    with engine.connect() as connection:
        rows = list(connection.execute(select(answer).where(answer.c.item_id.in_(item_ids))))
    rows.sort(key=lambda row: (place[row.item_id], row.rater_id, row.revision))
    if revisions:
        return rows
    return list({(row.item_id, row.rater_id): row for row in rows}.values())


def _judgement(row: Row, question: Question) -> Judgement:
    found = marks_in(question.kind, json.loads(row.body), question.completion_ids)
    marks = {each: found[each] for each in question.completion_ids}
    return Judgement(
        question_id=row.item_id,
        rater_id=row.rater_id,
        marks=marks,
        seconds=row.seconds,
        instructions=row.instructions,
        note=row.note or "",
        at=row.at,
        revision=row.revision,
    )
