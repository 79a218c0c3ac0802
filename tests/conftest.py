"""Fixtures that the whole suite shares."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _two_threads():
    """Two threads everywhere: the machines that run the suite have two cores."""
    import torch

    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout."""
    if not SHARED.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the shared data at {SHARED}")
        pytest.skip(f"real data is read from {SHARED}, which is not on this machine")
    return SHARED
