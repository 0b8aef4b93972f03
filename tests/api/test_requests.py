"""Requests over the socket: the JSON API, end-to-end encrypted, with the answers that HTTP gives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from sygen_bot.events import TextDelta
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.agents import Agent
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, TOKEN, Client, Event, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = "/api/chat/sessions"


@asynccontextmanager
async def browser(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        yield http


def asking(gateway: Gateway, chat: int, **fields: Any) -> AbstractAsyncContextManager[Client]:
    return client(gateway, chat_id=chat, **{"rpc": True, **fields})


def steady(body: Any) -> Any:
    """Without what differs from one moment to the next."""
    return {**body, "uptime_s": 0} if isinstance(body, dict) and "uptime_s" in body else body


async def both(peer: Client, http: httpx.AsyncClient, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """The answer to a request, which has to be the same over the socket and over HTTP."""
    over_socket = await peer.request(method, path, body)
    content = {} if body is None else {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    answer = await http.request(method, path, **content)  # type: ignore[arg-type]
    over_http = answer.status_code, answer.json() if answer.content else None
    assert (over_socket[0], steady(over_socket[1])) == (over_http[0], steady(over_http[1])), path
    return over_socket


@asynccontextmanager
async def told(gateway: Gateway, chat: int) -> AsyncIterator[tuple[Client, httpx.AsyncClient, str]]:
    """A client that may ask, a browser, and the id of a session with something in it."""
    async with asking(gateway, chat, sync=True) as peer, browser(gateway) as http:
        for number in range(3):
            await peer.ask(f'SAY hello {number}\nTOOL Read {{"a": 1}}\nFILE /tmp/a.png')
        yield peer, http, peer.hello["session_id"]


# --- the same answers as over HTTP ------------------------------------------------------------------------------------


async def test_everything_that_can_be_read_is_the_same_over_both(gateway: Gateway, chat: int) -> None:
    async with told(gateway, chat) as (peer, http, session_id):
        one = f"{SESSIONS}/{session_id}"
        paths = ["/health", "/api/providers", "/api/status", "/openapi.json", SESSIONS, one]
        paths += [f"{SESSIONS}?chat_id={chat}", f"{SESSIONS}?chat_id={chat}&agent=main&include_archived=true&limit=1"]
        paths += [
            f"{one}/messages",
            f"{one}/messages?limit=1",
            f"{one}/messages?limit=2&before=",
            f"{one}/export?format=json",
        ]
        newest = (await both(peer, http, "GET", f"{one}/messages"))[1]["messages"][-1]["id"]
        for path in [*paths, f"{one}/messages?before={newest}&limit=3"]:
            status, body = await both(peer, http, "GET", path)
            assert status == (404 if path.endswith("before=") else 200)
            assert body
        listed = (await peer.request("GET", f"{SESSIONS}?chat_id={chat}"))[1]
        assert [session["id"] for session in listed] == [session_id]


async def test_everything_that_can_be_changed_is_the_same_over_both(gateway: Gateway, chat: int) -> None:
    async with told(gateway, chat) as (peer, http, session_id):
        one = f"{SESSIONS}/{session_id}"
        assert (await both(peer, http, "PUT", one, {"title": "new \U0001f600 name"}))[1][
            "title"
        ] == "new \U0001f600 name"
        assert (await both(peer, http, "POST", f"{one}/archive"))[1]["archived"] is True
        assert (await both(peer, http, "POST", f"{one}/unarchive"))[1]["archived"] is False
        chosen = await both(peer, http, "POST", f"{one}/provider", {"provider": "scripted", "model": "scripted"})
        assert chosen == (200, {"session_id": session_id, "provider": "scripted", "model": "scripted"})
        status, made = await peer.request("POST", SESSIONS, {"title": "made", "chat_id": chat})
        assert status == 201
        assert made["channel_id"]
        assert await peer.request("DELETE", f"{SESSIONS}/{made['id']}") == (204, None)
        assert (await both(peer, http, "GET", f"{SESSIONS}/{made['id']}"))[0] == 404


WRONG: list[tuple[str, str, object, int]] = [
    ("GET", "/nowhere", None, 404),
    ("GET", "/ws", None, 404),
    ("GET", "/api", None, 404),
    ("POST", "/health", None, 405),
    ("DELETE", "/api/status", None, 405),
    ("PUT", SESSIONS, {}, 405),
    ("GET", f"{SESSIONS}/unknown", None, 404),
    ("GET", f"{SESSIONS}/unknown/messages", None, 404),
    ("GET", f"{SESSIONS}/unknown/export?format=json", None, 404),
    ("GET", f"{SESSIONS}/a%2Fb", None, 404),
    ("GET", f"{SESSIONS}/%00", None, 404),
    ("GET", f"{SESSIONS}/%ff", None, 404),
    ("GET", f"{SESSIONS}/ö \U0001f600", None, 404),
    ("DELETE", f"{SESSIONS}/unknown", None, 404),
    ("POST", f"{SESSIONS}/unknown/archive", None, 404),
    ("POST", f"{SESSIONS}/unknown/provider", {"provider": None}, 404),
    ("PUT", f"{SESSIONS}/unknown", {"title": "x"}, 404),
    ("PUT", f"{SESSIONS}/unknown", {"title": ""}, 422),
    ("PUT", f"{SESSIONS}/unknown", {"title": 5}, 422),
    ("PUT", f"{SESSIONS}/unknown", {}, 400),
    ("PUT", f"{SESSIONS}/unknown", None, 400),
    ("PUT", f"{SESSIONS}/unknown", [], 422),
    ("PUT", f"{SESSIONS}/unknown", "text", 422),
    ("PUT", f"{SESSIONS}/unknown", 5, 422),
    ("PUT", f"{SESSIONS}/unknown", True, 422),
    ("GET", f"{SESSIONS}?chat_id=many", None, 422),
    ("GET", f"{SESSIONS}?limit=0", None, 422),
    ("GET", f"{SESSIONS}?before=unknown", None, 404),
    ("POST", SESSIONS, {"chat_id": 0}, 422),
    ("POST", SESSIONS, {"chat_id": 2**53}, 422),
    ("POST", SESSIONS, {"chat_id": 2**70}, 422),
    ("POST", SESSIONS, {"chat_id": 1.5}, 422),
    ("POST", SESSIONS, {"agent": "nobody"}, 422),
    ("POST", SESSIONS, {"title": "x" * 201}, 422),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRONG)
async def test_an_error_is_the_same_over_both(
    gateway: Gateway, chat: int, method: str, path: str, body: object, status: int
) -> None:
    async with asking(gateway, chat) as peer, browser(gateway) as http:
        got, error = await both(peer, http, method, path, body)
        assert got == status
        assert set(error) == {"error", "code"}


@pytest.mark.parametrize("chat_id", ["99999999999999999999999", "-5", "0", "9223372036854775808", "1e3", "", "true"])
async def test_a_chat_that_cannot_be_is_no_crash(gateway: Gateway, chat: int, chat_id: str) -> None:
    async with asking(gateway, chat) as peer, browser(gateway) as http:
        status, body = await both(peer, http, "GET", f"{SESSIONS}?chat_id={chat_id}")
        assert status in (200, 422)
        assert body == [] or body["code"] == "invalid"


@pytest.mark.parametrize("path", ["/api/status/", f"{SESSIONS}/", "/health/"])
async def test_a_path_with_a_slash_too_many_is_not_there(gateway: Gateway, chat: int, path: str) -> None:
    async with asking(gateway, chat) as peer, browser(gateway) as http:
        status, body = await both(peer, http, "GET", path)
        assert (status, body["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/api/status",
        "///api/status",
        "//127.0.0.1:1/api/status",
        "//[::1",
        "//host:99999/",
        "//\u2028host/api/status",
        "/\0",
        "/a\nb",
        "/\x7f",
        "/\x1b[2J",
        "/api/status\r\nX-Other: 1",
        "/" + "x" * 70_000,
        "/?" + "x" * 70_000,
        "/api/%",
        "/api/%zz",
        "/http://evil.example/",
        "/@evil.example/",
        "/:80",
        "/..",
        "/\\..\\..",
        "/\u202e\U0001f600",
    ],
)
async def test_no_path_leads_anywhere_else_and_each_is_answered(gateway: Gateway, chat: int, path: str) -> None:
    async with asking(gateway, chat) as peer:
        await peer.send(type="request", id="odd", method="GET", path=path)
        answer = await peer.receive()
        assert answer["id"] == "odd"
        assert answer["type"] == "error" or answer["status"] in (400, 404, 414, 415, 422), answer
        assert (await peer.request("GET", "/api/status"))[0] == 200


async def test_what_goes_up_in_a_path_stays_within_the_api(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat) as peer:
        for path in ("/api/../etc/passwd", "/api/chat/sessions/../../../../etc/passwd", "/static/..%2f..%2fetc/passwd"):
            assert (await peer.request("GET", path))[0] == 404


# --- what is no request -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "GET"},
        {"path": "/health"},
        {"method": "get", "path": "/health"},
        {"method": "PATCH", "path": "/health"},
        {"method": "CONNECT", "path": "/health"},
        {"method": 5, "path": "/health"},
        {"method": ["GET"], "path": "/health"},
        {"method": "GET\r\n", "path": "/health"},
        {"method": "GET", "path": "health"},
        {"method": "GET", "path": ""},
        {"method": "GET", "path": None},
        {"method": "GET", "path": 5},
        {"method": "GET", "path": ["/health"]},
        {"method": "GET", "path": "http://127.0.0.1/health"},
        {"method": "GET", "path": "file:///etc/passwd"},
    ],
)
async def test_a_request_with_a_wrong_field_is_invalid(gateway: Gateway, chat: int, fields: dict[str, object]) -> None:
    async with asking(gateway, chat) as peer:
        await peer.send(type="request", id="a", **fields)
        error = await peer.receive()
        assert (error["type"], error["code"], error["id"]) == ("error", "invalid", "a")


@pytest.mark.parametrize("request_id", [None, "", 5, "x" * 65, ["a"], True])
async def test_a_request_has_an_id(gateway: Gateway, chat: int, request_id: object) -> None:
    async with asking(gateway, chat) as peer:
        await peer.send(type="request", id=request_id, method="GET", path="/health")
        error = await peer.receive()
        assert error["code"] == "invalid"
        assert "id" not in error


@pytest.mark.parametrize("asked", [None, False, 1, "true", {}])
async def test_who_did_not_ask_for_requests_cannot_make_them(gateway: Gateway, chat: int, asked: object) -> None:
    async with client(gateway, chat_id=chat, rpc=asked) as peer:
        await peer.send(type="request", id="a", method="POST", path=SESSIONS, body={"chat_id": chat})
        error = await peer.receive()
        assert (error["code"], error["id"]) == ("unknown_type", "a")
        assert await peer.quiet() == []
    async with asking(gateway, chat) as peer:
        listed = (await peer.request("GET", f"{SESSIONS}?chat_id={chat}"))[1]
        assert [session["channel_id"] for session in listed] == [None], "only the one that the connections opened"


@pytest.mark.parametrize(
    "body", [2**70, -(2**70), 1e308, "\0", "\u202e", {"a": {"b": [None, True, 1.5]}}, "x" * 500_000, [[]] * 1000]
)
async def test_a_body_is_any_json(gateway: Gateway, chat: int, body: object) -> None:
    async with asking(gateway, chat) as peer, browser(gateway) as http:
        status, _ = await both(peer, http, "PUT", f"{SESSIONS}/unknown", {"title": "x", "more": body})
        assert status == 404
        status, _ = await both(peer, http, "POST", f"{SESSIONS}/unknown/provider", {"provider": body})
        assert status in (404, 422)


async def test_a_number_beyond_floats_in_a_body_is_answered(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat) as peer:
        raw = b'{"type":"request","id":"a","method":"POST","path":"/api/chat/sessions","body":{"chat_id":1e999}}'
        await peer.socket.send(peer.seal(raw))
        answer = await peer.receive()
        assert answer["id"] == "a"
        assert answer.get("status", 422) == 422, answer


async def test_what_is_no_json_is_not_sent_over_the_socket(gateway: Gateway, chat: int) -> None:
    async with told(gateway, chat) as (peer, _, session_id):
        for path in ("/docs", f"{SESSIONS}/{session_id}/export?format=md"):
            status, error = await peer.request("GET", path)
            assert (status, error["code"]) == (415, "unsupported_media")


# --- many and big ones ------------------------------------------------------------------------------------------------


async def test_more_than_eight_at_once_are_refused_and_the_others_answered(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat) as peer, asking(gateway, chat) as other:
        frames = [
            peer.seal({"type": "request", "id": str(number), "method": "GET", "path": "/api/status"})
            for number in range(30)
        ]
        await asyncio.gather(*map(peer.socket.send, frames))
        assert (await other.request("GET", "/api/status"))[0] == 200, "each connection has its own"
        answers = [await peer.receive() for _ in frames]
        assert {answer["id"] for answer in answers} == {str(number) for number in range(30)}
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert {answer["code"] for answer in refused} <= {"rate_limited"}
        assert len(answers) - len(refused) >= 8
        assert (await peer.request("GET", "/api/status"))[0] == 200, "later there is room again"


async def test_requests_are_answered_while_a_turn_streams_and_do_not_hold_it_up(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat, sync=True) as peer:
        await peer.say("SLOW 100 0.005")
        for _ in range(30):
            assert (await peer.request("GET", f"{SESSIONS}/{peer.hello['session_id']}/messages"))[0] == 200
        assert peer.passed, "the stream went on meanwhile"
        events = peer.passed
        if not any(event["type"] == "result" for event in events):
            events = events + await peer.until("result")
        assert said(events) == events[-1]["text"]


async def test_an_abort_does_not_wait_for_requests(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat) as peer:
        await peer.say("SLOW 5000 0.01")
        await peer.until("text_delta")
        for number in range(8):
            await peer.send(type="request", id=str(number), method="GET", path="/openapi.json")
        await peer.send(type="abort")
        events = await peer.until("abort_ok")
        assert events[-1]["killed"] == 1
        answered = sum(event["type"] == "response" for event in events)
        events = [await peer.receive() for _ in range(8 - answered)]
        assert all(event["type"] == "response" for event in events)


async def test_a_big_answer_arrives_whole_and_one_too_big_for_a_frame_is_refused(serve: Serve) -> None:
    agent = Agent(TextDelta("é" * 2_000_000))
    async with (
        serve(providers=[agent]) as gateway,
        asking(gateway, 1, sync=True) as peer,
        client(gateway, chat_id=2) as other,
    ):
        for _ in range(4):
            await peer.ask("go")
        path = f"{SESSIONS}/{peer.hello['session_id']}/messages"
        status, page = await peer.request("GET", f"{path}?limit=1")
        assert status == 200
        assert page["messages"][0]["content"] == "é" * 2_000_000
        asked = asyncio.create_task(peer.request("GET", path))
        slowest = 0.0
        while not asked.done():
            start = time.monotonic()
            await other.quiet()
            slowest = max(slowest, time.monotonic() - start)
        status, error = await asked
        assert (status, error["code"]) == (413, "too_large")
        assert slowest < 3.0
        async with browser(gateway) as http:
            assert len((await http.get(path)).json()["messages"]) == 8, "HTTP has no such bound"


async def test_a_client_that_leaves_in_the_middle_of_its_requests_harms_nobody(gateway: Gateway, chat: int) -> None:
    async with asking(gateway, chat) as other:
        for _ in range(10):
            async with asking(gateway, chat) as peer:
                for number in range(8):
                    await peer.send(
                        type="request",
                        id=str(number),
                        method="POST",
                        path=SESSIONS,
                        body={"chat_id": chat, "title": "made"},
                    )
                peer.socket.transport.abort()
        titles = {""}
        async with asyncio.timeout(PATIENCE_S):  # what was begun is done to its end
            while not titles <= {"made"}:
                _, made = await other.request("GET", f"{SESSIONS}?chat_id={chat}&limit=1000")
                titles = {session["title"] for session in made if session["channel_id"]}
        events: list[Event] = await other.ask("SAY still here")
        assert said(events) == "still here"
