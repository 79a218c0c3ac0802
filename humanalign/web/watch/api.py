"""What the pages ask for as JSON, all of it read-only; docs/watch.md lists the addresses."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from humanalign.evaluate.report.results import is_number
from humanalign.web.watch import beside, samples
from humanalign.web.watch.folder import Folder, Place, read_record
from humanalign.web.watch.gate import admit
from humanalign.web.watch.glance import Glances, recent_of, settings_of
from humanalign.web.watch.lines import last_rows, rows_since
from humanalign.web.watch.machine import Machine
from humanalign.web.watch.metrics import arranged, banded
from humanalign.web.watch.series import Shelf, View
from humanalign.web.watch.thinning import Array, Thinned

router = APIRouter(prefix="/api", dependencies=[Depends(admit)])
GONE = "This run is gone: its folder was removed or renamed."
MOST_COMPARED, MOST_ALERTS, SAMPLES = 8, 50, 20
POINTS = 400

# The runs to compare, by id.
Chosen = Annotated[Sequence[str], Query(max_length=MOST_COMPARED)]
Points = Annotated[int, Query(ge=10, le=4000)]


class Json(Response):
    """JSON of whatever is in a run's files: half a surrogate pair is no UTF-8, and is sent as ?."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        said = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return said.encode("utf-8", "replace")


class Watched:
    """What the server keeps in memory: a cache of the folder's files, nothing of its own."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.glances = folder, Glances()
        self.shelf, self.machine = Shelf(), Machine()


def watched(request: Request) -> Watched:
    """What this app watches."""
    return request.app.state.watched


def place_of(request: Request, id: str) -> Place:
    """The run of that id; a 404 where there is none."""
    found = watched(request).folder.find(id)
    if found is None:
        raise HTTPException(404, GONE)
    return found


Here = Annotated[Place, Depends(place_of)]


@router.get("/runs")
def runs(request: Request, edition: str = "") -> Response:
    """Every run at a glance, or those that changed since an edition; newest first."""
    here = watched(request)
    listing = here.glances.listing(here.folder.places(), edition)
    listing["runs"].sort(key=lambda each: (-each["begun"], each["name"]))
    return Json({"folder": here.folder.root.name, **listing})


@router.get("/runs/{id}")
def run(request: Request, place: Here) -> Response:
    """One run: its state, alerts, settings and final numbers."""
    record = read_record(place)
    settings, said = settings_of(place)
    alerts = last_rows(place, "alerts.jsonl", MOST_ALERTS)
    return Json(
        {
            **watched(request).glances.told(place),
            "split": recent_of(place).split,
            "shown": [alert(row) for row in alerts.rows],
            "settings": [[key, beside.as_words(value)] for key, value in settings.items()],
            "settings_said": said,
            "numbers": list(beside.summary_numbers(record)),
        }
    )


@router.get("/runs/{id}/metrics")
def metrics(
    request: Request,
    place: Here,
    edition: str = "",
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    points: Points = POINTS,
) -> Response:
    """The curves: whole, or only what came after an offset of an edition."""
    view = watched(request).shelf.series(place).look(edition, after, points)
    return Json(shown(view))


@router.get("/runs/{id}/between")
def between(
    request: Request, place: Here, low: float, high: float, points: Points = POINTS
) -> Response:
    """The curves between two steps, as finely as `points` allow."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise HTTPException(422, "low and high: expected two steps")
    return Json(shown(watched(request).shelf.series(place).between(low, high, points)))


@router.get("/runs/{id}/samples")
def said(
    place: Here,
    file: Annotated[str, Query(pattern=r"^(rollouts|samples)\.jsonl$")] = "rollouts.jsonl",
    edition: str = "",
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """The last samples, or those since an offset of an edition."""
    rows = rows_since(place, file, edition, after, SAMPLES)
    return Json(samples.shown(rows))


@router.get("/compare")
def compare(request: Request, run: Chosen = ()) -> Response:
    """Runs beside each other: states, settings that differ, final numbers."""
    here = watched(request)
    found = [place for id in dict.fromkeys(run) if (place := here.folder.find(id))]
    return Json(
        {
            "runs": [here.glances.told(place) for place in found],
            "gone": len(set(run)) - len(found),
            "settings": beside.differing(found),
            "numbers": beside.numbers(found),
        }
    )


@router.get("/machine")
def machine(request: Request) -> Response:
    """The load of this machine."""
    return Json(watched(request).machine.load())


def alert(row: dict) -> dict:
    """An alert of alerts.jsonl as the page takes it, whatever the row holds."""
    step, texts = row.get("step"), row.get("samples")
    kept = [each for each in texts if isinstance(each, dict)] if isinstance(texts, list) else []
    level = row.get("level")
    return {
        "step": step if is_number(step) else None,
        "level": level if level in ("notice", "warning", "danger") else "notice",
        "rule": samples.text_of(row, "rule"),
        "metric": samples.text_of(row, "metric"),
        "sentence": samples.text_of(row, "sentence"),
        "action": samples.text_of(row, "action"),
        "samples": [samples.sample(each) for each in kept[:6]],
    }


def shown(view: View) -> dict:
    """A view as JSON: lists of six significant digits, `low` and `high` where points are many."""
    curves = banded(view.curves)
    return {
        "edition": view.edition,
        "offset": view.offset,
        "rows": view.rows,
        "step": view.last_step,
        "broken": view.broken,
        "holes": view.holes,
        "whole": view.whole,
        "groups": arranged(curves) if view.whole else None,
        "curves": {name: _curve(curve) for name, curve in curves.items()},
    }


def _curve(curve: Thinned) -> dict[str, list[float]]:
    held = {"x": curve.x.tolist(), "y": _short(curve.y)}
    if curve.low is curve.y:
        return held
    return held | {"low": _short(curve.low), "high": _short(curve.high)}


def _short(values: Array) -> list[float]:
    """Six significant digits: finer than a screen, and half the bytes."""
    return [float(f"{value:.6g}") for value in values.tolist()]
