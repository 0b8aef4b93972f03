"""How long `sygen serve` takes until it answers, and what it weighs; beside what importing its libraries alone takes and weighs."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import machine
from benchmarks.gateway import environment, gateway
from benchmarks.samples import spread

RUNS: Final = 7
HEALTH_TARGET_S: Final = 1.0
MEMORY_TARGET_MB: Final = 90  # a megabyte is a million bytes: 90 of them are 85.8 MiB
_SETTLE_S: Final = 1.5
_SHOWN_PACKAGES: Final = 12
_LIBRARIES: Final = (
    *("asyncio", "sqlite3", "uvloop", "typer", "structlog", "msgspec", "pybase64", "tzlocal", "cronsim"),
    *("pydantic", "pydantic_settings", "sqlalchemy", "sqlalchemy.dialects.sqlite", "nacl.bindings"),
    *("uvicorn", "uvicorn.protocols.http.httptools_impl", "websockets.server", "fastapi"),
)
"""What the gateway imports of others, as far as it imports it: all that these load, it has loaded when it answers."""
_AS_THE_GATEWAY_DOES: Final = """
import gc, sys
gc.disable()
sys.modules.update(dict.fromkeys(("rich", "pydantic.v1")))
"""
"""See `sygen_bot.cli.serve`: it looks for no garbage while it starts, and keeps libraries from loading these."""
_ALONE: Final = f"""
{_AS_THE_GATEWAY_DOES}
import {", ".join(_LIBRARIES)}
print("loaded", flush=True)
sys.stdin.read()
"""
_IMPORTS: Final = f"""
{_AS_THE_GATEWAY_DOES}
import sygen_bot.cli.app, sygen_bot.cli.logs, sygen_bot.cli.serving
"""


def run() -> dict[str, Any]:
    """First starts in fresh homes, second starts in the same ones, and the libraries without a gateway, taking turns."""
    first, second, alone = [], [], []
    for _ in range(RUNS):
        with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
            home = Path(folder) / "home"
            first.append(_start(home))
            second.append(_start(home))
            alone.append(_libraries(home))
    return {
        "runs": RUNS,
        "health_target_s": HEALTH_TARGET_S,
        "memory_target_mb": MEMORY_TARGET_MB,
        "first_start": _summary(first),
        "second_start": _summary(second),
        "libraries_alone": _summary(alone),
        "import_ms": _imports(),
    }


def _start(home: Path) -> dict[str, float]:
    """One start: seconds until /health answered, processor time until then, and memory then and once it is quiet."""
    with gateway(home=home) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/health")
        response = connection.getresponse()
        healthy = time.perf_counter() - server.started
        assert response.status == 200, response.status
        response.read()
        connection.close()
        processor, answering = machine.cpu_seconds(server.pid), _memory_mb(server.pid)
        time.sleep(_SETTLE_S)
        return {"ready_s": healthy, "cpu_s": processor, "first_rss_mb": answering["rss_mb"]} | _memory_mb(server.pid)


def _libraries(home: Path) -> dict[str, float]:
    """The same of a process that imports what a start needs of others, and does nothing: no start can cost less than that."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _ALONE], env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home
    )
    with process:  # leaving it closes its stdin, and it ends
        assert process.stdout is not None
        assert process.stdout.readline() == b"loaded\n"
        ready, processor = time.perf_counter() - started, machine.cpu_seconds(process.pid)
        memory = _memory_mb(process.pid)
        return {"ready_s": ready, "cpu_s": processor, "first_rss_mb": memory["rss_mb"]} | memory


def _memory_mb(pid: int) -> dict[str, float]:
    rss, pss = machine.memory_kib(pid)
    return {"rss_mb": rss * 1024 / 1e6, "pss_mb": pss * 1024 / 1e6}


def _summary(starts: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: spread([start[name] for start in starts]) for name in starts[0]}


def _imports() -> dict[str, float]:
    """Milliseconds of importing by package, its own modules only; the dearest ones, and the total. One run: a guide, not a proof."""
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        report = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", _IMPORTS],
            env=environment(Path(folder) / "home"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        ).stderr
    own: Counter[str] = Counter()
    for line in report.splitlines():
        if line.startswith("import time:") and "|" in line and "[us]" not in line:
            microseconds, _, name = line.removeprefix("import time:").split("|")
            own[name.strip().partition(".")[0]] += int(microseconds)
    total = sum(own.values())
    return {name: round(cost / 1000, 1) for name, cost in own.most_common(_SHOWN_PACKAGES)} | {
        "total": round(total / 1000, 1)
    }
