"""What notifications cost: many clients that are told of one, some of which do not read; and pages of a great many."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from benchmarks import machine
from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds, percentile, spread
from benchmarks.wire import Wire
from sygen_bot.paths import Paths
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.tables import notifications

CLIENTS: Final = 1000
SYNCING: Final = 500
"""Of those; each follows a session of its own."""
STOPPED: Final = 20
"""More clients, that do not read what they are sent."""
RUNS: Final = 20
TARGET_MS: Final = 60
KEPT: Final = 100_000
UNREAD: Final = 10_000
"""The oldest of those that are kept: the worst place for a page of what is unread."""
PAGE_TARGET_MS: Final = 10
REQUESTS: Final = 100
_AT_ONCE: Final = 16
_LIMIT_S: Final = 30.0


def run() -> dict[str, Any]:
    """Clients first, then pages; each with a gateway of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told = runner.run(_tell_everybody())
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        home = Path(folder) / "home"
        _generate(home)
        with gateway("--provider", "scripted", home=home) as server:
            pages = _pages(server)
    return {
        "clients": CLIENTS,
        "syncing": SYNCING,
        "stopped": STOPPED,
        "runs": RUNS,
        "target_ms": TARGET_MS,
        **told,
        "kept": KEPT,
        "unread": UNREAD,
        "page_target_ms": PAGE_TARGET_MS,
        "pages": pages,
    }


# --- many clients -------------------------------------------------------------------------------------------------------


class _Client(Wire):
    """Remembers when the last frame came, and nothing of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0.0

    def data_received(self, data: bytes) -> None:
        self.last = time.time()  # the clock by which the gateway says when it made the notification
        super().data_received(data)


async def _tell_everybody() -> dict[str, Any]:
    with gateway("--provider", "scripted") as server, machine.pinned(1):
        clients = await _connect(server, CLIENTS, syncing=SYNCING)
        stopped = await _connect(server, STOPPED, syncing=0)
        for client in clients:
            client.keeps = False
        for client in stopped:
            client.transport.pause_reading()
        gc.collect()
        gc.disable()  # the clients must not pause
        runs = [await _tell_once(server, clients) for _ in range(RUNS)]
        gc.enable()
        for client in (*clients, *stopped):
            client.close()
        await asyncio.sleep(0.1)  # they are gone before the gateway is stopped, or it waits for their farewell
    waits = [wait for run in runs for wait in run["waits"]]
    return {
        "arrivals": milliseconds(waits),
        "half_ms": spread([percentile(run["waits"], 0.5) * 1000 for run in runs], 1),
        "last_ms": spread([max(run["waits"]) * 1000 for run in runs], 1),
        "client_busy_ms": spread([run["client_busy"] * 1000 for run in runs], 1),
    }


async def _connect(server: Running, count: int, *, syncing: int) -> list[_Client]:
    clients: list[_Client] = []
    gate = asyncio.Semaphore(_AT_ONCE)

    async def connect(number: int) -> None:
        async with gate:
            _, client = await asyncio.get_running_loop().create_connection(_Client, "127.0.0.1", server.port)
            await client.handshake(token=server.token, chat_id=number + 1, sync=number < syncing)
            clients.append(client)

    await asyncio.gather(*(connect(number) for number in range(count)))
    return clients


async def _tell_once(server: Running, clients: list[_Client]) -> dict[str, Any]:
    """Seconds from the making of a notification to its coming to each client."""
    before = [client.frames for client in clients]
    task = await asyncio.to_thread(_ask, server, "POST", "/api/tasks", {"prompt": "SAY hi"})
    began = time.process_time()
    await asyncio.gather(
        *(client.count(seen + 1, _LIMIT_S) for client, seen in zip(clients, before, strict=True)),
    )
    busy = time.process_time() - began
    newest = (await asyncio.to_thread(_ask, server, "GET", "/api/notifications?limit=1"))[0]
    assert newest["source_id"] == task["id"]
    return {"waits": [client.last - newest["created_at"] for client in clients], "client_busy": busy}


# --- many notifications -------------------------------------------------------------------------------------------------


def _pages(server: Running) -> dict[str, dict[str, float]]:
    """Each kind of request, one after another on one connection."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    base = "/api/notifications"
    kinds = {
        "how many are unread": f"{base}/unread-count",
        "first page of 50": base,
        "first page of 200": f"{base}?limit=200",
        "page of 50 deep inside": f"{base}?before=n{KEPT // 2}",
        "first page of 50 unread": f"{base}?unread_only=true",
        "first page of 200 unread": f"{base}?unread_only=true&limit=200",
    }
    found = {}
    for kind, path in kinds.items():
        samples = []
        for _ in range(REQUESTS):
            asked = time.perf_counter()
            answer = _ask_on(line, server, "GET", path)
            samples.append(time.perf_counter() - asked)
            assert answer == {"count": UNREAD} or len(answer) in (50, 200), path
        found[kind] = milliseconds(samples)
    return found


def _ask(server: Running, method: str, path: str, body: object = None) -> Any:  # JSON
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_LIMIT_S)
    try:
        return _ask_on(line, server, method, path, body)
    finally:
        line.close()


def _ask_on(
    line: http.client.HTTPConnection, server: Running, method: str, path: str, body: object = None
) -> Any:  # JSON
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    line.request(method, path, None if body is None else json.dumps(body), headers)
    response = line.getresponse()
    said = response.read()
    assert response.status in (200, 201), (path, said)
    return json.loads(said)


def _generate(home: Path) -> None:
    """A database with all those notifications."""
    paths = Paths(home)
    paths.prepare()

    async def make() -> None:
        await (await open_storage(paths.database)).close()

    asyncio.run(make())
    rows = _rows()
    first = next(rows)
    places = ", ".join(f":{name}" for name in first)
    with sqlite3.connect(paths.database) as database:
        for row in (first, *rows):
            database.execute(f"INSERT INTO {notifications.name} ({', '.join(first)}) VALUES ({places})", row)  # noqa: S608
    database.close()


def _rows() -> Iterator[dict[str, object]]:
    now = time.time()
    for number in range(KEPT):
        yield {
            "id": f"n{number}",
            "type": "cron",
            "title": f"The backup number {number} is done",
            "body": "Everything was copied to the other disk, and nothing of it was damaged. " * 6,
            "agent": "main",
            "status": "done",
            "source_id": f"job{number % 20}",
            "severity": "info",
            "session_id": f"session {number}",
            "created_at": now - KEPT + number,
            "is_read": number >= UNREAD,
        }
