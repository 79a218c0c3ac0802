"""Ctrl-C and SIGTERM between two steps, not in the middle of one: save first, then stop.

A scheduler that takes a machine back sends SIGTERM; a person presses Ctrl-C. Either way the step
that is running is finished, its state is saved, and the command exits with 130.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_signals() -> Iterator[Callable[[], bool]]:
    """Inside, the first signal is only noted: the callable says whether one has come.

    A second one interrupts at once. Outside the main thread signals are not ours to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    # An ignored signal stays ignored: a shell ignores SIGINT for what it starts in the background.
    held = [s for s in SIGNALS if signal.getsignal(s) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in held}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
