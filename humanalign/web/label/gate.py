"""What stands between a labeler and the work: consent, instructions read to the end, questions.

    /work/{project}/gate   the step that is due; POST takes consent or the answers to the questions

`Projects.gate` says which step is due. A new version of the instructions is asked again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from humanalign.prefer.store.projects import Instructions
from humanalign.web.guard import Seat, Sent, Worker, missing, store_of
from humanalign.web.render import language_of, page
from humanalign.web.words import Translate, translator

router = APIRouter()


def words_of(request: Request) -> Translate:
    """The translator into the viewer's language."""
    return translator(language_of(request))


@router.get("/work/{project}/instructions")
def instructions(request: Request, seat: Worker) -> Response:
    """The instructions in force, at hand at any time."""
    version = store_of(request).projects.instructions(seat.project.id)
    return _instructions(request, seat, version, gate=False)


@router.get("/work/{project}/gate")
def gate(request: Request, seat: Worker, step: str = "", kept: str = "") -> Response:
    """The step that is due; once all are taken, the work itself. `kept`: an answer waits for it."""
    due = _due(request, seat)
    if due == "consent":
        return page(request, "work/consent.html", project=seat.project, problem="")
    if due != "instructions":
        return _to_work(seat)
    version = store_of(request).projects.instructions(seat.project.id)
    if step == "quiz" and version.quiz:
        return _quiz(request, seat, version)
    return _instructions(request, seat, version, gate=True, kept=bool(kept))


@router.post("/work/{project}/gate")
def take_step(request: Request, seat: Worker, sent: Sent) -> Response:
    """Record consent, or grade the questions: passed, or explained and asked again."""
    due = _due(request, seat)
    if due == "consent" and sent.get("step") == "consent":
        return _consent(request, seat, sent)
    if due == "instructions" and sent.get("step") == "quiz":
        return _grade(request, seat, sent)
    return RedirectResponse(f"/work/{seat.project.id}/gate", 303)


def _due(request: Request, seat: Seat) -> str:
    if seat.member is None:
        raise missing()
    return store_of(request).projects.gate(seat.project.id, seat.account.rater_id)


def _consent(request: Request, seat: Seat, sent: Mapping[str, str]) -> Response:
    if sent.get("agreed") != "yes":
        problem = words_of(request)("Tick the box if you agree. Without it you cannot take part.")
        return page(request, "work/consent.html", 422, project=seat.project, problem=problem)
    store_of(request).projects.consent(seat.project.id, seat.account.rater_id)
    return RedirectResponse(f"/work/{seat.project.id}/gate", 303)


def _grade(request: Request, seat: Seat, sent: Mapping[str, str]) -> Response:
    projects = store_of(request).projects
    version = projects.instructions(seat.project.id)
    if sent.get("version") != version.id:
        return _quiz(request, seat, version, status=409, changed=True)
    given = _given(sent, version)
    if len(given) < len(version.quiz):
        first = next(n for n in range(len(version.quiz)) if n not in given) + 1
        problem = words_of(request)("Question {number} has no answer yet.", number=first)
        return _quiz(request, seat, version, status=422, given=given, problem=problem)
    right = sum(given[n] == question.answer for n, question in enumerate(version.quiz))
    score = right / len(version.quiz) if version.quiz else 1.0
    passed = projects.record_quiz(seat.project.id, seat.account.rater_id, version.id, score)
    if passed and right == len(version.quiz):
        return _to_work(seat)
    return _quiz(request, seat, version, given=given, right=right, passed=passed)


def _given(sent: Mapping[str, str], version: Instructions) -> dict[int, int]:
    """The option chosen for each question, both counted from 0; anything else counts as none."""
    chosen = {}
    for number, question in enumerate(version.quiz):
        offered = [str(option) for option in range(len(question.options))]
        if sent.get(f"q{number}") in offered:
            chosen[number] = int(sent[f"q{number}"])
    return chosen


def _quiz(
    request: Request,
    seat: Seat,
    version: Instructions,
    *,
    status: int = 200,
    given: Mapping[int, int] | None = None,
    right: int | None = None,
    passed: bool = False,
    changed: bool = False,
    problem: str = "",
) -> Response:
    """The questions; `right` is None before they were graded."""
    return page(
        request,
        "work/quiz.html",
        status,
        project=seat.project,
        version=version,
        needed=math.ceil(seat.project.settings.pass_mark * len(version.quiz) - 1e-9),
        given_answers=given or {},
        graded=right is not None,
        right=right,
        passed=passed,
        changed=changed,
        problem=problem,
    )


def _instructions(
    request: Request, seat: Seat, version: Instructions, *, gate: bool, kept: bool = False
) -> Response:
    """The text; in the gate with what leads on, and why it is asked again."""
    member = seat.member
    tried = gate and member is not None and member.tries > 0
    changed = bool(tried and member and member.passed and member.passed != version.id)
    again: bool | str = False
    if tried and not changed and member is not None and member.reason:
        again = member.reason
    return page(
        request,
        "work/instructions.html",
        project=seat.project,
        version=version,
        gate=gate,
        changed=changed,
        again=again,
        kept=kept,
    )


def _to_work(seat: Seat) -> Response:
    return RedirectResponse(f"/work/{seat.project.id}", 303)
