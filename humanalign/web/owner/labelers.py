"""The labelers of a project: how well and how fast each judges, and what an owner can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import DataError
from humanalign.prefer.marks import letters_of, marks_in
from humanalign.prefer.statistics.labelers import Finding, LabelerReport
from humanalign.prefer.store.browse import Given
from humanalign.prefer.store.progress import Pace
from humanalign.prefer.store.projects import Instructions, Member, Project, Standing
from humanalign.types import EvalResult
from humanalign.web.guard import OwnerViewer, Staff, missing, store_of
from humanalign.web.label.sheet import summary
from humanalign.web.owner import charts, words
from humanalign.web.owner.overview import is_vote, names_of
from humanalign.web.owner.pages import Submitted, back, project_of, show, text_of
from humanalign.web.owner.reckoning import look

router = APIRouter()

STANDING: dict[str, Standing] = {
    "pause": "paused",
    "exclude": "excluded",
    "reinstate": "active",
}


@dataclass(frozen=True)
class Person:
    """One labeler as a row; without a report nothing is known of the quality."""

    id: str
    name: str
    member: Member | None
    pace: Pace
    report: LabelerReport | None
    quiz: str
    whisker: Markup

    @property
    def standing(self) -> str:
        """active, paused or excluded; "not a member" for imported raters."""
        return self.member.status if self.member else "not a member"

    @property
    def reason(self) -> str:
        """Why this person is paused or excluded."""
        return self.member.reason if self.member else ""

    @property
    def n(self) -> int:
        """Items judged by others too."""
        return self.report.n if self.report else 0

    @property
    def agreement(self) -> EvalResult | None:
        """None where nobody else judged the same items."""
        return self.report.agreement if self.report and self.report.n else None

    @property
    def tau(self) -> float | None:
        """The mean rank correlation with the others."""
        return self.report.tau if self.report else None

    @property
    def weight(self) -> float | None:
        """How much an answer counts in the consensus."""
        return self.report.weight if self.report else None

    @property
    def flagged(self) -> bool:
        """Whether the quality is clearly below the others'."""
        return bool(self.report and self.report.flagged)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What stands out, each with its advice."""
        return self.report.findings if self.report else ()


@router.get("/owner/{project}/labelers")
def labelers(request: Request, _viewer: Staff, project: str) -> Response:
    """Everybody who may work or has answered; whoever needs attention first."""
    found = project_of(request, project)
    seen, everybody = _people(request, found)
    everybody.sort(key=lambda p: (not p.flagged, -len(p.findings), -p.pace.answers, p.name))
    strangers = [each for each in everybody if each.member is None and each.id == each.name]
    votes = [each.id for each in strangers if is_vote(each.id)]
    context = {
        "project": found,
        "people": everybody,
        "votes": min(votes, key=lambda each: (len(each), each), default=""),
        "imported": len(strangers) - len(votes),
    }
    return show(request, "labelers", seen | context)


@router.get("/owner/{project}/labelers/{rater:path}")
def labeler(request: Request, _viewer: Staff, project: str, rater: str) -> Response:
    """One labeler with their recent answers."""
    found = project_of(request, project)
    seen, everybody = _people(request, found)
    person = next((each for each in everybody if each.id == rater), None)
    if person is None:
        raise missing()
    latest = store_of(request).figures.items.latest(project, rater)
    recent = [(each, _said(found.kind, each)) for each in latest]
    return show(request, "labeler", seen | {"project": found, "p": person, "recent": recent})


@router.post("/owner/{project}/labelers/{rater:path}")
def act(
    request: Request, viewer: OwnerViewer, project: str, rater: str, form: Submitted
) -> Response:
    """Pause, ask the quiz again, exclude or take back, with a reason. DataError: no reason."""
    found = project_of(request, project)
    action, reason = text_of(form, "action"), text_of(form, "reason")
    if not reason:
        raise DataError("give a reason; it is kept in the audit log")
    projects = store_of(request).projects
    if projects.member(project, rater) is None:
        raise missing()
    if action == "ask":
        projects.ask_again(found.id, rater, viewer.rater_id, reason)
    elif action in STANDING:
        projects.set_standing(found.id, rater, STANDING[action], reason, viewer.rater_id)
    else:
        raise DataError(f"action: expected ask, {', '.join(STANDING)}, got '{action}'")
    return back(f"/owner/{project}/labelers/{quote(rater, safe='')}", action)


def _people(request: Request, project: Project) -> tuple[dict[str, Any], list[Person]]:
    store = store_of(request)
    seen = look(request, project)
    reports = {each.id: each for each in seen.reckoned.summary.labelers} if seen.reckoned else {}
    paces = seen.pace[1]
    members = {each.rater_id: each for each in store.projects.members(project.id)}
    version = store.projects.instructions(project.id)
    names = names_of(request)
    everybody = [
        Person(
            id=each,
            name=names.get(each, each),
            member=members.get(each),
            pace=paces.get(each, Pace()),
            report=reports.get(each),
            quiz=_quiz(members.get(each), version),
            whisker=_whisker(reports.get(each)),
        )
        for each in dict.fromkeys([*members, *reports, *paces])
    ]
    return {"seen": seen}, everybody


def _quiz(member: Member | None, version: Instructions) -> str:
    """Where this person stands with the quiz of the newest version."""
    if member is None:
        return words.UNKNOWN
    if member.passed == version.id:
        return f"passed, {words.percent(member.score)}" if member.score is not None else "passed"
    if member.passed:
        return "passed an older version"
    return f"not passed, {member.tries} tries" if member.tries else "not taken"


def _whisker(report: LabelerReport | None) -> Markup:
    if report is None or not report.n:
        return Markup("")
    agreed = report.agreement
    return charts.whisker(agreed.value, agreed.ci_low, agreed.ci_high, mark=0.5)


def _said(kind: str, given: Given) -> str:
    """An answer in one line by the letters this person saw; imported ones have marks alone."""
    if given.display:
        return summary(letters_of(kind, given.body, given.display))
    return ", ".join(sorted(str(mark) for mark in marks_in(kind, given.body, [""]).values()))
