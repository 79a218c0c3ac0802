"""The verb that shows runs while they work: watch. It imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from humanalign.settings import WatchConfig
from humanalign.web.watch.start import watch as serve

Progress = object


def watch(config: WatchConfig, place: Path, progress: Progress = None) -> Mapping:
    """Serve the live page over a folder of runs until it is stopped."""
    del progress
    folder = Path(config.runs) if config.runs else place
    return {"address": serve(folder, host=config.host, port=config.port), "runs": str(folder)}
