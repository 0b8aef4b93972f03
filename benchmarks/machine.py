"""What the kernel knows: processor time and memory of a process, the cores it may use, and what machine this is."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SCHEDULER_CLOCK: Final = 2  # of a process, as clock_getcpuclockid(3) makes its clocks
_PACKAGES: Final = (
    "uvicorn",
    "websockets",
    "uvloop",
    "fastapi",
    "starlette",
    "aiohttp",
    "msgspec",
    "pynacl",
    "pybase64",
)


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has used, all threads, ended ones too, in seconds: from the scheduler, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)


def waited_seconds(pid: int) -> float:
    """How long threads of the process were ready to run but had no core, in seconds: what other programs cost it."""
    return sum(int((task / "schedstat").read_text().split()[1]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def memory_kib(pid: int) -> tuple[int, int]:
    """(RSS, PSS) of a process. PSS counts pages shared with other processes in part only."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0])
    return fields["Rss"], fields["Pss"]


ALL_CORES: Final = sorted(os.sched_getaffinity(0))


def core(number: int) -> int:
    """One of the cores this process may use; the same one again where there are fewer."""
    return ALL_CORES[number % len(ALL_CORES)]


@contextmanager
def pinned(number: int) -> Iterator[None]:
    """Keep this process on one core meanwhile."""
    os.sched_setaffinity(0, {core(number)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ALL_CORES)


def facts() -> dict[str, object]:
    """The machine, without anything that would name it."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": len(ALL_CORES),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"Linux {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def load_average() -> float:
    """Of the last minute, for judging how far wall-clock numbers can be trusted."""
    return round(os.getloadavg()[0], 2)


def status_kib(pid: int, name: str) -> int:
    """A number of the kernel's on a process's memory: VmRSS is what it has now, VmHWM the most it has had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise RuntimeError(f"the kernel does not tell {name}")
