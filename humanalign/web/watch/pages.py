"""The pages: frames that the scripts fill from the API and keep up to date."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from humanalign.web.assets import assets
from humanalign.web.render import ENVIRONMENT, page
from humanalign.web.watch.api import MOST_COMPARED, POINTS, Chosen, Here, watched
from humanalign.web.watch.gate import admit

# What each page's script imports: browsers fetch it all at once instead of one after the other.
DRAWING = ("axes.js", "board.js", "chart.js", "curve.js", "poll.js", "words.js")
MODULES = {
    "overview": ("overview.js", "poll.js", "words.js"),
    "run": ("run.js", "sample.js", *DRAWING),
    "compare": ("compare.js", *DRAWING),
}

router = APIRouter(dependencies=[Depends(admit)])


@router.get("/")
def overview(request: Request) -> Response:
    """Every run of the folder, newest first."""
    folder = watched(request).folder.root
    return page(
        request,
        "watch/overview.html",
        modules=MODULES["overview"],
        folder=folder.name,
        most=MOST_COMPARED,
    )


@router.get("/runs/{id}")
def run(request: Request, place: Here) -> Response:
    """One run. Its metrics are read while the browser still loads the page's script."""
    response = page(request, "watch/run.html", modules=MODULES["run"], run=place)
    series = watched(request).shelf.series(place)
    response.background = BackgroundTask(series.look, "", 0, POINTS)
    return response


@router.get("/compare")
def compare(request: Request, run: Chosen = ()) -> Response:
    """Two to eight runs over each other."""
    places = watched(request).folder.places()
    ids = [id for id in dict.fromkeys(run) if id in places]
    return page(
        request, "watch/compare.html", modules=MODULES["compare"], ids=ids, most=MOST_COMPARED
    )


def ready() -> None:
    """Read templates and static files now, so that the first page does not wait for it."""
    assets()
    for name in MODULES:
        ENVIRONMENT.get_template(f"watch/{name}.html")
