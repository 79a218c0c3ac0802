"""The items of a project: a list in pages, and one item with all that was said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.prefer.marks import LETTERS, RANKED, marks_in
from humanalign.prefer.ranks import Mark, competition_marks
from humanalign.prefer.statistics.overlap import Contested, further
from humanalign.prefer.store.browse import Given, ItemDetail, ItemRow, Show
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import PAGE_SIZE, back, project_of, show
from humanalign.web.owner.reckoning import look

router = APIRouter()

Shows = Literal["all", "contested", "unfinished", "flagged", "skipped", "gold"]
SHOWS: Mapping[Shows, str] = {
    "all": "all items",
    "contested": "contested, most worth another answer first",
    "unfinished": "not finished",
    "skipped": "skipped by somebody",
    "flagged": "reported by somebody",
    "gold": "gold items",
}
SORTS: Mapping[str, str] = {"asked": "as asked", "last": "last asked first"}


@dataclass(frozen=True)
class CardOfItem:
    """A completion as the owner sees it, with who wrote it."""

    letter: str
    id: str
    text: str
    model: str
    temperature: float
    seed: int
    agreed: str
    gold: str


@dataclass(frozen=True)
class Answered:
    """One revision of an answer: marks by completion, and the letters in the order seen."""

    given: Given
    marks: Mapping[str, Mark]
    seen: str


@router.get("/owner/{project}/items")
def items(
    request: Request,
    _viewer: Staff,
    project: str,
    sort: str = "asked",
    after: int = 0,
) -> Response:
    """A page of the list; `after` is where the last page ended: a position, or contested a rank."""
    found = project_of(request, project)
    wanted = _wanted(request.query_params.get("show", ""))
    sort = sort if sort in SORTS else "asked"
    after = min(max(0, after), 2**31 - 1)
    seen = look(request, found)
    contested = seen.reckoned.summary.contested if seen.reckoned else ()
    if wanted == "contested":
        rows, total, following = _contested(request, contested, after)
    else:
        rows, total, following = _listed(request, found, wanted, sort, after)
    return show(
        request,
        "items",
        {
            "project": found,
            "rows": rows,
            "total": total,
            "next": following,
            "after": after,
            "show": wanted,
            "sort": sort,
            "shows": SHOWS.items(),
            "sorts": SORTS.items(),
            "leans": {each.item: each.lean for each in contested},
            "as_of": wanted == "contested",
            "seen": seen,
        },
    )


@router.post("/owner/{project}/items")
def ask_contested(request: Request, viewer: OwnerViewer, project: str) -> Response:
    """Ask more labelers about every contested item that has its answers."""
    found = project_of(request, project)
    store = store_of(request)
    material = store.figures.material(project)
    settings = found.settings
    ids = further(
        material.judgements,
        asked=store.figures.items.overlaps(project),
        base=settings.overlap,
        most=settings.contested_overlap,
    )
    opened = (
        store.queue.raise_overlap(ids, settings.contested_overlap, viewer.rater_id) if ids else 0
    )
    done = "more" if opened else "none"
    return back(f"/owner/{project}/items", done, show="contested")


@router.get("/owner/{project}/items/{item}")
def item(request: Request, _viewer: Staff, project: str, item: str) -> Response:
    """One item: the prompt, the answers with their models, and every labeler side by side."""
    found = project_of(request, project)
    store = store_of(request)
    detail = store.figures.items.item(project, item)
    newest = {each.rater_id: each for each in detail.given}  # revisions come in order
    letters = {each.id: LETTERS[n] for n, each in enumerate(detail.completions)}
    agreed = _agreed(request, project, item)
    before, after = store.figures.items.neighbours(project, detail.position)
    seen = look(request, found)
    contested = seen.reckoned.summary.contested if seen.reckoned else ()
    answers = [_answered(detail, each, letters) for each in detail.given]
    return show(
        request,
        "item",
        {
            "project": found,
            "item": detail,
            "before": before,
            "after": after,
            "cards": _cards(detail, agreed),
            "columns": [each for each in answers if each.given is newest[each.given.rater_id]],
            "revised": [
                each
                for each in answers
                if each.given.revision < newest[each.given.rater_id].revision
            ],
            "answered": len(newest),
            "consensus": agreed,
            "lean": next((each.lean for each in contested if each.item == item), None),
            "names": names_of(request),
            "allowed": _allowed(found, len(detail.completions)),
        },
    )


@router.post("/owner/{project}/items/{item}")
def ask_two_more(request: Request, viewer: OwnerViewer, project: str, item: str) -> Response:
    """Open two more slots for this item."""
    store = store_of(request)
    detail = store.figures.items.item(project, item)
    store.queue.raise_overlap([item], detail.overlap + 2, viewer.rater_id)
    return back(f"/owner/{project}/items/{item}", "more")


def _allowed(project: Project, cards: int) -> list[Mark]:
    """The marks that a card of this project can have."""
    if project.kind in RANKED:
        return [*range(1, cards + 1), "F"]
    return ["up", "down"] if project.kind == "thumb" else [*range(1, project.settings.scale + 1)]


def _wanted(text: str) -> Shows:
    """What the list is asked to show; anything unknown means all."""
    for each in SHOWS:
        if each == text:
            return each
    return "all"


def _listed(
    request: Request, project: Project, wanted: Show, sort: str, after: int
) -> tuple[list[ItemRow], int, int | None]:
    browse = store_of(request).figures.items
    newest_first = sort == "last"
    rows = browse.page(
        project.id, show=wanted, after=after, limit=PAGE_SIZE + 1, newest_first=newest_first
    )
    more = len(rows) > PAGE_SIZE
    rows = rows[:PAGE_SIZE]
    return rows, browse.count(project.id, wanted), rows[-1].position if more else None


def _contested(
    request: Request, contested: Sequence[Contested], after: int
) -> tuple[list[ItemRow], int, int | None]:
    ids = [each.item for each in contested[after : after + PAGE_SIZE]]
    end = after + len(ids)
    rows = store_of(request).figures.items.rows(ids)
    return rows, len(contested), end if end < len(contested) else None


def _agreed(request: Request, project_id: str, item_id: str) -> dict[str, Any] | None:
    """What the newest consensus version says of an item: its number and marks by completion."""
    found = store_of(request).agreed.of_item(project_id, item_id)
    if found is None:
        return None
    number, ranking = found
    return {"number": number, "marks": competition_marks(ranking.tiers, ranking.rejected)}


def _cards(detail: ItemDetail, agreed: Mapping[str, Any] | None) -> list[CardOfItem]:
    marks = agreed["marks"] if agreed else {}
    gold = detail.gold or {}
    return [
        CardOfItem(
            letter=LETTERS[n],
            id=each.id,
            text=each.text,
            model=each.sampler.model,
            temperature=each.sampler.temperature,
            seed=each.sampler.seed,
            agreed=f"consensus {marks[each.id]}" if each.id in marks else "",
            gold=str(gold.get(each.id, "")),
        )
        for n, each in enumerate(detail.completions)
    ]


def _answered(detail: ItemDetail, given: Given, letters: Mapping[str, str]) -> Answered:
    marks = marks_in(detail.kind, given.body, [each.id for each in detail.completions])
    return Answered(given, marks, "".join(letters.get(each, "?") for each in given.display))
