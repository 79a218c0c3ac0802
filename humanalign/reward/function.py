"""A Python function of the user's as a reward: function(prompts, completions) -> list[float]."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import cast

from humanalign.errors import ConfigError, DataError, HumanalignError, did_you_mean
from humanalign.reward.scoring import check_rows, check_scores
from humanalign.types import content_id

Score = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


@dataclass(frozen=True)
class FunctionReward:
    """`function(prompts, completions)`, its answer checked: one finite number per row."""

    function: Score
    name: str

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row; DataError names the function when its answer is unusable."""
        check_rows(prompts, completions)
        try:
            scores = self.function(list(prompts), list(completions))
        except HumanalignError:
            raise
        except Exception as error:
            raise DataError(
                f"{self.name} failed with {type(error).__name__}: {error}; mend the function"
            ) from error
        return check_scores(_plain(scores), len(completions), self.name)

    def identity(self) -> str:
        """The same as long as the file of the function is; what that file reads is not known."""
        try:
            file = inspect.getsourcefile(self.function)
        except TypeError:
            file = None
        if file is None:
            raise ConfigError(f"reward: {self.name} has no source file, so it cannot be cached")
        return content_id("python", self.name, sha256(Path(file).read_bytes()).hexdigest())


def load_function(target: str) -> FunctionReward:
    """The reward `FILE.py:function` or `dotted.module:function`."""
    where, _, name = target.rpartition(":")
    if not where or not name:
        raise ConfigError(
            f"reward: 'python:{target}' names no function; write python:FILE.py:function"
        )
    module = _from_file(Path(where)) if where.endswith(".py") else _imported(where)
    function = vars(module).get(name)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise ConfigError(
            f"reward: {where} has no function '{name}'; it has: {', '.join(known) or 'none'}"
            f"{did_you_mean(name, known)}"
        )
    return FunctionReward(cast(Score, function), f"{where}:{name}")


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise DataError(f"reward: {path} is not a file; check the path after python:")
    name = f"humanalign_reward_{content_id(str(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DataError(f"reward: {path} cannot be read as Python; give a .py file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look their module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise DataError(
            f"reward: {path} stopped with {type(error).__name__}: {error}; mend the file"
        ) from error
    return module


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"reward: the module '{name}' cannot be imported ({error}); "
            "check the name, or give FILE.py:function"
        ) from None


def _plain(scores: object) -> object:
    """Numpy arrays and tensors as lists: people return them, and they mean what they say."""
    tolist = getattr(scores, "tolist", None)
    plain = tolist() if callable(tolist) else scores
    if isinstance(plain, list):
        return [item.item() if callable(getattr(item, "item", None)) else item for item in plain]
    return plain
