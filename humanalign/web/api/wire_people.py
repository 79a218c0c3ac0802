"""People, programs, invites, tokens and the audit log as they are sent and told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.web.api.wire import (
    Anything,
    At,
    Gate,
    HexId,
    Name,
    Sent,
    Short,
    Standing,
    Told,
    Whole,
)

RoleTold = Literal["owner", "reviewer", "labeler", "program"]
TOKEN = Field(description="The secret, shown this once: send it as `Bearer ha_...`.")


class Me(Told):
    """Whose token this is, and the projects they work on with what stands before each."""

    rater: str = Field(description="The id under which answers are stored.")
    name: str
    role: RoleTold
    language: str
    projects: dict[str, Gate] = Field(description="Gate by project id.")


class RaterTold(Told):
    """A person or a program with an account. Names can be erased; ids stay."""

    rater: str
    name: str
    role: RoleTold
    at: At
    erased: bool


class RaterList(Told):
    """Every account, the oldest first."""

    raters: list[RaterTold]


class NewProgram(Sent):
    """A program that judges: a model, or a rule. Its name is its rater id."""

    name: Name = Field(examples=["reward-model-3"])
    kind: Literal["model", "rule"] = "model"
    projects: list[HexId] = Field(default=[], max_length=100, description="Projects it works on.")


class NewToken(Sent):
    """A token for yourself, or for a program of that rater id."""

    name: Name = Field(examples=["nightly import"])
    rater: Name | None = Field(
        default=None, description="A program's rater id; yourself by default."
    )


class TokenMade(Told):
    """A new token. The secret is not stored and cannot be shown again."""

    id: HexId
    rater: str
    token: str = TOKEN


class TokenTold(Told):
    """A token as it is listed."""

    id: HexId
    name: str
    rater: str
    at: At
    revoked_at: At | None


class TokenList(Told):
    """Every token, the oldest first."""

    tokens: list[TokenTold]


class NewInvite(Sent):
    """A link with which one person makes an account; a labeler's leads into a project."""

    role: Literal["owner", "reviewer", "labeler"] = "labeler"
    project: HexId | None = None
    note: Short = Field(default="", description="For you: whom it is for.")
    hours: float = Field(
        default=72, gt=0, le=720, allow_inf_nan=False, description="How long it works."
    )


class InviteMade(Told):
    """The way in: open `path` of this server in a browser. It works once."""

    token: str
    path: str = Field(examples=["/join/..."])


class InviteTold(Told):
    """An invite as it is listed; `hash` names it."""

    hash: str
    role: RoleTold
    project: HexId | None
    note: str
    state: Literal["open", "used", "withdrawn", "expired"]
    at: At
    expires_at: At
    used_by: str | None


class InviteList(Told):
    """Every invite, the newest first."""

    invites: list[InviteTold]


class Withdrawn(Told):
    """It no longer works."""

    ended: bool


class MemberTold(Told):
    """Somebody in a project; `score` is that of the last try at the quiz."""

    rater: str
    name: str
    role: RoleTold
    status: Standing
    reason: str
    consented_at: At | None
    passed: HexId | None
    score: float | None
    tries: int
    at: At


class MemberList(Told):
    """The members in the order they joined."""

    members: list[MemberTold]


class NewStanding(Sent):
    """Let a member work, pause or exclude them. Reversible; the reason is shown to them."""

    status: Standing = "active"
    reason: Short = ""


class AskAgain(Sent):
    """Why a member has to read the instructions and pass the quiz again."""

    reason: Short = Field(examples=["Several rankings look reversed."])


class AuditLine(Told):
    """`actor` did `action` to `subject`; ids, never names."""

    seq: int
    at: At
    actor: str
    action: str
    subject: str
    detail: Anything


class AuditPage(Told):
    """The newest entries first; `next` is what `before` must be for the page that follows."""

    entries: list[AuditLine]
    next: Whole | None
