"""The WebSocket below the protocol: RFC 6455 by the sans-I/O core of `websockets`, on the transport that uvicorn hands over.

HTTP stays with uvicorn and FastAPI. /ws bypasses ASGI, so that a frame costs one write, and reading, closing and
backpressure are plain calls. permessage-deflate is never negotiated: ciphertext does not compress.
"""

from __future__ import annotations

import asyncio
import logging
import socket as sockets
import struct
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from sygen_bot.api.gathering import GATHER_S, MOST_HELD_BYTES, Gathering
from sygen_bot.api.protocol import CLOSE_INTERNAL, CLOSE_RESTART

_CHUNK_BYTES: Final = 16 * 1024
_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = 16 * 1024
_LINGER_S: Final = 1.0
_HEAD_ROOM: Final = 8 * 1024  # of frame headers, beside the first frame
_WHOLE_TEXT: Final = 0x80 | int(Opcode.TEXT)
_HEAD_16, _HEAD_64 = struct.Struct(">BBH"), struct.Struct(">BBQ")
_COPIED_BYTES: Final = 64 * 1024  # up to here one copy is cheaper than a second write, and a size has 16 bits
_quiet = logging.getLogger("sygen_bot.websocket")
_quiet.setLevel(logging.CRITICAL)


class SocketHandler(Protocol):
    """What a socket tells its owner. Plain calls on the event loop; none may block."""

    def on_frame(self, data: bytes, is_text: bool) -> None:
        """One whole message, its fragments joined."""

    def on_frame_too_large(self) -> None:
        """Before `authenticated`: more came than a first frame may hold. Nothing is read any more; send and close."""

    def on_writable(self) -> None:
        """`writable` was False and is True again."""

    def on_closed(self) -> None:
        """The connection is gone, whatever the cause. Called exactly once."""


class Socket(Protocol):
    """One WebSocket connection as its owner sees it."""

    @property
    def peer_address(self) -> str: ...
    @property
    def writable(self) -> bool:
        """False while the peer reads more slowly than we send."""
        ...

    def send(self, payload: bytes) -> None:
        """Send one text frame. Never blocks; does nothing once the connection is closing."""

    def send_soon(self, payload: bytes) -> None:
        """`send`, but right after another frame it may take up to `GATHER_S`, so that one write carries many."""

    def authenticated(self) -> None:
        """Lift the limits of the first frame."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the connection is cut if the peer does not answer in time."""


class SocketServer(Protocol):
    """Who takes connections: `admit` says whether one more may come from an address, `accept` gives it an owner."""

    def admit(self, peer_address: str) -> bool: ...
    def accept(self, socket: Socket) -> SocketHandler: ...


def websocket_factory(
    server: SocketServer,
    *,
    max_frame_bytes: int,
    first_frame_bytes: int,
    allowed_origins: Collection[str] = (),
    ping_interval_s: float = 20.0,
    ping_timeout_s: float = 20.0,
    close_timeout_s: float = 5.0,
    path: str = "/ws",
) -> Callable[..., WebSocket]:
    """What `uvicorn.Config(ws=...)` takes. Sizes in bytes; `allowed_origins`: browser origins besides our own."""

    gathering: Gathering | None = None

    def make(*, config: object, server_state: Any, app_state: object) -> WebSocket:  # noqa: ARG001 - uvicorn's call
        nonlocal gathering
        gathering = gathering or Gathering()  # here there is a loop
        return WebSocket(
            server=server,
            gathering=gathering,
            connections=server_state.connections,
            max_frame_bytes=max_frame_bytes,
            first_frame_bytes=first_frame_bytes,
            allowed_origins=allowed_origins,
            ping_interval_s=ping_interval_s,
            ping_timeout_s=ping_timeout_s,
            close_timeout_s=close_timeout_s,
            path=path,
        )

    return make


