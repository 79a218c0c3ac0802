"""Gold items: an item whose right marks the owner knows shows who labels with care."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.web.guard import OwnerViewer, store_of
from humanalign.web.owner.pages import Submitted, back, project_of, text_of

router = APIRouter()


@router.post("/owner/{project}/items/{item}/gold")
def set_gold(
    request: Request, viewer: OwnerViewer, project: str, item: str, form: Submitted
) -> Response:
    """Keep the right marks of an item, or forget them where all are left empty."""
    store = store_of(request)
    detail = store.items.item(project_of(request, project).id, item)
    typed = {each.id: text_of(form, each.id) for each in detail.completions}
    marks = typed if any(typed.values()) else None
    store.queue.set_gold(detail.id, marks, viewer.rater_id)
    return back(f"/owner/{project}/items/{item}", "gold" if marks else "ungold")
