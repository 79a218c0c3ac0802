"""Environments of the trainers we are compared with: `python -m bench.peers trl-0.11.4`.

A peer is a folder `.peers/NAME` of pinned packages, installed without their dependencies. A
process that has the folder in front on PYTHONPATH runs the peer's versions; what the folder lacks
(torch above all) it finds in the environment of the interpreter that runs it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".peers"
PINS = {path.stem: path for path in sorted((ROOT / "bench" / "peers").glob("*.txt"))}
STAMP = "pins.sha256"


class PeerError(Exception):
    """The peer's packages could not be installed; the message says what to do."""


def folder(name: str) -> Path | None:
    """The peer's finished folder; None where it is missing, or made from other pins."""
    stamp = PEERS / name / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint(name):
        return stamp.parent
    return None


def make(name: str) -> Path:
    """The peer's folder, installed where it is not there yet. PeerError where pip cannot."""
    if name not in PINS:
        raise PeerError(f"unknown peer '{name}'; known: {', '.join(PINS)}")
    found = folder(name)
    if found:
        return found
    PEERS.mkdir(exist_ok=True)
    # Under a temporary name first: a half-installed peer must not look like a whole one.
    with tempfile.TemporaryDirectory(dir=PEERS) as temporary:
        fresh = Path(temporary) / name
        _install(name, fresh)
        (fresh / STAMP).write_text(_fingerprint(name), encoding="utf-8")
        shutil.rmtree(PEERS / name, ignore_errors=True)
        fresh.rename(PEERS / name)
    return PEERS / name


def environment(name: str) -> dict[str, str]:
    """Environment variables of a process that runs the peer: its packages first, no network."""
    place = folder(name)
    if place is None:
        raise PeerError(f"{name} is not installed; run `python -m bench.peers {name}` first")
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "WANDB_DISABLED": "true"}
    return {**os.environ, **offline, "PYTHONPATH": str(place)}


def _install(name: str, target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    exact = ["--no-deps", "--target", str(target), "--requirement", str(PINS[name])]
    done = subprocess.run([*pip, *exact], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeerError(
            f"{name}: pip could not install {PINS[name].relative_to(ROOT)} ({reason}); this needs "
            "a package index once, so go online or point pip at one, and run it again"
        )


def _fingerprint(name: str) -> str:
    """What the folder depends on: the pins and the interpreter they were installed for."""
    pins = PINS[name].read_bytes() + repr(sys.version_info[:2]).encode()
    return hashlib.sha256(pins).hexdigest()


def main(names: list[str]) -> int:
    for name in names or list(PINS):
        try:
            print(make(name))
        except PeerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
