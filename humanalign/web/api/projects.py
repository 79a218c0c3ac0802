"""Projects, criteria and instructions through the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Request
from pydantic import AfterValidator

from humanalign.prefer.defaults import Question as Asked
from humanalign.prefer.store.accounts import Account
from humanalign.prefer.store.projects import Instructions, Project, ProjectSettings
from humanalign.web.api.auth import Anyone, Owner, Staff, Visitor
from humanalign.web.api.frame import Said, says, section
from humanalign.web.api.wire import ProjectId, plain
from humanalign.web.api.wire_projects import (
    Criterion,
    CriterionList,
    Definition,
    InstructionsTold,
    NewInstructions,
    NewProject,
    NewStatus,
    ProjectList,
    ProjectTold,
    Settings,
    VersionList,
)
from humanalign.web.guard import store_of

router = section("projects")
CriterionName = Annotated[
    str,
    Path(description="A criterion's name.", min_length=1, max_length=64),
    AfterValidator(plain),
]
STAFF = ("owner", "reviewer")


@router.get("/projects", summary="List projects", responses=says(ProjectList))
def projects(request: Request, caller: Anyone) -> Said:
    """Every project for staff; those one is a member of for everybody else."""
    held = store_of(request).projects
    found = held.all() if caller.role in STAFF else held.projects_of(caller.rater_id)
    return Said({"projects": [project_told(request, each, caller) for each in found]})


@router.post(
    "/projects",
    summary="Create a project",
    status_code=201,
    responses=says(ProjectTold, 404, status=201, meaning="The new project, open."),
)
def create(request: Request, caller: Owner, sent: NewProject) -> Said:
    """A new project. Without instructions it gets the built-in ones of its criterion."""
    text, quiz = _content(sent.instructions)
    made = store_of(request).projects.create(
        sent.name,
        sent.kind,
        sent.criterion,
        definition=sent.definition,
        settings=_settings(sent.settings),
        instructions=text,
        quiz=quiz,
        by=caller.rater_id,
    )
    return Said(project_told(request, made, caller), 201)


@router.get("/projects/{project}", summary="Get a project", responses=says(ProjectTold, 404))
def project(request: Request, caller: Visitor, project: ProjectId) -> Said:
    """One project, and how far the caller is in it."""
    return Said(project_told(request, store_of(request).projects.get(project), caller))


@router.put("/projects/{project}/settings", summary="Configure", responses=says(ProjectTold, 404))
def configure(request: Request, caller: Owner, project: ProjectId, sent: Settings) -> Said:
    """Replace a project's settings; what is left out goes back to its default."""
    held = store_of(request).projects
    held.configure(project, _settings(sent), caller.rater_id)
    return Said(project_told(request, held.get(project), caller))


@router.put(
    "/projects/{project}/status", summary="Open, pause, archive", responses=says(ProjectTold, 404)
)
def set_status(request: Request, caller: Owner, project: ProjectId, sent: NewStatus) -> Said:
    """Open a project, pause it so that nobody gets work, or archive it."""
    held = store_of(request).projects
    held.set_status(project, sent.status, caller.rater_id)
    return Said(project_told(request, held.get(project), caller))


@router.get("/criteria", summary="List criteria", responses=says(CriterionList))
def criteria(request: Request, caller: Anyone) -> Said:
    """What each word of judgement means."""
    del caller  # anyone may read them
    found = store_of(request).projects.criteria()
    return Said({"criteria": [{"name": n, "definition": d} for n, d in found.items()]})


@router.put("/criteria/{name}", summary="Define a criterion", responses=says(Criterion, 404))
def define(request: Request, caller: Owner, name: CriterionName, sent: Definition) -> Said:
    """Say what a criterion means, for every project that judges by it."""
    held = store_of(request).projects
    held.define(name, sent.definition, caller.rater_id)
    return Said({"name": name, "definition": sent.definition})


@router.get(
    "/projects/{project}/instructions",
    summary="Read the instructions",
    responses=says(InstructionsTold, 404),
)
def instructions(request: Request, caller: Visitor, project: ProjectId) -> Said:
    """The newest version. Only staff are told the answers of its quiz."""
    return Said(_told(store_of(request).projects.instructions(project), caller))


@router.post(
    "/projects/{project}/instructions",
    summary="Publish instructions",
    status_code=201,
    responses=says(InstructionsTold, 404, status=201),
)
def publish(request: Request, caller: Owner, project: ProjectId, sent: NewInstructions) -> Said:
    """A new version; everybody passes its quiz before the next task."""
    text, quiz = _content(sent)
    made = store_of(request).projects.publish(project, text or "", quiz, caller.rater_id)
    return Said(_told(made, caller), 201)


@router.get(
    "/projects/{project}/instructions/versions",
    summary="List versions of the instructions",
    responses=says(VersionList, 404),
)
def versions(request: Request, caller: Staff, project: ProjectId) -> Said:
    """Every version there was: answers are stamped with their ids."""
    found = store_of(request).projects.versions(project)
    return Said({"versions": [_told(each, caller) for each in found]})


def project_told(request: Request, found: Project, caller: Account) -> dict:
    """A project as JSON, with how far the caller is where they work on it."""
    store, rater_id = store_of(request), caller.rater_id
    member = store.projects.member(found.id, rater_id)
    standing = store.queue.standing(found.id, rater_id) if member else None
    return {
        "id": found.id,
        "name": found.name,
        "kind": found.kind,
        "criterion": found.criterion,
        "definition": found.definition,
        "settings": _settings_told(found, caller),
        "status": found.status,
        "at": found.at,
        "gate": store.projects.gate(found.id, rater_id) if member else None,
        "done": standing.done if standing else None,
        "open": standing.open if standing else None,
    }


def _settings_told(found: Project, caller: Account) -> dict:
    """The settings; only staff are told how often a gold item comes, or it would be no test."""
    said = asdict(found.settings)
    return said if caller.role in STAFF else {**said, "gold_every": None}


def _settings(sent: Settings) -> ProjectSettings:
    return ProjectSettings(**sent.model_dump())


def _content(sent: NewInstructions | None) -> tuple[str | None, Sequence[Asked]]:
    if sent is None:
        return None, ()
    return sent.text, [Asked(q.text, tuple(q.options), q.answer, q.why) for q in sent.quiz]


def _told(version: Instructions, caller: Account) -> dict:
    knows = caller.role in STAFF
    return {
        "id": version.id,
        "number": version.number,
        "text": version.text,
        "quiz": [
            {
                "text": question.text,
                "options": list(question.options),
                "answer": question.answer if knows else None,
                "why": question.why if knows else None,
            }
            for question in version.quiz
        ],
        "at": version.at,
    }
