"""Rooms that are called by their own name: `ha.collect(...)` beside `humanalign.collect.prompts`.

The loop's verbs and the packages that hold them share their names, as the public API reads best
that way. Such a package is a module that can be called; what it calls is imported at that moment.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def callable_room(package: str, module: str) -> None:
    """Make `package` callable: a call runs the function of the same name in its `module`."""
    name = package.rpartition(".")[2]

    class Room(ModuleType):
        def __call__(self, *args: Any, **settings: Any) -> Any:
            function = getattr(importlib.import_module(f"{package}.{module}"), name)
            return function(*args, **settings)

        @property
        def __wrapped__(self) -> Any:
            """The function itself, so that help() and inspect show its signature."""
            return getattr(importlib.import_module(f"{package}.{module}"), name)

    sys.modules[package].__class__ = Room
