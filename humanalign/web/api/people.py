"""The caller, programs, tokens, invites, members and the audit log through the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Path, Query, Request

from humanalign.errors import DataError
from humanalign.prefer.store.projects import Member
from humanalign.web.api.auth import Anyone, Owner, Staff
from humanalign.web.api.frame import Said, says, section
from humanalign.web.api.wire import HEX, MOST, Limit, ProjectId, RaterId
from humanalign.web.api.wire_people import (
    AskAgain,
    AuditPage,
    InviteList,
    InviteMade,
    Me,
    MemberList,
    MemberTold,
    NewInvite,
    NewProgram,
    NewStanding,
    NewToken,
    RaterList,
    TokenList,
    TokenMade,
    Withdrawn,
)
from humanalign.web.guard import missing, store_of

router = section("people")
TokenId = Annotated[str, Path(description="A token's id.", pattern=HEX)]
InviteHash = Annotated[str, Path(description="An invite's hash.", pattern="^[0-9a-f]{64}$")]
Before = Annotated[
    int | None, Query(ge=1, le=MOST, description="The `next` of the page before this one.")
]


@router.get("/me", summary="Who am I", responses=says(Me))
def me(request: Request, caller: Anyone) -> Said:
    """Whose token this is, and what stands between them and work in each project."""
    held = store_of(request).projects
    mine = held.projects_of(caller.rater_id)
    return Said(
        {
            "rater": caller.rater_id,
            "name": caller.name,
            "role": caller.role,
            "language": caller.language,
            "projects": {each.id: held.gate(each.id, caller.rater_id) for each in mine},
        }
    )


@router.get("/raters", summary="List accounts", responses=says(RaterList, 404))
def raters(request: Request, caller: Staff) -> Said:
    """Every person and program with an account, the oldest first."""
    del caller
    rows = [
        {
            "rater": each.rater_id,
            "name": each.name,
            "role": each.role,
            "at": each.at,
            "erased": each.erased,
        }
        for each in store_of(request).people.accounts()
    ]
    return Said({"raters": rows})


@router.post(
    "/raters",
    summary="Create a program",
    status_code=201,
    responses=says(TokenMade, 404, status=201, meaning="The program's token."),
)
def create_program(request: Request, caller: Owner, sent: NewProgram) -> Said:
    """A program account with a token; it joins the projects named."""
    store = store_of(request)
    for each in sent.projects:
        store.projects.get(each)
    made = store.people.create(sent.name, "program", kind=sent.kind)
    for each in sent.projects:
        store.projects.join(each, made.rater_id)
    return _token(request, made.rater_id, made.name, caller.rater_id)


@router.get("/tokens", summary="List tokens", responses=says(TokenList, 404))
def tokens(request: Request, caller: Owner) -> Said:
    """Every token; their secrets are not stored."""
    del caller
    rows = [
        {
            "id": each.id,
            "name": each.name,
            "rater": each.rater_id,
            "at": each.at,
            "revoked_at": each.revoked_at,
        }
        for each in store_of(request).people.tokens()
    ]
    return Said({"tokens": rows})


@router.post(
    "/tokens",
    summary="Create a token",
    status_code=201,
    responses=says(TokenMade, 404, status=201),
)
def create_token(request: Request, caller: Owner, sent: NewToken) -> Said:
    """A token for yourself or a program. Nobody can make one that speaks for another person."""
    rater_id = sent.rater or caller.rater_id
    if rater_id != caller.rater_id:
        whose = store_of(request).people.account(rater_id)
        if whose.role != "program":
            raise DataError(f"rater: '{rater_id}' is a person; name a program, or leave it out")
    return _token(request, rater_id, sent.name, caller.rater_id)


@router.delete("/tokens/{token}", summary="Revoke a token", responses=says(Withdrawn, 404))
def revoke_token(request: Request, caller: Owner, token: TokenId) -> Said:
    """End a token at once; once more does nothing."""
    store_of(request).people.revoke_token(token, caller.rater_id)
    return Said({"ended": True})


@router.get("/invites", summary="List invites", responses=says(InviteList, 404))
def invites(request: Request, caller: Staff) -> Said:
    """Every invite, the newest first."""
    del caller
    rows = [
        {
            "hash": each.hash,
            "role": each.role,
            "project": each.project_id,
            "note": each.note,
            "state": each.state,
            "at": each.at,
            "expires_at": each.expires_at,
            "used_by": each.used_by,
        }
        for each in store_of(request).people.invites.all()
    ]
    return Said({"invites": rows})


@router.post(
    "/invites",
    summary="Invite somebody",
    status_code=201,
    responses=says(InviteMade, 404, status=201),
)
def invite(request: Request, caller: Owner, sent: NewInvite) -> Said:
    """A link that makes one account, for the person you send it to."""
    token = store_of(request).people.invites.new(
        sent.role,
        by=caller.rater_id,
        project_id=sent.project,
        note=sent.note,
        hours=sent.hours,
    )
    return Said({"token": token, "path": f"/join/{token}"}, 201)


@router.delete("/invites/{hash}", summary="Withdraw an invite", responses=says(Withdrawn, 404))
def withdraw(request: Request, caller: Owner, hash: InviteHash) -> Said:
    """End an invite that nobody has used."""
    store_of(request).people.invites.withdraw(hash, caller.rater_id)
    return Said({"ended": True})


@router.get("/projects/{project}/members", summary="List members", responses=says(MemberList, 404))
def members(request: Request, caller: Staff, project: ProjectId) -> Said:
    """Who works on a project, in the order they joined."""
    del caller
    found = store_of(request).projects.members(project)
    return Said({"members": [_member(each) for each in found]})


@router.put(
    "/projects/{project}/members/{rater}",
    summary="Set a member's standing",
    responses=says(MemberTold, 404),
)
def set_standing(
    request: Request, caller: Owner, project: ProjectId, rater: RaterId, sent: NewStanding
) -> Said:
    """Let somebody work, pause or exclude them. Whoever has an account joins by this."""
    store = store_of(request)
    store.people.account(rater)
    store.projects.join(project, rater)
    store.projects.set_standing(project, rater, sent.status, sent.reason, caller.rater_id)
    return _current(request, project, rater)


@router.post(
    "/projects/{project}/members/{rater}/ask-again",
    summary="Ask for the quiz again",
    responses=says(MemberTold, 404),
)
def ask_again(
    request: Request, caller: Owner, project: ProjectId, rater: RaterId, sent: AskAgain
) -> Said:
    """Have a member read the instructions and pass the quiz again before the next task."""
    held = store_of(request).projects
    held.ask_again(project, rater, caller.rater_id, sent.reason)
    return _current(request, project, rater)


@router.get("/audit", summary="Read the audit log", responses=says(AuditPage, 404))
def audit(request: Request, caller: Staff, before: Before = None, limit: Limit = 100) -> Said:
    """What was done to people and projects, by whom; the newest first."""
    del caller
    found = store_of(request).audit.page(before, limit)
    onward = found[-1].seq if len(found) == limit and found[-1].seq > 1 else None
    entries = [{**asdict(each), "detail": dict(each.detail)} for each in found]
    return Said({"entries": entries, "next": onward})


def _token(request: Request, rater_id: str, name: str, by: str) -> Said:
    made, secret = store_of(request).people.new_token(rater_id, name, by)
    return Said({"id": made, "rater": rater_id, "token": secret}, 201)


def _current(request: Request, project: str, rater: str) -> Said:
    found = store_of(request).projects.member(project, rater)
    if found is None:
        raise missing()
    return Said(_member(found))


def _member(found: Member) -> dict:
    said = asdict(found)
    del said["project_id"]
    return {"rater": said.pop("rater_id"), **said}
