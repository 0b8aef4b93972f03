"""Approvals through the client SDK: asked, answered, late, and over a lost connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from sygen_bot.client import (
    ApprovalNews,
    ApprovalRequest,
    ApprovalResolved,
    ConnectionLost,
    MessageRefused,
    RequestFailed,
    Result,
    TooLate,
    connect,
)
from sygen_bot.client import Gateway as Client
from sygen_bot.orchestrator.lifecycle import Gateway
from tests.api.conftest import serving
from tests.api.wire import TOKEN
from tests.fakes.fault_proxy import FaultProxy

ASK = 'ASK Bash {"command": "rm -r build"}'


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with serving(tmp_path / "home") as running, asyncio.timeout(30):
        yield running


def device(gateway: Gateway, name: str, *, chat: int = 1, port: int = 0) -> AbstractAsyncContextManager[Client]:
    return connect(
        f"http://127.0.0.1:{port or gateway.port}", TOKEN, chat, approvals=True, device=name, give_up_after_s=20
    )


def asking(client: Client, text: str = ASK) -> asyncio.Task[str]:
    """The answer to a question, on its way."""

    async def ask() -> str:
        async for event in client.ask(text):
            if isinstance(event, Result):
                return event.text
        raise AssertionError("a question ends with a result")

    return asyncio.create_task(ask())


async def request_of(news: AsyncIterator[ApprovalNews]) -> ApprovalRequest:
    event = await anext(news)
    assert isinstance(event, ApprovalRequest)
    return event


async def test_what_one_conversation_asks_another_device_answers(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk, device(gateway, "phone", chat=2) as phone:
        at_desk, on_phone = desk.approvals.follow(), phone.approvals.follow()
        answer = asking(desk)
        request = await request_of(on_phone)
        assert await request_of(at_desk) == request
        assert (request.tool, request.summary, request.input) == ("Bash", "rm -r build", {"command": "rm -r build"})
        assert request.session_id == desk.hello.session_id != phone.hello.session_id
        assert desk.approvals.pending == phone.approvals.pending == (request,)
        resolution = await phone.approvals.answer(request.id, "allow_once")
        assert resolution == ApprovalResolved(request.id, "allow_once", "phone")
        assert await answer == "allowed"
        assert await anext(at_desk) == await anext(on_phone) == resolution
        assert [*desk.approvals.pending, *phone.approvals.pending] == []


async def test_the_turn_of_a_question_is_known_while_it_runs(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk:
        news = desk.approvals.follow()
        answering = desk.ask(ASK, message_id="mine")
        first = asyncio.ensure_future(anext(answering))
        request = await request_of(news)
        assert desk.turn_of("mine") == request.turn_id
        await desk.approvals.answer(request.id, "deny")
        await first
        assert [event async for event in answering]
        assert desk.turn_of("mine") is None


async def test_who_connects_later_knows_what_waits(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk:
        answer = asking(desk)
        request = await request_of(desk.approvals.follow())
        async with device(gateway, "phone") as phone:
            assert phone.approvals.pending == (request,)
            assert await request_of(phone.approvals.follow()) == request
            await phone.approvals.answer(request.id, "deny")
        assert await answer == "denied"


async def test_an_answer_that_comes_too_late_says_so(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk, device(gateway, "phone") as phone:
        answer = asking(desk)
        request = await request_of(phone.approvals.follow())
        answers = await asyncio.gather(
            desk.approvals.answer(request.id, "deny"),
            phone.approvals.answer(request.id, "allow_always"),
            return_exceptions=True,
        )
        assert [type(each) for each in answers].count(TooLate) == 1
        assert await answer == ("denied" if isinstance(answers[0], ApprovalResolved) else "allowed")
        with pytest.raises(TooLate) as late:
            await phone.approvals.answer(request.id, "deny")
        assert late.value.code == "not_found"


async def test_an_answer_that_cannot_be_given_is_refused(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk, connect(gateway.url, TOKEN) as stranger:
        answer = asking(desk, f"ASK Write {json.dumps({'content': 'x' * 300_000})}")
        request = await request_of(desk.approvals.follow())
        assert request.truncated
        with pytest.raises(MessageRefused) as no_rule:
            await desk.approvals.answer(request.id, "allow_always")
        assert no_rule.value.code == "invalid"
        with pytest.raises(MessageRefused) as not_asked_for:
            await stranger.approvals.answer(request.id, "allow_once")
        assert not_asked_for.value.code == "unknown_type"
        assert stranger.approvals.pending == ()
        first = asyncio.ensure_future(desk.approvals.answer(request.id, "deny"))
        await asyncio.sleep(0)
        with pytest.raises(MessageRefused, match="already"):
            await desk.approvals.answer(request.id, "deny")
        await first
        assert await answer == "denied"


async def test_rules_are_listed_and_revoked_and_the_history_says_who_did_what(gateway: Gateway) -> None:
    async with device(gateway, "desk") as desk:
        news = desk.approvals.follow()
        answer = asking(desk)
        request = await request_of(news)
        await desk.approvals.answer(request.id, "allow_always")
        assert await answer == await asking(desk) == "allowed"
        (rule,) = await desk.approvals.rules()
        assert (rule.agent, rule.tool, rule.pattern, rule.made_by) == ("main", "Bash", "rm -r build", "desk")
        newest, first = await desk.approvals.history()
        assert (newest.decision, newest.decided_by) == ("allow_always", f"rule {rule.id}")
        assert (first.id, first.decision, first.decided_by) == (request.id, "allow_always", "desk")
        assert await desk.approvals.history(limit=1, before=newest.id) == [first]
        assert await desk.approvals.revoke(rule.id) == rule
        assert await desk.approvals.rules() == []
        with pytest.raises(RequestFailed) as gone:
            await desk.approvals.revoke("../rules")
        assert gone.value.status == 404


async def test_after_a_lost_connection_it_is_told_what_waits_still_and_what_became_of_the_rest(
    gateway: Gateway,
) -> None:
    async with (
        FaultProxy(gateway.port) as proxy,
        device(gateway, "desk", port=proxy.port) as desk,
        device(gateway, "phone", chat=2) as phone,
        device(gateway, "tablet", chat=3) as tablet,
    ):
        news, seen = desk.approvals.follow(), phone.approvals.follow()
        answers = [asking(client) for client in (desk, phone, tablet)]
        requests = {(request := await request_of(news)).session_id: request for _ in answers}
        for _ in answers:
            await request_of(seen)
        ours, theirs, waiting = (requests[str(client.hello.session_id)] for client in (desk, phone, tablet))
        proxy.hold()
        await phone.approvals.answer(ours.id, "deny")
        await phone.approvals.answer(theirs.id, "allow_once")
        await answers[1]
        new = asking(phone, 'ASK Bash {"command": "ls"}')
        while not isinstance(event := await anext(seen), ApprovalRequest):
            pass
        await proxy.cut()
        told = [await anext(news) for _ in range(3)]
        assert event in told
        assert ApprovalResolved(ours.id, "deny", "phone") in told
        assert ApprovalResolved(theirs.id, "allow_once", "phone") in told
        assert sorted(one.id for one in desk.approvals.pending) == sorted((waiting.id, event.id))
        assert await answers[0] == "denied"
        for request in (waiting, event):
            resolution = await desk.approvals.answer(request.id, "deny")
            assert await anext(news) == resolution, "nothing is told twice"
        assert (await answers[2], await new) == ("denied", "denied")


async def test_a_restart_cancels_what_waits(tmp_path: Path) -> None:
    async with asyncio.timeout(30), AsyncExitStack() as clients:
        async with serving(tmp_path / "home") as gateway:
            client = await clients.enter_async_context(device(gateway, "desk"))
            other = await clients.enter_async_context(device(gateway, "phone", chat=2))
            news = client.approvals.follow()
            answer = asking(other)
            request = await request_of(news)
        async with serving(tmp_path / "home", {"api.port": gateway.port}):
            assert await anext(news) == ApprovalResolved(request.id, "cancelled")
            assert client.approvals.pending == ()
            await answer


async def test_a_lost_connection_ends_an_answer_and_then_everything(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(30),
        serving(tmp_path / "home") as gateway,
        FaultProxy(gateway.port) as proxy,
        connect(f"http://127.0.0.1:{proxy.port}", TOKEN, approvals=True, reconnect=False) as client,
        device(gateway, "phone", chat=2) as phone,
    ):
        news = client.approvals.follow()
        answer = asking(phone)
        request = await request_of(news)
        proxy.hold()
        answering = asyncio.ensure_future(client.approvals.answer(request.id, "deny"))
        assert await answer == "denied"
        await proxy.cut()
        with pytest.raises(ConnectionLost):
            await answering
        with pytest.raises(ConnectionLost):
            await anext(news)
        with pytest.raises(ConnectionLost):
            await anext(client.approvals.follow())
