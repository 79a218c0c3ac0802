"""The pictures of docs/watch.md: the live page over a demo round and a run that is at work.

    .venv/bin/python -m bench.watch_pictures runs/demo      # the round that `make demo` leaves

The round is copied; of its alignment run a second copy is made that looks as it did half-way, with
alerts written for the picture. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from humanalign.errors import RunError
from humanalign.web.local import serving_app
from humanalign.web.watch.app import create_app

OUT = Path("docs/images")
WIDE, NARROW, TALL = 1200, 360, 900
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
ALERT = {
    "step": 14,
    "rule": "kl_runaway",
    "level": "warning",
    "metric": "align/kl",
    "value": 0.9,
    "limit": 0.8,
    "sentence": "The distance from the start jumped (limit 0.8 in this picture): raise kl.coef.",
    "action": "none",
}


def half_way(source: Path, place: Path) -> None:
    """A run that is still at work: the first half of a finished one, with an alert."""
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("checkpoints", "policy", "data"))
    record = json.loads((place / "run.json").read_text(encoding="utf-8"))
    (place / "run.json").write_text(
        json.dumps({**record, "status": "running", "summary": {}}), encoding="utf-8"
    )
    rows = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "metrics.jsonl").write_text("".join(rows[: len(rows) // 2]), encoding="utf-8")
    said = (place / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in said[:12]]
    rollouts = [{"step": 2 * n, **row} for n, row in enumerate(samples)]
    alert = {**ALERT, "samples": samples[:2]}
    for name, lines in (("rollouts.jsonl", rollouts), ("alerts.jsonl", [alert])):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (place / name).write_text(text, encoding="utf-8")
    (place / "samples.jsonl").unlink()


def shoot(
    browser: Browser, address: str, out: Path, *, width: int, scheme: Literal["light", "dark"]
) -> None:
    """One picture of a page, once its curves are drawn."""
    page = browser.new_page(viewport={"width": width, "height": TALL}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector("canvas[data-drawn], .runs tbody tr")
    page.wait_for_timeout(800)
    out.write_bytes(page.screenshot())
    page.close()
    sys.stderr.write(f"{out}: {out.stat().st_size // 1024} kB\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("round", type=Path, help="a finished round folder with a run align")
    options.add_argument("--out", type=Path, default=OUT)
    chosen = options.parse_args()
    if not (chosen.round / "align" / "run.json").exists():
        raise RunError(f"{chosen.round} holds no run align; run `make demo` and name its folder")
    folder = Path(tempfile.mkdtemp()) / "runs"
    skipped = shutil.ignore_patterns("checkpoints", "policy", "model", "data", "*.db")
    shutil.copytree(chosen.round, folder / "round-1", ignore=skipped)
    half_way(chosen.round / "align", folder / "round-2" / "align")
    with serving_app(create_app(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGS)
        )
        asked = browser.new_page().request
        ids = {run["name"]: run["id"] for run in asked.get(f"{address}/api/runs").json()["runs"]}
        now, before = ids["round-2/align"], ids["round-1/align"]
        for name, path, width, scheme in (
            ("overview", "/", WIDE, "light"),
            ("run", f"/runs/{now}", WIDE, "light"),
            ("run-dark", f"/runs/{now}", WIDE, "dark"),
            ("run-narrow", f"/runs/{now}", NARROW, "light"),
            ("compare", f"/compare?run={before}&run={now}", WIDE, "light"),
        ):
            out = chosen.out / f"watch-{name}.png"
            shoot(browser, address + path, out, width=width, scheme=scheme)
        browser.close()
    shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
