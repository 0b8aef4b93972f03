"""What waits to be sent to one client: bounded, in order, and small while the client is slow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from sygen_bot.api.crypto import E2ESession
from sygen_bot.api.protocol import CLOSE_TRY_LATER, MAX_MERGED_DELTA_BYTES, Form
from sygen_bot.api.socket import Socket
from sygen_bot.events import TextDelta
from sygen_bot.session.log import LoggedEvent

LARGE_BYTES: Final = 64 * 1024
FULL_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 32 * 1024 * 1024
_NICENESS: Final = 10


def _step_back() -> None:
    """Where there are fewer processors than work, whoever waits for a small frame goes first. Elsewhere a thread has no priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_LARGE: Final = ThreadPoolExecutor(2, "large frames", initializer=_step_back)


class _Merged(msgspec.Struct):
    """Adjacent text deltas of one turn, waiting to become one. `last` is the newest of them, `size` their bytes as JSON."""

    last: LoggedEvent
    form: Form
    parts: list[str]
    size: int


class _Large(msgspec.Struct):
    """An event of about `size` bytes that is still to be encoded."""

    encode: Callable[[], bytes]
    size: int


_Waiting = bytes | _Merged | _Large


class Outbox:
    """Sends encoded events over an encrypted connection, in order.

    While the socket is writable, each event leaves at once; of deltas that follow one another closely each has its frame, and
    many share a write. While it is not, events wait here and adjacent deltas merge.
    Events over `LARGE_BYTES` are encoded and encrypted on another thread, those behind them wait. A client that takes
    nothing for `send_timeout_s` while more than `FULL_BYTES` wait is closed with 1013.

    `encode` makes the payload of an event for a client of that form.
    """

    def __init__(
        self,
        socket: Socket,
        encryption: E2ESession,
        *,
        send_timeout_s: float,
        encode: Callable[[LoggedEvent, Form], bytes],
    ) -> None:
        self._socket = socket
        self._encryption = encryption
        self._seal = encryption.seal
        self._send_timeout_s = send_timeout_s
        self._encode = encode
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._encoding: asyncio.Future[bytes] | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop = asyncio.get_running_loop()

    def put(self, payload: bytes, *, soon: bool = False) -> None:
        """Send one encoded event. `soon`: many like it follow, so it may share a write with them."""
        if not self._waiting and self._encoding is None and self._socket.writable and len(payload) <= LARGE_BYTES:
            (self._socket.send_soon if soon else self._socket.send)(self._seal(payload))
        else:
            self._wait(payload, len(payload))

    def put_delta(self, delta: LoggedEvent, form: Form) -> None:
        """Send a text delta."""
        waiting, socket = self._waiting, self._socket
        text: str = delta.event.data  # type: ignore[union-attr]  # it is a text delta
        if not waiting and self._encoding is None and socket.writable and len(text) <= MAX_MERGED_DELTA_BYTES:
            socket.send_soon(self._seal(self._encode(delta, form)))
            return
        last, size = waiting[-1] if waiting else None, len(msgspec.json.encode(text)) - 2
        if (
            isinstance(last, _Merged)
            and last.form is form
            and last.last.turn_id == delta.turn_id
            and last.size + size <= MAX_MERGED_DELTA_BYTES
        ):
            last.parts.append(text)
            last.size += size
            last.last = delta
            self._waiting_bytes += size
            self._check_full()
        else:
            self._wait(_Merged(delta, form, [text], size), size)

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
                self._send_merged(item)
            elif isinstance(item, bytes) and len(item) <= LARGE_BYTES:
                self._socket.send(self._seal(item))
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

    def _send_merged(self, merged: _Merged) -> None:
        delta, parts = merged.last, merged.parts
        if len(parts) > 1:
            delta = LoggedEvent(delta.seq, delta.turn_id, TextDelta("".join(parts)))
        payload = self._encode(delta, merged.form)
        if len(payload) <= LARGE_BYTES:
            self._socket.send(self._seal(payload))
        else:
            self._encode_elsewhere(payload)

    def _encode_elsewhere(self, item: bytes | _Large) -> None:
        seal = self._encryption.sealer()
        encode = item.encode if isinstance(item, _Large) else lambda: item
        self._encoding = self._loop.run_in_executor(_LARGE, lambda: seal(encode()))
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
        case _Merged(size=size) | _Large(size=size):
            return size
        case _:
            return len(item)
