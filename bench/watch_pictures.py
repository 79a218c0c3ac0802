"""The pictures of docs/watch.md: the live page over a demo round and a run that is at work.

    make demo && make demo SEED=1 OUT=runs/demo1
    .venv/bin/python -m bench.watch_pictures runs/demo runs/demo1

The rounds are copied; of the first one's alignment run a second copy is made that looks as it did
half-way, with an alert written for the picture. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from humanalign.errors import RunError
from humanalign.web.local import serving_app
from humanalign.web.watch.app import create_app

OUT = Path("docs/images")
WIDE, NARROW, TALL = 1200, 360, 900
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# Lower than any that a run would have: there must be an alert to show.
LIMIT = 0.8
ALERT = {
    "rule": "kl_runaway",
    "level": "warning",
    "metric": "align/kl",
    "limit": LIMIT,
    "action": "none",
}


def half_way(source: Path, place: Path) -> None:
    """A run that is still at work: the first half of a finished one, with an alert."""
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("checkpoints", "policy", "data"))
    record = json.loads((place / "run.json").read_text(encoding="utf-8"))
    begun = datetime.now(UTC) - timedelta(minutes=1)
    altered = {"status": "running", "summary": {}, "started": begun.isoformat()}
    (place / "run.json").write_text(json.dumps({**record, **altered}), encoding="utf-8")
    rows = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "metrics.jsonl").write_text("".join(rows[: len(rows) // 2]), encoding="utf-8")
    said = (place / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    samples = [json.loads(line) for line in said[:12]]
    rollouts = [{"step": 2 * n, **row} for n, row in enumerate(samples)]
    shown = [json.loads(row) for row in rows[: len(rows) // 2]]
    worst = max(shown, key=lambda row: row["align/kl"])
    sentence = (
        f"The policy moved {worst['align/kl']:.1f} nats from the start (limit {LIMIT}); "
        "raise kl.coef if it stays there."
    )
    told = {"step": worst["step"], "value": worst["align/kl"], "sentence": sentence}
    alert = {**ALERT, **told, "samples": samples[:2]}
    for name, lines in (("rollouts.jsonl", rollouts), ("alerts.jsonl", [alert])):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (place / name).write_text(text, encoding="utf-8")
    (place / "samples.jsonl").unlink()


def shoot(browser: Browser, address: str, out: Path, *, width: int, dark: bool) -> None:
    """One picture of a page, once its curves are drawn."""
    page = browser.new_page(
        viewport={"width": width, "height": TALL}, color_scheme="dark" if dark else "light"
    )
    page.goto(address)
    page.wait_for_selector("canvas[data-drawn], .runs tbody tr")
    page.wait_for_timeout(800)
    out.write_bytes(page.screenshot())
    page.close()
    sys.stderr.write(f"{out}: {out.stat().st_size // 1024} kB\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("round", type=Path, help="a finished round folder with a run align")
    options.add_argument("other", type=Path, help="another one, of another seed, to compare with")
    options.add_argument("--out", type=Path, default=OUT)
    chosen = options.parse_args()
    if not (chosen.round / "align" / "run.json").exists():
        raise RunError(f"{chosen.round} holds no run align; run `make demo` and name its folder")
    folder = Path(tempfile.mkdtemp()) / "runs"
    skipped = shutil.ignore_patterns("checkpoints", "policy", "model", "data", "*.db")
    shutil.copytree(chosen.other, folder / "round-0", ignore=skipped)
    shutil.copytree(chosen.round, folder / "round-1", ignore=skipped)
    half_way(chosen.round / "align", folder / "round-2" / "align")
    with serving_app(create_app(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGS)
        )
        asked = browser.new_page().request
        ids = {run["name"]: run["id"] for run in asked.get(f"{address}/api/runs").json()["runs"]}
        now, before, other = (ids[f"round-{n}/align"] for n in (2, 1, 0))
        for name, path, width, dark in (
            ("overview", "/", WIDE, False),
            ("run", f"/runs/{now}", WIDE, False),
            ("run-dark", f"/runs/{now}", WIDE, True),
            ("run-narrow", f"/runs/{now}", NARROW, False),
            ("compare", f"/compare?run={before}&run={other}", WIDE, False),
        ):
            out = chosen.out / f"watch-{name}.png"
            shoot(browser, address + path, out, width=width, dark=dark)
        browser.close()
    shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
