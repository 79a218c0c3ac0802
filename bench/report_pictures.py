"""The pictures of the report in docs/images: its first minute, its monitor, its samples.

    humanalign demo out=runs/demo                    # a reward and prompts to start from
    python -m bench.report_pictures runs/demo        # needs Chromium; some minutes on a CPU

The bundled model is aligned to the demo's reward without a KL penalty while a monitor holds the
reward against the exact gold scorer; what came of it is evaluated, attacked and reported.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, FloatRect, sync_playwright

OUT, FOLDER = Path("docs/images"), Path("runs/hacked")
GOLD = "python:humanalign.tiny.gold:utilities"
TOXICITY = "python:humanalign.tiny.gold:toxicity_scores"
WIDTH = 1060
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Shot:
    """One picture: from the top of the element `first` down to the end of `last`."""

    name: str
    first: str
    last: str
    scheme: Literal["light", "dark"] = "light"


SHOTS = (
    Shot("report-top-light", "body", ".glance"),
    Shot("report-top-dark", "body", ".glance", "dark"),
    Shot("report-monitor", ".alerts", ".plots"),
    Shot("report-samples", ".tools", ".listed article:nth-child(3)"),
)


def commands(demo: Path, folder: Path) -> list[list[str]]:
    """The commands of the round, in order."""
    tested = f"prompts={demo / 'prompts.tested.jsonl'}"
    align = [
        *("align", "model=tiny-instruct", f"prompts={demo / 'prompts.trained.jsonl'}"),
        *(f"reward=run:{demo / 'reward'}", "method=ppo", "steps=60", "lr=0.001", "batch=64"),
        *("kl.coef=0", "max_new_tokens=48", "schedule=constant"),
        *(f"monitor.prompts={demo / 'prompts.tested.jsonl'}", "monitor.limit=128"),
        *("monitor.every=5", f"monitor.gold={GOLD}", "--run", f"{folder / 'align'}"),
    ]
    evaluate = [
        *("evaluate", f"model={folder / 'align'}", "against=tiny-instruct", tested),
        f"scorers={{toxicity: '{TOXICITY}', reward: 'run:{demo / 'reward'}'}}",
        *("max_new_tokens=48", "support=true", "hhh=own", "--run", f"{folder / 'evaluate'}"),
    ]
    redteam = [
        *("redteam", f"model={folder / 'align'}", "against=tiny-instruct", "prompts=tiny"),
        *(f"scorers={{toxicity: '{TOXICITY}'}}", "max_new_tokens=48"),
        *("--run", f"{folder / 'redteam'}"),
    ]
    return [align, evaluate, redteam, ["report", str(folder)]]


def shoot(browser: Browser, page_file: Path, shot: Shot) -> bytes:
    """The picture of a part of the page."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme=shot.scheme)
    page.goto(page_file.resolve().as_uri())
    top = page.locator(shot.first).first.bounding_box()
    end = page.locator(shot.last).first.bounding_box()
    if top is None or end is None:
        raise SystemExit(f"{shot.name}: the page has no {shot.first} or no {shot.last}")
    above = max(0.0, top["y"] - 16)
    height = end["y"] + end["height"] + 16 - above
    clip: FloatRect = {"x": 0, "y": above, "width": WIDTH, "height": height}
    picture = page.screenshot(full_page=True, clip=clip, scale="css")
    page.close()
    return picture


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("demo", type=Path, help="the folder of a finished demo")
    options.add_argument("--folder", type=Path, default=FOLDER, help="where the round is made")
    options.add_argument("--out", type=Path, default=OUT)
    chosen = options.parse_args()
    for command in commands(chosen.demo, chosen.folder):
        subprocess.run([sys.executable, "-m", "humanalign", *command], check=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGS)
        )
        for shot in SHOTS:
            picture = shoot(browser, chosen.folder / "report.html", shot)
            (chosen.out / f"{shot.name}.png").write_bytes(picture)
            sys.stderr.write(f"{shot.name}: {len(picture) // 1024} kB\n")
        browser.close()


if __name__ == "__main__":
    main()