class WebSocket(asyncio.Protocol):
    """An asyncio protocol that is a `Socket`."""

    def __init__(
        self,
        *,
        server: SocketServer,
        gathering: Gathering,
        connections: set[Any],
        max_frame_bytes: int,
        first_frame_bytes: int,
        allowed_origins: Collection[str],
        ping_interval_s: float,
        ping_timeout_s: float,
        close_timeout_s: float,
        path: str,
    ) -> None:
        self._server = server
        self._gathering = gathering
        self._connections = connections
        self._first_frame_budget: int | None = first_frame_bytes + _HEAD_ROOM
        self._allowed_origins = frozenset(allowed_origins)
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._close_timeout_s = close_timeout_s
        self._path = path
        self._core = ServerProtocol(extensions=None, state=State.OPEN, max_size=max_frame_bytes, logger=_quiet)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._handler: SocketHandler | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._fragments: list[bytes] = []
        self._is_text = True
        self._backlog = b""
        self._reading = True
        self._closing = False
        self._discards = False
        self._heard = True
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._holds_until = 0.0
        self.writable = True
        self.peer_address = ""

    # --- Socket -------------------------------------------------------------------------------------------------------

    def send(self, payload: bytes) -> None:
        if self._closing:
            return
        if self._held:
            self._let_go()
        size = len(payload)
        if size < _COPIED_BYTES:
            self._transport.write(_frame(size, payload))
        else:
            self._transport.write(_HEAD_64.pack(_WHOLE_TEXT, 127, size))
            self._transport.write(payload)

    def send_soon(self, payload: bytes) -> None:
        size = len(payload)
        if self._closing or size >= MOST_HELD_BYTES:
            self.send(payload)
            return
        if not self._held:
            now = self._loop.time()
            if now >= self._holds_until:
                self._holds_until = now + GATHER_S
                self._transport.write(_frame(size, payload))
                return
            self._gathering.add(self._let_go)
        self._held.append(_frame(size, payload))
        self._held_bytes += size
        if self._held_bytes >= MOST_HELD_BYTES:
            self._let_go()

    def _let_go(self) -> None:
        """Write what is held back."""
        if self._held:
            held = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
            if not self._closing:
                self._holds_until = self._loop.time() + GATHER_S
                self._transport.write(held)

    def authenticated(self) -> None:
        self._first_frame_budget = None
        self._later("ping", self._ping_interval_s, self._ping)

    def pause_reading(self) -> None:
        self._reading = (
            False  # the transport goes on until there is a chunk: it costs two system calls to stop and start it
        )

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._feed)

    def close(self, code: int, reason: str = "") -> None:
        if not self._closing:
            self._let_go()
            self._transport.write(Frame(Opcode.CLOSE, Close(code, reason).serialize()).serialize(mask=False))
            self._closing = True
            self._reading = True  # the peer's answer, and what is still before it
            self._loop.call_soon(self._feed)
            self._later("close", self._close_timeout_s, self._transport.abort)

    # --- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class is none, but does all that one does
        self._transport.set_write_buffer_limits(high=_HIGH_WATER, low=_LOW_WATER)
        if hasattr(sockets, "TCP_NOTSENT_LOWAT"):  # what waits, waits here, where it can be merged and its age is seen
            transport.get_extra_info("socket").setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT, _HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.peer_address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._closing = True
        self._connections.discard(self)
        for timer in self._timers.values():
            timer.cancel()
        if self._handler is not None:
            handler, self._handler = self._handler, None
            handler.on_closed()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._handler is not None and not self._closing:
            self._handler.on_writable()

    def data_received(self, data: bytes) -> None:
        if self._discards:
            return
        self._heard = True
        self._backlog += data
        if not self._reading and len(self._backlog) >= _CHUNK_BYTES:
            self._transport.pause_reading()
        self._feed()

    def shutdown(self) -> None:
        """Called by uvicorn when it stops."""
        if self._handler is None:
            self._transport.close()
        else:
            self.close(CLOSE_RESTART)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _feed(self) -> None:
        """Read at most one chunk in this pass of the loop, so that a flood on one socket delays no other."""
        if not self._backlog or not self._reading or self._transport.is_closing():
            if self._reading and not self._transport.is_closing():
                self._transport.resume_reading()
            return
        chunk, self._backlog = self._backlog[:_CHUNK_BYTES], self._backlog[_CHUNK_BYTES:]
        if self._backlog:
            self._transport.pause_reading()
            self._loop.call_soon(self._feed)
        else:
            self._transport.resume_reading()
        if self._first_frame_budget is not None:
            self._first_frame_budget -= len(chunk)
        self._core.receive_data(chunk)
        for event in self._core.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        self._answer_control()

    def _answer_control(self) -> None:
        """Send what the core answers by itself: pongs, and the close frames of a handshake begun by the peer or by an error."""
        output = b"".join(self._core.data_to_send())
        if self._transport.is_closing():
            return
        if output:
            self._let_go()
        budget = self._first_frame_budget
        failed = self._core.parser_exc is not None
        if budget is not None and self._handler is not None and not self._closing and (failed or budget < 0):
            self._handler.on_frame_too_large()
            return
        if output and not self._closing and (self.writable or failed or self._core.close_expected()):
            self._transport.write(output)
        if failed:
            # Closing on unread input would be a reset, which takes the close frame with it on its way.
            self._closing = self._discards = True
            self._backlog = b""
            self._transport.resume_reading()
            self._later("close", _LINGER_S, self._transport.close)
        elif self._core.close_expected():
            self._closing = True
            self._transport.close()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self._closing or self._handler is None:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if frame.data:  # any number of empty ones may come
            self._fragments.append(bytes(frame.data))
        if frame.fin:
            data, self._fragments = b"".join(self._fragments), []
            self._handler.on_frame(data, self._is_text)

    # --- opening ------------------------------------------------------------------------------------------------------

    def open(self, request: Request) -> None:
        """Answer the request for a WebSocket, which whoever handed the transport over has read."""
        refusal = self._refusal(request)
        response = refusal or self._core.accept(request)
        if refusal is None and response.status_code != 101:  # in our shape; the headers say what it lacks
            plain, response = (
                response,
                self._refuse(response.status_code, "bad_request", "This is no WebSocket handshake."),
            )
            for name in ("Upgrade", "Sec-WebSocket-Version"):
                if name in plain.headers:
                    response.headers[name] = plain.headers[name]
        self._transport.write(response.serialize())
        if response.status_code != 101:
            self._closing = True
            self._transport.close()
            return
        self._handler = self._server.accept(self)

    def _refusal(self, request: Request) -> Response | None:
        if request.path.partition("?")[0] != self._path:
            return self._refuse(404, "not_found", "There is no WebSocket here. The endpoint is /ws.")
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_own(origin, request.headers.get("Host", "")):
            return self._refuse(
                403, "forbidden", "This origin may not connect. `api.allowed_origins` lists those that may."
            )
        if not self._server.admit(self.peer_address):
            response = self._refuse(503, "unavailable", "Too many connections. Try again in a moment.")
            response.headers["Retry-After"] = "1"
            return response
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            netloc = urlsplit(origin).netloc
        except ValueError:
            return False
        return origin in self._allowed_origins or (bool(netloc) and netloc.lower() == host.lower())

    def _refuse(self, status: int, code: str, message: str) -> Response:
        response = self._core.reject(status, f'{{"error": "{message}", "code": "{code}"}}')
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    # --- life signs ---------------------------------------------------------------------------------------------------

    def _ping(self) -> None:
        """Ping, unless the peer is too slow to read one: the outbox has a rule of its own for those."""
        if self._closing:
            return
        if not self.writable:
            self._later("ping", self._ping_interval_s, self._ping)
            return
        self._heard = False
        self._transport.write(Frame(Opcode.PING, b"sygen").serialize(mask=False))
        self._later("pong", self._ping_timeout_s, self._expect_life)

    def _expect_life(self) -> None:
        if self._heard or not self.writable:
            self._later("ping", max(self._ping_interval_s - self._ping_timeout_s, 0.0), self._ping)
        else:
            self.close(CLOSE_INTERNAL, "no answer to a ping")

    def _later(self, name: str, delay_s: float, callback: Callable[[], None]) -> None:
        if (timer := self._timers.get(name)) is not None:
            timer.cancel()
        self._timers[name] = self._loop.call_later(delay_s, callback)


def _frame(size: int, payload: bytes) -> bytes:
    """A text frame of less than `_COPIED_BYTES`."""
    return (_HEAD_16.pack(_WHOLE_TEXT, 126, size) if size >= 126 else bytes((_WHOLE_TEXT, size))) + payload
