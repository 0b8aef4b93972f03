"""What a client costs that asks for much and stops reading: the server's memory, and the patience of a quiet session."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds, spread
from benchmarks.wire import Wire, connect

DELTAS: Final = 200_000
RUNS: Final = 3
TARGET_MIB: Final = 16
ASK_EVERY_S: Final = 0.05
_QUIET_CHAT: Final = 900_001
_LIMIT_S: Final = 60.0
_SETTLE_S: Final = 1.0
"""How long after the end of the turn the peak may still come: the result is encoded then."""


def run() -> dict[str, Any]:
    """The same burst with a reader that reads and one that does not, taking turns, each in a fresh gateway."""
    samples: dict[str, list[dict[str, Any]]] = {"reads": [], "stops": []}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(RUNS):
            for name, taken in samples.items():
                taken.append(runner.run(_measure(reads=name == "reads")))
    rows = {
        name: {
            "before_mib": spread([sample["before_mib"] for sample in taken], 1),
            "peak_mib": spread([sample["peak_mib"] for sample in taken], 1),
            "first_delta_ms": milliseconds([wait for sample in taken for wait in sample["waits"]]),
        }
        for name, taken in samples.items()
    }
    return {
        "deltas": DELTAS,
        "runs": RUNS,
        "target_mib": TARGET_MIB,
        "difference_mib": round(rows["stops"]["peak_mib"]["median"] - rows["reads"]["peak_mib"]["median"], 1),
        "rows": rows,
    }


async def _measure(*, reads: bool) -> dict[str, Any]:
    with gateway("--provider", "scripted") as server:
        quiet = await connect(server.port, token=server.token, chat_id=_QUIET_CHAT)
        noisy = await connect(server.port, token=server.token, chat_id=1)
        noisy.keeps = False
        await _first_delta(quiet)
        before = machine.status_kib(server.pid, "VmRSS")
        noisy.send(type="message", text=f"BURST {DELTAS}")
        if not reads:
            noisy.transport.pause_reading()
        await asyncio.sleep(ASK_EVERY_S)
        waits = await _waits_until_it_has_ended(server, quiet)
        await asyncio.sleep(_SETTLE_S)
        sample = {
            "before_mib": before / 1024,
            "peak_mib": machine.status_kib(server.pid, "VmHWM") / 1024,
            "waits": waits,
        }
        for wire in (noisy, quiet):
            wire.transport.abort()
        await asyncio.sleep(0.05)  # they are gone before the gateway is stopped, or it waits for their farewell
        return sample


async def _waits_until_it_has_ended(server: Running, quiet: Wire) -> list[float]:
    """Waits for first deltas, one after another, until no turn is left but those."""
    waits: list[float] = []
    until = time.perf_counter() + _LIMIT_S
    while await asyncio.to_thread(_turns_running, server):
        if time.perf_counter() > until:
            raise TimeoutError("the burst does not end")
        waits.append(await _first_delta(quiet))
        await asyncio.sleep(ASK_EVERY_S)
    return waits


def _turns_running(server: Running) -> int:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    line.request("GET", "/api/status", headers={"Authorization": f"Bearer {server.token}"})
    status: dict[str, Any] = json.loads(line.getresponse().read())
    line.close()
    return int(status["turns_running"])


async def _first_delta(wire: Wire) -> float:
    """Seconds from a message to the first delta of its answer."""
    asked = wire.send(type="message", text="SAY hi")
    _, answered = await wire.event_of("text_delta")
    await wire.event_of("result")
    return answered - asked
