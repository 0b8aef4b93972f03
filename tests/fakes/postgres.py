"""A real PostgreSQL server for the tests: in a temporary directory, on a Unix socket, with as many databases as they ask for."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from tests.fakes.ramdisk import ramdisk

_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",  # in its own folder, where nothing of it stays behind
}
_LIMIT_S: Final = 60


class PostgresMissing(Exception):
    """There is no PostgreSQL on this machine."""

    def __str__(self) -> str:
        return "The tests need PostgreSQL: install it (on Debian: apt-get install postgresql), or put postgres and initdb into PATH."


class PostgresServer:
    """Made stopped and empty; `start` and `stop` as often as you like, `remove` at the end.

    PostgreSQL does not run as root: then it runs as another user of the machine.
    """

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._as_other = _other_user()
        self._folder = Path(
            tempfile.mkdtemp(prefix="pg-", dir=ramdisk())
        )  # a short path: it becomes the name of a socket
        if "user" in self._as_other:
            os.chown(self._folder, self._as_other["user"], self._as_other["group"])
        self._data = self._folder / "data"
        self._numbers = itertools.count(1)
        self._run(
            "initdb", "--no-sync", "--auth=trust", "--username=sygen", "--encoding=UTF8", "--locale=C", self._data
        )

    def start(self) -> None:
        """Returns when it takes connections."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        options = f"-k {self._folder} {settings}"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._folder / "log", "-o", options)

    def stop(self, *, crash: bool = False) -> None:
        """Every connection is cut. `crash`: without any cleaning up, as if it had been killed."""
        self._run("pg_ctl", "stop", "-w", "-D", self._data, "-m", "immediate" if crash else "fast")

    @property
    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def remove(self) -> None:
        if self.is_running:
            self.stop(crash=True)
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test{next(self._numbers)}"
        self.execute(self._url("postgres"), f"CREATE DATABASE {name} TEMPLATE template0")
        return self._url(name)

    def empty(self, url: str, *, tables: Collection[str]) -> None:
        """Leave nothing in these tables, no others but Alembic's, and nobody connected."""
        known = ", ".join(f"'{name}'" for name in (*tables, "alembic_version"))
        others = f"SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ({known})"  # noqa: S608
        self.execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - the names are our own
            "WHERE datname = current_database() AND pid <> pg_backend_pid();"
            f"DO $$ DECLARE one text; BEGIN FOR one IN {others} "
            "LOOP EXECUTE format('DROP TABLE %I CASCADE', one); END LOOP; END $$;"
            f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE",
        )

    def execute(self, url: str, sql: str) -> str:
        """Run SQL in the database of that URL, as somebody other than the gateway would."""
        return self._run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql)

    def _url(self, database: str) -> str:
        return f"postgresql://sygen@/{database}?host={self._folder}"

    def _run(self, program: str, *arguments: object) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self._binaries / program, *map(str, arguments)],
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            **self._as_other,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


def _binaries() -> Path:
    """Where PostgreSQL's programs are. Raises PostgresMissing."""
    found = shutil.which("postgres")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: (len(folder.parent.name), str(folder)),
        reverse=True,
    )
    for folder in folders:
        if all((folder / program).exists() for program in ("postgres", "initdb", "pg_ctl", "psql")):
            return folder
    raise PostgresMissing


def _other_user() -> dict[str, Any]:
    """Arguments that start a process as an unprivileged user, if we are root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
