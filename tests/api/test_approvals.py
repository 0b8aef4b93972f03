"""Approvals: asked on every device, answered on one, once; and what becomes of those that nobody answers."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import Serve
from tests.api.wire import TOKEN, Client, Event, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMAND = {"command": "rm -r build"}
ASK = f"ASK Bash {json.dumps(COMMAND)}"


async def http(gateway: Gateway, method: str, path: str, body: object = None) -> tuple[int, Any]:
    headers = {b"Authorization": f"Bearer {TOKEN}".encode()}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as browser:
        response = await browser.request(method, path, json=body)
    return response.status_code, response.json()


async def asked(device: Client) -> Event:
    return (await device.until("approval_request"))[-1]


async def resolved(device: Client) -> Event:
    return (await device.until("approval_resolved"))[-1]


async def answer(device: Client, request: Event, decision: str) -> None:
    await device.send(type="approval", id=request["id"], decision=decision)


@pytest.mark.parametrize(("decision", "says"), [("allow_once", "allowed"), ("deny", "denied")])
async def test_asked_on_one_device_and_answered_on_another(
    gateway: Gateway, chat: int, decision: str, says: str
) -> None:
    async with (
        client(gateway, chat_id=chat, approvals=True, sync=True) as here,
        client(gateway, chat_id=chat + 500_000, approvals=True, device="phone") as elsewhere,
    ):
        await here.say(ASK)
        request, same = await asked(here), await asked(elsewhere)
        assert request.pop("cursor")
        assert request == same
        assert request["tool"] == "Bash"
        assert (request["summary"], request["input"]) == ("rm -r build", COMMAND)
        assert request["options"] == ["allow_once", "allow_always", "deny"]
        assert request["agent"] == "main"
        assert 290 < request["expires_at"] - time.time() <= 300
        await answer(elsewhere, request, decision)
        for device in (here, elsewhere):
            event = await resolved(device)
            assert (event["id"], event["decision"], event["by"]) == (request["id"], decision, "phone")
        assert (await here.until("result"))[-1]["text"] == says


async def test_a_client_that_did_not_ask_for_approvals_hears_of_none_and_answers_none(
    gateway: Gateway, chat: int
) -> None:
    async with (
        client(gateway, chat_id=chat, approvals=True) as asked_for,
        client(gateway, chat_id=chat, sync=True) as not_asked_for,
    ):
        await not_asked_for.say(ASK)
        request = await asked(asked_for)
        await answer(not_asked_for, request, "allow_once")
        refused = (await not_asked_for.until("error"))[-1]
        assert (refused["code"], refused["id"]) == ("unknown_type", request["id"])
        await answer(asked_for, request, "deny")
        events = await not_asked_for.until("result")
        assert not [event for event in events if event["type"].startswith("approval")]
        assert events[-1]["text"] == "denied"


async def test_the_first_answer_counts(gateway: Gateway, chat: int) -> None:
    async with (
        client(gateway, chat_id=chat, approvals=True) as one,
        client(gateway, chat_id=chat, approvals=True) as two,
    ):
        await one.say(ASK)
        request = await asked(one)
        await asked(two)
        await answer(one, request, "deny")
        await answer(one, request, "allow_once")
        await resolved(two)
        await answer(two, request, "allow_always")
        late = (await two.until("error"))[-1]
        assert (late["code"], late["id"]) == ("not_found", request["id"])
        events = await one.until("result")
        events += await one.quiet()
        assert said(events) == "denied"
        assert [event["code"] for event in events if event["type"] == "error"] == ["not_found"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "nobody-asked", "decision": "allow_once"}, "not_found"),
        ({"id": "x", "decision": "allow"}, "invalid"),
        ({"id": "x", "decision": ["deny"]}, "invalid"),
        ({"id": "x"}, "invalid"),
        ({"decision": "deny"}, "invalid"),
        ({"id": "", "decision": "deny"}, "invalid"),
    ],
)
async def test_an_answer_that_is_none_is_refused(
    gateway: Gateway, chat: int, fields: dict[str, Any], code: str
) -> None:
    async with client(gateway, chat_id=chat, approvals=True) as device:
        await device.send(type="approval", **fields)
        assert (await device.until("error"))[-1]["code"] == code


async def test_always_makes_a_rule_for_this_agent_tool_and_command_that_can_be_revoked(
    gateway: Gateway, chat: int
) -> None:
    other = 'ASK Bash {"command": "rm -r build/../.."}'
    async with client(gateway, chat_id=chat, approvals=True, sync=True, device="laptop") as device:
        await device.say(ASK)
        await answer(device, await asked(device), "allow_always")
        await device.until("result")
        assert [event["type"] for event in await device.ask(ASK)][-1] == "result", "nobody is asked again"
        await device.say(other)
        await answer(device, await asked(device), "deny")
        assert (await device.until("result"))[-1]["text"] == "denied"
        status, rules = await http(gateway, "GET", "/api/approvals/rules")
        assert status == 200
        (rule,) = [rule for rule in rules if rule["pattern"] == "rm -r build"]
        assert (rule["agent"], rule["tool"], rule["made_by"]) == ("main", "Bash", "laptop")
        shown = (await device.ask("/approvals"))[-1]["text"]
        assert rule["id"] in shown
        assert "rm -r build" in shown
        assert "Revoked" in (await device.ask(f"/approvals revoke {rule['id']}"))[-1]["text"]
        assert "no rule" in (await device.ask(f"/approvals revoke {rule['id']}"))[-1]["text"]
        status, _ = await http(gateway, "DELETE", f"/api/approvals/rules/{rule['id']}")
        assert status == 404
        await device.say(ASK)
        await answer(device, await asked(device), "deny")
        assert (await device.until("result"))[-1]["text"] == "denied"
        _, history = await http(gateway, "GET", "/api/approvals/history?limit=4")
        by = [(entry["decision"], entry["decided_by"]) for entry in history]
        assert by == [
            ("deny", "laptop"),
            ("deny", "laptop"),
            ("allow_always", f"rule {rule['id']}"),
            ("allow_always", "laptop"),
        ]
        _, older = await http(gateway, "GET", f"/api/approvals/history?limit=1&before={history[0]['id']}")
        assert older == [history[1]]


async def test_over_http_what_waits_is_listed_and_answered(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, approvals=True, rpc=True) as device:
        await device.say(ASK)
        request = await asked(device)
        status, pending = await http(gateway, "GET", "/api/approvals")
        (mine,) = [entry for entry in pending if entry["id"] == request["id"]]
        assert status == 200
        assert mine.pop("truncated") is False
        assert mine == {name: value for name, value in request.items() if name != "type"}
        path = f"/api/approvals/{request['id']}"
        assert (await http(gateway, "POST", path, {"decision": "perhaps"}))[0] == 422
        assert await http(gateway, "POST", path, {"decision": "allow_once"}) == (
            200,
            {"id": request["id"], "decision": "allow_once"},
        )
        assert (await http(gateway, "POST", path, {"decision": "deny"}))[0] == 404
        assert (await resolved(device))["by"] == "127.0.0.1"
        assert (await device.until("result"))[-1]["text"] == "allowed"
        await device.say(ASK)
        request = await asked(device)
        answered = await device.request("POST", f"/api/approvals/{request['id']}", {"decision": "deny"})
        assert answered == (200, {"id": request["id"], "decision": "deny"})


async def test_what_waits_is_sent_again_to_who_connects_later(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, sync=True, approvals=True) as first:
        await first.say(ASK)
        request = await asked(first)
        cursor = request.pop("cursor")
        async with client(gateway, chat_id=chat + 500_000, approvals=True) as later:
            assert later.hello["pending_approvals"] >= 1
            assert await asked(later) == request
        async with client(gateway, chat_id=chat, approvals=True, cursor=first.hello["cursor"]) as resumed:
            events = [event for event in await resumed.quiet() if event["type"] == "approval_request"]
            assert [event["id"] for event in events] == [request["id"]], "what was missed is told once"
            assert events[0]["cursor"] == cursor
        async with client(gateway, chat_id=chat, approvals=True, cursor=cursor) as resumed:
            events = [event for event in await resumed.quiet() if event["type"] == "approval_request"]
            assert events == [request], "it still waits, and says so"
            await answer(resumed, request, "deny")
            await resumed.until("result")
        async with client(gateway, chat_id=chat, approvals=True, cursor=first.hello["cursor"]) as resumed:
            kinds = [event["type"] for event in await resumed.quiet()]
            assert kinds.count("approval_request") == kinds.count("approval_resolved") == 1


async def test_an_abort_cancels_what_waits_and_every_device_sees_that(gateway: Gateway, chat: int) -> None:
    async with (
        client(gateway, chat_id=chat, sync=True, approvals=True) as here,
        client(gateway, chat_id=chat + 500_000, approvals=True) as elsewhere,
    ):
        await here.say(f"{ASK}\nSAY after")
        request = await asked(here)
        await asked(elsewhere)
        await elsewhere.quiet()
        await here.send(type="abort")
        events = await here.until("abort_ok")
        kinds = [event["type"] for event in events]
        assert kinds.index("approval_resolved") < kinds.index("result")
        for event in (events[kinds.index("approval_resolved")], await resolved(elsewhere)):
            assert (event["id"], event["decision"]) == (request["id"], "cancelled")
        await answer(elsewhere, request, "allow_once")
        assert (await elsewhere.until("error"))[-1]["code"] == "not_found"
        _, history = await http(gateway, "GET", "/api/approvals/history?limit=1")
        assert history[0]["decision"] == "cancelled"


async def test_nobody_answers_in_time_and_the_answer_is_no(serve: Serve) -> None:
    async with (
        serve({"approvals.timeout_s": 0.2}) as gateway,
        client(gateway, approvals=True, sync=True) as device,
    ):
        events = await device.ask(ASK)
        (outcome,) = [event for event in events if event["type"] == "approval_resolved"]
        assert outcome["decision"] == "expired"
        assert "by" not in outcome
        assert events[-1]["text"] == "denied"


async def test_after_a_crash_or_a_restart_nothing_waits_any_more(serve: Serve) -> None:
    async with serve() as gateway, client(gateway, approvals=True) as device:
        await device.say(ASK)
        request = await asked(device)
    async with serve() as gateway, client(gateway, approvals=True, sync=True) as device:
        assert device.hello["pending_approvals"] == 0
        _, history = await http(gateway, "GET", "/api/approvals/history")
        assert [(entry["id"], entry["decision"]) for entry in history] == [(request["id"], "cancelled")]


async def test_rules_outlive_a_restart(serve: Serve) -> None:
    async with serve() as gateway, client(gateway, approvals=True) as device:
        await device.say(ASK)
        await answer(device, await asked(device), "allow_always")
        await device.until("result")
    async with serve() as gateway, client(gateway, approvals=True) as device:
        assert (await device.ask(ASK))[-1]["text"] == "allowed"


async def test_a_huge_input_is_cut_says_so_and_makes_no_rule(gateway: Gateway, chat: int) -> None:
    async with client(gateway, chat_id=chat, approvals=True) as device:
        await device.say(f"ASK Write {json.dumps({'content': 'x' * 300_000})}")
        request = await asked(device)
        assert request["truncated"] is True
        assert isinstance(request["input"], str)
        assert len(request["input"]) == 256 * 1024
        assert request["options"] == ["allow_once", "deny"]
        assert len(request["summary"]) <= 200
        await answer(device, request, "allow_always")
        assert (await device.until("error"))[-1]["code"] == "invalid"
        await answer(device, request, "deny")
        assert (await device.until("result"))[-1]["text"] == "denied"


async def test_a_summary_hides_nothing(gateway: Gateway, chat: int) -> None:
    sly = "echo ok" + " " * 500 + "; rm -rf ~ \u202e\n#"
    async with client(gateway, chat_id=chat, approvals=True) as device:
        await device.say(f"ASK Bash {json.dumps({'command': sly})}")
        request = await asked(device)
        assert request["summary"] == "echo ok ; rm -rf ~ \ufffd #"
        assert request["input"]["command"] == sly
        await answer(device, request, "deny")
        await device.until("result")
