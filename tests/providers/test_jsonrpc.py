"""JSON-RPC over pipes: whatever the other side says, calls are answered, or end when it goes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sygen_bot.providers.jsonrpc import LINE_LIMIT, Params, Peer, PeerClosed, RpcError


@dataclass
class Line:
    """A peer, and by hand what is on the other end of its pipes."""

    peer: Peer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[tuple[str, Params]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, *messages: object) -> None:
        for message in messages:
            self.writer.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            message = json.loads(await self.reader.readline())
        assert isinstance(message, dict)
        return message


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    other_reader, other_writer = await asyncio.open_connection(sock=theirs)
    made: Line

    async def answer(method: str, params: Params) -> object:
        if method == "wait":
            made.asked.set()
            await asyncio.Event().wait()
        if method == "refuse":
            raise RpcError(-1, "no")
        if method == "break":
            raise RuntimeError("on purpose")
        return params

    peer = Peer(
        reader,
        writer,
        on_notification=lambda method, params: made.heard.append((method, params)),
        on_request=answer,
        log_name="test",
        on_closed=lambda: made.closed.set(),
    )
    made = Line(peer, other_reader, other_writer)
    peer.start()
    try:
        yield made
    finally:
        await peer.close()
        other_writer.close()


async def test_calls_are_answered_in_any_order() -> None:
    async with line() as made:
        first = asyncio.create_task(made.peer.call("a", {"x": 1}))
        second = asyncio.create_task(made.peer.call("b", {}))
        ids = {(message := await made.receive())["method"]: message["id"] for _ in range(2)}
        made.say({"id": ids["b"], "result": 2}, {"id": ids["a"], "error": {"code": 7, "message": "bad"}})
        assert await second == 2
        with pytest.raises(RpcError, match="bad") as failed:
            await first
        assert failed.value.code == 7


async def test_requests_of_the_other_side_are_answered_and_their_failures_too() -> None:
    async with line() as made:
        made.say({"id": "q", "method": "echo", "params": {"y": 1}}, {"id": 1, "method": "refuse"})
        made.say({"id": 2, "method": "break"})
        answers = {(answer := await made.receive())["id"]: answer for _ in range(3)}
        assert answers["q"]["result"] == {"y": 1}
        assert answers[1]["error"] == {"code": -1, "message": "no"}
        assert "on purpose" not in json.dumps(answers[2])


async def test_when_the_other_side_goes_every_call_and_answer_ends() -> None:
    async with line() as made:
        call = asyncio.create_task(made.peer.call("a", {}))
        await made.receive()
        made.say({"id": 1, "method": "wait"})
        async with asyncio.timeout(10):
            await made.asked.wait()
            made.writer.close()
            await made.closed.wait()
            with pytest.raises(PeerClosed):
                await call
        assert not made.peer.is_open
        with pytest.raises(PeerClosed):
            await made.peer.call("b", {})


async def test_a_call_that_nobody_answers_runs_out() -> None:
    async with line() as made:
        with pytest.raises(TimeoutError):
            await made.peer.call("a", {}, timeout_s=0.05)
        late = await made.receive()
        made.say({"id": late["id"], "result": 1})
        second = asyncio.create_task(made.peer.call("b", {}))
        made.say({"id": (await made.receive())["id"], "result": 3})
        assert await second == 3


async def test_a_line_over_the_limit_is_skipped_and_what_follows_is_heard() -> None:
    async with line() as made:
        call = asyncio.create_task(made.peer.call("a", {}))
        asked = await made.receive()
        for _ in range(LINE_LIMIT // 2**20 + 1):
            made.say(b"x" * 2**20)
            await made.writer.drain()
        made.say(b"\n", {"id": asked["id"], "result": "still here"})
        async with asyncio.timeout(30):
            assert await call == "still here"


garbage = st.one_of(
    st.binary(max_size=200).map(lambda data: data.replace(b"\n", b"") + b"\n"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.none() | st.integers(min_value=10**6) | st.text(max_size=3) | st.lists(st.none(), max_size=1),
            "method": st.sampled_from(["echo", "break", "refuse", 7, None]),
            "params": st.none() | st.lists(st.none(), max_size=1) | st.just({"a": 1}),
            "result": st.none(),
            "error": st.none() | st.text(max_size=3) | st.just({"code": "x", "message": None}),
        },
    ),
)


@settings(max_examples=60, deadline=None)
@given(before=st.lists(garbage, max_size=8), cut=st.integers(min_value=1, max_value=20))
def test_no_garbage_keeps_an_answer_from_its_call(before: list[object], cut: int) -> None:
    async def run() -> None:
        async with line() as made:
            call = asyncio.create_task(made.peer.call("a", {}))
            asked = await made.receive()
            made.say(*before)
            answer = json.dumps({"id": asked["id"], "result": "right"}).encode() + b"\n"
            made.say(answer[:cut])
            await made.writer.drain()
            made.say(answer[cut:])
            async with asyncio.timeout(10):
                assert await call == "right"

    asyncio.run(run())
