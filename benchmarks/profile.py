"""Where the gateway's event loop spends its time while 64 agents speak, once a turn of the loop each: sampled by py-spy."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.gateway import ROOT
from benchmarks.speed import load, servers

CLIENTS: Final = 64
SECONDS: Final = 10
_RATE: Final = 400
_SHOWN: Final = 18
_PY_SPY: Final = ROOT / ".venv" / "bin" / "py-spy"


def run() -> dict[str, Any]:
    """The share of each function's own time, the largest first."""
    with machine.pinned(1), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        own = runner.run(_sample())
    total = sum(own.values())
    return {
        "clients": CLIENTS,
        "samples": total,
        "functions": [
            {"function": name, "percent": round(100 * count / total, 1)} for name, count in own.most_common(_SHOWN)
        ],
    }


async def _sample() -> Counter[str]:
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder, servers.project() as server:
        clients = await load.connect(server.port, server.token, range(1, CLIENTS + 1))
        for client in clients:
            client.expect(1 << 40)
            client.say("TICK 1000000")
        stacks = Path(folder) / "stacks"
        command = [_PY_SPY, "record", "-d", str(SECONDS), "-r", str(_RATE), "-t", "-f", "raw"]
        sampler = await asyncio.create_subprocess_exec(
            *command, "-o", stacks, "-p", str(server.pid), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if await sampler.wait() != 0:
            raise RuntimeError("py-spy may not look into the gateway: it needs the right to trace processes")
        own: Counter[str] = Counter()
        for line in stacks.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            thread, *frames = stack.split(";")
            if "MainThread" in thread:
                own[frames[-1].rsplit(":", 1)[0].removesuffix(")") + ")"] += int(count)
        for client in clients:
            client.disconnect()
        return own
