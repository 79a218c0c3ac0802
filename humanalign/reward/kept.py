"""Which weights a fit ends with: the last ones, their moving average, or the best on held-out rows.

All of it is written into every checkpoint, so that a fit that was killed ends where it would have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from humanalign.averaging import Average, put

WEIGHTS, ABOUT = "best.safetensors", "kept.json"


class Kept:
    """The average of the weights (`decay` above 0) and the best so far (`patience` above 0)."""

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], *, decay: float = 0.0, patience: int = 0
    ) -> None:
        self.parameters, self.patience = dict(parameters), patience
        self.average = Average(self.parameters, decay) if decay else None
        self.best: dict[str, Tensor] = {}
        self.lowest, self.waited = math.inf, 0

    @property
    def exhausted(self) -> bool:
        """True once `patience` judgements in a row were no improvement."""
        return bool(self.patience) and self.waited >= self.patience

    def after_step(self, step: int) -> None:
        """Take the weights of this step into the average."""
        del step
        if self.average is not None:
            self.average.update()

    def judge(self, loss: float) -> None:
        """Keep the weights now in place where their held-out loss is the lowest so far."""
        self.waited += 1
        if loss < self.lowest:
            self.lowest, self.waited, self.best = loss, 0, self._copy()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model is what it would be if the fit ended now: the average, if any."""
        if self.average is None:
            yield
            return
        live = self._copy()
        self.average.settle()
        try:
            yield
        finally:
            put(self.parameters, live)

    def settle(self) -> None:
        """Let the model be what is kept: the best, else the average, else as it is."""
        if self.best:
            put(self.parameters, self.best)
        elif self.average is not None:
            self.average.settle()

    def save(self, folder: Path) -> None:
        about = {"lowest": self.lowest, "waited": self.waited}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        if self.average is not None:
            self.average.save(folder)
        if self.best:
            save_file(self.best, str(folder / WEIGHTS))

    def load(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.lowest, self.waited = about["lowest"], about["waited"]
        if self.average is not None:
            self.average.load(folder)
        if (folder / WEIGHTS).is_file():
            saved = load_file(str(folder / WEIGHTS))
            self.best = {n: saved[n].to(p.device) for n, p in self.parameters.items()}

    def _copy(self) -> dict[str, Tensor]:
        return {n: p.detach().clone().contiguous() for n, p in self.parameters.items()}
