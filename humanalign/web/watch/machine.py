"""The load of the machine that serves the page: processors, memory, graphics cards."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time

import psutil

# Read at most so often, however many pages ask.
EVERY, GPUS_EVERY, GPU_SECONDS = 1.0, 5.0, 3.0
QUERY = "name,utilization.gpu,memory.used,memory.total"


class Machine:
    """What the machine does now; a reading is shared by all who ask within a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = self._gpus_read = float("-inf")
        self._said: dict = {}
        self._gpus: list[dict] = []
        self._clock = _clock()

    def load(self) -> dict:
        """{cpu (percent), cores, load (a minute's queue), memory {used, total} in bytes, gpus}."""
        with self._lock:
            now = time.monotonic()
            if now - self._gpus_read >= GPUS_EVERY:
                self._gpus, self._gpus_read = _gpus(), now
            if now - self._read >= EVERY:
                before, self._clock = self._clock, _clock()
                self._said, self._read = _processors(before, self._clock), now
            return self._said | {"gpus": self._gpus}


def _clock() -> tuple[float, float]:
    """Seconds that the processors worked and that they had, since the machine started.

    psutil.cpu_percent keeps its last reading a thread, and each request has a thread of its own.
    """
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return sum(times[:8]) - idle, sum(times[:8])


def _processors(before: tuple[float, float], now: tuple[float, float]) -> dict:
    memory = psutil.virtual_memory()
    passed = now[1] - before[1]
    return {
        "cpu": 100 * (now[0] - before[0]) / passed if passed > 0 else 0.0,
        "cores": psutil.cpu_count() or 1,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory": {"used": memory.total - memory.available, "total": memory.total},
    }


def _gpus() -> list[dict]:
    """[{name, busy (percent), used, total (bytes)}] as nvidia-smi says; none where it is not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [found for line in said.splitlines() if (found := _gpu(line))]


def _gpu(line: str) -> dict | None:
    name, *numbers = [part.strip() for part in line.split(",")]
    try:
        busy, used, total = (float(part) for part in numbers)
    except ValueError:  # "[N/A]", or another driver's columns
        return None
    return {"name": name, "busy": busy, "used": used * 2**20, "total": total * 2**20}
