"""Import in two steps: what was recognised in the file is shown first, and stored after a yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import DataError, HumanalignError
from humanalign.prefer.files.judgements import Judgements, Question, asked_as
from humanalign.prefer.files.reading import LAYOUTS, read_judgements
from humanalign.prefer.files.uploads import LIMITS, read_upload
from humanalign.prefer.marks import RANKED
from humanalign.prefer.store.intake import check_import
from humanalign.prefer.store.project_settings import settings_text
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import OwnerViewer, store_of
from humanalign.web.owner import held
from humanalign.web.owner.pages import Submitted, back, project_of, refused, show, text_of

router = APIRouter()

FIRST = 4
OPENING = 400


@dataclass(frozen=True)
class Sample:
    """A completion of the preview with its mark by each of the item's raters."""

    text: str
    model: str
    marks: tuple[str, ...]


@dataclass(frozen=True)
class FirstItem:
    """One of the file's first items."""

    prompt: str
    raters: tuple[str, ...]
    completions: tuple[Sample, ...]


@dataclass(frozen=True)
class Preview:
    """What a file would bring; `held` names the upload, `mismatch` says why it cannot be stored."""

    held: str
    chosen: str
    layout: str
    prompts: int
    completions: int
    items: int
    judgements: int
    raters: int
    left_out: tuple[str, ...]
    first: tuple[FirstItem, ...]
    mismatch: str


@router.get("/owner/{project}/import")
def form(request: Request, _viewer: OwnerViewer, project: str) -> Response:
    """The form, and what each layout is."""
    return show(request, "import", _context(project_of(request, project)))


@router.post("/owner/{project}/import")
def take(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Show what a file holds, or store the one that was shown."""
    found = project_of(request, project)
    chosen = text_of(form, "layout")
    try:
        if "held" in form:
            _store(request, viewer.rater_id, found, form)
            return back(f"/owner/{project}", "imported")
        preview = _preview(found, form, chosen)
    except HumanalignError as error:
        return refused(request, "import", _context(found, chosen), error)
    return show(request, "import", _context(found, chosen) | {"preview": preview})


def _context(project: Project, chosen: str = "") -> dict[str, object]:
    layouts = [("", "told by the columns"), *((each, each) for each in LAYOUTS)]
    return {
        "project": project,
        "preview": None,
        "layouts": layouts,
        "chosen": chosen,
        "known": LAYOUTS.values(),
        "limits": LIMITS,
    }


def _preview(project: Project, form: FormData, chosen: str) -> Preview:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise DataError("file: choose a file to import")
    token = held.keep(file.file, file.filename, project.id)
    try:
        found = _read(*held.look_up(token, project.id), project, chosen)
    except HumanalignError:
        held.drop(token, project.id)
        raise
    return Preview(
        held=token,
        chosen=chosen,
        layout=found.layout,
        prompts=len(found.prompts),
        completions=len(found.completions),
        items=len(found.questions),
        judgements=len(found.judgements),
        raters=len(found.raters),
        left_out=found.left_out,
        first=_first(found),
        mismatch=_mismatch(found, project),
    )


def _store(request: Request, by: str, project: Project, form: FormData) -> None:
    token = text_of(form, "held")
    found = _read(*held.look_up(token, project.id), project, text_of(form, "layout"))
    store_of(request).take_in(project.id, found, overlap=project.settings.overlap, by=by)
    held.drop(token, project.id)


def _read(path: Path, filename: str, project: Project, layout: str) -> Judgements:
    with path.open("rb") as stream, read_upload(stream, filename) as upload:
        read = read_judgements(upload, layout=layout or None, criterion=project.criterion)
    found = asked_as(read, project.kind)
    return replace(found, questions=tuple(_fitted(each, project) for each in found.questions))


def _fitted(question: Question, project: Project) -> Question:
    """A choice between two is a ranking of two, and the other way round: the ids are the same."""
    both_rank = project.kind in RANKED and question.kind in RANKED
    fits = project.kind != "pairwise" or len(question.completion_ids) == 2
    return replace(question, kind=project.kind) if both_rank and fits else question


def _mismatch(found: Judgements, project: Project) -> str:
    """Why the store would not take the file into the project; "" where it would."""
    place = {
        "name": project.name,
        "kind": project.kind,
        "criterion": project.criterion,
        "settings": settings_text(project.settings),
    }
    try:
        check_import(place, found)
    except DataError as error:
        return str(error)
    return ""


def _first(found: Judgements) -> tuple[FirstItem, ...]:
    questions = found.questions[:FIRST]
    wanted = {each.id for each in questions}
    marks: dict[str, dict[str, Mapping]] = {each: {} for each in wanted}
    for each in found.judgements:
        if each.question_id in wanted:
            marks[each.question_id][each.rater_id] = each.marks
    prompts = {each.id: each.text for each in found.prompts}
    answers = {each.id: each for each in found.completions}
    return tuple(_item(each, prompts, answers, marks[each.id]) for each in questions)


def _item(
    question: Question, prompts: Mapping, answers: Mapping, marks: Mapping[str, Mapping]
) -> FirstItem:
    raters = tuple(marks)[:6]
    samples = [
        Sample(
            text=answers[each].text[:OPENING],
            model=answers[each].sampler.model,
            marks=tuple(str(marks[rater].get(each, "")) for rater in raters),
        )
        for each in question.completion_ids
    ]
    return FirstItem(prompts[question.prompt_id][:OPENING], raters, tuple(samples))
