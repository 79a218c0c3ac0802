"""The labeler's pages: my projects, the next task, answering, going back, skipping.

    /work                              my projects
    /work/{project}                    the gate, the next task, or why there is none
    /work/{project}/items/{item}       an item I was shown: GET to see or change, POST to answer
    .../draft  .../heartbeat  .../skip  .../report while I work on it
    /work/{project}/back               the answer before this one

Every page works by plain forms: a POST answers with 303 to the next page, or with the same page
and one sentence that says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from humanalign.errors import DataError
from humanalign.prefer.store.answers import KeyReused
from humanalign.prefer.store.queue import Conflict, Submission, Task
from humanalign.web.guard import OwnerViewer, Seat, Sent, Viewer, Worker, missing, store_of
from humanalign.web.label import forms, phrases, sheet
from humanalign.web.problems import wants_json
from humanalign.web.render import page
from humanalign.web.words import sentence

router = APIRouter()
SOMEBODY_ELSE = sentence(
    "This page was opened by somebody else who had signed in here. Nothing of it was stored; it is "
    "sent when that person signs in again in this tab."
)


@router.get("/work")
def index(request: Request, viewer: Viewer) -> Response:
    """My projects, how far I am, and what is due in each."""
    store = store_of(request)
    rows = [
        {
            "project": project,
            "standing": store.queue.standing(project.id, viewer.rater_id),
            "gate": store.projects.gate(project.id, viewer.rater_id),
        }
        for project in store.projects.projects_of(viewer.rater_id)
    ]
    return page(request, "work/index.html", rows=rows, kinds=phrases.KINDS)


@router.get("/work/{project}")
def next_task(request: Request, seat: Worker) -> Response:
    """The next task; before it the gate, after it the end, instead of it why there is none."""
    if seat.member is None:
        return page(request, "work/preview.html", project=seat.project)
    stopped = _stopped(request, seat)
    if stopped is not None:
        return stopped
    queue, rater_id = store_of(request).queue, seat.account.rater_id
    task = queue.next(seat.project.id, rater_id)
    if task is not None:
        return sheet.show(request, seat, task)
    return page(
        request,
        "work/done.html",
        project=seat.project,
        standing=queue.standing(seat.project.id, rater_id),
        previous=queue.before(seat.project.id, rater_id),
    )


@router.post("/work/{project}/join")
def join(request: Request, viewer: OwnerViewer, seat: Worker) -> Response:
    """An owner who labels too becomes a member and passes the gate as everybody does."""
    store_of(request).projects.join(seat.project.id, viewer.rater_id)
    return RedirectResponse(f"/work/{seat.project.id}", 303)


@router.get("/work/{project}/back")
def back(request: Request, seat: Worker, item: str = "") -> Response:
    """To the answer I gave before `item`, or before now; to the next task where there is none."""
    before = store_of(request).queue.before(seat.project.id, seat.account.rater_id, item or None)
    place = f"/work/{seat.project.id}" + (f"/items/{before}" if before else "")
    return RedirectResponse(place, 303)


@router.get("/work/{project}/items/{item}")
def one_task(request: Request, seat: Worker, item: str) -> Response:
    """An item I hold or have answered."""
    return _stopped(request, seat) or sheet.show(request, seat, _task(request, seat, item))


@router.post("/work/{project}/items/{item}")
def answer(request: Request, seat: Worker, item: str, sent: Sent) -> Response:
    """Store the answer and go on; 422 names the card without a mark, 409 shows both versions.

    Whoever has to pass the instructions again goes there, with the answer kept as a draft, unless
    the page was opened under a version they had passed.
    """
    _check_sender(seat, sent)
    task, due = _task(request, seat, item), _due(request, seat)
    if due in sheet.BLOCKED:
        return sheet.blocked(request, seat, due, kept=True)
    version = sheet.stamp(request, seat, due, sent.get("instructions", ""))
    if not version:
        _keep(request, seat, task, sent)
        return RedirectResponse(f"/work/{seat.project.id}/gate?kept=1", 303)
    letters = [card.letter for card in task.cards]
    marks = forms.marks_of(sent, task.kind, letters)
    faulty = forms.unmarked(marks, letters)
    if faulty is not None:
        return sheet.show(request, seat, task, sent=sent, faulty=faulty)
    try:
        store_of(request).queue.submit(_submission(seat, task, sent, version))
    except (Conflict, KeyReused):
        return sheet.conflict(request, seat, _task(request, seat, item), sent)
    return _onward(seat, sent)


@router.post("/work/{project}/items/{item}/draft")
def draft(request: Request, seat: Worker, item: str, sent: Sent) -> Response:
    """Keep what is on the page now, complete or not; never an answer by itself."""
    _check_sender(seat, sent)
    _keep(request, seat, _task(request, seat, item), sent)
    return JSONResponse({"saved": True})


@router.post("/work/{project}/items/{item}/heartbeat")
def heartbeat(request: Request, seat: Worker, item: str) -> Response:
    """Hold the item for another half hour. Whoever may not work now holds nothing from others."""
    task = _task(request, seat, item)
    if _due(request, seat) in sheet.BLOCKED:
        raise missing()
    until = store_of(request).queue.heartbeat(task.item_id, seat.account.rater_id)
    return JSONResponse({"lease_until": until})


@router.get("/work/{project}/items/{item}/skip")
def ask_why(request: Request, seat: Worker, item: str, formatted: str = "") -> Response:
    """The skip form as a page of its own, for browsers without scripts."""
    task = _task(request, seat, item)
    return page(
        request,
        "work/skip.html",
        project=seat.project,
        base=f"/work/{seat.project.id}/items/{task.item_id}",
        reasons=forms.SKIP_REASONS,
        formatted=bool(formatted),
    )


@router.post("/work/{project}/items/{item}/skip")
def skip(request: Request, seat: Worker, item: str, sent: Sent) -> Response:
    """Give the item back with a reason and go on."""
    _check_sender(seat, sent)
    task = _task(request, seat, item)
    if _due(request, seat) in sheet.BLOCKED:
        return sheet.blocked(request, seat, _due(request, seat))
    queue, rater_id = store_of(request).queue, seat.account.rater_id
    queue.skip(task.item_id, rater_id, sent.get("reason", ""), forms.note_of(sent))
    return _onward(seat, sent)


@router.get("/work/{project}/items/{item}/report")
def ask_what(request: Request, seat: Worker, item: str, formatted: str = "") -> Response:
    """The form of a report as a page of its own, for browsers without scripts."""
    task = _task(request, seat, item)
    return page(
        request,
        "work/report.html",
        project=seat.project,
        base=f"/work/{seat.project.id}/items/{task.item_id}",
        reasons=forms.PROBLEMS,
        formatted=bool(formatted),
    )


@router.post("/work/{project}/items/{item}/report")
def report(request: Request, seat: Worker, item: str, sent: Sent) -> Response:
    """Tell the owner what is wrong with the item, which stays with its labeler."""
    _check_sender(seat, sent)
    task = _task(request, seat, item)
    if _due(request, seat) in sheet.BLOCKED:
        return sheet.blocked(request, seat, _due(request, seat))
    queue, rater_id = store_of(request).queue, seat.account.rater_id
    queue.report(task.item_id, rater_id, sent.get("reason", ""), forms.note_of(sent))
    if wants_json(request):
        return JSONResponse({"reported": True})
    view = "&formatted=1" if sent.get("formatted") else ""
    address = f"/work/{seat.project.id}/items/{task.item_id}?reported=1{view}"
    return RedirectResponse(address, 303)


def _task(request: Request, seat: Seat, item: str) -> Task:
    """The item if it is of this project and mine; a 404 otherwise."""
    if seat.member is None:
        raise missing()
    task = store_of(request).queue.task(item, seat.account.rater_id)
    if task.project_id != seat.project.id:
        raise missing()
    return task


def _due(request: Request, seat: Seat) -> str:
    return store_of(request).projects.gate(seat.project.id, seat.account.rater_id)


def _stopped(request: Request, seat: Seat) -> Response | None:
    """What comes before work: a step of the gate, or a page that says why there is none."""
    due = _due(request, seat)
    if due in sheet.BLOCKED:
        return sheet.blocked(request, seat, due)
    return None if due == "open" else RedirectResponse(f"/work/{seat.project.id}/gate", 303)


def _keep(request: Request, seat: Seat, task: Task, sent: Mapping[str, str]) -> None:
    """Keep what was entered as the draft of the task."""
    body = {
        "marks": forms.marks_of(sent, task.kind, [card.letter for card in task.cards]),
        "note": forms.note_of(sent),
        "revision": _revision(sent),
        "timing": forms.timing_of(sent),
    }
    store_of(request).queue.save_draft(task.item_id, seat.account.rater_id, body)


def _submission(seat: Seat, task: Task, sent: Mapping[str, str], version: str) -> Submission:
    letters = [card.letter for card in task.cards]
    return Submission(
        item_id=task.item_id,
        rater_id=seat.account.rater_id,
        marks=forms.marks_of(sent, task.kind, letters),
        key=sent.get("key", ""),
        revision=_revision(sent),
        instructions=version,
        note=forms.note_of(sent),
        timing=forms.timing_of(sent),
    )


def _check_sender(seat: Seat, sent: Mapping[str, str]) -> None:
    """A 403 for a form that was filled in by somebody else: its letters are that person's."""
    if sent.get("who", seat.account.rater_id) != seat.account.rater_id:
        raise HTTPException(403, SOMEBODY_ELSE)


def _revision(sent: Mapping[str, str]) -> int:
    text = sent.get("revision", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise DataError(f"revision: expected a number, got '{text[:20]}'; reload the page")
    return int(text)


def _onward(seat: Seat, sent: Mapping[str, str]) -> Response:
    view = "?formatted=1" if sent.get("formatted") else ""
    return RedirectResponse(f"/work/{seat.project.id}{view}", 303)
