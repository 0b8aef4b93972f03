"""A real gateway in a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = (sys.executable, "-c", "from sygen_bot.cli.app import main; main()")
_STOP_LIMIT_S: Final = 20.0


@dataclass(frozen=True)
class Running:
    """A gateway that accepts connections. `started`: `time.perf_counter()` just before its process was made."""

    pid: int
    port: int
    token: str
    started: float
    listening: float


@contextmanager
def gateway(*arguments: str, home: Path | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`sygen serve` with `arguments`, on a free port, in a fresh home unless one is given. Killed at the end: nothing is kept.

    `settings`: more of its environment.
    """
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        place = home or Path(folder) / "home"
        with (Path(folder) / "log").open("w+b") as log:
            started = time.perf_counter()
            process = subprocess.Popen(
                [*COMMAND, "serve", "--host", "127.0.0.1", "--port", "0", *arguments],
                env=environment(place) | dict(settings or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
            )
            try:
                port = _port(process)
                listening = time.perf_counter()
                if port is None:
                    log.seek(0)
                    raise RuntimeError(f"the gateway did not start: {log.read().decode(errors='replace')[-2000:]}")
                assert process.stdout is not None
                threading.Thread(target=process.stdout.read, daemon=True).start()  # so that it can always write
                token = json.loads((place / "config" / "config.json").read_text())["api"]["token"]
                yield Running(process.pid, port, token, started, listening)
            finally:
                _stop(process)


def environment(home: Path) -> dict[str, str]:
    """A clean environment for a child that is to run this very tree."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home.parent),
        "SYGEN_HOME": str(home),
        "SYGEN_API__DRAIN_S": "0",
        "SYGEN_SESSION__MAX_PARALLEL_TURNS": "1000",  # what is measured is how they share, not how they wait
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
    }


def _port(process: subprocess.Popen[bytes]) -> int | None:
    """The port in the line that says where the gateway listens; None if it ended without one."""
    assert process.stdout is not None
    for raw in process.stdout:
        line = raw.decode(errors="replace")
        if "listening on" in line:
            return int(line.strip().rsplit(":", 1)[1].rstrip("/"))
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
