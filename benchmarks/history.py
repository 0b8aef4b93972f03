"""What a large database costs: pages of the list and of histories over HTTP, and the start of the gateway."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.gateway import Running, gateway
from benchmarks.samples import milliseconds, spread
from sygen_bot.paths import Paths
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.tables import sessions, turns

SESSIONS: Final = 10_000
TURNS: Final = 500_000
"""A turn is two messages."""
PAGE_TARGET_MS: Final = 20
REQUESTS: Final = 50
STARTS: Final = 5
_TURNS_EACH: Final = 49
_LONG: Final = SESSIONS - 1
"""The session with all the other turns."""
_BEGAN: Final = 1_700_000_000.0
_QUESTION: Final = "What did we say about the blue boat, and who was to paint it before the spring?"
_ANSWER: Final = "We said that it needs two coats, and that whoever comes first in April begins with the hull. " * 3
_END: Final = '{"result":{"text":"","stream_fallback":false,"files":[],"provider":"scripted","model":"scripted","duration_ms":12}}'


def run() -> dict[str, Any]:
    """Generate once; then measure starts with it and with nothing, taking turns, and pages."""
    with TemporaryDirectory(prefix="sygen-benchmark-") as folder:
        full, empty = Path(folder) / "full" / "home", Path(folder) / "empty" / "home"
        began = time.perf_counter()
        size = _generate(full)
        generated_s = time.perf_counter() - began
        with gateway("--provider", "scripted", home=empty):
            pass  # the first start makes the database: what is measured are later ones
        starts: dict[str, list[float]] = {"full": [], "empty": []}
        for _ in range(STARTS):
            starts["full"].append(_start(full))
            starts["empty"].append(_start(empty))
        with gateway("--provider", "scripted", home=full) as server:
            pages = _pages(server)
    return {
        "sessions": SESSIONS,
        "messages": 2 * TURNS,
        "database_mib": round(size / 2**20),
        "generated_s": round(generated_s, 1),
        "page_target_ms": PAGE_TARGET_MS,
        "pages": pages,
        "health_s": {name: spread(samples, 3) for name, samples in starts.items()},
    }


# --- measuring ----------------------------------------------------------------------------------------------------------


def _start(home: Path) -> float:
    """Seconds until /health answers."""
    with gateway("--provider", "scripted", home=home) as server:
        _get(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10), "/health", server.token)
        return time.perf_counter() - server.started


def _pages(server: Running) -> dict[str, dict[str, float]]:
    """Each kind of page, asked for one after another on one connection, every time another page."""
    chance = random.Random(1)  # noqa: S311 - the same pages every time
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    base = "/api/chat/sessions"
    numbers = [chance.randrange(SESSIONS - 1) for _ in range(REQUESTS)]
    places = [chance.randrange(1000, _turns_of(_LONG) - 1000) for _ in range(REQUESTS)]
    long = f"{base}/{_session_id(_LONG)}/messages"
    kinds = {
        "list, first page of 50": [f"{base}?limit=50"] * REQUESTS,
        "list, first page of 200": [f"{base}?limit=200"] * REQUESTS,
        "list, page of 50 deep inside": [f"{base}?limit=50&before={_session_id(number)}" for number in numbers],
        "list of one chat": [f"{base}?chat_id={number + 1}&include_archived=true" for number in numbers],
        "history, first page of 50": [f"{base}/{_session_id(number)}/messages" for number in numbers],
        "long history, first page of 50": [long] * REQUESTS,
        "long history, page of 50 deep inside": [f"{long}?before={_turn_id(_LONG, place)}.u" for place in places],
    }
    return {kind: milliseconds([_get(line, path, server.token) for path in paths]) for kind, paths in kinds.items()}


def _get(line: http.client.HTTPConnection, path: str, token: str) -> float:
    """Seconds of one request."""
    asked = time.perf_counter()
    line.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    response = line.getresponse()
    body = response.read()
    elapsed = time.perf_counter() - asked
    assert response.status == 200, (path, body)
    answer = json.loads(body)
    assert answer, path
    assert "messages" not in answer or len(answer["messages"]) == 50, path
    return elapsed


# --- generating ---------------------------------------------------------------------------------------------------------


def _generate(home: Path) -> int:
    """A database with all those sessions, its turns in the order of time. Returns its size in bytes."""
    paths = Paths(home)
    paths.prepare()

    async def make() -> None:
        await (await open_storage(paths.database)).close()

    asyncio.run(make())
    database = sqlite3.connect(paths.database)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
        database.execute(f"PRAGMA {pragma}")
    _insert(database, sessions.name, map(_session, range(SESSIONS)))
    _insert(database, turns.name, _turns())
    database.commit()
    database.execute("PRAGMA journal_mode=WAL")
    database.close()
    return paths.database.stat().st_size


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[dict[str, object]]) -> None:
    rows = iter(rows)
    first = next(rows)
    names = ", ".join(f'"{name}"' for name in first)
    places = ", ".join(f":{name}" for name in first)
    database.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", chain([first], rows))  # noqa: S608


def _session(number: int) -> dict[str, object]:
    count = _turns_of(number)
    return {
        "id": _session_id(number),
        "key": f"api:{number + 1}",
        "agent": "main",
        "chat_id": number + 1,
        "title": f"Talk number {number}",
        "is_archived": number % 10 == 0,
        "created_at": _BEGAN + number,
        "updated_at": _time(number, count - 1),
        "epoch": "0123456789abcdef",
        "seq": count * _SEQ_EACH,
        "ordinal": count,
        "message_count": 2 * count,
        "context_turns": count,
    }


def _turns() -> Iterator[dict[str, object]]:
    for ordinal in range(_turns_of(_LONG)):
        if ordinal < _TURNS_EACH:
            for number in range(SESSIONS - 1):
                yield _turn(number, ordinal)
        yield _turn(_LONG, ordinal)


_SEQ_EACH: Final = len(_ANSWER) + 2


def _turn(number: int, ordinal: int) -> dict[str, object]:
    seq, when = ordinal * _SEQ_EACH + 1, _time(number, ordinal)
    return {
        "id": _turn_id(number, ordinal),
        "session_id": _session_id(number),
        "ordinal": ordinal + 1,
        "client_id": f"message {ordinal}",
        "text": _QUESTION,
        "accepted_at": when,
        "status": "done",
        "user_seq": seq,
        "end_seq": seq + _SEQ_EACH - 1,
        "ended_at": when + 1,
        "answer": _ANSWER,
        "trace": f'[["x",{seq + len(_ANSWER)},{len(_ANSWER)}]]',
        "end": _END,
    }


def _turns_of(number: int) -> int:
    return TURNS - (SESSIONS - 1) * _TURNS_EACH if number == _LONG else _TURNS_EACH


def _time(number: int, ordinal: int) -> float:
    return _BEGAN + ordinal * 10_000 + number


def _session_id(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:024x}"  # scattered, as random ids are


def _turn_id(number: int, ordinal: int) -> str:
    return f"{(number + ordinal * SESSIONS) * 0x9E3779B97F4A7C15 % 2**64:024x}"
