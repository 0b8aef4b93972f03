"""Notifications as clients see them: listed and read over HTTP, pushed to whoever is connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sygen_bot.client import ConnectionLost, Notification, NotificationsRead, connect
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, TOKEN, Client, client

ALL = "/api/notifications"
FIELDS = {
    *("id", "type", "title", "body", "agent", "status", "source_id", "severity", "created_at", "read"),
    *("chat_id", "channel_id", "session_id"),
}


def browser(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers={b"Authorization": f"Bearer {TOKEN}".encode()})


@pytest.fixture
async def running(serve: Serve) -> AsyncIterator[Gateway]:
    """A gateway without any notifications."""
    async with serve() as gateway:
        yield gateway


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(running) as one:
        yield one


async def happen(http: httpx.AsyncClient, witness: Client, *prompts: str) -> list[dict[str, Any]]:
    """Run tasks, one after another; the notifications of their ends, oldest first."""
    seen = []
    for prompt in prompts:
        task = (await http.post("/api/tasks", json={"prompt": prompt})).json()
        seen.append((await witness.until("notification"))[-1]["notification"])
        assert seen[-1]["source_id"] == task["id"]
    return seen


async def listed(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get(ALL, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def count(http: httpx.AsyncClient) -> int:
    answer = await http.get(f"{ALL}/unread-count")
    assert (answer.status_code, set(answer.json())) == (200, {"count"})
    return int(answer.json()["count"])


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "code"}
    assert answer.json()["code"] == code


async def test_what_is_pushed_is_what_is_listed(running: Gateway, http: httpx.AsyncClient) -> None:
    assert (await listed(http), await count(http)) == ([], 0)
    async with client(running) as witness:
        (pushed,) = await happen(http, witness, "SAY hi")
    assert set(pushed) == FIELDS
    assert (pushed["type"], pushed["severity"], pushed["status"], pushed["read"]) == ("task", "info", "done", False)
    assert (pushed["title"], pushed["body"], pushed["agent"]) == ("SAY hi is done", "hi", "main")
    assert await listed(http) == [pushed]
    assert await count(http) == 1


async def test_one_that_was_away_gets_the_count_and_finds_them(running: Gateway, http: httpx.AsyncClient) -> None:
    async with client(running) as witness:
        await happen(http, witness, "SAY one", "FAIL two")
    async with client(running, sync=True) as back, client(running) as plain:
        assert back.hello["unread_notifications"] == 2
        assert "unread_notifications" not in plain.hello
    assert [(one["severity"], one["status"]) for one in await listed(http)] == [
        ("critical", "failed"),
        ("info", "done"),
    ]


async def test_reading_one_is_told_to_syncing_clients_once(running: Gateway, http: httpx.AsyncClient) -> None:
    async with client(running) as plain, client(running, sync=True) as one, client(running, sync=True) as two:
        first, second = await happen(http, plain, "SAY one", "SAY two")
        answer = await http.put(f"{ALL}/{first['id']}/read")
        assert (answer.status_code, answer.json()) == (200, {**first, "read": True})
        again = await http.put(f"{ALL}/{first['id']}/read")
        assert (again.status_code, again.json()) == (200, {**first, "read": True})
        for device in (one, two):
            told = [event for event in await device.quiet() if event["type"].startswith("notification")]
            assert [event["type"] for event in told] == ["notification", "notification", "notification_read"]
            assert told[-1]["ids"] == [first["id"]]
        assert await plain.quiet() == []
    assert await count(http) == 1
    assert await listed(http, unread_only=True) == [second]
    assert await listed(http) == [second, {**first, "read": True}]


async def test_reading_all_is_told_once(running: Gateway, http: httpx.AsyncClient) -> None:
    async with client(running, sync=True) as device:
        seen = await happen(http, device, "SAY one", "SAY two", "SAY three")
        await http.put(f"{ALL}/{seen[1]['id']}/read")
        await device.until("notification_read")
        answer = await http.post(f"{ALL}/read-all")
        assert (answer.status_code, answer.json()) == (200, {"updated": 2})
        told = (await device.until("notification_read"))[-1]
        assert told["ids"] == [seen[0]["id"], seen[2]["id"]]
        assert (await http.post(f"{ALL}/read-all")).json() == {"updated": 0}
        assert await device.quiet() == []
    assert (await count(http), await listed(http, unread_only=True)) == (0, [])


async def test_pages_follow_each_other(running: Gateway, http: httpx.AsyncClient) -> None:
    async with client(running) as witness:
        seen = await happen(http, witness, *(f"SAY {number}" for number in range(5)))
    newest_first = seen[::-1]
    assert await listed(http, limit=2) == newest_first[:2]
    assert await listed(http, limit=2, before=newest_first[1]["id"]) == newest_first[2:4]
    assert await listed(http, limit=200, before=seen[0]["id"]) == []
    assert await listed(http, before="") == newest_first


async def test_what_cannot_be_asked_is_refused_in_the_one_shape(http: httpx.AsyncClient) -> None:
    for wrong in ("0", "-1", "abc", "201", "1.5", ""):
        assert_error(await http.get(ALL, params={"limit": wrong}), 422, "invalid")
    assert_error(await http.get(ALL, params={"unread_only": "perhaps"}), 422, "invalid")
    for unknown in ("nothing", "\0", "'; DROP TABLE notifications; --", "x" * 1000):
        assert_error(await http.get(ALL, params={"before": unknown}), 404, "not_found")
    for unknown in ("nothing", "%00", "x" * 1000):
        assert_error(await http.put(f"{ALL}/{unknown}/read"), 404, "not_found")


async def test_nobody_without_the_token_gets_anything(running: Gateway) -> None:
    async with httpx.AsyncClient(base_url=running.url) as stranger:
        for method, path in (("GET", ""), ("GET", "/unread-count"), ("PUT", "/x/read"), ("POST", "/read-all")):
            assert_error(await stranger.request(method, ALL + path), 401, "unauthorized")


async def test_they_are_there_after_a_restart(serve: Serve) -> None:
    async with serve() as gateway, browser(gateway) as http, client(gateway) as witness:
        seen = await happen(http, witness, "SAY one", "SAY two")
        await http.put(f"{ALL}/{seen[0]['id']}/read")
    async with serve() as gateway, browser(gateway) as http:
        assert await count(http) == 1
        assert [(one["id"], one["read"]) for one in await listed(http)] == [
            (seen[1]["id"], False),
            (seen[0]["id"], True),
        ]


async def test_they_go_over_the_socket_too(running: Gateway, http: httpx.AsyncClient) -> None:
    async with client(running, rpc=True) as peer:
        (told,) = await happen(http, peer, "SAY hi")
        assert await peer.request("GET", f"{ALL}?unread_only=true") == (200, [told])
        assert await peer.request("PUT", f"{ALL}/{told['id']}/read") == (200, {**told, "read": True})
        assert await peer.request("GET", f"{ALL}/unread-count") == (200, {"count": 0})


async def test_a_program_hears_of_them_and_of_what_is_read(running: Gateway, http: httpx.AsyncClient) -> None:
    async with connect(running.url, TOKEN) as program, client(running) as witness:
        comes, reads = program.notifications(), program.notification_reads()
        waiting = [asyncio.ensure_future(anext(comes)), asyncio.ensure_future(anext(reads))]
        await program.ping()  # both listen by now
        (told,) = await happen(http, witness, "SAY hi")
        await http.put(f"{ALL}/{told['id']}/read")
        async with asyncio.timeout(PATIENCE_S):
            notification, read = await asyncio.gather(*waiting)
        assert notification == Notification(told)
        assert read == NotificationsRead((told["id"],))
    for stream in (comes, reads):
        with pytest.raises(ConnectionLost):
            await anext(stream)
        await stream.aclose()
