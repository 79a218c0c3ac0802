"""A headless browser that notices every attack that works on the pages it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, Page, Request, Response

from humanalign.web.guard import SESSION

# Before any script of the page: what the content policy refuses, and what leaves the window.
LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
# What a page of ours never holds, whatever stands in its texts.
INJECTED = """() => {
  const found = [];
  const own = (address) => new URL(address, location.href).origin === location.origin;
  const seen = (what, node) => found.push(`${what}: ${node.outerHTML.slice(0, 120)}`);
  for (const node of document.querySelectorAll("*")) {
    const name = node.localName;
    if (["iframe", "object", "embed", "base", "style", "video", "audio", "math", "marquee", "frame",
      "template", "noscript", "animate", "use", "foreignObject"].includes(name)) seen(name, node);
    for (const { name: key, value } of node.attributes) {
      if (key.startsWith("on") || key === "srcdoc" || key === "srcset") seen(key, node);
      if (key === "style" && !node.matches("#rail *, .chip")) seen(key, node);
      if (["src", "action", "formaction", "data", "poster", "background"].includes(key)
        && !own(value)) seen(key, node);
      if (/^\\s*(javascript|data|vbscript):/i.test(value)
        && ["href", "src", "action", "formaction", "xlink:href"].includes(key)) seen(key, node);
    }
  }
  for (const node of document.scripts) {
    const inside = node.type === "application/json" && !node.src;
    if (!inside && !node.src.startsWith(`${location.origin}/static/`)) seen("script", node);
  }
  for (const node of document.querySelectorAll("link, meta[http-equiv]")) {
    if (!node.href || !own(node.href)) seen("link", node);
  }
  for (const node of document.images) {
    if (!node.src.startsWith(`${location.origin}/static/`)) seen("img", node);
  }
  for (const node of document.links) {
    if (!own(node.href) && node.rel !== "noopener noreferrer nofollow") seen("link out", node);
    if (!["http:", "https:", "mailto:"].includes(node.protocol)) seen("protocol", node);
  }
  if (window.broken !== undefined) found.push("a script ran");
  return [...found, ...window.refused];
}"""
# Everything that a reader or a screen reader gets.
SHOWN = """() => {
  const parts = [document.documentElement.textContent];
  for (const node of document.querySelectorAll("*")) {
    for (const { value } of node.attributes) parts.push(value);
  }
  return parts.join("\\n");
}"""


@dataclass
class Watch:
    """What went wrong, by page; and all the text that was shown."""

    address: str
    faults: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def look(self, page: Page, name: str) -> None:
        """Note what is wrong with the page as it stands."""
        self.faults += [f"{name}: {fault}" for fault in page.evaluate(INJECTED)]
        self.shown.append(page.evaluate(SHOWN))

    def attend(self, context: BrowserContext) -> None:
        """Note dialogs, foreign requests and errors of every page of a context."""
        context.add_init_script(LISTEN)
        context.on("request", self._asked)
        context.on("dialog", lambda dialog: (self.faults.append("a dialog"), dialog.dismiss()))
        context.on("response", self._answered)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:image/svg+xml", "blob:")):
            self.faults.append(f"asked elsewhere: {request.url}")

    def _answered(self, response: Response) -> None:
        self.statuses[response.url] = response.status
        if response.status >= 500:
            self.faults.append(f"{response.status}: {response.url}")


@contextmanager
def signed_in(chrome: Browser, watch: Watch, session: str) -> Iterator[Page]:
    """A page of a browser with this session, watched."""
    context = chrome.new_context(base_url=watch.address)
    if session:
        context.add_cookies([{"name": SESSION, "value": session, "url": watch.address}])
    watch.attend(context)
    yield context.new_page()
    context.close()
