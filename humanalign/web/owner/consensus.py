"""Consensus versions: make one, compare their digests, download one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.prefer.store.chain import canonical
from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import Submitted, back, project_of, show, text_of

router = APIRouter()

ROWS_A_PIECE = 500

METHODS = (
    (
        "borda",
        "Weighted Borda",
        "Adds up how often an answer is placed above the others; a labeler who agrees with the "
        "others counts more. The default.",
    ),
    (
        "kemeny",
        "Kemeny",
        "The order that contradicts the labelers least, found exactly. Up to 7 answers an item.",
    ),
    (
        "bradley-terry",
        "Crowd Bradley-Terry",
        "Fits a score to each answer and a reliability to each labeler together.",
    ),
)


@router.get("/owner/{project}/consensus")
def consensus(request: Request, _viewer: Staff, project: str) -> Response:
    """The versions there are, the newest first, and the form for the next."""
    context = {
        "project": project_of(request, project),
        "versions": store_of(request).agreed.all(project),
        "methods": METHODS,
        "names": names_of(request),
    }
    return show(request, "consensus", context)


@router.post("/owner/{project}/consensus")
def make(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Derive a version from the answers as they are now."""
    found = project_of(request, project)
    agreed = store_of(request).agreed
    before = len(agreed.all(found.id))
    made = agreed.make(found.id, text_of(form, "method"), viewer.rater_id)
    done = "consensus" if made.number > before else "unchanged"
    return back(f"/owner/{project}/consensus", done)


@router.get("/owner/{project}/consensus/{number}.jsonl")
def download(request: Request, _viewer: Staff, project: str, number: int) -> Response:
    """One version, an item a line. StoreError (a 404): no such version."""
    found = project_of(request, project)
    rows = store_of(request).agreed.stream(found.id, min(number, 2**31 - 1))
    headers = {"Content-Disposition": f'attachment; filename="consensus-{found.id}-{number}.jsonl"'}
    return StreamingResponse(_lines(rows), media_type="application/x-ndjson", headers=headers)


def _lines(rows: Iterator[Consensus]) -> Iterator[bytes]:
    while page := list(islice(rows, ROWS_A_PIECE)):
        yield "".join(_line(each) + "\n" for each in page).encode()


def _line(agreed: Consensus) -> str:
    ranking = agreed.ranking
    return canonical(
        {
            "item": ranking.comparison_id,
            "marks": competition_marks(ranking.tiers, ranking.rejected),
            "raters": agreed.raters,
            "margins": [[*pair, lean] for pair, lean in agreed.margins.items()],
            "contested": agreed.contested,
        }
    )
