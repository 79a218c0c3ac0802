"""A rater's work through the API: the next task, its answer, a draft, a skip."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request

from humanalign.errors import DataError, StoreError
from humanalign.prefer.store.answers import KeyReused
from humanalign.prefer.store.queue import Conflict, Submission
from humanalign.prefer.store.tasks import Task
from humanalign.web.api.auth import Member, Place, Worker
from humanalign.web.api.frame import MEANINGS, Said, says, section
from humanalign.web.api.wire import ItemId
from humanalign.web.api.wire_work import (
    Answer,
    Clash,
    Draft,
    Lease,
    Next,
    Receipt,
    Report,
    Reported,
    Saved,
    Skip,
    Skipped,
    TaskTold,
)
from humanalign.web.guard import missing, store_of

router = section("work")
ITEM = "/projects/{project}/items/{item}"
ANSWERED = says(Receipt, 403, 404) | {409: {"model": Clash, "description": MEANINGS[409]}}
Onward = Annotated[bool, Query(description="Answer with the next task as well.")]


@router.post(
    "/projects/{project}/next",
    summary="Take the next task",
    responses=says(Next, 403, 404, meaning="The task, held for half an hour; or null."),
)
def next_task(request: Request, place: Worker) -> Said:
    """The item this rater should judge now. One that is held already comes again."""
    return Said({"task": _next(request, place)})


@router.get(
    ITEM + "/task",
    summary="See a task again",
    responses=says(TaskTold, 404, meaning="The item as this rater was shown it."),
)
def one_task(request: Request, place: Member, item: ItemId) -> Said:
    """An item this rater holds or has answered, with their latest marks and draft."""
    return Said(task_told(_task(request, place, item), place))


@router.post(ITEM + "/answers", summary="Answer", responses=ANSWERED)
def answer(
    request: Request, place: Worker, item: ItemId, sent: Answer, next: Onward = False
) -> Said:
    """Store an answer, or return the receipt of the one already stored under its key."""
    try:
        receipt = store_of(request).queue.submit(_submission(request, place, item, sent))
    except Conflict as error:
        return Said({"error": str(error), "held": task_told(error.held, place)}, 409)
    except KeyReused as error:
        return Said({"error": str(error), "held": None}, 409)
    said = {
        "item": receipt.item_id,
        "revision": receipt.revision,
        "replayed": receipt.replayed,
        "extra": receipt.extra,
        "at": receipt.at,
    }
    return Said(said | ({"task": _next(request, place)} if next else {}))


@router.put(ITEM + "/draft", summary="Keep a draft", responses=says(Saved, 403, 404))
def draft(request: Request, place: Worker, item: ItemId, sent: Draft) -> Said:
    """Keep unfinished marks; they come back with the task until it is answered."""
    _task(request, place, item)
    store_of(request).queue.save_draft(item, place.account.rater_id, sent.model_dump())
    return Said({"saved": True})


@router.post(ITEM + "/heartbeat", summary="Hold the task", responses=says(Lease, 403, 404))
def heartbeat(request: Request, place: Worker, item: ItemId) -> Said:
    """Hold the item for another half hour."""
    _task(request, place, item)
    until = store_of(request).queue.heartbeat(item, place.account.rater_id)
    return Said({"lease_until": until})


@router.post(ITEM + "/skip", summary="Skip the task", responses=says(Skipped, 403, 404))
def skip(request: Request, place: Worker, item: ItemId, sent: Skip) -> Said:
    """Give the item back; it never comes again."""
    _task(request, place, item)
    store_of(request).queue.skip(item, place.account.rater_id, sent.reason, sent.note)
    return Said({"skipped": True})


@router.post(ITEM + "/report", summary="Report a problem", responses=says(Reported, 403, 404))
def report(request: Request, place: Worker, item: ItemId, sent: Report) -> Said:
    """Tell the owner what is wrong with the item. It stays with its rater."""
    _task(request, place, item)
    store_of(request).queue.report(item, place.account.rater_id, sent.reason, sent.note)
    return Said({"reported": True})


def task_told(task: Task, place: Place) -> dict:
    """The task as JSON. Only programs are told the ids of completions."""
    return {
        "item": task.item_id,
        "project": task.project_id,
        "kind": task.kind,
        "criterion": place.criterion,
        "instructions": place.instructions,
        "prompt": {
            "text": task.prompt.text,
            "messages": [{"role": r, "content": c} for r, c in task.prompt.messages],
        },
        "cards": [
            {
                "letter": card.letter,
                "text": card.text,
                "completion": card.completion_id if place.program else None,
            }
            for card in task.cards
        ],
        "marks": dict(task.marks),
        "draft": dict(task.draft) if task.draft is not None else None,
        "note": task.note,
        "revision": task.revision,
        "lease_until": task.lease_until,
    }


def _next(request: Request, place: Place) -> dict | None:
    task = store_of(request).queue.next(place.project, place.account.rater_id)
    return None if task is None else task_told(task, place)


def _task(request: Request, place: Place, item: str) -> Task:
    """The item if it is of this project and was shown to this rater; a 404 otherwise."""
    task = store_of(request).queue.task(item, place.account.rater_id)
    if task.project_id != place.project:
        raise missing()
    return task


def _submission(request: Request, place: Place, item: str, sent: Answer) -> Submission:
    return Submission(
        item_id=item,
        rater_id=place.account.rater_id,
        marks={str(letter): mark for letter, mark in sent.marks.items()},
        key=sent.key,
        project_id=place.project,
        revision=sent.revision,
        instructions=_stamp(request, place, sent.instructions),
        note=sent.note,
        timing=sent.timing.model_dump(),
    )


def _stamp(request: Request, place: Place, said: str | None) -> str:
    """The version an answer is given by. DataError: it is none of this project's."""
    if said is None or said == place.instructions:
        return place.instructions
    try:
        older = store_of(request).projects.version(said)
    except StoreError:
        older = None
    if older is None or older.project_id != place.project:
        raise DataError(f"instructions: '{said}' is no version of this project's; leave it out")
    return older.id
