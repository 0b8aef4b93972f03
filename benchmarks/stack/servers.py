"""The candidates as servers: `python -m benchmarks.stack.servers NAME` prints its port and serves until it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
import uvloop
from aiohttp import WSMsgType, web
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from starlette.websockets import WebSocketState

from benchmarks.stack.application import Application, Codec, CodecFactory, plain_codec, project_codec
from sygen_bot.api.socket import Socket, websocket_factory

# --- aiohttp ----------------------------------------------------------------------------------------------------------


class _AiohttpText:
    """Sends as aiohttp's documentation shows it."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws

    async def send(self, frame: bytes) -> None:
        await self._ws.send_str(frame.decode())

    async def close(self, code: int) -> None:
        await self._ws.close(code=code)


class _AiohttpFrames(_AiohttpText):
    """Sends the frame's bytes as they are."""

    async def send(self, frame: bytes) -> None:
        await self._ws.send_frame(frame, WSMsgType.TEXT)


async def _serve_aiohttp(
    listener: socket.socket, *, codec_for: CodecFactory, channel: Callable[[web.WebSocketResponse], _AiohttpText]
) -> None:
    application = Application()

    async def handle(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        codec, answer = codec_for((await ws.receive_str()).encode())
        await ws.send_str(answer.decode())
        async for message in ws:
            await application.run(codec.opened(message.data.encode()), codec, channel(ws))
        return ws

    app = web.Application()
    app.router.add_get("/ws", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.Event().wait()


async def aiohttp_plain(listener: socket.socket) -> None:
    await _serve_aiohttp(listener, codec_for=plain_codec, channel=_AiohttpText)


async def aiohttp_uvloop(listener: socket.socket) -> None:
    await _serve_aiohttp(listener, codec_for=project_codec, channel=_AiohttpFrames)


# --- uvicorn ----------------------------------------------------------------------------------------------------------


class Item(BaseModel):
    """A body to be validated."""

    name: str
    amount: int


def _fastapi() -> FastAPI:
    app = FastAPI()

    @app.post("/item")
    def item(body: Item) -> Item:
        return body

    return app


async def _serve_uvicorn(app: FastAPI, listener: socket.socket, *, ws: Any) -> None:
    config = uvicorn.Config(
        app, http="httptools", ws=ws, ws_per_message_deflate=False, lifespan="off", log_config=None, access_log=False
    )
    await uvicorn.Server(config).serve(sockets=[listener])


class _AsgiChannel:
    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, frame: bytes) -> None:
        await self._websocket.send_text(frame.decode())

    async def close(self, code: int) -> None:
        await self._websocket.close(code)


async def uvicorn_asgi(listener: socket.socket) -> None:
    app, application = _fastapi(), Application()

    @app.websocket("/ws")
    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        codec, answer = project_codec((await websocket.receive_text()).encode())
        await websocket.send_text(answer.decode())
        channel = _AsgiChannel(websocket)
        with contextlib.suppress(WebSocketDisconnect):
            while websocket.application_state is WebSocketState.CONNECTED:
                frame = await websocket.receive_text()
                await application.run(codec.opened(frame.encode()), codec, channel)

    await _serve_uvicorn(app, listener, ws="websockets-sansio")


# --- the project's own socket -----------------------------------------------------------------------------------------


class _SocketOwner:
    """A `SocketHandler` and a `Channel`: waits for `writable` only when the socket says that it is not."""

    def __init__(self, socket_: Socket, application: Application) -> None:
        self._socket = socket_
        self._application = application
        self._codec: Codec | None = None
        self._writable: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, frame: bytes) -> None:
        if not self._socket.writable:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        self._socket.send(frame)

    async def close(self, code: int) -> None:
        self._socket.close(code)

    def on_frame(self, data: bytes, is_text: bool) -> None:  # noqa: ARG002 - the name is the interface's
        if self._codec is None:
            self._codec, answer = project_codec(data)
            self._socket.send(answer)
            self._socket.authenticated()
            return
        task = asyncio.create_task(self._application.run(self._codec.opened(data), self._codec, self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on_frame_too_large(self) -> None:
        self._socket.close(1009)

    def on_writable(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def on_closed(self) -> None:
        for task in self._tasks:
            task.cancel()


class _Sockets:
    """A `SocketServer` that lets everyone in."""

    def __init__(self) -> None:
        self._application = Application()

    def admit(self, peer_address: str) -> bool:  # noqa: ARG002 - the name is the interface's
        return True

    def accept(self, socket: Socket) -> _SocketOwner:
        return _SocketOwner(socket, self._application)


async def project_socket(listener: socket.socket) -> None:
    factory = websocket_factory(_Sockets(), max_frame_bytes=1024 * 1024, first_frame_bytes=64 * 1024)
    await _serve_uvicorn(_fastapi(), listener, ws=factory)


# ----------------------------------------------------------------------------------------------------------------------

CANDIDATES: dict[str, tuple[str, bool, Callable[[socket.socket], Awaitable[None]]]] = {
    "a": ("aiohttp, json, Box.encrypt (baseline)", False, aiohttp_plain),
    "b": ("FastAPI on uvicorn, websockets-sansio, uvloop, our codec", True, uvicorn_asgi),
    "c": ("aiohttp, uvloop, our codec", True, aiohttp_uvloop),
    "d": ("our Socket beside FastAPI on uvicorn, uvloop, our codec", True, project_socket),
}
"""By letter: what it is, whether it runs on uvloop, and how it serves."""


def main(letter: str) -> None:
    """Serve a candidate on a free port of this machine."""
    _, on_uvloop, serve = CANDIDATES[letter]
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)

    async def run() -> None:
        await serve(listener)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if on_uvloop else None) as runner:
        runner.run(run())


if __name__ == "__main__":
    main(sys.argv[1])
