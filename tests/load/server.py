"""`humanalign label` as a process of its own, which can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 60.0


class Server:
    """The labelling app over the store at `url`; its port stays the same over restarts."""

    def __init__(self, url: str, folder: Path, workers: int = 1) -> None:
        self.url, self.workers = url, workers
        self.log = folder / "server.log"
        self.port = 0
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> float:
        """Start it and wait until it answers; return how many seconds that took."""
        begun = time.monotonic()
        words = [f"store={self.url}", f"port={self.port}", f"workers={self.workers}"]
        held = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "humanalign", "label", *words],
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        while not self._answers(held):
            if self._process.poll() is not None or time.monotonic() > begun + PATIENCE:
                raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)
        return time.monotonic() - begun

    def kill(self) -> None:
        """End it and its workers at once, as a power cut would: nothing is tidied up."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def processes(self) -> list[int]:
        """The process and its children."""
        assert self._process is not None
        held = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [self._process.pid, *map(int, held.split())]

    def cpu_seconds(self) -> float:
        """What it and its workers have computed so far; it depends little on who else does."""
        ticks = 0
        for process in self.processes():
            after = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(after[11]) + int(after[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_megabytes(self) -> float:
        """The largest resident memory of the process so far."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def errors(self) -> list[str]:
        """What it wrote that says something went wrong."""
        words = ("Traceback", "ERROR", "locked", "deadlock", "failed")
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(word in line for word in words)]

    def _answers(self, held: int) -> bool:
        if not self.port:
            said = self.log.read_bytes()[held:].decode(errors="replace")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
            self.port = int(found[1]) if found else 0
        return bool(self.port) and _healthy(self.port)


def _healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as line:
            line.settimeout(5)
            line.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return line.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False
