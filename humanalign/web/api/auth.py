"""Who may call an operation: by token, or by the session of a page of ours that calls the API.

Whoever may not is told that there is nothing (404), so that ids are not confirmed to strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from humanalign.errors import StoreError
from humanalign.prefer.store.accounts import Account
from humanalign.prefer.store.members import Entry
from humanalign.web.api.wire import ProjectId
from humanalign.web.guard import bearer, missing, store_of

BEFORE = {
    "consent": "you have not agreed to take part yet; open the project in the browser first",
    "instructions": "you have not passed the questions on the newest instructions yet; "
    "open the project in the browser first",
    "paused": "the owner paused your work here; nothing you sent before is lost",
    "excluded": "the owner ended your work here",
    "closed": "the project takes no answers now; its owner paused or archived it",
}


@dataclass(frozen=True)
class Place:
    """A member at work: who, where, by which criterion, and the newest instructions' id."""

    account: Account
    project: str
    criterion: str
    instructions: str

    @property
    def program(self) -> bool:
        """Whether it is a program, which may see the ids of completions."""
        return self.account.role == "program"


def owner(request: Request) -> Account:
    """An owner; a 404 for anybody else."""
    found = bearer(request)
    if found.role != "owner":
        raise missing()
    return found


def staff(request: Request) -> Account:
    """An owner or a reviewer, for operations that read; a 404 for anybody else."""
    found = bearer(request)
    if found.role not in ("owner", "reviewer"):
        raise missing()
    return found


def visitor(request: Request, project: ProjectId) -> Account:
    """A member of the project or staff; a 404 for anybody else."""
    found = bearer(request)
    if found.role not in ("owner", "reviewer"):
        _entry(request, project, found)
    return found


def place(request: Request, project: ProjectId) -> Place:
    """A member of the project, whatever stands before their work; a 404 for anybody else."""
    found = bearer(request)
    return _place(request, project, found, _entry(request, project, found))


def working(request: Request, project: ProjectId) -> Place:
    """A member whom nothing keeps from work; 403 with what does, a 404 for anybody else."""
    found = bearer(request)
    entry = _entry(request, project, found)
    if entry.gate != "open":
        raise HTTPException(403, BEFORE[entry.gate])
    return _place(request, project, found, entry)


def _place(request: Request, project: str, account: Account, entry: Entry) -> Place:
    # A project made by `ask` has no instructions before somebody wants them.
    version = entry.instructions or store_of(request).projects.instructions(project).id
    return Place(account, project, _criterion(request, project), version)


def _criterion(request: Request, project: str) -> str:
    """A project's criterion, which never changes: read once by this process."""
    held = request.app.state
    if not getattr(held, "criteria", None):
        held.criteria = {}
    if project not in held.criteria:
        held.criteria[project] = store_of(request).projects.get(project).criterion
    return held.criteria[project]


def _entry(request: Request, project: str, account: Account) -> Entry:
    try:
        return store_of(request).projects.entry(project, account.rater_id)
    except StoreError:
        raise missing() from None


Anyone = Annotated[Account, Depends(bearer)]
Owner = Annotated[Account, Depends(owner)]
Staff = Annotated[Account, Depends(staff)]
Visitor = Annotated[Account, Depends(visitor)]
Member = Annotated[Place, Depends(place)]
Worker = Annotated[Place, Depends(working)]
