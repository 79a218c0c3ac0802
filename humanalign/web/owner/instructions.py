"""The instructions editor: Markdown with a preview, the quiz, and the versions that were published.

Works without scripts: "Preview" sends the form and shows it again, nothing stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from humanalign.errors import DataError, HumanalignError
from humanalign.prefer.store.projects import Instructions, Project, Question
from humanalign.web.guard import OwnerViewer, Staff, missing, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import Submitted, back, project_of, refused, show, text_of
from humanalign.web.render import markdown

router = APIRouter()

MOST_QUESTIONS, MOST_OPTIONS = 8, 5
PLACES = tuple(str(place) for place in range(MOST_OPTIONS))
# Empty questions that the form offers beyond those there are.
SPARE = 1


@dataclass(frozen=True)
class Draft:
    """A question as it stands in the form; `options` are padded with empty ones."""

    text: str = ""
    options: tuple[str, ...] = ("",) * MOST_OPTIONS
    answer: int = 0
    why: str = ""


@router.get("/owner/{project}/instructions")
def instructions(request: Request, _viewer: Staff, project: str) -> Response:
    """The newest version in the editor, and all versions."""
    found = project_of(request, project)
    newest = store_of(request).projects.instructions(found.id)
    drafts = [Draft(q.text, _padded(q.options), q.answer, q.why) for q in newest.quiz]
    return show(request, "instructions", _context(request, found, newest.text, drafts))


@router.post("/owner/{project}/instructions")
def publish(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Publish a new version, or show the form again as it would look."""
    found = project_of(request, project)
    text, drafts = text_of(form, "text"), _drafts(form)
    context = _context(request, found, text, drafts)
    if text_of(form, "do") != "publish":
        return show(request, "instructions", context)
    projects = store_of(request).projects
    before = projects.instructions(found.id)
    try:
        made = projects.publish(found.id, text, _quiz(drafts), viewer.rater_id)
    except HumanalignError as error:
        return refused(request, "instructions", context, error)
    done = "unchanged" if made.number == before.number else "published"
    return back(f"/owner/{project}/instructions", done)


@router.post("/owner/{project}/instructions/preview")
def preview(request: Request, _viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """The Markdown in `text` as labelers would see it, for the editor's script."""
    project_of(request, project)
    return HTMLResponse(markdown(text_of(form, "text")))


@router.get("/owner/{project}/instructions/{version}")
def version(request: Request, _viewer: Staff, project: str, version: str) -> Response:
    """One version as it was published."""
    found = project_of(request, project)
    for each in store_of(request).projects.versions(found.id):
        if each.id == version:
            return show(request, "instruction_version", {"project": found, "version": each})
    raise missing()


def _context(
    request: Request, project: Project, text: str, drafts: Sequence[Draft]
) -> dict[str, object]:
    projects = store_of(request).projects
    versions: list[Instructions] = sorted(
        projects.versions(project.id), key=lambda each: -each.number
    )
    spare = [Draft()] * max(SPARE, 3 - len(drafts))
    quiz = [*drafts, *spare][:MOST_QUESTIONS]
    return {
        "project": project,
        "newest": versions[0],
        "versions": versions,
        "form": {"text": text, "quiz": quiz},
        "names": names_of(request),
    }


def _padded(options: Sequence[str]) -> tuple[str, ...]:
    return (*options, *[""] * MOST_OPTIONS)[: max(MOST_OPTIONS, len(options))]


def _drafts(form: FormData) -> list[Draft]:
    """The questions of the form that say anything."""
    drafts = []
    for n in range(MOST_QUESTIONS):
        options = tuple(text_of(form, f"q{n}-{k}") for k in range(MOST_OPTIONS))
        answer = text_of(form, f"q{n}-answer", "0")
        chosen = int(answer) if answer in PLACES else 0
        draft = Draft(text_of(form, f"q{n}"), options, chosen, text_of(form, f"q{n}-why"))
        if draft.text or any(options) or draft.why:
            drafts.append(draft)
    return drafts


def _quiz(drafts: Sequence[Draft]) -> tuple[Question, ...]:
    """The quiz that the form means. DataError names the question that is unfinished."""
    quiz = []
    for number, draft in enumerate(drafts, 1):
        if not draft.text:
            continue  # emptied to drop it
        if not draft.options[draft.answer]:
            raise DataError(f"question {number}: the answer marked as right is empty; fill it in")
        kept = [option for option in draft.options if option]
        if len(kept) < 2:
            raise DataError(f"question {number}: give at least two answers, got {len(kept)}")
        right = kept.index(draft.options[draft.answer])
        quiz.append(Question(draft.text, tuple(kept), right, draft.why))
    return tuple(quiz)
