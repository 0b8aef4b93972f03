"""What the gateway costs beside the baseline: processor time per delta, latency, fan-out, memory, handshakes, accepted messages.

Both run on the same core, take turns in every round, and are driven by the same client on another core. Processor time is the
kernel's account of the whole process. The cost of a delta is marginal: that of a long answer less that of a short one, over the deltas
between; what a turn costs besides (accepting, storing) is a row of its own. Every answer is checked character by character; a wrong
one ends the benchmark without a number.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.samples import milliseconds, spread
from benchmarks.speed import load, servers
from benchmarks.speed.load import Client, WrongAnswer

ROUNDS: Final = int(os.environ.get("SYGEN_BENCHMARK_ROUNDS", "5"))
PACE_S: Final = 0.02


@dataclass(frozen=True)
class Stream:
    """`clients` hear an agent each, that says `short` and then `long` deltas. `is_exact`: each delta has to come in its own frame.

    `is_paced`: they begin one after another, so that their deltas are spread evenly over the time between two of one agent.
    """

    name: str
    clients: int
    script: str
    short: int
    long: int
    target: float | None = None
    is_exact: bool = True
    is_paced: bool = False
    rounds: int = ROUNDS


STREAMS: Final = (
    Stream("tick", 1, "TICK {}", 500, 15_000, 0.60),
    Stream("tick", 8, "TICK {}", 500, 3_000, 0.60),
    Stream("tick", 64, "TICK {}", 200, 1_000, 0.60),
    Stream("burst", 1, "BURST {}", 1_000, 100_000, 0.15, is_exact=False),
    Stream("burst", 8, "BURST {}", 1_000, 20_000, 0.15, is_exact=False),
    Stream("burst", 64, "BURST {}", 1_000, 5_000, 0.15, is_exact=False),
    Stream("pace", 64, f"PACE {{}} {PACE_S}", 100, 400, 0.75, is_paced=True, rounds=min(ROUNDS, 3)),
)
GROWTH: Final = tuple(
    Stream("growth", clients, "TICK {}", short, long, rounds=min(ROUNDS, 2))
    for clients, short, long in ((1, 500, 15_000), (8, 500, 3_000), (64, 200, 1_000), (512, 100, 400), (4096, 30, 110))
)
GROWTH_TARGET: Final = 1.25
SUBSCRIBERS: Final = 64
FAN_OUT_TARGET: Final = 0.50
LATENCY_TARGETS_MS: Final = {"p50": 0.5, "p99": 3.0}
IDLE: Final = 4_000
IDLE_TARGET: Final = 1.25
HANDSHAKES: Final = 1_500
ACCEPTING: Final = 64
ACCEPTED_EACH: Final = 400
ACCEPTED_TARGET: Final = 2_000


def run() -> dict[str, Any]:
    """All rows."""
    with machine.pinned(1), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return {
            "rounds": ROUNDS,
            "floor": floor(),
            "streams": runner.run(_streams(STREAMS)),
            "fan_out": runner.run(_fan_out()),
            "latency": runner.run(_latency()),
            "idle": runner.run(_idle()),
            "handshakes": runner.run(_handshakes()),
            "accepted": runner.run(_accepted()),
            "growth": runner.run(_streams(GROWTH)),
            "growth_target": GROWTH_TARGET,
        }


# --- streams ------------------------------------------------------------------------------------------------------------


async def _streams(rows: Sequence[Stream]) -> list[dict[str, Any]]:
    measured = []
    for row in rows:
        measured.append(await _compare(row))
        print(
            f"{row.name}, {row.clients} clients: {measured[-1]['us']['median']} us, {measured[-1]['ratio']['median']} of the baseline"
        )
    return measured


async def _compare(row: Stream) -> dict[str, Any]:
    """Both servers in turns, the other one first in every second round."""
    samples: dict[str, list[tuple[float, float]]] = {"project": [], "baseline": []}
    frames: dict[str, list[float]] = {"project": [], "baseline": []}
    with ExitStack() as stack:
        sides = await _sides(stack, range(1, row.clients + 1))
        for number in range(-1, row.rounds):
            for name in sides if number % 2 else reversed(sides):
                server, clients = sides[name]
                short, _ = await _cost(server, clients, row, row.short)
                long, share = await _cost(server, clients, row, row.long)
                if number >= 0:
                    delta = (long - short) / ((row.long - row.short) * row.clients)
                    samples[name].append((delta, short / row.clients - delta * row.short))
                    frames[name].append(share)
    project, baseline = ([sample[0] for sample in samples[name]] for name in ("project", "baseline"))
    return {
        "name": row.name,
        "clients": row.clients,
        "target": row.target,
        "us": spread([cost * 1e6 for cost in project]),
        "baseline_us": spread([cost * 1e6 for cost in baseline]),
        "ratio": spread([one / other for one, other in zip(project, baseline, strict=True)]),
        "turn_ms": spread([sample[1] * 1e3 for sample in samples["project"]]),
        "frames_per_delta": round(statistics.median(frames["project"]), 3),
    }


async def _sides(
    stack: ExitStack, chats: Sequence[int], **fields: object
) -> dict[str, tuple[servers.Server, list[Client]]]:
    sides = {}
    for name, start in (("project", servers.project), ("baseline", servers.baseline)):
        server = stack.enter_context(start())
        clients = await load.connect(server.port, server.token, chats, **fields)
        stack.callback(_leave, clients)
        sides[name] = server, clients
    return sides


def _leave(clients: Sequence[Client]) -> None:
    for client in clients:
        client.disconnect()


async def _cost(server: servers.Server, clients: list[Client], row: Stream, count: int) -> tuple[float, float]:
    """Seconds of the server's processor for an answer of `count` deltas to each client, and frames per delta."""
    for client in clients:
        client.expect(40 * count)
    gc.collect()
    gc.disable()
    before = machine.cpu_seconds(server.pid)
    for client in clients:
        client.say(row.script.format(count))
        if row.is_paced:
            await asyncio.sleep(PACE_S * (1 + 1 / len(clients)))
    await load.done(clients)
    cost = machine.cpu_seconds(server.pid) - before
    gc.enable()
    expected = None if row.is_paced else "".join(f"{index:039d}\n" for index in range(count))
    frames = [load.deltas(client, expected=expected, count=count) for client in clients]
    if row.is_exact and any(number != count for number in frames):
        raise WrongAnswer(f"{row.name}: {count} deltas came in {min(frames)} to {max(frames)} frames")
    return cost, sum(frames) / (count * len(clients))


