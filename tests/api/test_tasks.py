"""Background tasks over HTTP: made, followed, cancelled, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, TOKEN, client

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASKS = "/api/tasks"
LONG = "SLOW 5000 0.01"
FIELDS = {
    *("id", "source", "source_id", "title", "prompt", "agent", "provider", "model", "status", "created_at"),
    *("started_at", "ended_at", "duration_s", "session_id", "chat_id", "channel_id", "answer", "error", "attempt"),
}


def browser(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=gateway.url, headers={b"Authorization": f"Bearer {TOKEN}".encode()})


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(gateway) as one:
        yield one


async def make(http: httpx.AsyncClient, prompt: str, **fields: object) -> dict[str, Any]:
    answer = await http.post(TASKS, json={"prompt": prompt, **fields})
    assert answer.status_code == 201, answer.text
    task: dict[str, Any] = answer.json()
    assert set(task) == FIELDS
    return task


async def until(http: httpx.AsyncClient, task_id: str, *statuses: str) -> dict[str, Any]:
    """The task, once it has one of these statuses."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            task: dict[str, Any] = (await http.get(f"{TASKS}/{task_id}")).json()
            if task["status"] in statuses:
                return task
            await asyncio.sleep(0.01)


async def messages(http: httpx.AsyncClient, task_id: str, **query: Any) -> dict[str, Any]:
    answer = await http.get(f"{TASKS}/{task_id}/messages", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    assert set(page) == {"messages", "has_more", "total", "cursor"}
    return page


def said(page: dict[str, Any]) -> str:
    """What the agent has said on a page."""
    return "".join(message["content"] for message in page["messages"] if message["sender"] == "agent")


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "code"}
    assert answer.json()["code"] == code


# --- making and following them ----------------------------------------------------------------------------------------


async def test_a_task_is_made_runs_and_can_be_read_afterwards(gateway: Gateway, http: httpx.AsyncClient) -> None:
    async with client(gateway) as plain, client(gateway, sync=True) as syncing:
        made = await make(http, "\n  SAY hello  \nSAY there")
        assert (made["status"], made["source"], made["source_id"], made["attempt"]) == ("queued", "task", None, 1)
        assert (made["title"], made["agent"], made["provider"], made["model"]) == ("SAY hello", "main", None, None)
        assert (made["answer"], made["error"], made["chat_id"], made["channel_id"]) == (None, None, None, None)
        pushed = [(await one.until("notification"))[-1]["notification"] for one in (plain, syncing)]
    assert pushed[0] == pushed[1]
    assert (pushed[0]["type"], pushed[0]["source_id"], pushed[0]["read"]) == ("task", made["id"], False)
    ended = (await http.get(f"{TASKS}/{made['id']}")).json()
    assert (ended["status"], ended["answer"]) == ("done", "hello\nthere")
    assert ended["created_at"] <= ended["started_at"] <= ended["ended_at"]
    assert ended["duration_s"] == pytest.approx(ended["ended_at"] - ended["started_at"])
    page = await messages(http, made["id"])
    assert [(message["sender"], message["status"]) for message in page["messages"]] == [
        ("user", "done"),
        ("agent", "done"),
    ]
    assert page["messages"][0]["content"] == made["prompt"]
    assert (page["has_more"], page["total"]) == (False, 2)
    last = page["messages"][-1]["id"]
    assert [message["sender"] for message in (await messages(http, made["id"], before=last))["messages"]] == ["user"]
    chats = (await http.get("/api/chat/sessions", params={"limit": 1000})).json()
    assert ended["session_id"] not in [chat["id"] for chat in chats], "it is no chat"


async def test_a_task_that_runs_shows_what_it_has_said_so_far(http: httpx.AsyncClient) -> None:
    made = await make(http, LONG, title="  A long\nthing ")
    assert made["title"] == "A long thing"
    await until(http, made["id"], "running")
    async with asyncio.timeout(PATIENCE_S):
        while "w0" not in said(page := await messages(http, made["id"])):  # noqa: ASYNC110 - of what the gateway does
            await asyncio.sleep(0.01)
    assert page["messages"][1]["status"] == "running"
    stopped = await http.post(f"{TASKS}/{made['id']}/cancel")
    assert (stopped.status_code, stopped.json()["status"]) == (200, "aborted")
    assert stopped.json()["answer"].startswith("w0 ")
    assert_error(await http.post(f"{TASKS}/{made['id']}/cancel"), 409, "conflict")
    assert (await messages(http, made["id"]))["messages"][1]["status"] == "aborted"


async def test_a_task_says_who_is_to_run_it(http: httpx.AsyncClient) -> None:
    made = await make(http, "SAY hi", agent="main", model="scripted")
    assert (made["provider"], made["model"]) == ("scripted", "scripted")
    ended = await until(http, made["id"], "done")
    assert (ended["answer"], ended["provider"]) == ("hi", "scripted")


async def test_a_task_that_fails_says_why(http: httpx.AsyncClient) -> None:
    ended = await until(http, (await make(http, "FAIL secret detail"))["id"], "failed")
    assert ended["error"]
    assert "secret detail" not in ended["error"]
    found = (await http.get("/api/notifications", params={"limit": 200})).json()
    (told,) = [one for one in found if one["source_id"] == ended["id"]]
    assert (told["severity"], told["status"], told["body"]) == ("critical", "failed", ended["error"])


