"""The best steps so far, kept in memory and in every checkpoint.

The last step is not the best one where a reward is hacked. What is compared is the mean over a
few steps of the objective that is maximised, score - beta KL: one batch alone is noise. A batch
says how good the weights are that sampled it, those before its update.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from humanalign.averaging import Average, put
from humanalign.models import Policy

WINDOW = 5
WEIGHTS, ABOUT = "best.safetensors", "best.json"


class Best:
    """The trainable weights at the step whose last `WINDOW` objectives had the highest mean."""

    def __init__(self, policy: Policy) -> None:
        self.parameters = policy.trainable()
        self.step: int = 0
        self.value: float | None = None
        self.recent: list[float] = []
        self.tensors: dict[str, Tensor] = _copy(self.parameters)

    def see(self, step: int, objective: float) -> None:
        """Count what the weights after `step` updates achieved; keep them where it is the best."""
        self.recent = [*self.recent, objective][-WINDOW:]
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) == WINDOW and (self.value is None or mean > self.value):
            self.step, self.value, self.tensors = step, mean, _copy(self.parameters)

    def in_place(self) -> AbstractContextManager[None]:
        """Inside, the policy is the best one."""
        return in_place(self.parameters, self.tensors)

    def settle(self) -> None:
        """Let the policy be the best one from now on."""
        put(self.parameters, self.tensors)

    def save(self, folder: Path) -> None:
        save_file(self.tensors, str(folder / WEIGHTS))
        about = {"step": self.step, "value": self.value, "recent": self.recent}
        (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")

    def load(self, folder: Path) -> None:
        self.tensors = load_file(str(folder / WEIGHTS))
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.step, self.value, self.recent = about["step"], about["value"], about["recent"]


class Kept:
    """The trainable weights at the steps that an observer wants to come back to.

    Where the policy that is delivered is an `average` of its weights, it is that which is kept.
    """

    def __init__(self, policy: Policy, average: Average | None = None) -> None:
        self.parameters, self.average = policy.trainable(), average
        self.steps: dict[int, dict[str, Tensor]] = {}

    def see(self, step: int, keep: Collection[int]) -> None:
        """Keep the weights as they are, after `step` updates, where asked; forget all others."""
        if step in keep:
            now = self.parameters if self.average is None else self.average.tensors
            self.steps[step] = _copy(now)
        self.steps = {s: tensors for s, tensors in self.steps.items() if s in keep}

    def delivered(self) -> AbstractContextManager[None]:
        """Inside, the policy is what would be delivered now: the average where there is one."""
        if self.average is None:
            return nullcontext()
        return in_place(self.parameters, self.average.tensors)

    def put(self, step: int) -> None:
        """Let the policy be what it was after `step` updates."""
        put(self.parameters, self.steps[step])

    def in_place(self, step: int) -> AbstractContextManager[None]:
        """Inside, the policy is what it was after `step` updates."""
        return in_place(self.parameters, self.steps[step])

    def save(self, folder: Path) -> None:
        for step, tensors in self.steps.items():
            save_file(tensors, str(folder / f"kept-{step:06d}.safetensors"))

    def load(self, folder: Path) -> None:
        for file in sorted(folder.glob("kept-*.safetensors")):
            self.steps[int(file.stem.removeprefix("kept-"))] = load_file(str(file))


def _copy(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In the computer's own memory: three copies of all weights would crowd an accelerator."""
    return {n: p.detach().to("cpu", copy=True) for n, p in parameters.items()}


@contextmanager
def in_place(
    parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]
) -> Iterator[None]:
    """Inside, the parameters hold `tensors`; afterwards they are what they were, bit for bit."""
    live = _copy(parameters)
    put(parameters, tensors)
    try:
        yield
    finally:
        put(parameters, live)
