"""An exponential moving average of what learns: the same policy with less of the optimizer's noise.

Polyak and Juditsky 1992. The average is what is evaluated and saved; training goes on from the
weights themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE = "average.safetensors"


class Average:
    """average <- d average + (1 - d) weights after each step, with d at most `decay`.

    In the first steps d = (1 + n) / (10 + n), so that the start is soon forgotten.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.parameters, self.decay, self.count = dict(parameters), decay, 0
        self.tensors: dict[str, Tensor] = {n: p.detach().clone() for n, p in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of this step in."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        for name, p in self.parameters.items():
            self.tensors[name].lerp_(p.detach(), 1 - decay)

    def settle(self) -> None:
        """Let the parameters be the average from now on."""
        put(self.parameters, self.tensors)

    def save(self, folder: Path) -> None:
        count = torch.tensor(self.count)
        save_file(self.tensors | {"count": count}, str(folder / FILE))

    def load(self, folder: Path) -> None:
        saved = load_file(str(folder / FILE))
        self.count = int(saved.pop("count"))
        self.tensors = {n: saved[n].to(t.device) for n, t in self.tensors.items()}


@torch.no_grad()
def put(parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    """Write `tensors` into the parameters of the same names."""
    for name, p in parameters.items():
        p.copy_(tensors[name])
