"""An owner's desk: the way in, the address of a project, and labelers who answer everything."""

from __future__ import annotations

from conftest import Browser
from workplace import Site

from humanalign.prefer.store.people import Account
from humanalign.prefer.store.queue import Submission
from humanalign.web.guard import SESSION


def signed_in(site: Site, app, account: Account) -> Browser:
    made = Browser(app, base_url="http://localhost", follow_redirects=False)
    made.cookies.set(SESSION, site.store.people.open_session(account.rater_id))
    return made


def home(site: Site) -> str:
    return f"/owner/{site.project.id}"


def work(site: Site, who: Account) -> None:
    """Answer everything: best first as shown, the last card F."""
    while task := site.store.queue.next(site.project.id, who.rater_id):
        marks = {card.letter: n for n, card in enumerate(task.cards, 1)}
        marks[task.cards[-1].letter] = "F"
        key = f"{who.rater_id} {task.item_id}"
        site.store.queue.submit(Submission(task.item_id, who.rater_id, marks, key))
