"""Run as a program: the whole service with every name look-up and every way out closed.

    PYTHONPATH=tests python -m security.offline FOLDER

Prints as JSON what was answered, and every attempt to look a name up or to reach another machine.
"""

from __future__ import annotations

import ipaddress
import json
import sys
from pathlib import Path

ATTEMPTS: list[str] = []
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def closed(event: str, details: tuple) -> None:
    """An audit hook: this machine is all there is."""
    if event in LOOKUPS and not _here(details[0]):
        ATTEMPTS.append(f"{event} {details[0]}")
        raise OSError(f"there is no DNS here: {details[0]}")
    goes = event in ("socket.connect", "socket.sendto") and isinstance(details[1], tuple)
    if goes and not _here(details[1][0]):
        ATTEMPTS.append(f"{event} {details[1]}")
        raise OSError(f"there is no network here: {details[1]}")


def _here(host: object) -> bool:
    try:
        return host is None or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def walk(folder: Path) -> dict:
    """Start the server, look at its main pages, judge through the API, import and export."""
    import httpx2

    from humanalign.prefer.store import FeedbackStore
    from humanalign.web.client import Client
    from humanalign.web.guard import SESSION
    from humanalign.web.local import serving

    store = FeedbackStore(folder / "offline.db")
    owner = store.people.create("owner", "owner", password="a long enough password").rater_id
    project = store.projects.create("Offline", "ranking", "helpful", by=owner).id
    bot = store.people.create("bot", "program", kind="model").rater_id
    store.projects.join(project, bot)
    session = store.people.open_session(owner)
    _, ours = store.people.new_token(owner, "t", owner)
    _, token = store.people.new_token(bot, "bot", owner)
    statuses, answered = {}, 0
    with serving(store) as url:
        rows = [
            {"prompt": f"p{n}", "completions": [{"text": "a"}, {"text": "b"}]} for n in range(4)
        ]
        with Client(url, ours) as client:
            client.add_items(project, rows, overlap=2)
        with Client(url, token) as client:
            while task := client.next(project):
                client.answer(task, {card.letter: n for n, card in enumerate(task.cards, 1)})
                answered += 1
        with httpx2.Client(base_url=url, cookies={SESSION: session}, trust_env=False) as browser:
            page = browser.get("/me").text
            form = {"csrf": page.partition('name="csrf" content="')[2].partition('"')[0]}
            file = {"file": ("work.jsonl", b'{"prompt": "q", "completions": ["c", "d"]}\n')}
            base, own = f"/owner/{project}", {"Sec-Fetch-Site": "same-origin"}
            preview = browser.post(f"{base}/import", data=form, files=file, headers=own)
            held = preview.text.partition('name="held" value="')[2].partition('"')[0]
            statuses["store"] = browser.post(
                f"{base}/import", data={**form, "held": held}, headers=own
            ).status_code
            browser.post(f"{base}/consensus", data={**form, "method": "borda"}, headers=own)
            inside = ("", "/labelers", "/items", "/statistics", "/consensus", "/exports", "/import")
            wanted = ["/owner", "/owner/audit", "/me", "/work", "/api/v1/docs", "/health"]
            wanted += [f"{base}{path}" for path in inside]
            wanted += [f"{base}/exports/rich?container={c}" for c in (".jsonl", ".csv", ".parquet")]
            statuses |= {path: browser.get(path).status_code for path in wanted}
    checked = store.verify()
    store.close()
    return {"statuses": statuses, "answered": answered, "checked": checked, "attempts": ATTEMPTS}


if __name__ == "__main__":
    sys.addaudithook(closed)
    print(json.dumps(walk(Path(sys.argv[1]))))
