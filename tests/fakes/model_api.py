"""What the fake model APIs share: real HTTP on loopback, one request a connection, and the words of a script."""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from sygen_bot.testing.script import (
    Ask,
    Burst,
    EchoHistory,
    Fail,
    File,
    Instruction,
    NoStream,
    Refused,
    Say,
    Slow,
    Tick,
    Tool,
    filler,
    words,
)

_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_BODY_BYTES: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class Request:
    """One request as it came, and what became of it. `body` is the decoded JSON, {} where there was none."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    client_disconnected: asyncio.Event = field(default_factory=asyncio.Event)


R = TypeVar("R", bound=Request)


class ModelApi(ABC, Generic[R]):
    """A server, as an async context manager. `url` is its base URL, `requests` what it was asked, in order."""

    request_type: type[R]
    base_path: ClassVar[str] = ""

    def __init__(self) -> None:
        self.requests: list[R] = []
        self.url = ""
        self._changed = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=_MAX_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self.base_path}"

    async def stop(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @abstractmethod
    async def answer(self, request: R, writer: asyncio.StreamWriter) -> None: ...

    async def until(self, holds: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
        """Wait until `holds()`, looked at whenever a request comes, is answered or is cut off. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(holds)

    async def until_disconnected(self, *, timeout_s: float = 5.0) -> R:
        """The first request whose client went away before it had its answer. Raises TimeoutError."""
        await self.until(lambda: any(r.client_disconnected.is_set() for r in self.requests), timeout_s=timeout_s)
        return next(request for request in self.requests if request.client_disconnected.is_set())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read(reader)
            if request is None:
                return
            self.requests.append(request)
            await self._tell()
            answering = asyncio.create_task(self.answer(request, writer))
            leaving = asyncio.create_task(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            is_whole = answering.done() and answering.exception() is None  # else it was the writer that noticed first
            (request.answered if is_whole else request.client_disconnected).set()
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            await self._tell()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> R | None:
        try:
            start = await reader.readuntil(b"\r\n\r\n")
            first, *lines = start.decode("latin-1").split("\r\n")
            method, target, _version = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            length = int(headers.get("content-length", "0"))
            if length > _MAX_BODY_BYTES:
                return None
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            return None
        decoded = json.loads(body) if body else {}
        return self.request_type(
            method, target.partition("?")[0], headers, decoded if isinstance(decoded, dict) else {}
        )

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def head(status: int, content_type: str) -> bytes:
    """The beginning of an answer, but for the empty line."""
    return f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nConnection: close\r\n".encode()


async def send(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes, extra: str = "") -> None:
    """A whole answer. `extra`: more header lines."""
    writer.write(head(status, content_type) + f"{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


async def send_json(writer: asyncio.StreamWriter, status: int, document: object) -> None:
    await send(writer, status, "application/json", json.dumps(document).encode())


def rest_of_script(script: list[Instruction], used: int) -> list[Instruction]:
    """The instructions that are still to be run: those behind as many tools as were `used`."""
    rest = script
    for _ in range(used):
        tool = next((number for number, step in enumerate(rest) if isinstance(step, Tool | Ask)), len(rest))
        rest = rest[tool + 1 :] or [Say("That is all.")]  # a client asks again for an answer that is empty
    return rest


async def pieces(instruction: Instruction, *, turns: int) -> AsyncIterator[str]:
    """What an instruction says, as it is streamed. `turns`: what `ECHO_HISTORY` tells."""
    match instruction:
        case Say(text):
            for word in words(text):
                yield word
        case Slow(count, seconds):
            for number in range(count):
                yield instruction.piece(number)
                await asyncio.sleep(seconds)
        case Burst(count) | Tick(count):
            for number in range(count):
                yield filler(number)
        case NoStream(text) | Refused(text):
            yield text
        case File(path):
            yield f"<file:{path}>"
        case EchoHistory():
            yield f"{turns} "
            yield "turns"
        case _:
            yield f"{type(instruction).__name__} is nothing that a model does"


def failure(instruction: Fail) -> tuple[int, str]:
    """The status and the message of a `FAIL 429 slow down`."""
    status, _, message = instruction.message.partition(" ")
    return (int(status), message or "scripted failure") if status.isdigit() else (500, instruction.message)
