"""/me: language, theme, self-description, password, own progress, own data."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from humanalign.errors import StoreError
from humanalign.prefer.store.people import Account
from humanalign.prefer.store.throttle import Throttled
from humanalign.web import guard
from humanalign.web.about import PARTS, described
from humanalign.web.guard import Sent, Viewer, store_of
from humanalign.web.render import THEMES, page
from humanalign.web.words import LANGUAGES, sentence, translator

router = APIRouter()
SHORTEST = 10
TOO_SHORT = sentence("Use at least 10 characters.")
NOT_CURRENT = sentence("This is not your password.")
SLOW_DOWN = sentence("Too many attempts. Wait a few minutes, then try again.")
WORD = sentence("delete")
OTHER_WORD = sentence("Type the word exactly as shown.")
GONE = sentence("Your account is deleted. Thank you for your work.")
DONE: Mapping[str, str] = {
    "saved": sentence("Saved."),
    "password": sentence("Your password is set. You are signed out everywhere else."),
}


@router.get("/me")
def me(request: Request, viewer: Viewer, done: str = "") -> Response:
    """Everything that a person can see and change about themselves."""
    return _page(request, viewer, done=DONE.get(done, ""))


@router.post("/me/profile")
def save_profile(request: Request, viewer: Viewer, form: Sent) -> Response:
    """Keep language, theme (in this browser) and self-description; an emptied part is gone."""
    language = form.get("language", viewer.language)
    store_of(request).people.set_profile(
        viewer.rater_id,
        language=language if language in LANGUAGES else viewer.language,
        about=described(form),
    )
    response, theme = RedirectResponse("/me?done=saved", 303), form.get("theme", "")
    if theme in THEMES:
        guard.set_cookie(request, response, guard.THEME, theme, days=365, hidden=False)
    return response


@router.post("/me/password")
def save_password(request: Request, viewer: Viewer, form: Sent) -> Response:
    """Set a password, giving the one held so far; every other session ends."""
    people, new = store_of(request).people, form.get("new", "")
    if len(new) < SHORTEST:
        return _page(request, viewer, wrong={"new": TOO_SHORT})
    if viewer.has_password:
        source = request.client.host if request.client else ""
        try:
            people.sign_in(viewer.name, form.get("current", ""), source=source)
        except Throttled:
            return _page(request, viewer, wrong={"current": SLOW_DOWN})
        except StoreError:
            return _page(request, viewer, wrong={"current": NOT_CURRENT})
    try:
        people.set_password(viewer.rater_id, new, keep=request.cookies[guard.SESSION])
    except StoreError as error:
        return _page(request, viewer, wrong={"new": str(error)})
    return RedirectResponse("/me?done=password", 303)


@router.get("/me/data")
def data(request: Request, viewer: Viewer) -> Response:
    """All that is kept about this person, as a JSON file by table."""
    held = store_of(request).people.everything_about(viewer.rater_id)
    body = json.dumps(held, ensure_ascii=False, indent=2)
    headers = {"Content-Disposition": f'attachment; filename="humanalign-{viewer.rater_id}.json"'}
    return Response(body, media_type="application/json", headers=headers)


@router.post("/me/delete")
def delete(request: Request, viewer: Viewer, form: Sent) -> Response:
    """Erase name, password and self-description; judgements stay under the pseudonym."""
    typed = form.get("word", "").strip().casefold()
    if typed not in {WORD, translator(viewer.language)(WORD)}:
        return _page(request, viewer, wrong={"word": OTHER_WORD})
    store_of(request).people.erase(viewer.rater_id, viewer.rater_id)
    request.state.viewer = None
    return guard.signed_out(page(request, "account/gone.html", said=GONE))


def _page(
    request: Request, viewer: Account, *, done: str = "", wrong: Mapping[str, str] | None = None
) -> Response:
    return page(
        request,
        "account/me.html",
        status=422 if wrong else 200,
        account=viewer,
        projects=_progress(request, viewer),
        parts=PARTS,
        about={part.name: viewer.about.get(part.name, "") for part in PARTS},
        language=viewer.language,
        done=done,
        wrong=wrong or {},
        word=WORD,
        shortest=SHORTEST,
    )


def _progress(request: Request, viewer: Account) -> list[tuple]:
    store = store_of(request)
    mine = store.projects.projects_of(viewer.rater_id)
    return [(project, store.queue.standing(project.id, viewer.rater_id)) for project in mine]
