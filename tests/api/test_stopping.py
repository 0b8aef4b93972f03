"""The server stops at once, and still gives everybody what they were about to get."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx

from tests.api.bare import bare_server
from tests.api.conftest import Serve
from tests.api.wire import PATIENCE_S, client

CLOSE_FRAME = 0x88


async def test_a_request_that_is_being_answered_gets_its_answer(serve: Serve) -> None:
    async with AsyncExitStack() as gateways:
        gateway = await gateways.enter_async_context(serve(token="token"))
        body = b'{"title": "said in the last moment"}'
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"POST /api/chat/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.create_task(gateways.aclose())
        await until_refused(gateway.port)
        assert not stopping.done()
        writer.write(body)
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
            await stopping
        writer.close()
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"said in the last moment" in answer


async def until_refused(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return
            writer.close()


async def test_who_only_keeps_a_connection_open_does_not_delay_it(serve: Serve) -> None:
    async with AsyncExitStack() as gateways:
        gateway = await gateways.enter_async_context(serve())
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b'"connections":0}')
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        async with client(gateway):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await asyncio.wait_for(gateways.aclose(), PATIENCE_S)
            assert loop.time() - began < 1
        assert await reader.read() == b""
        assert await silent.read() == b""
        writer.close()
        silent_writer.close()


async def test_a_socket_gets_the_time_to_answer_its_close() -> None:
    async with AsyncExitStack() as server:
        at = await server.enter_async_context(bare_server())
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        stopping = asyncio.create_task(server.aclose())
        assert (await reader.readexactly(2))[0] == CLOSE_FRAME
        for _ in range(20):  # passes of the loop, in which nothing else has to happen
            await asyncio.sleep(0)
        assert not stopping.done()
        writer.write(bytes((CLOSE_FRAME, 0x80, 0, 0, 0, 0)))
        await asyncio.wait_for(stopping, PATIENCE_S)
        writer.close()


async def test_answers_tell_what_time_it_is(serve: Serve) -> None:
    async with serve() as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        dates: set[str] = set()
        async with asyncio.timeout(PATIENCE_S):
            while len(dates) < 2:
                dates.add((await http.get("/health")).headers["Date"])
