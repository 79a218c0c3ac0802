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


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small random causal model."""
    from small_policies import save_llama

    return save_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def small_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small random encoder-decoder."""
    from small_policies import save_small_t5

    return save_small_t5(tmp_path_factory.mktemp("small_t5"))


@pytest.fixture(params=["llama", "small_t5"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Each kind of model in turn."""
    return request.getfixturevalue(request.param)
