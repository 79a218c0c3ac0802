"""Damage done to a copy of the PPO loop, one line at a time, and the tests that must notice it.

    PYTHONPATH=tests python -m align.mutations        # says which damage nobody noticed

torch is imported once: each mutation is a forked child that reads a damaged copy of the package
and runs the test that should notice, then all, up to the first that fails.
"""

from __future__ import annotations

import compileall
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import humanalign
from align.damage import MUTATIONS, PLAIN, Mutation

SOURCE = Path(humanalign.__file__).parent
HERE = Path(__file__).parent
TESTS = [
    HERE / "test_exactness.py",
    HERE / "test_learner.py",
    HERE / "test_known_faults.py",
    HERE / "test_known_faults_of_updates.py",
    HERE / "test_rollout.py",
]
# What a child need not do again: find plugins (conftest.py has a hook of xdist's, which is named),
# write a cache, rewrite every assert to explain what nobody reads, collect garbage at its end.
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
PLAINLY = ["-q", "-p", "no:cacheprovider", "-p", "no:unraisableexception", "-p", "xdist.plugin"]
PLAINLY += ["--assert=plain"]
SECONDS = 60  # of processor time; a child that takes longer hangs, which is noticed too


@dataclass(eq=False)
class Noticed:
    """A pytest plugin: the name of the first test that failed; runs `case` of `only` where set."""

    only: str = ""
    case: str = ""
    test: str = ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]):
        result = yield
        chosen = [i for i in items if i.name.startswith(self.only) and self.case in i.name]
        items[:] = chosen or items
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.test:
            self.test = f"{report.nodeid} (import)"


def damage(mutation: Mutation, folder: Path, whole: Path) -> Path:
    """A damaged copy of the package `whole` in `folder`.

    ValueError when the text does not occur exactly once: the table no longer fits the source.
    """
    copy = Path(shutil.copytree(whole, folder / "humanalign"))
    file = copy / mutation.file
    text = file.read_text("utf-8")
    if text.count(mutation.old) != 1:
        times = text.count(mutation.old)
        raise ValueError(f"{mutation.file}: {times} occurrences of {mutation.old!r}, expected 1")
    file.write_text(text.replace(mutation.old, mutation.new), "utf-8")
    return copy


def compiled(folder: Path) -> Path:
    """The package as it is, compiled once: a child then compiles the damaged file alone.

    Copies keep the time of every file, by which Python knows that a compiled one is of use.
    """
    unread = shutil.ignore_patterns("__pycache__", "weights", "web", "*.html", "*.js", "*.jsonl")
    copy = Path(shutil.copytree(SOURCE, folder / "humanalign", ignore=unread))
    compileall.compile_dir(copy, quiet=1)
    return copy


def noticed_by(package: Path, first: Noticed) -> str:
    """The first test that fails on this copy of the package; "" where all pass.

    `first` names the test that is asked before all others.
    """
    told = package.parent / "noticed"
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        code = 1
        try:
            code = _run(package, told, [first, Noticed()])
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
        return "a test that never ended"
    name = told.read_text("utf-8") if told.exists() else ""
    if bool(name) != (status != 0):
        raise RuntimeError(f"pytest broke off with {status} and named {name or 'no test'}")
    return name


def _run(package: Path, told: Path, asked: Sequence[Noticed]) -> int:
    sys.path.insert(0, str(package.parent))
    for name in [n for n in sys.modules if n.split(".")[0] in ("humanalign", "align")]:
        del sys.modules[name]
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.environ["PYTEST_XDIST_WORKER"] = "damaged"  # one thread, as any worker of many
    options = ["-x", *PLAINLY, "--tb=no"]
    options.append(f"--basetemp={package.parent / 'tests'}")
    code = 0
    for plugin in asked:
        code = int(pytest.main([*options, *_files(plugin.only)], plugins=[plugin]))
        if code:
            told.write_text(plugin.test, "utf-8")
            break
    return code


def _files(test: str) -> list[str]:
    """The file that has this test, or all of them."""
    having = [t for t in TESTS if test and f"def {test}" in t.read_text("utf-8")]
    return [str(t) for t in having or TESTS]


def warm_up() -> None:
    """Import once what every child needs. RuntimeError where a test fails without damage."""
    code = pytest.main([*PLAINLY, *_files(PLAIN), "-k", PLAIN])
    if code:
        raise RuntimeError(f"{PLAIN} fails without any damage; mend that first")
    gc.collect()
    gc.freeze()  # children look through, and so copy, none of what is there already


def survivors(mutations: list[Mutation]) -> list[Mutation]:
    """The damage that no test noticed; a line for each mutation.

    ValueError for a stale table, RuntimeError where tests fail without damage.
    """
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        return _unseen(mutations, compiled(Path(folder)))


def _unseen(mutations: list[Mutation], whole: Path) -> list[Mutation]:
    unseen = []
    for mutation in mutations:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            first = Noticed(mutation.test, mutation.case)
            by = noticed_by(damage(mutation, Path(folder), whole), first)
        if not by:
            unseen.append(mutation)
        took = time.monotonic() - began
        print(
            f"{took:5.1f} s  {mutation.file}: {mutation.why}: {by or 'NOBODY NOTICED'}", flush=True
        )
    return unseen


if __name__ == "__main__":
    asked = sys.argv[1:]
    chosen = [m for m in MUTATIONS if not asked or any(a in f"{m.file}: {m.why}" for a in asked)]
    found = survivors(chosen)
    print(f"{len(chosen)} mutations, {len(found)} that nobody noticed")
    sys.exit(bool(found))