async def _fan_out() -> dict[str, Any]:
    """Many subscribers of one session; only the first one asks."""
    row = Stream("fan_out", SUBSCRIBERS, "TICK {}", 100, 800)
    costs: dict[str, list[float]] = {"project": [], "baseline": []}
    with ExitStack() as stack:
        sides = await _sides(stack, [1] * SUBSCRIBERS, sync=True)
        for number in range(-1, row.rounds):
            for name in sides if number % 2 else reversed(sides):
                server, clients = sides[name]
                spent = [await _shared_cost(server, clients, row, count) for count in (row.short, row.long)]
                if number >= 0:
                    costs[name].append((spent[1] - spent[0]) / ((row.long - row.short) * SUBSCRIBERS))
    return {
        "subscribers": SUBSCRIBERS,
        "target": FAN_OUT_TARGET,
        "us": spread([cost * 1e6 for cost in costs["project"]]),
        "baseline_us": spread([cost * 1e6 for cost in costs["baseline"]]),
        "ratio": spread([one / other for one, other in zip(costs["project"], costs["baseline"], strict=True)]),
    }


async def _shared_cost(server: servers.Server, clients: list[Client], row: Stream, count: int) -> float:
    for client in clients:
        client.expect(40 * count)
    before = machine.cpu_seconds(server.pid)
    clients[0].say(row.script.format(count))
    await load.done(clients)
    cost = machine.cpu_seconds(server.pid) - before
    expected = "".join(f"{index:039d}\n" for index in range(count))
    if any(load.deltas(client, expected=expected, count=count) != count for client in clients):
        raise WrongAnswer("fan-out: deltas were merged")
    return cost


