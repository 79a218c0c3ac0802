"""A task as a page: what is entered, what is shown around it, and the two pages that replace it.

What reaches the browser is the prompt, the answers' letters and texts, and the person's own marks;
never who wrote an answer, nor whether an item is a test.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from humanalign.prefer.ranks import Mark
from humanalign.prefer.store.queue import Task
from humanalign.web.guard import Seat, store_of
from humanalign.web.label import forms, phrases
from humanalign.web.label.gate import words_of
from humanalign.web.render import page

BLOCKED = ("paused", "excluded", "closed")
# The answers looked at for the versions that somebody had passed: an open page is one of the last.
EARLIER = 50
# Set anew by the page that is built, so not carried over from the form that was sent.
FRESH = ("csrf", "key", "revision")


@dataclass(frozen=True)
class Entered:
    """What the person has given so far: sent now, kept as a draft, or stored as their answer."""

    marks: Mapping[str, Mark]
    note: str
    timing: str


def show(
    request: Request,
    seat: Seat,
    task: Task,
    *,
    sent: Mapping[str, str] | None = None,
    faulty: str | None = None,
) -> Response:
    """The page of a task; `sent` and `faulty` (the card without a mark) are of a refused form."""
    store, _, project = store_of(request), words_of(request), seat.project
    letters = [card.letter for card in task.cards]
    entered = _entered(task, sent, letters)
    scale = project.settings.scale
    groups = forms.groups(task.kind, letters, entered.marks, scale=scale, _=_)
    standing = store.queue.standing(project.id, seat.account.rater_id)
    asked = sent.get("formatted") if sent is not None else request.query_params.get("formatted")
    return page(
        request,
        "work/task.html",
        422 if faulty else 200,
        project=project,
        task=task,
        groups=groups,
        faulty=faulty,
        problem=forms.what_is_missing(task.kind, faulty, groups[0].choices, _) if faulty else "",
        note=entered.note,
        timing=entered.timing,
        summary=summary(entered.marks),
        standing=standing,
        total=standing.done + standing.open,
        previous=store.queue.before(project.id, seat.account.rater_id, task.item_id),
        instructions=seat.member.passed or "" if seat.member else "",
        key=secrets.token_urlsafe(18),
        formatted=bool(asked),
        asked=_(phrases.QUESTIONS[task.kind], scale=scale),
        definition=project.definition,
        reasons=forms.SKIP_REASONS,
        problems=forms.PROBLEMS,
        reported="reported" in request.query_params,
        keys=phrases.OWN_KEYS[task.kind] + phrases.KEYS,
        words=phrases.spoken(task.kind, _),
    )


def conflict(request: Request, seat: Seat, held: Task, sent: Mapping[str, str]) -> Response:
    """Both versions side by side: the stored answer and the one that came too late."""
    letters = [card.letter for card in held.cards]
    mine = forms.marks_of(sent, held.kind, letters)
    sides = [
        {"name": name, "note": note, "rows": _rows(letters, marks, held.marks)}
        for name, marks, note in (
            ("stored", held.marks, held.note),
            ("sent", mine, forms.note_of(sent)),
        )
    ]
    return page(
        request,
        "work/conflict.html",
        409,
        project=seat.project,
        task=held,
        sides=sides,
        key=secrets.token_urlsafe(18),
        sent={name: value for name, value in sent.items() if name not in FRESH},
    )


def blocked(request: Request, seat: Seat, due: str, *, kept: bool = False) -> Response:
    """Why there is no work, and what to do; `kept` says that an answer came too late."""
    _ = words_of(request)
    title, said, advice = {
        "paused": (
            _("Your work here is paused"),
            _("The people who run {project} have paused your work.", project=seat.project.name),
            _("Write to whoever invited you. What you have answered so far is kept."),
        ),
        "excluded": (
            _("Your work here has ended"),
            _("The people who run {project} have ended your work.", project=seat.project.name),
            _("If you think this is a mistake, write to whoever invited you: it can be undone."),
        ),
        "closed": (
            _("This project is closed"),
            _("{project} takes no answers at the moment.", project=seat.project.name),
            _("Look in again later, or go on with another project. Your drafts are kept."),
        ),
    }[due]
    reason = seat.member.reason if seat.member and due != "closed" else ""
    words = {"title": title, "said": said, "advice": advice, "reason": reason}
    status = 409 if kept else 200
    return page(request, "work/blocked.html", status, project=seat.project, kept=kept, **words)


def stamp(request: Request, seat: Seat, due: str, named: str) -> str:
    """The instruction version an answer is given under: the one its page named, if it was passed.

    "" where the person has to pass the instructions first (`due`) and named none that they had.
    """
    store, rater_id = store_of(request), seat.account.rater_id
    passed = seat.member.passed or "" if seat.member else ""
    if named and named == passed:
        return passed
    earlier = store.items.latest(seat.project.id, rater_id, limit=EARLIER) if named else []
    if named in {given.instructions for given in earlier}:
        return named
    if due != "open":
        return ""
    return passed or store.projects.instructions(seat.project.id).id


def summary(marks: Mapping[str, Mark]) -> str:
    """The ranking in one line: `1: C  2: A=D  F: B`; scripts write the same."""
    tiers: dict[Mark, list[str]] = {}
    for letter in sorted(marks):
        tiers.setdefault(marks[letter], []).append(letter)
    ordered = sorted(tiers, key=lambda mark: (mark == "F", str(mark)))
    return "  ".join(f"{mark}: {'='.join(tiers[mark])}" for mark in ordered)


def _entered(task: Task, sent: Mapping[str, str] | None, letters: list[str]) -> Entered:
    if sent is not None:
        marks = forms.marks_of(sent, task.kind, letters)
        return Entered(marks, forms.note_of(sent), sent.get("timing", ""))
    draft = task.draft
    if draft is not None and draft.get("revision") == task.revision:
        timing = json.dumps(draft.get("timing") or {})
        return Entered(draft.get("marks", {}), draft.get("note", ""), timing)
    return Entered(task.marks, task.note, "")


def _rows(
    letters: list[str], marks: Mapping[str, Mark], held: Mapping[str, Mark]
) -> list[tuple[str, Mark, bool]]:
    """(card, mark, whether it differs from the stored one)."""
    rows = [(letter, marks.get(letter, ""), held.get(letter, "")) for letter in letters]
    return [(letter, mark, str(mark) != str(other)) for letter, mark, other in rows]
