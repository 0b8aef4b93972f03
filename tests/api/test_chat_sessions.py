"""Chat sessions over HTTP: listed, titled, read page by page, exported, deleted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve, serving
from tests.api.wire import TOKEN, Client, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = "/api/chat/sessions"
LONG = "SLOW 5000 0.01"
FIELDS = {
    *("id", "agent", "title", "chat_id", "channel_id", "created_at", "updated_at", "archived"),
    *("provider", "model", "message_count"),
}


def browser(gateway: Gateway) -> httpx.AsyncClient:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    return httpx.AsyncClient(base_url=gateway.url, headers=headers)


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(gateway) as one:
        yield one


async def make(http: httpx.AsyncClient, chat: int, **fields: object) -> dict[str, Any]:
    answer = await http.post(SESSIONS, json={"chat_id": chat, **fields})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    assert set(session) == FIELDS
    return session


async def listed(http: httpx.AsyncClient, chat: int, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get(SESSIONS, params={"chat_id": chat, **query})
    assert answer.status_code == 200, answer.text
    sessions: list[dict[str, Any]] = answer.json()
    return sessions


def of(gateway: Gateway, session: dict[str, Any], **fields: Any) -> AbstractAsyncContextManager[Client]:
    """A connection to that session."""
    return client(gateway, chat_id=session["chat_id"], channel_id=session["channel_id"], **fields)


async def page(http: httpx.AsyncClient, session_id: str, **query: Any) -> dict[str, Any]:
    answer = await http.get(f"{SESSIONS}/{session_id}/messages", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"messages", "has_more", "total", "cursor"}
    return found


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "code"}
    assert answer.json()["code"] == code


# --- making and finding them ------------------------------------------------------------------------------------------


async def test_a_new_session_has_a_channel_of_its_own(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat, title="a title", agent="main")
    assert session | {"id": "", "channel_id": 0, "created_at": 0, "updated_at": 0} == {
        "id": "",
        "agent": "main",
        "title": "a title",
        "chat_id": chat,
        "channel_id": 0,
        "created_at": 0,
        "updated_at": 0,
        "archived": False,
        "provider": None,
        "model": None,
        "message_count": 0,
    }
    assert 0 < session["channel_id"] < 2**53
    assert (await http.get(f"{SESSIONS}/{session['id']}")).json() == session
    async with of(gateway, session, sync=True) as peer:
        assert peer.hello["session_id"] == session["id"]


async def test_a_new_session_needs_no_fields(http: httpx.AsyncClient) -> None:
    session = (await http.post(SESSIONS, json={})).json()
    assert (session["chat_id"], session["title"], session["agent"]) == (1, "", "main")
    nulls = (await http.post(SESSIONS, json={"agent": None, "title": None, "chat_id": None})).json()
    assert (nulls["chat_id"], nulls["title"]) == (1, "")
    assert nulls["channel_id"] != session["channel_id"]


WRONG_FIELDS: dict[str, list[object]] = {
    "chat_id": [0, -1, 2**53, 2**70, 1.5, "5", "x", [], {}, True, False],
    "agent": ["", "nobody", "Main", 5, [], True],
    "title": ["", "  \n", "x" * 201, 5, [], True],
}


@pytest.mark.parametrize("fields", [{name: wrong} for name, values in WRONG_FIELDS.items() for wrong in values])
async def test_a_session_that_cannot_be_is_not_made(
    http: httpx.AsyncClient, chat: int, fields: dict[str, object]
) -> None:
    assert_error(await http.post(SESSIONS, json={"chat_id": chat, **fields}), 422, "invalid")
    assert await listed(http, chat) == []


async def test_fresh_channels_never_repeat(http: httpx.AsyncClient, chat: int) -> None:
    channels = set()
    for _ in range(20):
        session = await make(http, chat)
        channels.add(session["channel_id"])
        assert (await http.delete(f"{SESSIONS}/{session['id']}")).status_code == 204
    assert len(channels) == 20
    assert await listed(http, chat) == []


async def test_a_session_that_a_client_opened_by_its_numbers_is_listed(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    async with client(gateway, chat_id=chat), client(gateway, chat_id=chat, channel_id=7) as peer:
        await peer.ask("  \n SAY the first line  \nSAY another")
        await peer.ask("SAY later")
    by_channel = {session["channel_id"]: session for session in await listed(http, chat)}
    assert set(by_channel) == {None, 7}
    assert by_channel[7]["title"] == "SAY the first line", "an untitled one takes its title from the first message"
    assert by_channel[7]["message_count"] == 4
    assert (by_channel[None]["title"], by_channel[None]["message_count"]) == ("", 0)


async def test_a_message_with_files_is_called_by_the_words_of_its_person(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    block = "[INCOMING FILE] A file was sent to you.\nName: {}\nPath: api_files/{}\nType: image/webp (image)"
    files = [block.format(name, name) for name in ("cat.webp", "dog.webp")]
    for channel, text in (
        (1, "\n\n".join([*files, "Which is larger?"])),
        (2, "\n\n".join(files)),
        (3, "[INCOMING FILE]"),
    ):
        async with client(gateway, chat_id=chat, channel_id=channel) as peer:
            await peer.ask(text)
    titles = {session["channel_id"]: session["title"] for session in await listed(http, chat)}
    assert titles == {1: "Which is larger?", 2: "cat.webp", 3: "[INCOMING FILE]"}


async def test_a_title_that_was_given_is_kept(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat, title="mine")
    async with of(gateway, session) as peer:
        await peer.ask("SAY x")
    assert (await listed(http, chat))[0]["title"] == "mine"
    long = await make(http, chat)
    async with of(gateway, long) as peer:
        await peer.ask("\U0001f600" * 5000)
    title = (await http.get(f"{SESSIONS}/{long['id']}")).json()["title"]
    assert 0 < len(title) <= 200
    assert title.startswith("\U0001f600")


async def test_the_newest_come_first_and_a_message_makes_a_session_new(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    made = [await make(http, chat, title=str(number)) for number in range(5)]
    assert [session["title"] for session in await listed(http, chat)] == ["4", "3", "2", "1", "0"]
    async with of(gateway, made[1]) as peer:
        await peer.ask("SAY x")
    sessions = await listed(http, chat)
    assert [session["title"] for session in sessions] == ["1", "4", "3", "2", "0"]
    assert sessions[0]["updated_at"] > made[1]["updated_at"]
    assert sessions[0]["created_at"] == made[1]["created_at"]
    paged, before = list[str](), dict[str, str]()
    while part := await listed(http, chat, limit=2, **before):
        paged += [session["title"] for session in part]
        before = {"before": part[-1]["id"]}
    assert paged == ["1", "4", "3", "2", "0"]


async def test_the_list_is_of_a_chat_and_of_an_agent(http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat)
    assert [one["id"] for one in await listed(http, chat, agent="main")] == [session["id"]]
    assert await listed(http, chat, agent="nobody") == []
    assert await listed(http, 10_000_000 + chat) == []
    assert session["id"] in [one["id"] for one in (await http.get(SESSIONS)).json()]


async def test_an_archived_session_is_listed_only_on_demand(http: httpx.AsyncClient, chat: int) -> None:
    away, there = await make(http, chat, title="away"), await make(http, chat, title="there")
    for _ in range(2):  # twice is the same as once
        answer = await http.post(f"{SESSIONS}/{away['id']}/archive")
        assert answer.json() == away | {"archived": True}
    assert [one["title"] for one in await listed(http, chat)] == ["there"]
    assert {one["title"] for one in await listed(http, chat, include_archived=True)} == {"away", "there"}
    assert (await http.get(f"{SESSIONS}/{away['id']}")).json()["archived"] is True
    for _ in range(2):
        assert (await http.post(f"{SESSIONS}/{away['id']}/unarchive")).json() == away
    assert len(await listed(http, chat)) == 2
    assert there["archived"] is False


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"title": "x"}),
        ("DELETE", "", None),
        ("POST", "/archive", None),
        ("POST", "/unarchive", None),
        ("GET", "/messages", None),
        ("POST", "/provider", {"provider": None, "model": None}),
        ("GET", "/export?format=md", None),
        ("GET", "/export?format=json", None),
    ],
)
@pytest.mark.parametrize("session_id", ["unknown", "0", "%20", "%00", "%F0%9F%98%80", "'%20OR%201=1", "x" * 5000])
async def test_an_unknown_session_is_not_found(
    http: httpx.AsyncClient, method: str, path: str, body: object, session_id: str
) -> None:
    answer = await http.request(method, f"{SESSIONS}/{session_id}{path}", json=body)
    assert_error(answer, 404, "not_found")


async def test_a_deleted_session_is_gone_with_all_that_it_said(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    session = await make(http, chat, title="old")
    async with of(gateway, session) as peer:
        await peer.ask("SAY secret")
        answer = await http.delete(f"{SESSIONS}/{session['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert await peer.close_code() == 1000
    for path in ("", "/messages", "/export?format=json"):
        assert_error(await http.get(f"{SESSIONS}/{session['id']}{path}"), 404, "not_found")
    assert_error(await http.delete(f"{SESSIONS}/{session['id']}"), 404, "not_found")
    async with of(gateway, session, sync=True) as peer:
        assert peer.hello["session_id"] != session["id"]
        assert (await page(http, peer.hello["session_id"]))["messages"] == []


# --- titles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["x", "x" * 200, "\U0001f600" * 200, "name: \"quoted\" / 'x' \\ %", "שלום \u202e"])
async def test_a_session_is_renamed(http: httpx.AsyncClient, chat: int, title: str) -> None:
    session = await make(http, chat)
    answer = await http.put(f"{SESSIONS}/{session['id']}", json={"title": title})
    assert answer.status_code == 200
    assert answer.json() == session | {"title": title}
    assert await listed(http, chat) == [answer.json()]


@pytest.mark.parametrize("title", ["", " ", "\n\t", "x" * 201, "\U0001f600" * 201, "x" * 10_000, 5, None, ["x"], True])
async def test_a_title_that_cannot_be_is_refused(http: httpx.AsyncClient, chat: int, title: object) -> None:
    session = await make(http, chat, title="old")
    assert_error(await http.put(f"{SESSIONS}/{session['id']}", json={"title": title}), 422, "invalid")
    assert await listed(http, chat) == [session]


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"name": "x"}', b"\xff"])
async def test_a_body_without_a_title_is_a_bad_request(http: httpx.AsyncClient, chat: int, body: bytes) -> None:
    session = await make(http, chat, title="old")
    answer = await http.put(f"{SESSIONS}/{session['id']}", content=body, headers={"Content-Type": "application/json"})
    assert_error(answer, 400, "bad_request")


@pytest.mark.parametrize("title", ["a\0b", "a\x1b[2Jb", "a\x07b", "a\x7fb", "a\x9bb", "a\ud800b", "a\r\nb"])
async def test_a_title_holds_no_control_characters(http: httpx.AsyncClient, chat: int, title: str) -> None:
    """Lists are shown in terminals too."""
    session = await make(http, chat)
    answer = await http.put(
        f"{SESSIONS}/{session['id']}",
        content=json.dumps({"title": title}),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 422), answer.text
    told = (await http.get(f"{SESSIONS}/{session['id']}")).json()["title"]
    assert told == "" or (told.startswith("a") and told.endswith("b"))
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in told), told


async def test_a_title_taken_from_a_message_holds_no_control_characters(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    async with client(gateway, chat_id=chat) as peer:
        await peer.ask("a \x1b[2J\x07 b")
    title = (await listed(http, chat))[0]["title"]
    assert title.startswith("a")
    assert title.isprintable(), title


# --- messages ---------------------------------------------------------------------------------------------------------


async def talk(peer: Client, turns: int) -> None:
    for number in range(turns):
        await peer.ask(f"SAY answer {number}")


async def test_messages_tell_who_said_what_with_which_tools(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        accepted = await peer.accepted('THINK hm\nTOOL Read {"path": "/a"}\nSAY done\nFILE /tmp/a.png', "a")
        result = (await peer.until("result"))[-1]
        found = await page(http, peer.hello["session_id"])
    question, answer = found["messages"]
    assert found | {"messages": []} == {"messages": [], "has_more": False, "total": 2, "cursor": result["cursor"]}
    fields = "id turn_id sender content timestamp files tools usage status outline provider model duration_ms reason"
    assert set(question) == set(answer) == set(fields.split())
    assert question["turn_id"] == answer["turn_id"] == accepted["turn_id"]
    assert question["id"] != answer["id"]
    assert (question["sender"], question["status"], question["files"], question["tools"]) == ("user", "done", [], [])
    assert question["content"] == 'THINK hm\nTOOL Read {"path": "/a"}\nSAY done\nFILE /tmp/a.png'
    assert (answer["sender"], answer["status"], answer["content"]) == ("agent", "done", result["text"])
    assert answer["files"] == result["files"]
    assert answer["usage"] == result["usage"]
    (tool,) = answer["tools"]
    assert (tool["name"], tool["input"], tool["output"], tool["is_error"]) == ("Read", {"path": "/a"}, "done", False)
    assert 1e9 < question["timestamp"] <= answer["timestamp"]


async def test_an_answer_tells_in_which_order_it_was_said_thought_and_done(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    script = [
        "THINK first",
        "SAY so 🙂",
        "STATUS busy",
        "SAY it is",
        'TOOL Read {"path": "/a"}',
        "TOOL Bash {}",
        "SAY so.",
        "THINK on",
    ]
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.ask("\n".join(script))
        await peer.ask("NOSTREAM whole")
        found = await page(http, peer.hello["session_id"])
    question, answer, _, whole = found["messages"]
    told = [
        (part["type"], part.get("text", part.get("chars", part.get("tool"))))
        for message in (answer, whole)
        for part in message["outline"]
    ]
    assert answer["content"] == "so 🙂\nit is\nso."
    assert told == [
        *(("thinking", "first"), ("text", len("so 🙂\nit is")), ("tool", 0), ("tool", 1), ("text", len("\nso."))),
        *(("thinking", "on"), ("text", len("whole"))),
    ]
    assert [tool["name"] for tool in answer["tools"]] == ["Read", "Bash"]
    assert (answer["provider"], answer["reason"], question["outline"], question["provider"]) == (
        "scripted",
        None,
        [],
        None,
    )
    assert answer["duration_ms"] >= 0


async def test_an_answer_that_was_stopped_says_why_in_the_history_too(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.send(type="message", text="SLOW 1000 0.05")
        await peer.until("text_delta")
        await peer.send(type="abort")
        await peer.until("result")
        found = await page(http, peer.hello["session_id"])
    assert (found["messages"][1]["status"], found["messages"][1]["reason"]) == ("aborted", "abort")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
async def test_pages_of_any_size_give_every_message_once(
    gateway: Gateway, http: httpx.AsyncClient, chat: int, limit: int
) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await talk(peer, 6)
        session_id = peer.hello["session_id"]
    everything = (await page(http, session_id, limit=200))["messages"]
    assert [message["content"] for message in everything[1::2]] == [f"answer {number}" for number in range(6)]
    found, query, has_more = list[dict[str, Any]](), dict[str, Any](), True
    while has_more:
        part = await page(http, session_id, limit=limit, **query)
        assert len(part["messages"]) <= limit
        assert part["total"] == 12
        found, query, has_more = part["messages"] + found, {"before": part["messages"][0]["id"]}, part["has_more"]
    assert found == everything
    assert (await page(http, session_id, limit=limit, **query))["messages"] == []


async def test_the_total_is_the_same_on_every_page_while_a_turn_runs(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await talk(peer, 2)
        await peer.say(LONG)
        await peer.until("text_delta")
        newest = await page(http, peer.hello["session_id"], limit=2)
        older = await page(http, peer.hello["session_id"], limit=2, before=newest["messages"][0]["id"])
        assert newest["total"] == older["total"] == 6
        await peer.send(type="abort")
        await peer.until("abort_ok")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", "1.5", "", "99999999999999999999"])
async def test_a_page_has_one_to_two_hundred_messages(http: httpx.AsyncClient, chat: int, limit: str) -> None:
    session = await make(http, chat)
    answer = await http.get(f"{SESSIONS}/{session['id']}/messages", params={"limit": limit})
    assert_error(answer, 422, "invalid")


async def test_a_page_before_a_message_that_is_not_there_is_not_found(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    session = await make(http, chat)
    async with of(gateway, session) as peer, client(gateway, chat_id=chat, sync=True) as other:
        await talk(peer, 1)
        await talk(other, 1)
        real = (await page(http, session["id"]))["messages"][1]["id"]
        foreign = (await page(http, other.hello["session_id"]))["messages"][1]["id"]
    turn_id = real.partition(".")[0]
    for before in (
        "unknown",
        "",
        "0",
        ".",
        ".u",
        foreign,
        real + "x",
        real[:-1],
        f"{turn_id}.x",
        turn_id,
        f"{turn_id}.",
    ):
        answer = await http.get(f"{SESSIONS}/{session['id']}/messages", params={"before": before})
        assert answer.status_code == 404, (before, answer.text)


async def test_messages_have_the_status_of_their_turn(serve: Serve) -> None:
    async with serve() as gateway, browser(gateway) as http, client(gateway, sync=True) as peer:
        session_id = peer.hello["session_id"]
        await peer.ask("SAY done")
        await peer.ask("FAIL on purpose")
        await peer.say(LONG)
        await peer.say("SAY queued")
        await peer.until("text_delta")
        events = await peer.quiet()
        found = (await page(http, session_id))["messages"]
        assert [(one["sender"], one["status"]) for one in found] == [
            *(("user", "done"), ("agent", "done"), ("user", "done"), ("agent", "failed")),
            *(("user", "done"), ("agent", "running"), ("user", "queued")),
        ]
        assert found[5]["content"].startswith("w0 ")
        assert said(events) in found[5]["content"]
        await peer.send(type="abort")
        await peer.until("abort_ok")
        found = (await page(http, session_id))["messages"]
        assert [(one["sender"], one["status"]) for one in found[4:]] == [
            *(("user", "done"), ("agent", "aborted"), ("user", "done"), ("agent", "aborted")),
        ]
        assert (await http.get(f"{SESSIONS}/{session_id}")).json()["message_count"] == len(found)


async def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with serving(home) as gateway, browser(gateway) as http:
        session = await make(http, 5, title="kept")
        async with of(gateway, session) as peer:
            await peer.ask('TOOL Read {"a": 1}\nSAY done')
            await peer.ask("FAIL on purpose")
        before = await page(http, session["id"])
        await http.post(f"{SESSIONS}/{session['id']}/provider", json={"provider": "scripted", "model": "scripted"})
        kept = (await http.get(f"{SESSIONS}/{session['id']}")).json()
    async with serving(home) as gateway, browser(gateway) as http:
        assert await page(http, session["id"]) == before
        assert (await http.get(f"{SESSIONS}/{session['id']}")).json() == kept
        assert (kept["provider"], kept["model"]) == ("scripted", "scripted")


# --- who answers ------------------------------------------------------------------------------------------------------


async def test_a_session_is_given_to_a_provider_and_back_to_the_default(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    session = await make(http, chat)
    path = f"{SESSIONS}/{session['id']}"
    for body, provider, model in (
        ({"provider": "scripted", "model": "scripted"}, "scripted", "scripted"),
        ({"provider": "scripted", "model": None}, "scripted", None),
        ({"provider": None, "model": "scripted"}, "scripted", "scripted"),
        ({"provider": "scripted"}, "scripted", None),
        ({"provider": None, "model": None}, None, None),
        ({}, None, None),
    ):
        answer = await http.post(f"{path}/provider", json=body)
        assert answer.json() == {"session_id": session["id"], "provider": provider, "model": model}
        now = (await http.get(path)).json()
        assert (now["provider"], now["model"]) == (provider, model)
        async with of(gateway, session) as peer:
            assert peer.hello["active_provider"] == "scripted"
            assert said(await peer.ask("SAY x")) == "x"


@pytest.mark.parametrize(
    "body",
    [
        {"provider": "unknown", "model": None},
        {"provider": "", "model": None},
        {"provider": "scripted", "model": "unknown"},
        {"provider": "scripted", "model": ""},
        {"provider": "scripted/scripted", "model": None},
        {"provider": None, "model": "unknown"},
        {"provider": None, "model": "scripted/scripted"},
        {"provider": None, "model": ""},
        {"provider": 5, "model": None},
        {"provider": ["scripted"], "model": None},
    ],
)
async def test_a_provider_that_is_not_known_is_refused(
    http: httpx.AsyncClient, chat: int, body: dict[str, object]
) -> None:
    session = await make(http, chat)
    assert_error(await http.post(f"{SESSIONS}/{session['id']}/provider", json=body), 422, "invalid")
    assert await listed(http, chat) == [session]


# --- export -----------------------------------------------------------------------------------------------------------


async def test_a_conversation_is_exported_as_json(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat, title="with \U0001f600")
    async with of(gateway, session) as peer:
        await peer.ask('TOOL Read {"a": 1}\nSAY one "two" \U0001f600 \\ end')
        await peer.ask("FAIL on purpose")
        answer = await http.get(f"{SESSIONS}/{session['id']}/export", params={"format": "json"})
    assert answer.headers["content-type"].startswith("application/json")
    document = json.loads(answer.content)
    assert document["session"]["id"] == session["id"]
    assert document["session"]["title"] == "with \U0001f600"
    assert document["messages"] == (await page(http, session["id"]))["messages"]


async def test_a_conversation_is_exported_as_markdown(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat, title="A title")
    async with of(gateway, session) as peer:
        await peer.ask('TOOL Read {"a": 1}\nSAY the answer')
    answer = await http.get(f"{SESSIONS}/{session['id']}/export?format=md")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# A title\n")
    for text in ("the answer", "SAY the answer", "Read"):
        assert text in answer.text
    assert answer.text.index("SAY the answer") < answer.text.rindex("the answer")


async def test_an_empty_and_a_long_conversation_are_exported_whole(
    gateway: Gateway, http: httpx.AsyncClient, chat: int
) -> None:
    session = await make(http, chat)
    path = f"{SESSIONS}/{session['id']}/export"
    assert json.loads((await http.get(path, params={"format": "json"})).content)["messages"] == []
    assert (await http.get(path, params={"format": "md"})).status_code == 200
    async with of(gateway, session) as peer:
        for start in range(0, 120, 30):
            for number in range(30):
                await peer.say(f"SAY {start + number}")
            await peer.until_ends(30)
    messages = json.loads((await http.get(path, params={"format": "json"})).content)["messages"]
    assert [message["content"] for message in messages[1::2]] == [str(number) for number in range(120)]


@pytest.mark.parametrize(
    "title",
    [
        *('a"b', "a\\b", "a/../../etc/passwd", "a;b=c", "a\u2028b", "שלום", "\U0001f600" * 50, "...", "-", "x" * 200),
        *("a\r\nSet-Cookie: x=1", "%41%0d%0a", "con", ".hidden", "'; filename=evil.exe"),
    ],
)
async def test_a_download_has_a_harmless_name_whatever_the_title(
    http: httpx.AsyncClient, chat: int, title: str
) -> None:
    session = await make(http, chat, title=title)
    for suffix in ("md", "json"):
        answer = await http.get(f"{SESSIONS}/{session['id']}/export", params={"format": suffix})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        kind, plain, wide = (
            answer.headers["content-disposition"].split("; ", 2)
            if (answer.headers["content-disposition"].count("; ") == 2)
            else pytest.fail(answer.headers["content-disposition"])
        )
        assert kind == "attachment"
        name = plain.removeprefix('filename="').removesuffix('"')
        assert name.endswith(f".{suffix}")
        assert name.isascii()
        assert not set(name) & set('"\\/;\r\n')
        assert not name.startswith(".")
        decoded = unquote(wide.removeprefix("filename*=UTF-8''"))
        assert decoded.endswith(f".{suffix}")
        assert not set(decoded) & set("/\\\r\n\0")


@pytest.mark.parametrize("form", ["", "pdf", "MD", "json,md"])
async def test_an_export_in_another_form_is_refused(http: httpx.AsyncClient, chat: int, form: str) -> None:
    session = await make(http, chat)
    answer = await http.get(f"{SESSIONS}/{session['id']}/export", params={"format": form})
    assert_error(answer, 422, "invalid")


async def test_no_chat_session_is_shown_without_the_token(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    session = await make(http, chat)
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        for method, path in (
            *(("GET", ""), ("POST", ""), ("GET", f"/{session['id']}"), ("PUT", f"/{session['id']}")),
            *(("DELETE", f"/{session['id']}"), ("GET", f"/{session['id']}/messages"), ("GET", "/unknown")),
            *(("GET", f"/{session['id']}/export"), ("POST", f"/{session['id']}/provider")),
            *(("POST", f"/{session['id']}/archive"), ("POST", f"/{session['id']}/unarchive")),
        ):
            assert_error(await stranger.request(method, SESSIONS + path), 401, "unauthorized")
    assert await listed(http, chat) == [session]
