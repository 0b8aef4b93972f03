"""A blocking HTTP exchange in a thread of its own, that can be cut at any moment.

Files are read and written where nobody waits for the disk, and whoever is no longer interested leaves at once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

_LEAVING_S: Final = 1.0
"""How long a thread that was cut may take to let go of its files, before nobody waits for it."""

_Done = TypeVar("_Done")


class LineBroken(Exception):
    """The exchange broke off, or was never begun. `reason`: in a few words for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Line:
    """The connection of one exchange, as far as another thread may touch it."""

    def __init__(self) -> None:
        self.is_cut = False
        self._stream: Any = None  # httpcore's NetworkStream
        self._lock = threading.Lock()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Give this to httpx as the extension `trace`: it tells what connection is used."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._stream = info["return_value"]
            if self.is_cut:
                self._shut()

    def check(self) -> None:
        """Raises LineBroken if the line was cut."""
        if self.is_cut:
            raise LineBroken("it was stopped")

    @property
    def is_answered_early(self) -> bool:
        """Whether the other side has said something, or left, before it was asked whole. TLS has its own talk: never known there."""
        connection = self._socket()
        is_plain = connection is not None and not isinstance(connection, ssl.SSLSocket)
        return is_plain and bool(self._stream.get_extra_info("is_readable"))

    def cut(self) -> None:
        with self._lock:
            self.is_cut = True
        self._shut()

    def _shut(self) -> None:
        connection = self._socket()
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it

    def _socket(self) -> socket.socket | None:
        found = None if self._stream is None else self._stream.get_extra_info("socket")
        return found if isinstance(found, socket.socket) else None


async def on_a_line(work: Callable[[Line], _Done]) -> _Done:
    """What `work` returns or raises, run in a thread. To cancel this is to cut the line."""
    loop = asyncio.get_running_loop()
    line = Line()
    done: asyncio.Future[_Done] = loop.create_future()
    done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # if nobody waits, nobody is told

    def deliver(result: _Done | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result, failure = None, None
        try:
            result = work(line)
        except BaseException as error:  # noqa: BLE001 - the thread ends here, and hands it on
            failure = error
        with suppress(RuntimeError):  # the loop has ended without us
            loop.call_soon_threadsafe(deliver, result, failure)

    threading.Thread(target=run, name="file transfer", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        line.cut()
        await asyncio.wait({done}, timeout=_LEAVING_S)
        raise


@contextmanager
def broken_lines() -> Iterator[None]:
    """Turn what httpx says of a connection that failed into LineBroken."""
    import httpx

    try:
        yield
    except httpx.TimeoutException as error:
        raise LineBroken("it does not go on in time") from error
    except httpx.ConnectError as error:
        raise LineBroken("there is no connection") from error
    except httpx.TransportError as error:
        raise LineBroken("the connection broke") from error
