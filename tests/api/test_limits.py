"""Bounds and endings: how many may connect, how connections end, and that none ends by mistake."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket as sockets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sygen_bot.api.socket import Socket, websocket_factory
from sygen_bot.api.uvicorn_server import Http
from tests.api.conftest import Serve
from tests.api.wire import (
    PATIENCE_S,
    TOKEN,
    Address,
    RawSocket,
    address,
    auth,
    client,
    close_code,
    results,
    said,
    turned_away,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["api.max_unauthenticated", "api.max_unauthenticated_per_address"])
async def test_sockets_that_have_not_authenticated_are_bounded_and_clients_are_not_counted_among_them(
    serve: Serve, bound: str
) -> None:
    async with serve({bound: 2}) as gateway, AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(client(gateway))
        waiting = [await stack.enter_async_context(connect(address(gateway), proxy=None)) for _ in range(2)]
        status, body = await turned_away(gateway)
        assert (status, body["code"]) == (503, "unavailable")
        await waiting[0].send(auth())
        assert json.loads(await waiting[0].recv())["type"] == "auth_ok"
        third = await stack.enter_async_context(connect(address(gateway), proxy=None))  # there is room again
        await third.send(auth(token="wrong"))
        assert await close_code(third) == 1008
        async with asyncio.timeout(PATIENCE_S):
            while True:  # the room of one that was refused is free as soon as its socket is gone
                try:
                    await stack.enter_async_context(connect(address(gateway), proxy=None))
                    break
                except InvalidStatus:
                    await asyncio.sleep(0.01)


async def test_there_are_never_more_connections_than_max_connections(serve: Serve) -> None:
    """Those who knock while there is room may all come in at once: the bound is counted when they do."""
    async with serve({"api.max_connections": 2}) as gateway, AsyncExitStack() as stack:
        knocking = [await stack.enter_async_context(connect(address(gateway), proxy=None)) for _ in range(4)]
        for socket in knocking:
            await socket.send(auth())
        for socket in knocking:
            async with asyncio.timeout(PATIENCE_S):
                with suppress(ConnectionClosed):
                    await socket.recv()
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            assert (await http.get("/health")).json()["connections"] <= 2


async def test_beyond_max_connections_nobody_is_let_in_until_one_leaves(serve: Serve) -> None:
    async with serve({"api.max_connections": 1}) as gateway:
        async with client(gateway):
            assert (await turned_away(gateway))[0] == 503
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with client(gateway):
                        break
                except InvalidStatus:
                    await asyncio.sleep(0.01)


# --- a new token ------------------------------------------------------------------------------------------------------


async def test_a_new_token_closes_every_socket_and_only_it_opens_from_then_on(serve: Serve) -> None:
    async with serve() as gateway, client(gateway) as one, client(gateway, chat_id=5) as other:
        async with connect(address(gateway), proxy=None) as stranger:
            gateway.replace_token("the new one")
            assert [await peer.close_code() for peer in (one, other)] == [1008, 1008]
            assert await close_code(stranger) == 1008
        async with connect(address(gateway), proxy=None) as late:
            await late.send(auth())
            assert json.loads(await late.recv())["code"] == "auth_failed"
        async with client(gateway, token="the new one") as again, httpx.AsyncClient(base_url=gateway.url) as http:
            assert await again.quiet() == []
            old, new = {b"Authorization": f"Bearer {TOKEN}".encode()}, {b"Authorization": b"Bearer the new one"}
            assert (await http.get("/api/status", headers=old)).status_code == 401
            assert (await http.get("/api/status", headers=new)).status_code == 200
            gateway.replace_token("the new one")
            assert await again.quiet() == [], "the same token again changes nothing"


async def test_turns_go_on_when_a_new_token_closes_their_socket(serve: Serve) -> None:
    async with serve() as gateway:
        async with client(gateway) as peer:
            await peer.say("SLOW 20 0.01")
            await peer.until("text_delta")
            gateway.replace_token("new")
            assert await peer.close_code() == 1008
        async with client(gateway, token="new") as again:
            assert said(await again.ask("ECHO_HISTORY")) == "I remember 1 turns."


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_a_stop_ends_turns_in_flight_with_the_reason_shutdown_and_closes_with_1012(serve: Serve) -> None:
    async with serve() as gateway, client(gateway) as peer, client(gateway, chat_id=5) as idle:
        await peer.say("SLOW 5000 0.01")
        await peer.say("SAY queued")
        events = await peer.until("text_delta")
        stopping = asyncio.create_task(gateway.stop())
        events += await peer.until_ends(2)
        first, second = results(events)
        assert (first["text"], first["aborted"], first["reason"]) == (said(events), True, "shutdown")
        assert (second["text"], second["aborted"], second["reason"]) == ("", True, "shutdown")
        assert [await peer.close_code(), await idle.close_code()] == [1012, 1012]
        await stopping


async def test_turns_are_given_time_to_end_before_the_gateway_stops(serve: Serve) -> None:
    async with serve({"api.drain_s": 20}) as gateway, client(gateway) as peer:
        await peer.say("SLOW 30 0.01")
        await peer.until("text_delta")
        start, stopping = time.monotonic(), asyncio.create_task(gateway.stop())
        await asyncio.sleep(0)  # let it begin
        refused = await peer.refusal(peer.seal({"type": "message", "text": "SAY late", "id": "m1"}))
        while refused["type"] != "error":
            refused = await peer.receive()
        assert (refused["code"], refused["id"]) == ("busy", "m1")
        assert (await turned_away(gateway))[0] == 503
        result = (await peer.until("result"))[-1]
        assert "aborted" not in result
        assert result["text"].split() == [f"w{number}" for number in range(30)]
        assert await peer.close_code() == 1012
        await stopping
        assert time.monotonic() - start < 10, "it does not wait longer than it has to"


@pytest.mark.parametrize("drain_s", [0, 20], ids=["stopped", "ended by itself"])
async def test_a_long_answer_arrives_whole_before_the_gateway_goes(serve: Serve, drain_s: int) -> None:
    """Its frame takes time to be made and sent: the closing frame has to wait for it."""
    async with serve({"api.drain_s": drain_s}) as gateway, client(gateway) as peer:
        await peer.say("BURST 25000\n" + ("SLOW 5000 0.01" if drain_s == 0 else "SLOW 5 0.01"))
        events = [await peer.receive()]
        while "w1 " not in said(events[-1:]):
            events.append(await peer.receive())
        stopping = asyncio.create_task(gateway.stop())
        try:
            events += await peer.until("result")
        except ConnectionClosed:
            pytest.fail("the connection was closed before the turn had its end")
        assert events[-1]["text"] == said(events)
        assert events[-1].get("reason") == ("shutdown" if drain_s == 0 else None)
        assert await peer.close_code() == 1012
        await stopping


async def test_a_client_that_closes_is_answered_and_gone(serve: Serve) -> None:
    async with serve() as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        async with client(gateway) as peer:
            await peer.socket.close(1000)
            assert peer.socket.close_code == 1000
        assert (await http.get("/health")).json()["connections"] == 0


@pytest.mark.skipif(not hasattr(sockets, "TCP_QUICKACK"), reason="needs to say when it acknowledges")
async def test_a_small_frame_does_not_wait_for_the_one_before_it_to_be_acknowledged(serve: Serve) -> None:
    """Nagle's algorithm is off: else the second of two small frames comes 40 ms late."""
    async with serve() as gateway:
        waits = []
        for _ in range(9):
            async with connect(address(gateway), proxy=None) as socket:
                tcp = socket.transport.get_extra_info("socket")
                tcp.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_QUICKACK, 0)  # acknowledge late, as a busy client does
                await socket.send(auth(token="wrong"))
                await socket.recv()
                start = time.monotonic()
                assert await close_code(socket) == 1008
                waits.append(time.monotonic() - start)
        assert min(waits) < 0.025, waits


