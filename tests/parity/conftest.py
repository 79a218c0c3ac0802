"""Random padded batches, and what trl 0.11.4's own functions make of them.

Letters: B rows, T response positions, V vocabulary. The peer runs in a process of its own, in an
environment that `make parity` makes (bench/peers.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # bench/ is beside the package, not in it

from bench import peers  # noqa: E402

PEER = "trl-0.11.4"
# B, T, V; the clips and discounts differ so that no default is compared with itself.
SHAPES = [(1, 7, 5), (3, 12, 11), (8, 33, 40), (16, 64, 97)]
SETTINGS = [
    {"gamma": 1.0, "lam": 0.95, "clip": 0.2, "value_clip": 0.2, "kl_coef": 0.05},
    {"gamma": 0.9, "lam": 0.7, "clip": 0.1, "value_clip": 0.4, "kl_coef": 0.3},
]


@dataclass(frozen=True)
class Parity:
    """One batch: `ours` is what we compute from, `theirs` what trl computed from the same."""

    ours: dict
    theirs: dict[str, Tensor]

    @property
    def mask(self) -> Tensor:
        """[B, T], True = a real token."""
        return self.ours["mask"]


def make_case(seed: int, shape: tuple[int, int, int], dtype: torch.dtype, settings: dict) -> dict:
    """A batch as PPO sees it; lengths differ, and one row has a single token."""
    rows, width, vocabulary = shape
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)

    lengths = torch.randint(1, width + 1, (rows,), generator=generator)
    lengths[0], lengths[-1] = 1, width  # one row alone is a full one
    ids = torch.randint(vocabulary, (rows, width), generator=generator)
    logits = normal(rows, width, vocabulary, scale=2.0)
    case = {
        "ids": ids,
        "mask": torch.arange(width) < lengths[:, None],
        "logits": logits,
        "ref_logits": logits + normal(rows, width, vocabulary, scale=0.3),
        "new_logits": logits + normal(rows, width, vocabulary, scale=0.2),
        "values": normal(rows, width),
        "new_values": normal(rows, width),
        "scores": normal(rows, scale=2.0),
        "given_advantages": normal(rows, width),
        "given_returns": normal(rows, width),
        "kl_history": [0.0, 3.0, 6.5, 7.2, 40.0, 6.0],
    }
    for name in ("", "ref_"):
        logprobs = case[f"{name}logits"].log_softmax(-1)
        case[f"{name}logprobs"] = logprobs.gather(-1, ids[..., None])[..., 0]
    return case | settings


CASES = {
    f"{'x'.join(map(str, shape))}-{str(dtype).removeprefix('torch.')}-gamma{settings['gamma']}": (
        seed,
        shape,
        dtype,
        settings,
    )
    for dtype in (torch.float64, torch.float32)
    for settings in SETTINGS
    for seed, shape in enumerate(SHAPES)
}


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parity]:
    """Every case with trl's answers; without the peer a skip, under HUMANALIGN_PARITY=1 an error.

    `make test` and `make parity` set the variable; CI means it too.
    """
    if peers.folder(PEER) is None:
        what = "make parity makes the peer environment"
        on_ci = "1" if os.environ.get("CI") == "true" else "0"
        if os.environ.get("HUMANALIGN_PARITY", on_ci) == "1":
            pytest.fail(f"{PEER} is not installed: {what}")
        pytest.skip(what)
    place = tmp_path_factory.mktemp("parity")
    cases = [make_case(*about) for about in CASES.values()]
    torch.save(cases, place / "cases.pt")
    script = Path(__file__).with_name("peer_trl.py")
    subprocess.run(
        [sys.executable, "-W", "ignore", script, place / "cases.pt", place / "answers.pt"],
        env=peers.environment(PEER),
        check=True,
    )
    answers = torch.load(place / "answers.pt")
    return {n: Parity(*both) for n, *both in zip(CASES, cases, answers, strict=True)}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, compared: dict[str, Parity]) -> Parity:
    """Each batch in turn."""
    return compared[request.param]
