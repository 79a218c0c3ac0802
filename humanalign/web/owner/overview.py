"""The first page of a project: how far it is, what needs attention, and who is at work now."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from humanalign.prefer.statistics.summary import Figure
from humanalign.prefer.store.progress import Counts, Pace
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import Staff, store_of
from humanalign.web.owner import charts, words
from humanalign.web.owner.pages import project_of, show
from humanalign.web.owner.reckoning import Look, look
from humanalign.web.render import ENVIRONMENT

router = APIRouter()

# Rows of the live queue that a page shows.
MOST_HELD = 20
# How readers name votes of nobody in particular, with what `store.take_in` may put before it.
VOTE = re.compile(r"(imported:)?vote-[0-9]+")
HEADLINE = ("pair_agreement", "alpha_pairs", "mark_agreement", "alpha_ordinal")


@dataclass(frozen=True)
class Attention:
    """One thing to look at: `level` is "bad" or "look"."""

    level: str
    title: str
    text: str
    address: str


@router.get("/owner/{project}")
def overview(request: Request, _viewer: Staff, project: str) -> Response:
    """Progress, attention, answers a day, agreement and the live queue."""
    found = project_of(request, project)
    seen = look(request, found)
    live = _live(request, found)
    pace, labelers = seen.pace
    now = datetime.now(UTC).date()
    recent = [(now - timedelta(days=n)).isoformat() for n in range(charts.DAYS)]
    return show(
        request,
        "overview",
        live
        | {
            "seen": seen,
            "pace": pace,
            "people": sum(each.answers > 0 for each in labelers.values()),
            "today": pace.days.get(now.isoformat(), 0),
            "left": _left(live["counts"], pace),
            "chart": charts.per_day(pace.days, now),
            "recent_days": [(day, pace.days[day]) for day in recent if day in pace.days],
            "headline": _headline(seen),
            "attention": _attention(request, found, seen, live["counts"]),
        },
    )


@router.get("/owner/{project}/live")
def live(request: Request, _viewer: Staff, project: str) -> Response:
    """What changes by the second, for the page to refresh itself."""
    found = project_of(request, project)
    context = _live(request, found)
    counts: Counts = context["counts"]
    return JSONResponse(
        {
            "share": counts.share,
            "filled": words.count(counts.filled),
            "complete": words.count(counts.complete),
            "held": words.count(counts.held),
            "last": counts.last,
            "queue": ENVIRONMENT.get_template("owner/queue.html").render(
                context | {"words": words}
            ),
        }
    )


def names_of(request: Request) -> dict[str, str]:
    """rater id -> the name a person signs in with, for those who have one."""
    return {each.rater_id: each.name for each in store_of(request).people.accounts()}


def is_vote(rater_id: str) -> bool:
    """Whether this is a place in an imported file that names nobody."""
    return VOTE.fullmatch(rater_id) is not None


def _live(request: Request, project: Project) -> dict:
    figures = store_of(request).figures
    return {
        "project": project,
        "counts": figures.counts(project.id),
        "held": figures.held(project.id)[:MOST_HELD],
        "names": names_of(request),
        "now": time.time(),
    }


def _left(counts: Counts, pace: Pace) -> float | None:
    """The seconds that the wanted answers still take at the speed of the last 7 days.

    None where none is wanted or none came.
    """
    today = datetime.now(UTC).date()
    week = [(today - timedelta(days=n)).isoformat() for n in range(7)]
    given = sum(pace.days.get(day, 0) for day in week)
    wanted = counts.slots - counts.filled
    return wanted / given * 7 * words.DAY if given and wanted else None


def _headline(seen: Look) -> list[Figure]:
    if seen.reckoned is None:
        return []
    return [each for each in seen.reckoned.summary.figures if each.name in HEADLINE]


def _attention(request: Request, project: Project, seen: Look, counts: Counts) -> list[Attention]:
    base = f"/owner/{project.id}"
    found = [*_flagged(request, project, seen), *_gate(request, project)]
    contested = len(seen.reckoned.summary.contested) if seen.reckoned else 0
    if contested:
        text = "The labelers lean one way by less than half; more of them would settle it."
        title = f"{words.count(contested)} contested {'item' if contested == 1 else 'items'}"
        found.append(Attention("look", title, text, f"{base}/items?show=contested"))
    if counts.skipped:
        title = (
            f"Skipped {words.count(counts.skipped)} {'time' if counts.skipped == 1 else 'times'}"
        )
        text = "Labelers say why; the prompt may be broken or too upsetting."
        found.append(Attention("look", title, text, f"{base}/items?show=skipped"))
    if counts.flagged:
        title = (
            f"Reported {words.count(counts.flagged)} {'time' if counts.flagged == 1 else 'times'}"
        )
        text = "A labeler says that something is wrong with an item."
        found.append(Attention("bad", title, text, f"{base}/items?show=flagged"))
    if not counts.items:
        text = "Import prompts with their completions, and people can start."
        found.append(Attention("look", "No items yet", text, f"{base}/import"))
    return found


def _flagged(request: Request, project: Project, seen: Look) -> list[Attention]:
    if seen.reckoned is None:
        return []
    names = names_of(request)
    members = {each.rater_id: each for each in store_of(request).projects.members(project.id)}
    found = []
    for each in seen.reckoned.summary.labelers:
        member = members.get(each.id)
        if is_vote(each.id):
            continue
        if each.flagged and (member is None or member.status == "active"):
            said = " ".join(finding.sentence for finding in each.findings if finding.flag)
            text = said or each.reason or "agrees less with the others than chance would explain."
            title = names.get(each.id, each.id)
            address = f"/owner/{project.id}/labelers/{quote(each.id)}"
            found.append(Attention("bad", title, text, address))
    return found


def _gate(request: Request, project: Project) -> list[Attention]:
    """Those who try the quiz again and again."""
    stuck = [
        each
        for each in store_of(request).projects.members(project.id)
        if each.tries >= 3 and each.passed is None and each.status == "active"
    ]
    return [
        Attention(
            "look",
            each.name,
            f"took the quiz {each.tries} times and has not passed; a question may be unclear.",
            f"/owner/{project.id}/labelers/{each.rater_id}",
        )
        for each in stuck
    ]
