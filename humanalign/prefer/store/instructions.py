"""What labelers read before they judge, in versions; every answer is stamped with one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

from sqlalchemy import Connection, RowMapping, select

from humanalign.errors import StoreError
from humanalign.prefer.defaults import Question, default_instructions
from humanalign.prefer.store.project_settings import settings_of
from humanalign.prefer.store.schema import criterion, instruction_version, project
from humanalign.prefer.store.spelling import clean_text, storable
from humanalign.types import content_id

TEXT_LENGTH, QUIZ_TEXT_LENGTH = 100_000, 2_000
MOST_QUESTIONS, MOST_OPTIONS = 20, 8


@dataclass(frozen=True)
class Instructions:
    """One version: `text` is Markdown; `by` wrote it. The same content has the same id."""

    id: str
    project_id: str
    number: int
    text: str
    quiz: tuple[Question, ...]
    by: str
    at: float


def check_instructions(text: str, quiz: Sequence[Question]) -> None:
    """StoreError: no text, or a question that nobody could answer."""
    clean_text("instructions", text, TEXT_LENGTH)
    if not text.strip():
        raise StoreError("instructions: the text is empty; say how to judge")
    if len(quiz) > MOST_QUESTIONS:
        raise StoreError(f"quiz: expected at most {MOST_QUESTIONS} questions, got {len(quiz)}")
    for number, question in enumerate(quiz, 1):
        _check_question(f"quiz question {number}", question)


def add_version(
    connection: Connection,
    project_id: str,
    content: tuple[str, Sequence[Question]],
    *,
    by: str,
    now: float,
) -> Instructions:
    """Make (text, quiz) the newest version; it stays the same one where nothing was changed."""
    text, quiz = content
    newest = newest_version(connection, project_id)
    if newest and (newest.text, newest.quiz) == (text, tuple(quiz)):
        return newest
    number = newest.number + 1 if newest else 1
    parts = ["instructions", project_id, text, [astuple(question) for question in quiz]]
    version = content_id(*parts)
    if find_version(connection, version):
        # An older version's words again: those who passed that one have read others since.
        version = content_id(*parts, number)
    row = {"id": version, "project_id": project_id, "number": number, "text": text}
    row |= {"quiz": _quiz_text(quiz), "by": by, "at": now}
    connection.execute(instruction_version.insert(), row)
    return Instructions(version, project_id, number, text, tuple(quiz), by, now)


def add_default_version(
    connection: Connection, project_id: str, now: float, quiz: Sequence[Question] = ()
) -> Instructions:
    """Give a project that has no instructions those that come with humanalign, or another quiz."""
    rows = select(project, criterion.c.definition).join(criterion).where(project.c.id == project_id)
    row = connection.execute(rows).mappings().one()
    text, usual = default_instructions(
        row["criterion"],
        row["kind"],
        definition=row["definition"],
        scale=settings_of(row["settings"]).scale,
    )
    return add_version(connection, project_id, (text, quiz or usual), by="", now=now)


def newest_version(connection: Connection, project_id: str) -> Instructions | None:
    """A project's newest version."""
    rows = select(instruction_version).where(instruction_version.c.project_id == project_id)
    newest = rows.order_by(instruction_version.c.number.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    return instructions_of(row) if row else None


def find_version(connection: Connection, version_id: str) -> Instructions | None:
    """A version by its id."""
    if not storable(version_id):
        return None
    mine = instruction_version.c.id == version_id
    row = connection.execute(select(instruction_version).where(mine)).mappings().first()
    return instructions_of(row) if row else None


def all_versions(connection: Connection, project_id: str) -> list[Instructions]:
    """A project's versions, the oldest first."""
    rows = select(instruction_version).where(instruction_version.c.project_id == project_id)
    ordered = rows.order_by(instruction_version.c.number)
    return [instructions_of(row) for row in connection.execute(ordered).mappings()]


def instructions_of(row: RowMapping) -> Instructions:
    """The version in a row of `instruction_version`."""
    quiz = tuple(
        Question(each["text"], tuple(each["options"]), each["answer"], each["why"])
        for each in json.loads(row["quiz"])
    )
    return Instructions(**{**row, "quiz": quiz})


def _quiz_text(quiz: Sequence[Question]) -> str:
    return json.dumps([asdict(question) for question in quiz], ensure_ascii=False)


def _check_question(where: str, question: Question) -> None:
    for text in (question.text, *question.options, question.why):
        clean_text(where, text, QUIZ_TEXT_LENGTH)
        if not text.strip():
            raise StoreError(f"{where}: the question, an option or the reason is empty; fill it in")
    if not 2 <= len(question.options) <= MOST_OPTIONS:
        raise StoreError(
            f"{where}: expected 2 to {MOST_OPTIONS} options, got {len(question.options)}"
        )
    if len(set(question.options)) < len(question.options):
        raise StoreError(f"{where}: two options are the same; change one")
    if not 0 <= question.answer < len(question.options):
        raise StoreError(
            f"{where}: the right option is number {question.answer + 1}, and there are "
            f"{len(question.options)}; mark one of them"
        )
