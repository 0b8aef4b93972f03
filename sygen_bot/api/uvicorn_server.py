"""uvicorn as the gateway uses it: started and stopped by calls, with its errors in our shape."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from sygen_bot.api.refusals import refusal
from sygen_bot.api.socket import WebSocket

MAX_HEAD_BYTES: Final = 64 * 1024
_TICK_S = 1.0
_T = TypeVar("_T")


class Http(HttpToolsProtocol):
    """uvicorn's HTTP, with our shape of error for what is no HTTP at all, an end to endless heads and trailers, one to heads that do not
    come within `head_timeout_s`, and WebSockets that do not read a request again.
    """

    def __init__(self, *args: Any, head_timeout_s: float = 10.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    _got_ahead = False
    _bytes_in_vain = 0
    """How much has come since a request, its body or its end was last got at: all of it is kept until then."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        self._got_ahead = False
        super().data_received(data)
        self._bytes_in_vain = 0 if self._got_ahead else self._bytes_in_vain + len(data)
        if self._bytes_in_vain > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, "The headers of this request are too large.")

    def on_message_begin(self) -> None:
        self._got_ahead = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._got_ahead = True
        self._has_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._got_ahead = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._got_ahead = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self.connections.discard(self)
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
        make = cast(Callable[..., WebSocket], self.ws_protocol_class)  # what `websocket_factory` gives
        socket = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        socket.connection_made(self.transport)
        socket.open(Request(self.url.decode("latin-1"), headers, method=self.scope["method"]))
        self.transport.set_protocol(socket)
        self.parser = None  # type: ignore[assignment]  # as when a connection ends: the two would hold each other in memory

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(
            self._head_timeout_s, self._refuse, 408, "The request did not come in time."
        )

    def _has_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's name
        self._refuse(400, "This is not a valid HTTP request.")

    def _refuse(self, status: int, sentence: str) -> None:
        body = refusal(status, sentence).body
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(head.encode() + body)
        self.transport.close()


class UvicornServer(uvicorn.Server):
    """uvicorn without its signal handlers and without its polling: the gateway decides when it stops, and then it does at once.

    `config` names no lifespan.
    """

    def __init__(self, config: uvicorn.Config, listener: sockets.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._ticking: asyncio.Task[None] | None = None
        self._is_empty = asyncio.Event()
        self.server_state.connections = _Watched(self._is_empty.set)

    async def start(self) -> None:
        """Returns when connections are accepted."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[self._listener])
        self._ticking = asyncio.create_task(self.main_loop(), name="api server")

    async def stop(self) -> None:
        """Accept nothing more, and give what runs `timeout_graceful_shutdown` to end."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
            await self.shutdown(sockets=[self._listener])

    async def main_loop(self) -> None:
        while True:
            await self.on_tick(0)  # at this number it sets the date that every answer has
            await asyncio.sleep(_TICK_S)

    async def shutdown(self, sockets: list[sockets.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections:
                    self._is_empty.clear()
                    await self._is_empty.wait()
                while self.server_state.tasks:
                    await asyncio.wait(self.server_state.tasks)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()


class _Watched(set[_T]):
    """A set that tells when its last member goes."""

    def __init__(self, on_empty: Callable[[], object]) -> None:
        super().__init__()
        self._on_empty = on_empty

    def discard(self, member: object) -> None:
        super().discard(member)
        if not self:
            self._on_empty()
