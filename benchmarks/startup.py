"""How long `sygen serve` takes until it answers, and what it weighs when nothing happens."""

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
HEALTH_TARGET_S: Final = 1.2
MEMORY_TARGET_MIB: Final = 100
_SETTLE_S: Final = 1.5
_SHOWN_PACKAGES: Final = 12
_IMPORTS: Final = "import sygen_bot.cli.app, sygen_bot.config, sygen_bot.orchestrator.lifecycle"


def run() -> dict[str, Any]:
    """First starts in fresh homes and second starts in the same ones, taking turns."""
    first, second = [], []
    for _ in range(RUNS):
        with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
            home = Path(folder) / "home"
            first.append(_start(home))
            second.append(_start(home))
    return {
        "runs": RUNS,
        "health_target_s": HEALTH_TARGET_S,
        "memory_target_mib": MEMORY_TARGET_MIB,
        "first_start": _summary(first),
        "second_start": _summary(second),
        "import_ms": _imports(),
    }


def _start(home: Path) -> dict[str, float]:
    """One start: seconds until /health answered, processor time until then, and memory once it is quiet."""
    with gateway(home=home) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/health")
        response = connection.getresponse()
        healthy = time.perf_counter() - server.started
        assert response.status == 200, response.status
        response.read()
        connection.close()
        processor = machine.cpu_seconds(server.pid)
        time.sleep(_SETTLE_S)
        rss, pss = machine.memory_kib(server.pid)
        return {"health_s": healthy, "cpu_s": processor, "rss_mib": rss / 1024, "pss_mib": pss / 1024}


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
