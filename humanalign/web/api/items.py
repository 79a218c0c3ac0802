"""Items through the API: adding prompts with completions, listing them, reading one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Query, Request

from humanalign.errors import DataError
from humanalign.prefer.marks import LETTERS, body_of
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.browse import Given
from humanalign.prefer.store.projects import Project
from humanalign.types import Completion, Prompt, Sampler
from humanalign.web.api.auth import Owner, Staff
from humanalign.web.api.frame import Said, says, section
from humanalign.web.api.wire import After, ItemId, Limit, ProjectId
from humanalign.web.api.wire_projects import Added, ItemPage, ItemTold, NewItem, NewItems
from humanalign.web.guard import store_of

router = section("items")
Show = Annotated[
    Literal["all", "unfinished", "flagged", "skipped", "gold"],
    Query(description="Which items to list."),
]
# How many completions each kind of task takes.
SIZES = {"ranking": (2, 9), "pairwise": (2, 2), "thumb": (1, 1), "rating": (1, 9)}


@router.post(
    "/projects/{project}/items",
    summary="Add items",
    status_code=201,
    responses=says(Added, 404, 413, status=201, meaning="All of them are stored, or none."),
)
def add(request: Request, caller: Owner, project: ProjectId, sent: NewItems) -> Said:
    """Put prompts with their completions to raters. Sending the same again changes nothing."""
    store = store_of(request)
    place = store.projects.get(project)
    prompts, completions, asked = [], [], []
    for number, each in enumerate(sent.items):
        prompt, answers = _nouns(each)
        prompts.append(prompt)
        completions += answers
        asked.append(_item(place, f"items.{number}", each, prompt, answers))
    overlap = sent.overlap or place.settings.overlap
    ids = store.queue.add(project, prompts, completions, asked, overlap=overlap, by=caller.rater_id)
    return Said({"items": ids}, 201)


@router.get("/projects/{project}/items", summary="List items", responses=says(ItemPage, 404))
def items(
    request: Request,
    caller: Staff,
    project: ProjectId,
    *,
    show: Show = "all",
    after: After = 0,
    limit: Limit = 100,
) -> Said:
    """Items in the order they were asked, in pages that take the same time wherever they begin."""
    del caller
    store = store_of(request)
    place = store.projects.get(project)
    rows = store.items.page(place.id, show=show, after=after, limit=limit)
    onward = rows[-1].position if len(rows) == limit else None
    return Said({"items": [asdict(row) for row in rows], "next": onward})


@router.get(
    "/projects/{project}/items/{item}", summary="Get an item", responses=says(ItemTold, 404)
)
def item(request: Request, caller: Staff, project: ProjectId, item: ItemId) -> Said:
    """One item with its completions, their authors, and every revision of every answer."""
    del caller
    found = store_of(request).items.item(project, item)
    return Said(
        {
            "id": found.id,
            "position": found.position,
            "kind": found.kind,
            "criterion": found.criterion,
            "prompt": found.prompt.text,
            "completions": [
                {
                    "id": each.id,
                    "text": each.text,
                    "model": each.sampler.model,
                    "temperature": each.sampler.temperature,
                    "seed": each.sampler.seed,
                }
                for each in found.completions
            ],
            "overlap": found.overlap,
            "gold": dict(found.gold) if found.gold is not None else None,
            "answers": [given_told(each) for each in found.given],
        }
    )


def given_told(given: Given) -> dict:
    """One revision of an answer as JSON."""
    return {
        "number": given.id,
        "item": given.item_id,
        "rater": given.rater_id,
        "revision": given.revision,
        "body": dict(given.body),
        "instructions": given.instructions,
        "seconds": given.seconds,
        "at": given.at,
        "note": given.note,
        "timing": dict(given.timing),
        "extra": given.extra,
        "display": list(given.display),
    }


def _nouns(sent: NewItem) -> tuple[Prompt, list[Completion]]:
    prompt = Prompt(
        text=sent.prompt,
        messages=tuple((turn.role, turn.content) for turn in sent.messages),
        reference=sent.reference,
        source=sent.source,
        split=sent.split,
    )
    return prompt, [
        Completion(
            prompt.id,
            each.text,
            Sampler(each.model, each.run, float(each.temperature), each.seed),
            each.finish_reason,
        )
        for each in sent.completions
    ]


def _item(
    place: Project, where: str, sent: NewItem, prompt: Prompt, answers: list[Completion]
) -> Item:
    """The question. DataError: too few or many completions, two that are one, an unfit gold."""
    ids = tuple(each.id for each in answers)
    low, high = SIZES[place.kind]
    if not low <= len(ids) <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise DataError(
            f"{where}.completions: expected {wanted} for a {place.kind}, got {len(ids)}"
        )
    if len(set(ids)) < len(ids):
        raise DataError(
            f"{where}.completions: two are the same text by the same model and seed; send one"
        )
    gold = _gold(place, where, sent, ids) if sent.gold is not None else None
    return Item(prompt.id, ids, place.criterion, place.kind, gold)


def _gold(place: Project, where: str, sent: NewItem, ids: tuple[str, ...]) -> dict[str, int | str]:
    marks = sent.gold or []
    if len(marks) != len(ids):
        raise DataError(f"{where}.gold: expected {len(ids)} marks, got {len(marks)}")
    # Read as an answer is, so that a mark no rater could give is refused here.
    body_of(place.kind, dict(zip(LETTERS, marks, strict=False)), ids, place.settings.scale)
    return dict(zip(ids, marks, strict=True))