# --- signs of life ----------------------------------------------------------------------------------------------------


class Host:
    """Takes every connection at once, and notes when it goes."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def admit(self, peer_address: str) -> bool:
        return peer_address == "127.0.0.1"

    def accept(self, socket: Socket) -> Host:
        socket.authenticated()
        return self

    def on_frame(self, data: bytes, is_text: bool) -> None: ...
    def on_frame_too_large(self) -> None: ...
    def on_writable(self) -> None: ...
    def on_closed(self) -> None:
        self.gone.set()


class QuietServer(uvicorn.Server):
    """uvicorn that leaves the signals of the test run alone."""

    def install_signal_handlers(self) -> None: ...


@asynccontextmanager
async def hosting(host: Host, *, interval_s: float, timeout_s: float) -> AsyncIterator[Address]:
    """The socket layer alone, with other times than the 20 s of the gateway."""

    async def nothing(scope: object, receive: object, send: object) -> None: ...

    factory = websocket_factory(
        host,
        max_frame_bytes=65536,
        first_frame_bytes=65536,
        ping_interval_s=interval_s,
        ping_timeout_s=timeout_s,
        close_timeout_s=0.2,
    )
    listener = sockets.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(nothing, http=Http, ws=factory, lifespan="off", log_config=None)  # type: ignore[arg-type]
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield Address(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def test_clients_are_pinged_and_one_that_answers_stays(serve: Serve) -> None:
    host = Host()
    async with hosting(host, interval_s=0.05, timeout_s=0.05) as at:
        raw = await RawSocket.connect(at)
        for _ in range(6):
            opcode, payload = await raw.read_frame()
            assert opcode == 9
            raw.write(RawSocket.frame(payload, opcode=10))
        assert not host.gone.is_set()
        await raw.close()
        async with asyncio.timeout(PATIENCE_S):
            await host.gone.wait()


async def test_a_client_that_answers_no_ping_is_given_up(serve: Serve) -> None:
    host = Host()
    async with hosting(host, interval_s=0.05, timeout_s=0.1) as at:
        raw = await RawSocket.connect(at)
        assert (await raw.read_frame())[0] == 9
        assert await raw.read_close() == 1011
        async with asyncio.timeout(PATIENCE_S):
            await host.gone.wait()  # cut off, as it answers nothing
        await raw.close()


async def test_ping_interval_is_20_seconds_unless_told_otherwise() -> None:
    assert inspect.signature(websocket_factory).parameters["ping_interval_s"].default == 20.0
