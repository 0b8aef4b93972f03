"""Drives the candidates: processor time per delta, memory of idle connections, and what each of them can do."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from benchmarks import gateway, machine
from benchmarks.samples import spread
from benchmarks.stack.servers import CANDIDATES
from benchmarks.wire import PONG, Wire, connect

ROUNDS: Final = 9
DELTAS: Final = 20_000
WARM_UP: Final = 4_000
IDLE_CONNECTIONS: Final = 500
FLOOD_PIECES: Final = 100_000  # of 1000 characters: some 140 MB of frames
_FLOOD_ROOM_KIB: Final = 8 * 1024


@dataclass
class Server:
    """A candidate that serves."""

    pid: int
    port: int


@contextmanager
def serving(letter: str) -> Iterator[Server]:
    """A candidate in its own process, pinned to the first core."""
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stack.servers", letter],
            env=gateway.environment(Path(folder) / "home"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=folder,
        )
        try:
            os.sched_setaffinity(process.pid, {machine.core(0)})
            assert process.stdout is not None
            yield Server(process.pid, int(process.stdout.readline()))
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def run() -> dict[str, Any]:
    """The whole comparison, as it is written down."""
    with machine.pinned(1), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run())


async def _run() -> dict[str, Any]:
    rows = {
        letter: {"stack": name, "loop": "uvloop" if on_uvloop else "asyncio"}
        | {"idle_kib_per_connection": await _idle(letter)}
        | {"checks": await _checks(letter)}
        for letter, (name, on_uvloop, _) in CANDIDATES.items()
    }
    costs = await _costs()
    baseline = costs["a"]
    candidates = {}
    for letter, row in rows.items():
        candidates[letter] = row | {
            kind: {
                "us_per_delta": spread([cost * 1e6 for cost in samples]),
                "ratio": spread([cost / base for cost, base in zip(samples, baseline[kind], strict=True)]),
            }
            for kind, samples in costs[letter].items()
        }
    return {"rounds": ROUNDS, "deltas": DELTAS, "idle_connections": IDLE_CONNECTIONS, "candidates": candidates}


async def _costs() -> dict[str, dict[str, list[float]]]:
    """Seconds of processor time per delta, by candidate and kind: one sample a round, the candidates taking turns."""
    costs: dict[str, dict[str, list[float]]] = {letter: {"burst": [], "tick": []} for letter in CANDIDATES}
    with ExitStack() as stack:
        servers = {letter: stack.enter_context(serving(letter)) for letter in CANDIDATES}
        wires = {letter: await connect(server.port) for letter, server in servers.items()}
        order = list(CANDIDATES)
        for number in range(-1, ROUNDS):
            order.append(order.pop(0))
            for kind in ("burst", "tick"):
                for letter in order:
                    cost = await _stream(wires[letter], servers[letter].pid, kind, WARM_UP if number < 0 else DELTAS)
                    if number >= 0:
                        costs[letter][kind].append(cost)
        for wire in wires.values():
            wire.close()
    return costs


async def _stream(wire: Wire, pid: int, kind: str, count: int) -> float:
    wire.keeps = False
    before, target = machine.cpu_seconds(pid), wire.frames + count + 1
    wire.send(type=kind, count=count)
    await wire.count(target)
    return (machine.cpu_seconds(pid) - before) / count


async def _idle(letter: str) -> float:
    with serving(letter) as server:
        (await connect(server.port)).close()
        before = machine.memory_kib(server.pid)[1]
        wires = [await connect(server.port) for _ in range(IDLE_CONNECTIONS)]
        after = machine.memory_kib(server.pid)[1]
        for wire in wires:
            wire.close()
    return round((after - before) / IDLE_CONNECTIONS, 1)


async def _checks(letter: str) -> dict[str, bool]:
    with serving(letter) as server:
        wire = await connect(server.port)
        wire.ping(b"are you there")
        opcode, payload, _ = await wire.receive()
        checks = {
            "compression declined": b"permessage-deflate" not in wire.response.lower(),
            "ping answered": (opcode, payload) == (PONG, b"are you there"),
        }
        wire.send(type="close", code=4001)
        with suppress(ConnectionError):
            await wire.receive()
        checks["close code delivered"] = wire.close_code == 4001
        checks |= await _backpressure(server)
        checks["OpenAPI and validation"] = await asyncio.to_thread(_describes_itself, server.port)
    return checks


async def _backpressure(server: Server) -> dict[str, bool]:
    """Ask for a flood and read nothing: the sender has to stop, memory to stay, others to be served, and nothing to be lost."""
    slow, other = await connect(server.port), await connect(server.port)
    slow.keeps = False
    before = machine.memory_kib(server.pid)[1]
    slow.send(type="flood", count=FLOOD_PIECES)
    slow.transport.pause_reading()
    flooded, last = 0, -1
    for _ in range(100):
        other.send(type="stats")
        flooded = (await other.event_of("done"))[0]["flooded"]
        if flooded == last and flooded > 0:
            break
        last = flooded
        await asyncio.sleep(0.1)
    grown = machine.memory_kib(server.pid)[1] - before
    slow.transport.resume_reading()
    await slow.count(1 + FLOOD_PIECES + 1)
    return {
        "sender stops when the client does": 0 < flooded < FLOOD_PIECES and flooded == last,
        "memory bounded meanwhile": grown < _FLOOD_ROOM_KIB,
        "nothing lost when it reads again": slow.frames == 1 + FLOOD_PIECES + 1,
    }


def _describes_itself(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/openapi.json")
        response = connection.getresponse()
        described = response.status == 200 and "/item" in json.loads(response.read())["paths"]
        connection.request("POST", "/item", '{"name": "a", "amount": "many"}', {"Content-Type": "application/json"})
        return described and connection.getresponse().status == 422
    except (OSError, ValueError):
        return False
    finally:
        connection.close()
