"""Processes that are still there, found by a variable in their environment: no process group or parent can hide them."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from pathlib import Path

import psutil

MARK = "TEST_MARK"


def new_mark() -> str:
    """A value for `MARK` that nothing else on this machine carries."""
    return uuid.uuid4().hex


def marked(mark: str) -> set[int]:
    """The pids of all running processes that were started with `MARK=mark`."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                carries = wanted in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, IndexError):
                continue
            if carries and state not in "ZX":
                found.add(int(entry.name))
    return found - {os.getpid()}


async def until_marked(mark: str, count: int, *, timeout_s: float = 10.0) -> set[int]:
    """Wait until exactly `count` processes carry the mark; returns those there are at the end."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = marked(mark)
        if len(found) == count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.02)


def is_at_rest(process: psutil.Process) -> bool:
    """Whether it does nothing for a while. Blocks."""
    before = sum(process.cpu_times()[:2])
    time.sleep(0.2)
    return bool(sum(process.cpu_times()[:2]) == before)
