"""What waits to be sent to one client: bounded, in order, and small while the client is slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from sygen_bot.api.crypto import E2ESession
from sygen_bot.api.protocol import CLOSE_TRY_LATER, MAX_MERGED_DELTA_CHARS, Form
from sygen_bot.api.socket import Socket

LARGE_BYTES: Final = 64 * 1024
FULL_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 32 * 1024 * 1024


class _Merged(msgspec.Struct):
    """Adjacent text deltas of one turn, waiting to become one. `seq`: the place after the last of them."""

    turn_id: str
    form: Form
    parts: list[str]
    size: int
    seq: int


class _Large(msgspec.Struct):
    """An event of about `size` bytes that is still to be encoded."""

    encode: Callable[[], bytes]
    size: int


_Waiting = bytes | _Merged | _Large


class Outbox:
    """Sends encoded events over an encrypted connection, in order.

    While the socket is writable, each event leaves at once. While it is not, events wait here and adjacent deltas merge.
    Events over `LARGE_BYTES` are encoded and encrypted on another thread, those behind them wait. A client that takes
    nothing for `send_timeout_s` while more than `FULL_BYTES` wait is closed with 1013.

    `encode_delta(turn_id, form, text, seq)` encodes a delta that was made of several.
    """

    def __init__(
        self,
        socket: Socket,
        encryption: E2ESession,
        *,
        send_timeout_s: float,
        encode_delta: Callable[[str, Form, str, int], bytes],
    ) -> None:
        self._socket = socket
        self._encryption = encryption
        self._send_timeout_s = send_timeout_s
        self._encode_delta = encode_delta
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._encoding: asyncio.Future[bytes] | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()

    def put(self, payload: bytes) -> None:
        """Send one encoded event."""
        if not self._waiting and self._encoding is None and self._socket.writable and len(payload) <= LARGE_BYTES:
            self._socket.send(self._encryption.seal(payload))
        else:
            self._wait(payload, len(payload))

    def put_delta(self, turn_id: str, form: Form, delta: str, seq: int, payload: bytes) -> None:
        """Send a text delta that ends at the place `seq`; `payload` is its encoding."""
        if not self._waiting and self._encoding is None and self._socket.writable:
            self._socket.send(self._encryption.seal(payload))
            return
        last = self._waiting[-1] if self._waiting else None
        if (
            isinstance(last, _Merged)
            and (last.turn_id, last.form) == (turn_id, form)
            and last.size + len(payload) <= MAX_MERGED_DELTA_CHARS
        ):
            last.parts.append(delta)
            last.size += len(payload)
            last.seq = seq
            self._waiting_bytes += len(delta)
            self._check_full()
        else:
            self._wait(_Merged(turn_id, form, [delta], len(payload), seq), len(delta))

    def put_large(self, size: int, encode: Callable[[], bytes]) -> None:
        """Send an event of about `size` bytes that is still to be encoded, on another thread."""
        self._wait(_Large(encode, size), size)

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        while self._waiting and self._encoding is None and self._socket.writable:
            item = self._waiting.popleft()
            self._waiting_bytes -= _size(item)
            if isinstance(item, _Merged):
                payload = self._encode_delta(item.turn_id, item.form, "".join(item.parts), item.seq)
                self._socket.send(self._encryption.seal(payload))
            elif isinstance(item, bytes) and len(item) <= LARGE_BYTES:
                self._socket.send(self._encryption.seal(item))
            else:
                self._encode_elsewhere(item)
            if self._encoding is None:
                self._idle.set()
        self._check_full()

    async def drained(self) -> None:
        """Return when nothing waits here: the socket has it all, or the client was given up."""
        await self._idle.wait()

    def clear(self) -> None:
        """The connection is gone."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._idle.set()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _wait(self, item: _Waiting, size: int) -> None:
        self._idle.clear()
        self._waiting.append(item)
        self._waiting_bytes += size
        if self._socket.writable and self._encoding is None:
            self.flush()
        else:
            self._check_full()

    def _encode_elsewhere(self, item: bytes | _Large) -> None:
        seal = self._encryption.sealer()
        encode = item.encode if isinstance(item, _Large) else lambda: item
        self._encoding = self._loop.run_in_executor(None, lambda: seal(encode()))
        self._encoding.add_done_callback(self._encoded)

    def _encoded(self, done: asyncio.Future[bytes]) -> None:
        self._encoding = None
        if not done.cancelled():
            self._socket.send(done.result())
            self.flush()

    def _check_full(self) -> None:
        if self._waiting_bytes > MOST_BYTES:
            self._give_up()
        elif self._waiting_bytes > FULL_BYTES and self._stalled is None:
            self._stalled = self._loop.call_later(self._send_timeout_s, self._give_up)

    def _give_up(self) -> None:
        self.clear()
        self._socket.close(CLOSE_TRY_LATER, "the client does not read")


def _size(item: _Waiting) -> int:
    match item:
        case _Merged(parts=parts):
            return sum(map(len, parts))
        case _Large(size=size):
            return size
        case _:
            return len(item)