WRONG_FIELDS: dict[str, list[object]] = {
    "prompt": ["", " \n\t", "x" * 100_001, 5, None, [], True],
    "title": ["", " \n", "x" * 201, 5, []],
    "agent": ["", "nobody", 5],
    "provider": ["", "nobody", 5],
    "model": ["", "nothing", []],
    "repeats": ["yes", 1, None],
}


@pytest.mark.parametrize(
    "fields",
    [
        *({name: wrong} for name, values in WRONG_FIELDS.items() for wrong in values),
        {"provider": "scripted", "model": "nothing"},
    ],
)
async def test_a_task_that_cannot_be_is_not_made(http: httpx.AsyncClient, fields: dict[str, object]) -> None:
    before = (await http.get(TASKS, params={"limit": 1})).json()
    assert_error(await http.post(TASKS, json={"prompt": "SAY hi", **fields}), 422, "invalid")
    assert (await http.get(TASKS, params={"limit": 1})).json() == before


async def test_a_body_that_is_no_task_is_refused(http: httpx.AsyncClient) -> None:
    assert_error(await http.post(TASKS, json={}), 400, "bad_request")
    assert_error(await http.post(TASKS, content=b"{", headers={"Content-Type": "application/json"}), 400, "bad_request")
    assert_error(await http.post(TASKS, json=[1]), 422, "invalid")
    assert_error(await http.post(TASKS, json={"prompt": "x" * 1_100_000}), 413, "too_large")


@pytest.mark.parametrize(
    "prompt", ["SAY \0 nul", "SAY \U0001f980 crab", "/status", "@nobody hi", "{{ 7 * 7 }}", "\x07"]
)
async def test_a_prompt_can_be_any_text(http: httpx.AsyncClient, prompt: str) -> None:
    ended = await until(http, (await make(http, prompt))["id"], "done", "failed")
    assert ended["prompt"] == prompt.replace("\0", "\ufffd")
    assert ended["status"] == "done"


async def test_a_long_first_line_is_no_title_as_it_is(http: httpx.AsyncClient) -> None:
    made = await make(http, "SAY " + "word " * 100)
    assert len(made["title"]) <= 80
    assert made["title"].endswith("word…")
    assert (await make(http, "x" * 100_000))["title"].startswith("xxx")


# --- finding them -----------------------------------------------------------------------------------------------------


async def test_tasks_are_listed_page_by_page_from_the_newest(http: httpx.AsyncClient) -> None:
    made = [(await make(http, f"SAY {number}"))["id"] for number in range(5)]
    first = (await http.get(TASKS, params={"limit": 2})).json()
    assert [task["id"] for task in first] == made[:2:-1]
    second = (await http.get(TASKS, params={"limit": 2, "before": made[3]})).json()
    assert [task["id"] for task in second] == [made[2], made[1]]
    for wrong in (0, -1, 201, "abc", "1.5"):
        assert_error(await http.get(TASKS, params={"limit": wrong}), 422, "invalid")
    assert_error(await http.get(TASKS, params={"before": "nothing"}), 404, "not_found")


@pytest.mark.parametrize("unknown", ["nothing", "%00", "..", "'; DROP TABLE runs; --", "x" * 1000])
async def test_an_unknown_task_is_404(http: httpx.AsyncClient, unknown: str) -> None:
    for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/cancel")):
        answer = await http.request(method, f"{TASKS}/{unknown}{path}")
        assert_error(answer, 404, "not_found")


async def test_nobody_without_the_token_gets_anything(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("POST", "/x/cancel"), ("GET", "/x/messages")):
            assert_error(await stranger.request(method, TASKS + path), 401, "unauthorized")


async def test_tasks_go_over_the_socket_too(gateway: Gateway) -> None:
    async with client(gateway, rpc=True) as peer:
        status, made = await peer.request("POST", TASKS, {"prompt": "SAY over the socket"})
        assert status == 201
        told = [event for event in peer.passed if event["type"] == "notification"] or await peer.until("notification")
        assert told[-1]["notification"]["source_id"] == made["id"]
        status, ended = await peer.request("GET", f"{TASKS}/{made['id']}")
        assert (status, ended["answer"]) == (200, "over the socket")


# --- one gateway after another ----------------------------------------------------------------------------------------


async def test_a_restart_loses_no_task_and_doubles_none(serve: Serve) -> None:
    async with serve({"tasks.max_parallel": 1}) as gateway, browser(gateway) as http:
        running = (await make(http, LONG))["id"]
        again = (await make(http, "SAY again", repeats=True))["id"]
        waiting = (await make(http, "SAY later"))["id"]
        await until(http, running, "running")
        page = await messages(http, waiting)
        assert page == {"messages": [], "has_more": False, "total": 0, "cursor": ""}
    async with serve() as gateway, browser(gateway) as http:
        assert (await until(http, running, "interrupted"))["error"] == "The gateway stopped while it ran."
        assert (await until(http, again, "done"))["answer"] == "again"
        assert (await until(http, waiting, "done"))["answer"] == "later"
        found = (await http.get("/api/notifications")).json()
        assert sorted(one["source_id"] for one in found) == sorted([running, again, waiting])