# --- latency ------------------------------------------------------------------------------------------------------------


async def _latency() -> dict[str, Any]:
    """From the moment at which the agent makes a delta to its arrival at the client, both by the machine's monotonic clock."""
    count = 250
    waits: dict[str, list[float]] = {}
    with ExitStack() as stack:
        for name, (_, clients) in (await _sides(stack, range(1, 65))).items():
            for client in clients:
                client.expect(40 * count, with_times=True)
                client.say(f"PACE {count} {PACE_S}")
                await asyncio.sleep(PACE_S * (1 + 1 / len(clients)))
            await load.done(clients, is_prompt=True)
            waits[name] = [wait for client in clients for wait in _waits(client, count)]
    return {
        "clients": 64,
        "pace_s": PACE_S,
        "targets_ms": LATENCY_TARGETS_MS,
        "project": milliseconds(waits["project"]),
        "baseline": milliseconds(waits["baseline"]),
    }


def _waits(client: Client, count: int) -> list[float]:
    if load.deltas(client, expected=None, count=count) != count:
        raise WrongAnswer("latency: deltas were merged")
    return [
        came - int(event["data"]) / 1e9
        for event, came in zip(client.events(), client.times or (), strict=True)
        if event["type"] == "text_delta"
    ]


# --- connections --------------------------------------------------------------------------------------------------------


async def _idle() -> dict[str, Any]:
    """KiB of PSS that each of many quiet connections adds, each in a chat of its own."""
    grown = {}
    with ExitStack() as stack:
        for name, (server, _) in (await _sides(stack, range(1, 65))).items():
            before = machine.memory_kib(server.pid)[1]
            clients = await load.connect(server.port, server.token, range(101, 101 + IDLE))
            await asyncio.sleep(1.0)
            grown[name] = (machine.memory_kib(server.pid)[1] - before) / IDLE
            _leave(clients)
    return {
        "connections": IDLE,
        "target": IDLE_TARGET,
        "kib": round(grown["project"], 1),
        "baseline_kib": round(grown["baseline"], 1),
        "ratio": round(grown["project"] / grown["baseline"], 2),
    }


async def _handshakes() -> dict[str, Any]:
    """Connections and first frames a second of processor time, in chats that are there."""
    rates: dict[str, list[float]] = {"project": [], "baseline": []}
    with ExitStack() as stack:
        sides = await _sides(stack, range(1, 65))
        for number in range(-1, min(ROUNDS, 5)):
            for name in sides if number % 2 else reversed(sides):
                server, _ = sides[name]
                before = machine.cpu_seconds(server.pid)
                chats = [1 + index % 64 for index in range(HANDSHAKES)]
                clients = await load.connect(server.port, server.token, chats)
                cost = machine.cpu_seconds(server.pid) - before
                _leave(clients)
                await asyncio.sleep(0.5)
                if number >= 0:
                    rates[name].append(HANDSHAKES / cost)
    return {
        "connections": HANDSHAKES,
        "rate": spread(rates["project"], 0),
        "baseline_rate": spread(rates["baseline"], 0),
        "ratio": spread([one / other for one, other in zip(rates["project"], rates["baseline"], strict=True)]),
    }


# --- messages -----------------------------------------------------------------------------------------------------------


async def _accepted() -> dict[str, Any]:
    """Messages that are stored a second while each session works on something; and whole turns, stored at both ends."""
    with ExitStack() as stack:
        server = stack.enter_context(servers.project(SYGEN_API__QUEUE_LIMIT="10000"))
        clients = await load.connect(server.port, server.token, range(1, ACCEPTING + 1))
        stack.callback(_leave, clients)
        turns = await _rate(server, clients, 50, script="SAY {}")
        for client in clients:
            client.say("SLOW 100000 1")
        accepted = await _rate(server, clients, ACCEPTED_EACH, script="SAY {}", until="accepted")
    return {"clients": ACCEPTING, "target": ACCEPTED_TARGET, "accepted": accepted, "turns": turns}


