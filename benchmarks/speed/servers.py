"""The gateway and the baseline, each in a process of its own, on the same core."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks import gateway, machine
from benchmarks.speed.frozen import BASELINE, changes


@dataclass(frozen=True)
class Server:
    """A server that accepts connections."""

    pid: int
    port: int
    token: str


@contextmanager
def project(**settings: str) -> Iterator[Server]:
    """The real gateway with the scripted agent. `settings`: more environment."""
    with ExitStack() as stack:
        with machine.pinned(0):
            running = stack.enter_context(gateway.gateway("--provider", "scripted", settings=settings))
        yield Server(running.pid, running.port, running.token)


@contextmanager
def baseline() -> Iterator[Server]:
    """Raises RuntimeError if it is not the one that was frozen."""
    if changed := changes():
        raise RuntimeError(f"nothing is measured: {'; '.join(changed)}")
    token = secrets.token_hex(16)
    with machine.pinned(0):
        process = subprocess.Popen(
            [sys.executable, str(BASELINE), token], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={}
        )
    try:
        assert process.stdout is not None
        yield Server(process.pid, int(process.stdout.readline()), token)
    finally:
        process.kill()
        process.communicate()
