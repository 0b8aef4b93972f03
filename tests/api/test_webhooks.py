"""Webhooks over HTTP: managed with the gateway's token, called with their own secrets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve, serving
from tests.api.wire import PATIENCE_S, TOKEN, client, raw_http

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOOKS = "/api/webhooks"
SECRET = "a secret of the sender"
MAX_BYTES = 5000
Json = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    settings = {"webhooks.max_body_bytes": MAX_BYTES, "agents": {"main": {}, "ada": {}}}
    async with serving(tmp_path_factory.mktemp("hooks") / "home", settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The owner."""
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def sender(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has no token."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as one:
        yield one


async def make(http: httpx.AsyncClient, **fields: object) -> Json:
    body = {"title": "Shop", "template": "SAY got {{ n }}", "auth": "bearer", "secret": SECRET} | fields
    answer = await http.post(HOOKS, json=body)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def bearer(**more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRET}", **more}


def github(body: bytes, delivery_id: str) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Delivery": delivery_id,
        "Content-Type": "application/json",
    }


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert set(answer.json()) == {"error", "code"}
    assert SECRET not in answer.text


async def ended(http: httpx.AsyncClient, hook: Json, count: int = 1) -> list[Json]:
    """The runs of a hook, once so many have ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            runs: list[Json] = (await http.get(f"{HOOKS}/{hook['id']}/runs")).json()
            if sum(run["ended_at"] is not None for run in runs) >= count:
                return runs
            await asyncio.sleep(0.02)


# --- managing ---------------------------------------------------------------------------------------------------------


async def test_a_hook_is_made_shown_changed_and_removed(http: httpx.AsyncClient) -> None:
    made = await make(http, auth="github", mode="chat", chat_id=7)
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] == SECRET
    assert made["path"] == f"/hooks/{made['id']}"
    one = f"{HOOKS}/{made['id']}"
    assert (await http.get(one)).json() == shown
    assert shown in (await http.get(HOOKS)).json()
    changed = (await http.put(one, json={"title": "New", "enabled": False, "chat_id": None})).json()
    assert changed == shown | {
        "title": "New",
        "enabled": False,
        "chat_id": 1,
        "updated_at": changed["updated_at"],
    }
    assert (await http.delete(one)).status_code == 204
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/secret"), ("POST", "/test")):
        assert_refused(await http.request(method, one + path, json={}), 404, "not_found")
    for path in ("/deliveries", "/runs"):
        assert_refused(await http.get(one + path), 404, "not_found")


async def test_no_answer_but_the_first_shows_a_secret(http: httpx.AsyncClient) -> None:
    for auth in ("bearer", "github", "stripe"):
        made = await make(http, auth=auth)
        one = f"{HOOKS}/{made['id']}"
        for answer in (await http.get(one), await http.get(HOOKS), await http.put(one, json={"title": "x"})):
            assert answer.status_code == 200
            assert SECRET not in answer.text
            assert hashlib.sha256(SECRET.encode()).hexdigest() not in answer.text
        assert (await http.post(f"{one}/secret", json={"secret": SECRET + "2"})).json() == {"secret": SECRET + "2"}
        fresh = (await http.post(f"{one}/secret")).json()["secret"]
        assert len(fresh) >= 43


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"title": "x"}, 400),
        ({"title": "", "template": "x"}, 422),
        ({"title": "x", "template": "{{ a"}, 422),
        ({"title": "x", "template": "x", "auth": "none"}, 422),
        ({"title": "x", "template": "x", "mode": "loud"}, 422),
        ({"title": "x", "template": "x", "secret": "short"}, 422),
        ({"title": "x", "template": "x", "agent": "nobody"}, 422),
        ({"title": "x", "template": "x", "provider": "nobody"}, 422),
        ({"title": "x", "template": "x", "chat_id": 5}, 422),
        ({"title": "x", "template": "x", "mode": "chat", "chat_id": 2**53}, 422),
        ({"title": "x", "template": "x", "mode": "chat", "chat_id": "5"}, 422),
        ({"title": "x", "template": "x", "enabled": 1}, 422),
    ],
)
async def test_a_hook_that_cannot_be_is_refused(http: httpx.AsyncClient, body: Json, status: int) -> None:
    before = (await http.get(HOOKS)).json()
    assert_refused(await http.post(HOOKS, json=body), status, "bad_request" if status == 400 else "invalid")
    assert (await http.get(HOOKS)).json() == before


async def test_a_wrong_template_is_told_with_its_line(http: httpx.AsyncClient) -> None:
    answer = await http.post(HOOKS, json={"title": "x", "template": "one\n{{ a|nothing }}"})
    assert_refused(answer, 422, "invalid")
    assert "line 2: No filter named 'nothing'" in answer.json()["error"]


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "201", ""])
async def test_a_limit_is_a_number_that_makes_sense(http: httpx.AsyncClient, limit: str) -> None:
    made = await make(http)
    for what in ("deliveries", "runs"):
        answer = await http.get(f"{HOOKS}/{made['id']}/{what}", params={"limit": limit})
        assert_refused(answer, 422, "invalid")


async def test_only_the_owner_manages(sender: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    made = await make(http)
    one = f"{HOOKS}/{made['id']}"
    tries = [("GET", HOOKS), ("POST", HOOKS), ("GET", one), ("PUT", one), ("DELETE", one), ("POST", f"{one}/secret")]
    for method, path in (*tries, ("POST", f"{one}/test"), ("GET", f"{one}/deliveries"), ("GET", f"{one}/runs")):
        assert_refused(await sender.request(method, path), 401, "unauthorized")
        assert_refused(await sender.request(method, path, headers=bearer()), 401, "unauthorized")


# --- calling ----------------------------------------------------------------------------------------------------------


async def test_a_call_runs_once_and_is_told_to_every_device(
    gateway: Gateway, http: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    made = await make(http, auth="github")
    body = b'{"n": 42}'
    async with client(gateway) as one, client(gateway) as other:
        answer = await sender.post(made["path"], content=body, headers=github(body, "guid"))
        assert answer.status_code == 202
        receipt = answer.json()
        assert receipt == {"delivery_id": "guid", "run_id": receipt["run_id"], "duplicate": False}
        for device in (one, other):
            told = (await device.until("notification"))[-1]["notification"]
            assert (told["type"], told["source_id"], told["status"]) == ("webhook", made["id"], "done")
            assert "got 42" in told["body"]
    again = await sender.post(made["path"], content=body, headers=github(body, "guid"))
    assert (again.status_code, again.json()) == (202, receipt | {"duplicate": True})
    (run,) = await ended(http, made)
    assert (run["id"], run["source"], run["status"]) == (receipt["run_id"], "webhook", "done")
    (delivery,) = (await http.get(f"{HOOKS}/{made['id']}/deliveries")).json()
    assert (delivery["delivery_id"], delivery["run_id"], delivery["refusal"]) == ("guid", run["id"], None)


async def test_a_token_may_come_with_a_name_for_the_delivery(
    http: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    made = await make(http)
    for header in ("X-Delivery-Id", "Idempotency-Key"):
        answers = [
            (await sender.post(made["path"], json={"n": 1}, headers=bearer(**{header: header}))).json() for _ in "ab"
        ]
        assert [answer["duplicate"] for answer in answers] == [False, True]
    assert len({(await sender.post(made["path"], json={}, headers=bearer())).json()["run_id"] for _ in "ab"}) == 2


async def test_a_stranger_is_told_the_same_whatever_is_there(
    http: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    made, off = await make(http), await make(http, enabled=False)
    owner = {b"Authorization": f"Bearer {TOKEN}".encode()}
    answers = [
        await sender.post(made["path"], json={}),
        await sender.post(made["path"], json={}, headers={"Authorization": "Bearer wrong"}),
        await sender.post(made["path"], json={}, headers=owner),
        await sender.post(off["path"], json={}, headers=bearer()),
        await sender.post("/hooks/unknown", json={}, headers=bearer()),
        await sender.post("/hooks/%00%ff", json={}, headers=bearer()),
    ]
    for answer in answers:
        assert_refused(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.content == answers[0].content
    assert (await http.get(f"{HOOKS}/{made['id']}/deliveries")).json() == []


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 50 * MAX_BYTES])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_body_that_is_too_large_is_refused_whoever_sends_it(
    http: httpx.AsyncClient, sender: httpx.AsyncClient, size: int, is_known: bool
) -> None:
    made = await make(http)
    body = b'{"n": "' + b"x" * (size - 9) + b'"}'
    assert len(body) == size

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 1000):
            yield body[start : start + 1000]

    path = made["path"] if is_known else "/hooks/unknown"
    headers = bearer(**{"Content-Type": "application/json"})
    for content in (body, in_pieces()):
        assert_refused(await sender.post(path, content=content, headers=headers), 413, "too_large")
    fits = b'{"n": "' + b"x" * (MAX_BYTES - 9) + b'"}'
    assert (await sender.post(made["path"], content=fits, headers=headers)).status_code == 202


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("APPLICATION/JSON", 202),
        ("application/cloudevents+json", 202),
        ("", 202),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("multipart/form-data", 415),
        ("nonsense", 415),
    ],
)
async def test_only_json_is_taken(http: httpx.AsyncClient, sender: httpx.AsyncClient, kind: str, status: int) -> None:
    made = await make(http)
    headers = bearer(**({"Content-Type": kind} if kind else {}))
    answer = await sender.post(made["path"], content=b"{}", headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert_refused(answer, 415, "unsupported_media")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b"\xff{}", b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 4000, b'{"a": NaN}']
)
async def test_what_is_no_object_is_a_bad_request_that_is_kept(
    http: httpx.AsyncClient, sender: httpx.AsyncClient, body: bytes
) -> None:
    made = await make(http)
    answer = await sender.post(made["path"], content=body, headers=bearer())
    assert_refused(answer, 400, "bad_request")
    (delivery,) = (await http.get(f"{HOOKS}/{made['id']}/deliveries")).json()
    assert (delivery["run_id"], delivery["refusal"]) == (None, answer.json()["error"])


async def test_headers_of_any_bytes_are_only_wrong(gateway: Gateway, http: httpx.AsyncClient) -> None:
    for auth in ("bearer", "github", "stripe"):
        made = await make(http, auth=auth)
        for value in (b"\xff\xfe", b"Bearer \xc3\xa4", b"sha256=\xe9", b"t=\xb2,v1=\xe9" + b"0" * 63, b",=,=", b"t=1"):
            lines = b"".join(
                name + b": " + value + b"\r\n"
                for name in (b"Authorization", b"X-Hub-Signature-256", b"Stripe-Signature", b"X-GitHub-Delivery")
            )
            head = f"POST {made['path']} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n".encode()
            status, _, said = await raw_http(gateway, head + lines + b"\r\n{}")
            assert (status, json.loads(said)["code"]) == (401, "unauthorized")


async def test_a_hook_that_is_called_too_often_says_when_to_come_again(serve: Serve) -> None:
    async with serve({"webhooks.rate_per_minute": 3}) as gateway:
        headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as one:
            body = {"title": "x", "template": "SAY x", "secret": SECRET}
            made = (await one.post(HOOKS, json=body, headers=headers)).json()
            answers = [await one.post(made["path"], json={}, headers=bearer()) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
            assert_refused(answers[-1], 429, "rate_limited")
            assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
            test = await one.post(f"{HOOKS}/{made['id']}/test", headers=headers)
            assert_refused(test, 429, "rate_limited")
            assert int(test.headers["Retry-After"]) >= 1


async def test_two_hundred_calls_at_once_each_have_their_run(serve: Serve) -> None:
    async with serve({"webhooks.rate_per_minute": 1000}) as gateway:
        headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60) as one:
            made = await make(one, auth="github", template="SAY {{ n }}")
            bodies = [json.dumps({"n": number}).encode() for number in range(200)]
            answers = await asyncio.gather(
                *(one.post(made["path"], content=body, headers=github(body, f"d{n}")) for n, body in enumerate(bodies))
            )
            assert {answer.status_code for answer in answers} == {202}
            runs: list[Json] = (await one.get(f"{HOOKS}/{made['id']}/runs", params={"limit": 200})).json()
            assert {run["id"] for run in runs} == {answer.json()["run_id"] for answer in answers}


@pytest.mark.parametrize("auth", ["bearer", "github", "stripe"])
async def test_the_gateway_delivers_a_sample_itself(http: httpx.AsyncClient, auth: str) -> None:
    made = await make(http, auth=auth)
    one = f"{HOOKS}/{made['id']}"
    answer = await http.post(f"{one}/test")
    assert answer.status_code == 202
    answer = await http.post(f"{one}/test", json={"payload": {"n": 5}})
    runs = await ended(http, made, 2)
    assert "got 5" in next(run["answer"] for run in runs if run["id"] == answer.json()["run_id"])
    assert_refused(await http.post(f"{one}/test", json={"payload": [1]}), 422, "invalid")
    await http.put(one, json={"enabled": False})
    assert_refused(await http.post(f"{one}/test"), 409, "conflict")


async def test_hooks_can_be_switched_off_altogether(serve: Serve) -> None:
    async with serve({"webhooks.enabled": False}) as gateway, httpx.AsyncClient(base_url=gateway.url) as one:
        headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
        assert_refused(await one.get(HOOKS, headers=headers), 404, "not_found")
        assert_refused(await one.post("/hooks/x", json={}, headers=bearer()), 404, "not_found")
