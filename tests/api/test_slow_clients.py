"""Clients that read slowly or not at all: bounded, in order, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import base64
import json
import socket as sockets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nacl.public import Box, PrivateKey, PublicKey

from sygen_bot.events import Result
from sygen_bot.orchestrator.lifecycle import Gateway
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, Client, Event, RawSocket, auth, b64, client, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

MERGED_CHARS = 16 * 1024


@asynccontextmanager
async def sleepy(gateway: Gateway, chat: int) -> AsyncIterator[Client]:
    """A client with a small receive buffer that reads no more than it is asked to."""
    socket = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 16 * 1024)
    socket.setblocking(False)
    await asyncio.get_running_loop().sock_connect(socket, ("127.0.0.1", gateway.port))
    options = {"sock": socket, "max_queue": 1, "ping_interval": None, "close_timeout": 1}
    async with client(gateway, chat_id=chat, options=options) as peer:
        yield peer


async def until_result(gateway: Gateway, chat: int) -> asyncio.Future[Result]:
    """The end of the next turn of a chat, as the gateway's own log has it."""
    done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def listen(logged: LoggedEvent) -> None:
        if isinstance(logged.event, Result) and not done.done():
            done.set_result(logged.event)

    (await gateway.orchestrator.open(SessionKey("api", chat, None))).log.subscribe(listen)
    return done


async def test_a_client_that_reads_late_gets_merged_deltas_and_the_same_text(gateway: Gateway, chat: int) -> None:
    ended = await until_result(gateway, chat)
    async with sleepy(gateway, chat) as peer:
        await peer.say("BURST 100000")
        async with asyncio.timeout(30):
            result = await ended  # the turn does not wait for its reader
        events = await peer.until("result")
        deltas = [event["data"] for event in events if event["type"] == "text_delta"]
        assert "".join(deltas) == events[-1]["text"] == result.text
        assert len(result.text) == 4_000_000
        assert len(deltas) < 50_000, "most were merged"
        assert max(len(json.dumps(delta)) for delta in deltas) <= MERGED_CHARS + 100
        assert max(map(len, deltas)) > 4000
        assert said(await peer.ask("SAY and now at once")) == "and now at once"


async def test_merging_keeps_the_order_of_everything_else(gateway: Gateway, chat: int) -> None:
    ended = await until_result(gateway, chat)
    async with sleepy(gateway, chat) as peer:
        await peer.say(
            "\n".join(["BURST 20000", "TOOL Read {}", "BURST 20", "STATUS on", "BURST 20", "TOOL Grep {}"] * 2)
        )
        async with asyncio.timeout(30):
            await ended
        events = await peer.until("result")
        assert said(events) == events[-1]["text"]
        kinds: list[object] = []
        length = 0
        for event in events[:-1]:
            if event["type"] == "text_delta":
                length += len(event["data"])
            else:
                kinds.append((length // 40, event["data"]))
        assert kinds == [
            (20_000, "Read"),
            (20_020, "on"),
            (20_040, "Grep"),
            (40_040, "Read"),
            (40_060, "on"),
            (40_080, "Grep"),
        ]


async def test_a_client_that_reads_slowly_but_steadily_is_not_closed(serve: Serve) -> None:
    async with serve({"api.send_timeout_s": 1.0}) as gateway:
        raw, secret = await RawSocket.connect(gateway, buffer_bytes=256 * 1024), PrivateKey.generate()
        try:
            raw.write(RawSocket.frame(auth(secret).encode()))
            hello = json.loads((await raw.read_frame())[1])
            box = Box(secret, PublicKey(base64.b64decode(hello["e2e_pk"])))
            message = json.dumps({"type": "message", "text": "BURST 150000"}).encode()
            raw.write(RawSocket.frame(b64(bytes(box.encrypt(message))).encode()))
            start, events, budget = time.monotonic(), list[Event](), 0
            while not events or events[-1]["type"] != "result":
                opcode, payload = await raw.read_frame()
                if opcode == 9:
                    continue
                assert opcode == 1, (opcode, payload)
                events.append(json.loads(box.decrypt(base64.b64decode(payload))))
                budget += len(payload)
                if budget > 100_000:  # about 2 MB a second
                    budget = 0
                    await asyncio.sleep(0.05)
            assert said(events) == events[-1]["text"]
            assert time.monotonic() - start > 1.5, "longer than the limit, or the test shows nothing"
        finally:
            await raw.close()


async def test_a_client_that_never_reads_is_closed_with_1013_and_disturbs_nobody(serve: Serve, chat: int) -> None:
    async with (
        serve({"api.send_timeout_s": 1}) as gateway,
        client(gateway, chat_id=chat + 500_000) as other,
        sleepy(gateway, chat) as peer,
    ):
        ended = await until_result(gateway, chat)
        await peer.say("BURST 150000")
        assert not (await ended).aborted, "the turn itself goes on without its client"
        for number in range(10):
            assert said(await other.ask(f"SAY {number}")) == str(number)
        assert len(said(await other.ask("SLOW 60 0.05")).split()) == 60  # longer than the limit
        assert await peer.close_code() == 1013
        async with client(gateway, chat_id=chat) as again:
            assert said(await again.ask("ECHO_HISTORY")) == "I remember 1 turns."


async def test_a_client_that_asks_much_and_reads_nothing_is_closed_as_well(serve: Serve) -> None:
    """Refusals fill the outbox as deltas do."""
    async with serve({"api.send_timeout_s": 0.3}) as gateway, client(gateway) as other:
        raw, secret = await RawSocket.connect(gateway, buffer_bytes=16 * 1024), PrivateKey.generate()
        try:
            raw.write(RawSocket.frame(auth(secret).encode()))
            hello = json.loads((await raw.read_frame())[1])
            box = Box(secret, PublicKey(base64.b64decode(hello["e2e_pk"])))
            message = json.dumps({"type": "nonsense", "id": "\U0001f511" * 64}).encode()
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(15_000):
                    raw.write(RawSocket.frame(b64(bytes(box.encrypt(message))).encode()))
                    await raw.writer.drain()
            words = (await other.ask("SLOW 60 0.02"))[-1]["text"].split()  # longer than the limit
            assert len(words) == 60
            while (frame := await raw.read_frame())[0] != 8:
                assert frame[0] in (1, 9)
            assert frame[1][:2] == (1013).to_bytes(2, "big")
        finally:
            await raw.close()
