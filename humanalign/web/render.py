"""Templates to pages, and Markdown to HTML that can do no harm."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from humanalign.web import guard
from humanalign.web.assets import address
from humanalign.web.words import LANGUAGES, direction, preferred, translator

THEMES = ("auto", "light", "dark")
TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "a"),
    *("blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
MARKDOWN.disable("image")
# Some texts take a second for so many characters; longer ones are shown as they are.
LONGEST = 100_000


def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        auto_reload=False,
        cache_size=-1,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(static=address, languages=LANGUAGES)
    made.filters["markdown"] = markdown
    return made


def page(request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
    """The template as a page in the viewer's language, with what layout.html needs.

    Owners' pages and those about runs are written in English only.
    """
    english = template.startswith(("owner/", "watch/"))
    language = "en" if english else language_of(request)
    guard.new_visit(request)
    held = {
        "_": translator(language),
        "lang": language,
        "dir": direction(language),
        "csrf": guard.csrf_token(request),
        "viewer": guard.seen(request),
        "theme": theme_of(request),
        "path": request.url.path,
    }
    response = HTMLResponse(ENVIRONMENT.get_template(template).render(held | context), status)
    guard.keep_visit(request, response)
    if request.query_params.get("lang") == language:
        guard.set_cookie(request, response, guard.LANGUAGE, language, days=365)
    return response


def language_of(request: Request) -> str:
    """The account's language; for a stranger the one asked for, kept, or sent by the browser."""
    viewer = guard.seen(request)
    if viewer is not None:
        return viewer.language if viewer.language in LANGUAGES else "en"
    asked = request.query_params.get("lang") or request.cookies.get(guard.LANGUAGE)
    if asked and asked in LANGUAGES:
        return asked
    return preferred(request.headers.get("accept-language", ""))


def theme_of(request: Request) -> str:
    """The theme kept by this browser; "auto" follows the system."""
    kept = request.cookies.get(guard.THEME, "auto")
    return kept if kept in THEMES else "auto"


@lru_cache(maxsize=512)
def markdown(text: str) -> Markup:
    """Markdown as HTML: no raw HTML, no images, links that leak nothing; h1 becomes h2."""
    if len(text) > LONGEST:
        return Markup("<pre>{}</pre>").format(text)
    tokens = MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return Markup(CLEANER.clean(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})))


ENVIRONMENT = _environment()
