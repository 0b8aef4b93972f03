"""The description of the HTTP API: valid, complete, and true of every answer."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import serving
from tests.api.wire import TOKEN, client

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSIONS = "/api/chat/sessions"
TINY_PICTURE = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")
Json = dict[str, Any]
Call = Callable[..., Awaitable[Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One that hears something in every recording."""
    home = tmp_path_factory.mktemp("described")
    engine = home / "engine"
    engine.write_text("#!/bin/sh\necho heard\n")
    engine.chmod(0o700)
    async with serving(home / "home", {"transcription.custom": f"{engine} {{file}}"}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def description(http: httpx.AsyncClient) -> Json:
    answer = await http.get("/openapi.json")
    assert answer.status_code == 200
    found: Json = answer.json()
    return found


def operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def assert_described(description: Json, template: str, answer: httpx.Response) -> None:
    """The status is named for that operation, and the body has the shape that is told, without a field more."""
    operation = description["paths"][template][answer.request.method.lower()]
    told = operation["responses"].get(str(answer.status_code))
    assert told is not None, f"{answer.request.method} {template} does not tell of {answer.status_code}: {answer.text}"
    if not answer.content:
        assert "content" not in told
        return
    kind = answer.headers["Content-Type"].partition(";")[0]
    schema = (told["content"].get(kind) or told["content"]["*/*"])["schema"]
    if kind == "application/json":
        shapes = {
            name: shape | {"additionalProperties": False}
            for name, shape in description["components"]["schemas"].items()
        }
        OAS31Validator({**schema, "components": {"schemas": shapes}}).validate(answer.json())


# --- the document -----------------------------------------------------------------------------------------------------


async def test_the_description_is_valid(description: Json) -> None:
    validate(description)


async def test_every_operation_says_what_it_is_for(description: Json) -> None:
    tags = {tag["name"] for tag in description["tags"]}
    names = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(set(names)) == len(names) >= 13
    for _, path, operation in operations(description):
        assert operation["summary"], path
        assert set(operation["tags"]) <= tags
        assert len(operation["tags"]) == 1
        for answer in operation["responses"].values():
            assert answer["description"] not in ("", "Successful Response")


async def test_every_error_is_told_in_the_one_shape(description: Json) -> None:
    one_shape = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    assert set(description["components"]["schemas"]["Refusal"]["required"]) == {"error", "code"}
    for method, path, operation in operations(description):
        errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "d45"}
        assert "default" in errors
        assert ("401" in errors) == (path != "/health"), (method, path)
        assert all(answer["content"] == one_shape for answer in errors.values()), (method, path)


async def test_no_answer_is_left_open(description: Json) -> None:
    """Only what a tool was given may be anything."""

    def check(shape: Json, where: str) -> None:
        if "$ref" in shape or where in ("Tool.input", "Pending.input"):
            return
        kinds = [
            *shape.get("anyOf", []),
            *shape.get("oneOf", []),
            *shape.get("oneOf", []),
            *([shape["items"]] if "items" in shape else []),
        ]
        assert shape.get("additionalProperties") in (None, False), where
        assert kinds or "type" in shape or "enum" in shape, where
        assert shape.get("type") != "object" or "properties" in shape, where
        for one in kinds:
            check(one, where)
        for name, one in shape.get("properties", {}).items():
            check(one, f"{where}.{name}")

    for name, shape in description["components"]["schemas"].items():
        check(shape, name)
    for _, path, operation in operations(description):
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                check(content["schema"], f"{path} {status}")


async def test_the_token_is_asked_for_where_the_description_says_so(gateway: Gateway, description: Json) -> None:
    (scheme,) = description["components"]["securitySchemes"].items()
    assert (scheme[1]["type"], scheme[1]["scheme"]) == ("http", "bearer")
    async with httpx.AsyncClient(base_url=gateway.url) as stranger:
        for method, template, operation in operations(description):
            path = re.sub(r"\{\w+_id\}", "x", template).replace("{name}", "main")
            answer = await stranger.request(method, path, json={"title": "x"})
            assert (answer.status_code == 401) == ("security" in operation), (method, template)
            assert_described(description, template, answer)


