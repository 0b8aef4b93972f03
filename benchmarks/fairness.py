"""How long a quiet session waits for its first delta while others stream as fast as they can, and how long the loop ever stalls."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds
from benchmarks.wire import Wire, connect

TARGETS_MS: Final = {1: 10, 16: 20, 64: 40}
STALL_TARGET_MS: Final = 20
DELTAS: Final = 200_000
SECONDS: Final = {0: 5.0, 1: 15.0, 16: 45.0, 64: 60.0}
"""How long each number of chatty sessions is watched: long enough for bursts to end and begin again where few run."""
ASK_EVERY_S: Final = 0.1
PROBE_EVERY_S: Final = 0.005
_QUIET_CHAT: Final = 900_001
_PROBE_CHAT: Final = 900_002
_ANSWER_BYTES: Final = 4_000_000  # only the result of a burst is larger


def run(seconds: dict[int, float] = SECONDS) -> dict[str, Any]:
    """One row for each number of chatty sessions."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = [runner.run(_measure(number, duration)) for number, duration in seconds.items()]
    return {
        "deltas": DELTAS,
        "stall_target_ms": STALL_TARGET_MS,
        "ask_every_s": ASK_EVERY_S,
        "probe_every_s": PROBE_EVERY_S,
        "rows": rows,
    }


async def _measure(chatty: int, seconds: float) -> dict[str, Any]:
    with gateway("--provider", "scripted") as server:
        gc.collect()
        gc.disable()  # the client must not pause
        try:
            return await _watch(server, chatty, seconds)
        finally:
            gc.enable()


async def _watch(server: Running, chatty: int, seconds: float) -> dict[str, Any]:
    noisy = [await connect(server.port, token=server.token, chat_id=number + 1) for number in range(chatty)]
    quiet = await connect(server.port, token=server.token, chat_id=_QUIET_CHAT)
    probe = await connect(server.port, token=server.token, chat_id=_PROBE_CHAT)
    await _ask(quiet)  # the session is loaded, as one in use is
    for wire in noisy:
        wire.keeps = False
        wire.send(type="message", text=f"BURST {DELTAS}")
    started, client_cpu = time.perf_counter(), time.process_time()
    server_cpu, server_waited = machine.cpu_seconds(server.pid), machine.waited_seconds(server.pid)
    until = started + seconds
    work: list[float] = []
    waits, probes, lags, ended = await asyncio.gather(
        _every(ASK_EVERY_S, until, lambda: _ask(quiet)),
        _every(PROBE_EVERY_S, until, lambda: _round_trip(probe, server.pid, work)),
        _every(PROBE_EVERY_S, until, _lag),
        _keep_bursting(noisy, until),
    )
    elapsed = time.perf_counter() - started
    row = {
        "chatty": chatty,
        "target_ms": TARGETS_MS.get(chatty),
        "seconds": round(elapsed, 1),
        "first_delta_ms": milliseconds(waits),
        "ping_ms": milliseconds(probes),
        "ping_cpu_ms": milliseconds(work),
        "bursts_ended": ended,
        "deltas_per_s": round(sum(wire.bytes for wire in noisy) / 136 / elapsed),
        "frames_per_s": round(sum(wire.frames for wire in noisy) / elapsed),
        "server_cpu": round((machine.cpu_seconds(server.pid) - server_cpu) / elapsed, 2),
        "server_without_core": round((machine.waited_seconds(server.pid) - server_waited) / elapsed, 2),
        "client_cpu": round((time.process_time() - client_cpu) / elapsed, 2),
        "client_lag_ms": milliseconds(lags),
        "server_pss_mib": round(machine.memory_kib(server.pid)[1] / 1024),
    }
    for wire in (*noisy, quiet, probe):
        wire.close()
    return row


async def _every(period_s: float, until: float, sample: Callable[[], Any]) -> list[float]:
    """Samples taken one after another, one each `period_s` where they do not take longer."""
    samples = []
    while (now := time.perf_counter()) < until:
        samples.append(await sample())
        await asyncio.sleep(max(0.0, now + period_s - time.perf_counter()))
    return samples


async def _ask(wire: Wire) -> float:
    """Seconds from a message to the first delta of its answer."""
    asked = wire.send(type="message", text="SAY hi")
    _, answered = await wire.event_of("text_delta")
    await wire.event_of("result")
    return answered - asked


async def _round_trip(wire: Wire, pid: int, work: list[float]) -> float:
    """Seconds from a ping to its pong: no stall of the server's loop in between was longer. `work` gets the processor time
    that all of the server used meanwhile: the same bound, without what other programs on the machine add to it.
    """
    used = machine.cpu_seconds(pid)
    asked = wire.send(type="ping")
    _, answered = await wire.event_of("pong")
    work.append(machine.cpu_seconds(pid) - used)
    return answered - asked


async def _lag() -> float:
    """How late this client's own loop is: what of the other numbers may be the client's fault."""
    due = time.perf_counter() + PROBE_EVERY_S
    await asyncio.sleep(PROBE_EVERY_S)
    return time.perf_counter() - due


async def _keep_bursting(noisy: list[Wire], until: float) -> int:
    """Begin a new burst wherever one has ended. Returns how many did."""
    ended = 0
    while time.perf_counter() < until:
        for wire in noisy:
            if wire.is_closed:
                raise ConnectionError(f"the server closed a chatty connection with {wire.close_code}")
            if wire.largest > _ANSWER_BYTES:
                ended, wire.largest = ended + 1, 0
                wire.send(type="message", text=f"BURST {DELTAS}")
        await asyncio.sleep(0.02)
    return ended
