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
        psutil.cpu_percent(None)  # the share since the call before; the first one says nothing

    def load(self) -> dict:
        """{cpu (percent), cores, load (a minute's queue), memory {used, total} in bytes, gpus}."""
        with self._lock:
            now = time.monotonic()
            if now - self._gpus_read >= GPUS_EVERY:
                self._gpus, self._gpus_read = _gpus(), now
            if now - self._read >= EVERY:
                self._said, self._read = _processors(), now
            return self._said | {"gpus": self._gpus}


def _processors() -> dict:
    memory = psutil.virtual_memory()
    return {
        "cpu": psutil.cpu_percent(None),
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