# --- the answers ------------------------------------------------------------------------------------------------------


async def test_every_answer_is_as_it_is_described(
    gateway: Gateway, http: httpx.AsyncClient, description: Json, chat: int
) -> None:
    called = set()

    async def call(method: str, template: str, status: int, thing: str = "", **request: Any) -> Any:
        path = re.sub(r"\{\w+_id\}", thing, template).replace("{name}", "main")
        answer = await http.request(method, path, **request)
        assert answer.status_code == status, answer.text
        assert_described(description, template, answer)
        if answer.is_success:
            called.add((method.lower(), template))
        return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else None

    one = SESSIONS + "/{session_id}"
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.ask('THINK hm\nTOOL Read {"a": [{}]}\nSAY done\nFILE /tmp/a.png')
        await peer.ask("FAIL on purpose")
        talked = peer.hello["session_id"]
        await peer.say("SLOW 5000 0.01")
        await peer.until("text_delta")
        messages = (await call("GET", f"{one}/messages", 200, talked))["messages"]
        assert [message["status"] for message in messages[1::2]] == ["done", "failed", "running"]
        assert "error" in messages[3]
        await peer.send(type="abort")
        await peer.until("abort_ok")
    async with client(gateway, chat_id=chat, approvals=True) as peer:
        await peer.say('ASK Bash {"command": "ls"}')
        asked = (await peer.until("approval_request"))[-1]["id"]
        assert await call("GET", "/api/approvals", 200)
        await call("POST", "/api/approvals/{approval_id}", 200, asked, json={"decision": "allow_always"})
        assert await call("GET", "/api/approvals/history", 200)
        (rule,) = await call("GET", "/api/approvals/rules", 200)
        await call("DELETE", "/api/approvals/rules/{rule_id}", 200, rule["id"])
    for path in ("/health", "/api/providers", "/api/status", SESSIONS):
        await call("GET", path, 200)
    await call("GET", f"{one}/export", 200, talked)
    await call("GET", f"{one}/export", 200, talked, params={"format": "json"})
    made = (await call("POST", SESSIONS, 201, json={"chat_id": chat, "title": "a"}))["id"]
    await call("GET", one, 200, made)
    await call("PUT", one, 200, made, json={"title": "b"})
    await call("POST", f"{one}/archive", 200, made)
    await call("POST", f"{one}/unarchive", 200, made)
    await call("POST", f"{one}/provider", 200, made, json={"provider": "scripted"})
    await call("DELETE", one, 204, made)
    file = {"file": ("note.txt", b"text", "text/plain")}
    uploaded = await call("POST", "/upload", 200, files=file, data={"caption": "look"})
    await call("GET", "/files", 200, params={"path": uploaded["path"]})
    await call("GET", "/files", 206, params={"path": uploaded["path"]}, headers={"Range": "bytes=1-2"})
    await call("POST", "/api/files/link", 200, json={"path": uploaded["path"]})
    await call("POST", "/api/transcribe", 200, json={"file_path": await voice(http)})
    await call("GET", "/api/agents", 200)
    picture = "/api/agents/{name}/avatar"
    await call("GET", picture, 200)
    await call("POST", picture, 200, files={"avatar": ("a.gif", TINY_PICTURE, "image/gif")})
    await call("DELETE", picture, 204)
    await automation(call)
    assert called == {(method, path) for method, path, _ in operations(description)}

    await call("GET", SESSIONS, 422, params={"limit": 0})
    await call("GET", SESSIONS, 422, params={"chat_id": 2**53})
    await call("GET", SESSIONS, 404, params={"before": "x"})
    await call("POST", SESSIONS, 422, json={"agent": "nobody"})
    await call("POST", SESSIONS, 400, content=b"{", headers={"Content-Type": "application/json"})
    await call("PUT", one, 400, talked, json={})
    await call("PUT", one, 422, talked, json={"title": ""})
    await call("PUT", one, 413, talked, json={"title": "x" * 2**20})
    await call("GET", f"{one}/messages", 404, talked, params={"before": "x"})
    await call("GET", f"{one}/export", 422, talked, params={"format": "pdf"})
    await call("POST", f"{one}/provider", 422, talked, json={"provider": "nobody"})
    for method, path, _ in operations(description):
        if "_id}" in path and not path.startswith("/hooks/"):
            await call(method.upper(), path, 404, "unknown", json={"title": "x", "decision": "deny"})


