"""A PostgreSQL server for the tests: its own folder, its own socket, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import psycopg

from humanalign.prefer.store.database import open_database

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# Nothing here outlives the test, so nothing is waited for.
HASTE = (
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=",
)


def installed() -> bool:
    return bool(PROGRAMS) and (PROGRAMS[-1] / "initdb").is_file()


class Cluster:
    """One server; `url_of(path)` is a database of its own for each file that a test names."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.home / "data"
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root; Debian's package brings this user.
            shutil.chown(self.home, self.user)
        self._run("initdb", "-D", self.data, "-U", self.user, "--auth=trust", "--no-sync")
        options = " ".join(
            f"-c {each}" for each in (*HASTE, f"unix_socket_directories={self.home}")
        )
        self._run("pg_ctl", "-D", self.data, "-l", self.home / "log", "-o", options, "-w", "start")
        self._made: set[str] = set()
        self._migrated = False

    def url_of(self, name: str) -> str:
        """The URL of the database called after `name`, made the first time."""
        database = "t" + sha256(name.encode()).hexdigest()[:20]
        if database not in self._made:
            with self._connect() as connection:
                connection.execute(f'CREATE DATABASE "{database}" TEMPLATE {self._template()}')
            self._made.add(database)
        return self._url(database)

    def _template(self) -> str:
        """The database whose tables every other one starts with: made once, by the migrations."""
        if not self._migrated:
            with self._connect() as connection:
                connection.execute("CREATE DATABASE migrated")
            open_database(self._url("migrated")).dispose()
            self._migrated = True
        return "migrated"

    def _url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={self.home}"

    def leave(self) -> None:
        """End every connection of the test; its databases go with the server, which is faster."""
        with self._connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname LIKE 't%'"
            )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.home, ignore_errors=True)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            f"postgresql://{self.user}@/postgres?host={self.home}", autocommit=True
        )

    def _run(self, program: str, *words: object) -> None:
        command = [str(PROGRAMS[-1] / program), *map(str, words)]
        if os.getuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        # Not captured by pipes: the server inherits them and would keep them open.
        with open(self.home / f"{program}.out", "w+b") as said:
            done = subprocess.run(command, stdout=said, stderr=said, cwd="/", check=False)
            said.seek(0)
            if done.returncode != 0:
                raise RuntimeError(f"{program}: {said.read().decode()[-800:]}")


if __name__ == "__main__":
    begun = time.monotonic()
    server = Cluster()
    print(server.url_of("try"), f"{time.monotonic() - begun:.1f} s")
    server.stop()
