"""What comes out, through the API: statistics, labelers, consensus, judgements, pairs, exports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query, Request
from starlette.responses import Response

from humanalign.errors import StoreError
from humanalign.prefer.files.exports import EXPORTS, media_type
from humanalign.prefer.pairs import pairs_of, prompt_split
from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.agreed import ConsensusVersion
from humanalign.types import PreferencePair
from humanalign.web.api.auth import Owner, Staff
from humanalign.web.api.frame import Said, says, section
from humanalign.web.api.items import given_told
from humanalign.web.api.wire import MOST, After, Limit, ProjectId
from humanalign.web.api.wire_results import (
    ConsensusPage,
    ExportList,
    JudgementPage,
    LabelerList,
    NewConsensus,
    PairPage,
    Statistics,
    VersionPage,
    VersionTold,
)
from humanalign.web.guard import store_of
from humanalign.web.owner import exports as files
from humanalign.web.owner.reckoning import look

router = section("results")
Number = Annotated[int, Path(ge=1, le=MOST, description="A version's number.")]
Ties = Annotated[
    Literal["drop", "soft"],
    Query(description="Tied answers: no pair, or both orders at half the weight."),
]
Rejects = Annotated[
    Literal["drop", "lose"],
    Query(description="Answers marked F: no pair, or every other answer beats them."),
]
Split = Annotated[
    Literal["", "train", "validation", "test"], Query(description="One part, by prompt; or all.")
]
Format = Annotated[str, Path(description="A format's name.", pattern="^[a-z-]{1,40}$")]
Of = Annotated[
    str,
    Query(
        pattern="^(raw|[0-9]{1,9})$",
        description="`raw` for every rater's answers, or a consensus version's number.",
    ),
]
Container = Annotated[
    str | None,
    Query(pattern="^[.a-z]{1,12}$", description="One of the format's; the first by default."),
]
CONTAINERS = dict.fromkeys(container for each in EXPORTS.values() for container in each.containers)
FILE = {
    200: {
        "description": "The file, streamed.",
        "content": {media_type(each): {"schema": {}} for each in CONTAINERS},
    }
}


@router.get(
    "/projects/{project}/statistics", summary="Read statistics", responses=says(Statistics, 404)
)
def statistics(request: Request, caller: Staff, project: ProjectId) -> Said:
    """Agreement with intervals, time, models, contested items; large projects are worked out
    in the background, and asked for again a little later."""
    del caller
    said, summary = _counted(request, project)
    return Said(said | {"statistics": summary})


@router.get(
    "/projects/{project}/labelers",
    summary="Read labelers' quality",
    responses=says(LabelerList, 404),
)
def labelers(request: Request, caller: Staff, project: ProjectId) -> Said:
    """How well each labeler judges: leave-one-out agreement, habits, findings with advice."""
    del caller
    said, summary = _counted(request, project)
    return Said(said | {"labelers": summary["labelers"] if summary else None})


@router.post(
    "/projects/{project}/consensus",
    summary="Make a consensus version",
    status_code=201,
    responses=says(
        VersionTold, 404, status=201, meaning="The version; the newest again where nothing changed."
    ),
)
def make_consensus(request: Request, caller: Owner, project: ProjectId, sent: NewConsensus) -> Said:
    """Derive a version from the answers as they are now. Raw answers stay as they are."""
    store = store_of(request)
    made = store.agreed.make(store.projects.get(project).id, sent.method, caller.rater_id)
    return Said(_version(made), 201)


@router.get(
    "/projects/{project}/consensus",
    summary="List consensus versions",
    responses=says(VersionPage, 404),
)
def versions(request: Request, caller: Staff, project: ProjectId) -> Said:
    """Every version, the newest first."""
    del caller
    store = store_of(request)
    found = store.agreed.all(store.projects.get(project).id)
    return Said({"versions": [_version(each) for each in found]})


@router.get(
    "/projects/{project}/consensus/{number}",
    summary="Read a consensus version",
    responses=says(ConsensusPage, 404),
)
def consensus(
    request: Request,
    caller: Staff,
    project: ProjectId,
    number: Number,
    *,
    after: After = 0,
    limit: Limit = 100,
) -> Said:
    """What a version says of each item, in the order asked."""
    del caller
    rows = store_of(request).agreed.page(project, number, after, limit + 1)
    said = [_agreed(each) for each in rows[:limit]]
    return Said({"number": number, "rows": said, "next": _onward(after, limit, after + len(rows))})


@router.get(
    "/projects/{project}/judgements", summary="List judgements", responses=says(JudgementPage, 404)
)
def judgements(
    request: Request, caller: Staff, project: ProjectId, after: After = 0, limit: Limit = 100
) -> Said:
    """Every revision of every answer in the order they came: ask again to follow the work."""
    del caller
    store = store_of(request)
    place = store.projects.get(project)
    found = store.items.answers(place.id, after=after, limit=limit)
    onward = found[-1].id if len(found) == limit else None
    return Said({"judgements": [given_told(each) for each in found], "next": onward})


@router.get("/projects/{project}/pairs", summary="Read pairs", responses=says(PairPage, 404))
def pairs(
    request: Request,
    caller: Staff,
    project: ProjectId,
    *,
    version: Annotated[int, Query(ge=0, le=MOST, description="0: the newest.")] = 0,
    ties: Ties = "drop",
    rejects: Rejects = "drop",
    split: Split = "",
    after: After = 0,
    limit: Limit = 100,
) -> Said:
    """Training pairs of a consensus version, the preferred answer first; `limit` counts items."""
    del caller
    store = store_of(request)
    held = store.agreed.all(store.projects.get(project).id)
    if not held:
        raise StoreError("the project holds no consensus version; make one first")
    rows = store.agreed.page(project, version or held[0].number, after, limit + 1)
    texts = store.items.texts([each.ranking.comparison_id for each in rows[:limit]])
    part = [
        each
        for each in rows[:limit]
        if not split or prompt_split(texts.prompts[each.ranking.comparison_id]) == split
    ]
    found = pairs_of(part, texts, ties=ties, rejects=rejects, ai=_ai(store))
    said = [_pair(each) for each in found]
    return Said({"pairs": said, "next": _onward(after, limit, after + len(rows))})


@router.get("/projects/{project}/exports", summary="List exports", responses=says(ExportList, 404))
def exports(request: Request, caller: Staff, project: ProjectId) -> Said:
    """The formats that fit the project's kind: what each holds, and what it loses."""
    del caller
    kind = store_of(request).projects.get(project).kind
    fitting = [each for each in EXPORTS.values() if kind in each.kinds]
    rows = [
        {
            "name": each.name,
            "title": each.title,
            "about": each.about,
            "containers": list(each.containers),
        }
        for each in fitting
    ]
    return Said({"exports": rows})


