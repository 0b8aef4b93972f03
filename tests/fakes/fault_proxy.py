"""A TCP proxy on loopback that behaves as bad networks do: it cuts, stalls, splits, refuses and alters."""

from __future__ import annotations

import asyncio
import contextlib
import random
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 4096
_SPLITS: Final = 8
"""A chunk is passed on in about as many pieces, of any size."""
_LONGEST_STALL_S: Final = 0.02
_TEXT_MESSAGE: Final = 0x81
"""How a frame of a WebSocket begins that is a whole message."""


class FaultProxy:
    """Stands between clients and `target`, a port that may change. Calm at first: it only splits.

    `go_wild` makes it cut each connection after some bytes from the server, fewer than `most_bytes`, and stall now and then, until
    it has cut `most_cuts` times; then `is_done` is set, and it is calm again.
    """

    def __init__(self, target: int, *, seed: int = 0, most_bytes: int = 1, most_cuts: int = 0) -> None:
        self.target = target
        self._random = random.Random(seed)  # noqa: S311 - the same faults every time
        self._most_bytes = most_bytes
        self._most_cuts = most_cuts
        self._is_wild = False
        self._is_shut = False
        self._alters = False
        self._links: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.is_done = asyncio.Event()
        self.cuts = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    def go_wild(self) -> None:
        self._is_wild = True

    def hold(self) -> None:
        """From now on nothing that the server says gets through."""
        self._flowing.clear()

    async def cut(self) -> None:
        """Cut every connection, with what is on its way; what comes then gets through."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        self._flowing.set()

    async def shut(self) -> None:
        """Cut every connection, and let nobody through any more."""
        self._is_shut = True
        await self.cut()

    def open(self) -> None:
        self._is_shut = False

    def alter(self) -> None:
        """The next message that comes over a WebSocket arrives with one bit changed."""
        self._alters = True

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_shut:
            writer.transport.abort()
            return
        link = asyncio.create_task(self._serve(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _done: None if writer.is_closing() else writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        up = asyncio.create_task(self._pass_up(reader, there_writer))
        down = asyncio.create_task(self._pass_down(there_reader, writer))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            there_writer.transport.abort()
            # A reset takes with it what the client has not read yet; an end does not.
            if self._random.random() < 0.25:
                writer.transport.abort()
            else:
                writer.close()

    async def _pass_up(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._send(target, data)

    async def _pass_down(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        allowance: int | None = None
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._flowing.wait()
                if self._alters and data[0] == _TEXT_MESSAGE:
                    self._alters = False
                    data = data[:-1] + bytes([data[-1] ^ 1])
                if self._is_wild and allowance is None:
                    allowance = self._random.randrange(self._most_bytes)
                if self._is_wild and allowance is not None:
                    if allowance < len(data):
                        await self._send(target, data[:allowance])
                        self._count_cut()
                        return
                    allowance -= len(data)
                await self._send(target, data)

    async def _send(self, target: asyncio.StreamWriter, data: bytes) -> None:
        while data:
            size = self._random.randint(1, max(2 * len(data) // _SPLITS, 1))
            target.write(data[:size])
            await target.drain()
            data = data[size:]
            if self._is_wild and self._random.random() < 0.02:
                await asyncio.sleep(self._random.uniform(0, _LONGEST_STALL_S))

    def _count_cut(self) -> None:
        self.cuts += 1
        if self.cuts >= self._most_cuts:
            self._is_wild = False
            self.is_done.set()