async def automation(call: Call) -> None:
    """Every route of tasks, cron jobs, webhooks and notifications, where it succeeds."""
    task = (await call("POST", "/api/tasks", 201, json={"prompt": "SLOW 1000 0.05", "title": "slow"}))["id"]
    await call("GET", "/api/tasks", 200)
    await call("GET", "/api/tasks/{task_id}", 200, task)
    await call("GET", "/api/tasks/{task_id}/messages", 200, task)
    await call("PUT", "/api/tasks/{task_id}", 200, task, json={"title": "slower"})
    await call("DELETE", "/api/tasks/{task_id}", 409, task)
    await call("POST", "/api/tasks/{task_id}/cancel", 200, task)
    await call("POST", "/api/tasks/{task_id}/cancel", 409, task)
    await call("DELETE", "/api/tasks/{task_id}", 204, task)
    job = (await call("POST", "/api/cron", 201, json={"title": "a", "schedule": "0 0 * * *", "prompt": "SAY a"}))["id"]
    await call("GET", "/api/cron", 200)
    await call("GET", "/api/cron/{job_id}", 200, job)
    await call("PUT", "/api/cron/{job_id}", 200, job, json={"title": "b"})
    await call("POST", "/api/cron/{job_id}/run", 202, job)
    await call("GET", "/api/cron/{job_id}/runs", 200, job)
    await call("DELETE", "/api/cron/{job_id}", 204, job)
    body = {"title": "a", "template": "SAY {{ said }}", "auth": "bearer"}
    made = await call("POST", "/api/webhooks", 201, json=body)
    hook = made["id"]
    await call("GET", "/api/webhooks", 200)
    await call("GET", "/api/webhooks/{hook_id}", 200, hook)
    await call("PUT", "/api/webhooks/{hook_id}", 200, hook, json={"title": "b"})
    proof = {"Authorization": f"Bearer {made['secret']}"}
    await call("POST", "/hooks/{hook_id}", 202, hook, json={"said": "hi"}, headers=proof)
    await call("POST", "/hooks/{hook_id}", 401, hook, json={"said": "hi"})
    await call("POST", "/api/webhooks/{hook_id}/test", 202, hook)
    await call("POST", "/api/webhooks/{hook_id}/secret", 200, hook)
    await call("GET", "/api/webhooks/{hook_id}/deliveries", 200, hook)
    await call("GET", "/api/webhooks/{hook_id}/runs", 200, hook)
    await call("DELETE", "/api/webhooks/{hook_id}", 204, hook)
    notification = (await call("GET", "/api/notifications", 200))[0]["id"]
    await call("GET", "/api/notifications/unread-count", 200)
    await call("PUT", "/api/notifications/{notification_id}/read", 200, notification)
    await call("POST", "/api/notifications/read-all", 200)


async def voice(http: httpx.AsyncClient) -> str:
    """The path of a recording on the gateway's machine."""
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    answer = await http.post("/upload", files={"file": ("voice.wav", recording.getvalue(), "audio/wav")})
    return str(answer.json()["path"])


@pytest.mark.parametrize(
    ("body", "told"), [({"title": 5}, "title"), ({"chat_id": "5"}, "chat_id"), ({"chat_id": True}, "chat_id")]
)
async def test_a_body_holds_what_its_shape_says(http: httpx.AsyncClient, body: Json, told: str) -> None:
    answer = await http.post(SESSIONS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert told in answer.json()["error"]


async def test_input_of_a_tool_may_nest_deeply(gateway: Gateway, http: httpx.AsyncClient, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True) as peer:
        await peer.ask(f'TOOL Read {{"a": {"[" * 300}{"]" * 300}}}\nSAY done')
        answer = await http.get(f"{SESSIONS}/{peer.hello['session_id']}/messages")
    assert answer.status_code == 200
    assert "[" * 300 in answer.text