async def _rate(
    server: servers.Server, clients: list[Client], each: int, *, script: str, until: str = "result"
) -> dict[str, float]:
    """How many a second, with all clients sending one after another; and the server's processor time for each."""
    for client in clients:
        client.expect(1 << 40)
    began, before = time.perf_counter(), machine.cpu_seconds(server.pid)
    await asyncio.gather(*(_one_after_another(client, each, script, until) for client in clients))
    took, cost = time.perf_counter() - began, machine.cpu_seconds(server.pid) - before
    number = each * len(clients)
    return {"a_second": round(number / took), "cpu_ms": round(cost * 1e3 / number, 3)}


async def _one_after_another(client: Client, each: int, script: str, until: str) -> None:
    seen = 0
    for number in range(each):
        client.say(script.format(number), id=f"{until}{number}")
        while True:
            events, seen = client.events(start=seen), len(client.frames)
            if any(event["type"] == "error" for event in events):
                raise WrongAnswer(f"a message was refused: {events}")
            if any(event["type"] == until for event in events):
                break
            await client.another()


# --- floor --------------------------------------------------------------------------------------------------------------


def floor() -> dict[str, float]:
    """Microseconds of the parts that nobody can leave out: encoding and encrypting a delta, ours and the plain way, and `send(2)` of its frame."""
    import base64
    import json

    from nacl.public import Box, PrivateKey

    from sygen_bot.api.crypto import E2ESession, agree
    from sygen_bot.api.protocol import encode_event
    from sygen_bot.events import TextDelta

    text = f"{1:039d}\n"
    ours, theirs = PrivateKey.generate(), PrivateKey.generate()
    encryption = E2ESession(role="server", shared_key=agree(bytes(theirs.public_key), bytes(ours)))
    box = Box(ours, theirs.public_key)
    frame = encryption.seal(encode_event(TextDelta(text)) or b"")
    return {
        "encode_us": _timed(lambda: encode_event(TextDelta(text))),
        "seal_us": _timed(lambda: encryption.seal(b"x" * 66)),
        "plain_codec_us": _timed(
            lambda: base64.b64encode(box.encrypt(json.dumps({"type": "text_delta", "data": text}).encode())).decode()
        ),
        "loop_and_send_us": _loop_and_send_us(b"\x81\x7e\x00" + frame),
    }


def _timed(work: Callable[[], object], times: int = 20_000) -> float:
    """Microseconds of processor time, the best of a few tries."""
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, (time.thread_time() - began) / times)
    return round(best * 1e6, 2)


_WRITER = """
import asyncio, sys, uvloop

class Writer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.task = asyncio.get_running_loop().create_task(self.write())

    async def write(self):
        for _ in range(COUNT):
            await asyncio.sleep(0)
            self.transport.write(FRAME)
        self.transport.write_eof()

async def main():
    server = await asyncio.get_running_loop().create_server(Writer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


def _loop_and_send_us(frame: bytes, count: int = 50_000) -> float:
    """Of a program that does nothing but write a frame that is there already in each turn of uvloop's loop, to somebody who reads."""
    program = _WRITER.replace("COUNT", str(count)).replace("FRAME", repr(frame))
    with machine.pinned(0):
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        with socket.create_connection(("127.0.0.1", int(process.stdout.readline()))) as receiver:
            before = machine.cpu_seconds(process.pid)
            receiver.sendall(b"go")
            received = 0
            while data := receiver.recv(1 << 20):
                received += len(data)
        assert received == count * len(frame), received
        return round((machine.cpu_seconds(process.pid) - before) / count * 1e6, 2)
    finally:
        process.kill()
        process.communicate()