@router.get(
    "/projects/{project}/exports/{format}",
    summary="Export",
    response_class=Response,
    responses={**says(None, 404), **FILE},
)
def export(
    request: Request,
    caller: Staff,
    project: ProjectId,
    format: Format,
    *,
    of: Of = "raw",
    split: Split = "",
    container: Container = None,
    ties: Ties = "drop",
    rejects: Rejects = "drop",
) -> Response:
    """A file in one of the formats, streamed: the same that the owner's page gives."""
    del container, ties, rejects  # the page's handler reads them from the address
    return files.download(request, caller, project, format, of=of, split=split)


def _counted(request: Request, project: str) -> tuple[dict, dict | None]:
    """What the figures count, and the figures as this server knows them now."""
    seen = look(request, store_of(request).projects.get(project))
    counted = seen.reckoned.last if seen.reckoned else 0
    said = {"counted": counted, "last": seen.last, "busy": seen.busy}
    return said, seen.reckoned.summary.as_dict() if seen.reckoned else None


def _version(made: ConsensusVersion) -> dict:
    return {
        "number": made.number,
        "method": made.method,
        "snapshot": made.snapshot,
        "weights": dict(made.weights),
        "digest": made.digest,
        "at": made.at,
    }


def _agreed(each: Consensus) -> dict:
    ranking = each.ranking
    return {
        "item": ranking.comparison_id,
        "marks": competition_marks(ranking.tiers, ranking.rejected),
        "raters": list(each.raters),
        "margins": [
            {"better": better, "worse": worse, "margin": lean}
            for (better, worse), lean in each.margins.items()
        ],
        "contested": [list(pair) for pair in each.contested],
    }


def _ai(store: FeedbackStore) -> list[str]:
    return [each.id for each in store.raters().values() if each.kind != "human"]


def _pair(pair: PreferencePair) -> dict:
    return {
        "prompt": pair.prompt,
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "weight": pair.weight,
        "margin": pair.margin,
        "rater": pair.rater,
        "prompt_id": pair.prompt_id,
        "source": pair.source,
    }


def _onward(after: int, limit: int, total: int) -> int | None:
    return after + limit if after + limit < total else None
