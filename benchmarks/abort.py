"""How long an abort takes, sent on the socket on which the turn streams: alone, and while others stream as fast as they can."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import uvloop

from benchmarks.fairness import DELTAS
from benchmarks.gateway import gateway
from benchmarks.samples import milliseconds
from benchmarks.wire import Wire, connect

RUNS: Final = 50
OTHERS: Final = (0, 16)
TARGET_MS: Final = 100
_CHAT: Final = 900_001


def run() -> dict[str, Any]:
    """One row for each number of other sessions."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return {"target_ms": TARGET_MS, "rows": [runner.run(_measure(others)) for others in OTHERS]}


async def _measure(others: int) -> dict[str, Any]:
    with gateway("--provider", "scripted") as server:
        noisy = [await connect(server.port, token=server.token, chat_id=number + 1) for number in range(others)]
        for wire in noisy:
            wire.keeps = False
            wire.send(type="message", text=f"BURST {DELTAS}")
        wire = await connect(server.port, token=server.token, chat_id=_CHAT)
        times = [await _abort(wire) for _ in range(RUNS)]
        return {"others": others, "abort_ms": milliseconds(times)}


async def _abort(wire: Wire) -> float:
    """Seconds from an abort in the middle of a turn to its answer."""
    wire.send(type="message", text="SLOW 1000 0.01")
    for _ in range(5):
        await wire.event_of("text_delta")
    asked = wire.send(type="abort")
    result, _ = await wire.event_of("result")
    answer, answered = await wire.event_of("abort_ok")
    if not result.get("aborted") or answer["killed"] != 1:
        raise RuntimeError(f"the abort did not stop the turn: {result}, {answer}")
    return answered - asked
