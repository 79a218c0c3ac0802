"""Coming in: the start page, signing in and out, an invite, the owner's one-time link."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from humanalign.errors import StoreError
from humanalign.prefer.store.people import Account
from humanalign.prefer.store.throttle import Throttled
from humanalign.web import guard, profile
from humanalign.web.about import PARTS, described
from humanalign.web.guard import Sent, Viewer, store_of
from humanalign.web.problems import problem
from humanalign.web.render import language_of, page
from humanalign.web.words import LANGUAGES, sentence

router = APIRouter()
router.include_router(profile.router)

WRONG = sentence("The name or the password is wrong.")
WAIT = sentence("Too many attempts. Wait {seconds} seconds, then try again.")
NO_NAME = sentence("Enter a name to sign in with.")
TAKEN = sentence(
    "There is an account of this name. If it is yours, give its password; else choose another name."
)
USED = sentence("This link was used already or has expired. Ask for a new one.")
OWNER_USED = sentence(
    "This link was used already or has expired. Start the server again to get a new one."
)


@router.get("/")
def start(viewer: Viewer) -> Response:
    """Labelers begin at their work, staff at the projects."""
    return RedirectResponse(_home(viewer), 303)


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    if guard.person(request):
        return RedirectResponse(guard.safe_path(next), 303)
    return page(
        request, "account/sign_in.html", next=guard.safe_path(next), name="", wrong="", seconds=0
    )


@router.post("/sign-in")
def sign_in(request: Request, form: Sent) -> Response:
    """Open a session. A wrong password says the same as an unknown name, after the same time."""
    name, back = form.get("name", ""), guard.safe_path(form.get("next", "/"))
    source = request.client.host if request.client else ""
    try:
        account = store_of(request).people.sign_in(name, form.get("password", ""), source=source)
    except Throttled as error:
        return _sign_in_page(request, next=back, name=name, wrong=WAIT, wait=error.seconds)
    except StoreError:
        return _sign_in_page(request, next=back, name=name, wrong=WRONG)
    return _enter(request, account, back)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End this browser's session."""
    if token := request.cookies.get(guard.SESSION):
        store_of(request).people.close_session(token)
    return guard.signed_out(RedirectResponse("/sign-in", 303))


@router.get("/join/{token}")
def join_page(request: Request, token: str) -> Response:
    """What the invite is for, and the form that makes an account of it."""
    guard.person(request)
    return _join_page(request, token, {}, {})


@router.post("/join/{token}")
def join(request: Request, token: str, form: Sent) -> Response:
    """Use the invite up: a new account, or one more project for an account that there is."""
    people = store_of(request).people
    viewer = guard.person(request)
    if viewer is not None and form.get("as") == "me":
        people.invites.join(token, viewer.rater_id)
        return RedirectResponse("/", 303)
    name, password = form.get("name", "").strip(), form.get("password", "")
    if wrong := _wrong(name, password):
        return _join_page(request, token, form, wrong)
    language = form.get("language", "en")
    try:
        account = people.invites.accept(
            token,
            name,
            password=password,
            language=language if language in LANGUAGES else "en",
            about=described(form),
        )
    except Throttled as error:
        return _join_page(request, token, form, {"form": str(error)})
    except StoreError as error:
        known = people.named(name) is not None
        wrong = {"name": TAKEN} if known else {"form": str(error)}
        return _join_page(request, token, form, wrong)
    return _enter(request, account, "/")


@router.get("/enter/{token}")
def enter_page(request: Request, token: str) -> Response:
    """One button: opening a link must not use it up, as mail programs and previews open links."""
    if store_of(request).people.invites.open(token) is None:
        return problem(request, 410, OWNER_USED)
    return page(request, "account/enter.html", token=token)


@router.post("/enter/{token}")
def enter(request: Request, token: str) -> Response:
    """Use the owner's link up and sign in."""
    try:
        account = store_of(request).people.invites.accept_owner(token)
    except StoreError:
        return problem(request, 410, OWNER_USED)
    return _enter(request, account, _home(account))


def _home(account: Account) -> str:
    return "/owner" if account.role in ("owner", "reviewer") else "/work"


def _enter(request: Request, account: Account, back: str) -> Response:
    response = RedirectResponse(_home(account) if back == "/" else back, 303)
    guard.sign_in(request, response, account)
    return response


def _sign_in_page(
    request: Request, *, next: str, name: str = "", wrong: str = "", wait: int = 0
) -> Response:
    response = page(
        request,
        "account/sign_in.html",
        status=429 if wait else 422 if wrong else 200,
        next=next,
        name=name,
        wrong=wrong,
        seconds=wait,
    )
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _wrong(name: str, password: str) -> dict[str, str]:
    """What is wrong with an account's name and password, by field."""
    found = {} if name else {"name": NO_NAME}
    if len(password) < profile.SHORTEST:
        found["password"] = profile.TOO_SHORT
    return found


def _join_page(
    request: Request, token: str, form: Mapping[str, str], wrong: Mapping[str, str]
) -> Response:
    store = store_of(request)
    invite = store.people.invites.open(token)
    if invite is None:
        return problem(request, 410, USED)
    project = store.projects.get(invite.project_id) if invite.project_id else None
    return page(
        request,
        "account/join.html",
        status=422 if wrong else 200,
        token=token,
        role=invite.role,
        project=project,
        form=form,
        wrong=wrong,
        parts=PARTS,
        about={part.name: form.get(f"about_{part.name}", "") for part in PARTS},
        language=form.get("language") or language_of(request),
        shortest=profile.SHORTEST,
    )
