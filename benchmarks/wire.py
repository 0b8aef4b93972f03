"""A WebSocket client that costs next to nothing, so that what is measured is the server.

It counts frames without looking into them; only where it is told to keep them, it keeps them with the time they came.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from typing import Any, Final, cast

from sygen_bot.api.crypto import E2ESession, agree, decode_key, encode_key, new_key_pair, open_frame

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_LIMIT_S: Final = 60.0
_OPENING = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: c3lnZW4gYmVuY2htYXJrcw==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
"""Offers compression, as browsers do: a server for ciphertext has to decline."""


class Wire(asyncio.Protocol):
    """One connection. `keeps`: frames are kept for `receive`; otherwise only `frames`, `bytes` and `largest` know of them."""

    def __init__(self) -> None:
        self.keeps = True
        self.frames = 0
        self.bytes = 0
        self.largest = 0
        self.response = b""
        self.is_closed = False
        self.close_code: int | None = None
        self.transport: asyncio.Transport
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._skip = 0
        self._kept: deque[tuple[int, bytes, float]] = deque()
        self._changed = asyncio.Event()
        self._shared = b""
        self._encryption: E2ESession

    # --- what a benchmark calls ---------------------------------------------------------------------------------------

    async def handshake(self, **fields: object) -> dict[str, Any]:
        """Send the first frame with `fields` and a fresh key, and agree on a key with the answer, which is returned."""
        await asyncio.wait_for(asyncio.shield(self._opened), _LIMIT_S)
        public, private = new_key_pair()
        self._write(TEXT, json.dumps({"type": "auth", "e2e_pk": encode_key(public)} | fields).encode())
        answer: dict[str, Any] = json.loads((await self.receive())[1])
        if "e2e_pk" not in answer:
            raise RuntimeError(f"the server refused the handshake: {answer}")
        self._shared = agree(decode_key(answer["e2e_pk"]), private)
        self._encryption = E2ESession(role="client", shared_key=self._shared)
        return answer

    def send(self, **message: object) -> float:
        """Send one encrypted message. Returns the time."""
        frame = self._encryption.seal(json.dumps(message).encode())
        now = time.perf_counter()
        self._write(TEXT, frame)
        return now

    def ping(self, payload: bytes) -> None:
        self._write(PING, payload)

    async def receive(self, timeout_s: float = _LIMIT_S) -> tuple[int, bytes, float]:
        """The next kept frame: opcode, payload and when it came. Raises TimeoutError, ConnectionError."""
        async with asyncio.timeout(timeout_s):
            while not self._kept:
                if self.is_closed:
                    raise ConnectionError("the server closed the connection")
                self._changed.clear()
                await self._changed.wait()
        return self._kept.popleft()

    async def event(self, timeout_s: float = _LIMIT_S) -> tuple[dict[str, Any], float]:
        """The next kept frame as the JSON object it carries, and when it came."""
        _, payload, when = await self.receive(timeout_s)
        decoded: dict[str, Any] = json.loads(open_frame(self._shared, payload)[1])
        return decoded, when

    async def event_of(self, *types: str, timeout_s: float = _LIMIT_S) -> tuple[dict[str, Any], float]:
        """The next event of one of these types; those before it are dropped."""
        while True:
            event, when = await self.event(timeout_s)
            if event["type"] in types:
                return event, when

    async def count(self, frames: int, timeout_s: float = _LIMIT_S) -> None:
        """Return when `frames` frames have come since the connection began."""
        async with asyncio.timeout(timeout_s):
            while self.frames < frames:
                if self.is_closed:
                    raise ConnectionError("the server closed the connection")
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        self.transport.abort()

    # --- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape
        self.transport.write(_OPENING.format(port=transport.get_extra_info("peername")[1]).encode())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self.is_closed = True
        self._changed.set()
        if not self._opened.done():
            self._opened.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self._opened.done():
            self._buffer += data
            head, found, data = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self.response, self._buffer = head, b""
            if head.split(b" ", 2)[1] != b"101":
                self._opened.set_exception(ConnectionError(head.decode(errors="replace")))
                return
            self._opened.set_result(None)
        self._read(data, now)
        self._changed.set()

    def _read(self, data: bytes, now: float) -> None:
        self.bytes += len(data)
        if self._skip:
            gone = min(self._skip, len(data))
            self._skip -= gone
            data = data[gone:]
        if self._buffer:
            data = self._buffer + data
        start, end = 0, len(data)
        while end - start >= 2:
            size, body = data[start + 1], start + 2
            if size == 126:
                body += 2
            elif size == 127:
                body += 8
            if body > end:
                break
            if size > 125:
                size = int.from_bytes(data[start + 2 : body], "big")
            opcode = data[start] & 0xF
            if self.keeps or opcode != TEXT:
                if body + size > end:
                    break
                self._keep(opcode, data[body : body + size], now)
            self.frames += 1
            self.largest = max(self.largest, size)
            start = body + size
        if start > end:
            self._skip, self._buffer = start - end, b""
        else:
            self._buffer = data[start:]

    def _keep(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == CLOSE:
            self.close_code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
            self._write(CLOSE, payload)
        elif opcode == PING:
            self._write(PONG, payload)
        else:
            self._kept.append((opcode, payload, now))

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
        self.transport.write(head + b"\0\0\0\0" + payload)  # a mask of zeros changes nothing


async def connect(port: int, **fields: object) -> Wire:
    """An authenticated connection to a server on this machine. `fields` go into the first frame."""
    _, wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", port)
    await wire.handshake(**fields)
    return wire
