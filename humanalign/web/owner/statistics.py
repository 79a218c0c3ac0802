"""Every number about a project, each with its interval, what it rests on and what it means."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.prefer.statistics.summary import Figure
from humanalign.web.guard import Staff
from humanalign.web.owner import charts
from humanalign.web.owner.pages import project_of, show
from humanalign.web.owner.reckoning import look

router = APIRouter()


@router.get("/owner/{project}/statistics")
def statistics(request: Request, _viewer: Staff, project: str) -> Response:
    """Agreement, time, models and contested items."""
    found = project_of(request, project)
    seen = look(request, found)
    league = seen.reckoned.summary.models if seen.reckoned else ()
    return show(
        request,
        "statistics",
        {
            "project": found,
            "seen": seen,
            "models": [(each, _whisker(each.rate)) for each in league],
        },
    )


def _whisker(rate: Figure) -> object:
    return charts.whisker(rate.value, rate.low, rate.high, mark=0.5)
