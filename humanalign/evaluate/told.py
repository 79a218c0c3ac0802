"""An evaluation's summary as lines that a person reads in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping


def lines(summary: Mapping) -> Iterator[str]:
    """What `humanalign evaluate` prints: one line a measure."""
    for name, found in summary.items():
        yield f"{name}: {json.dumps(found, ensure_ascii=False)}"
