"""A scripted fake of the Gemini API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a function
call; the request that brings its result goes on with the next instruction. `FAIL 401` answers with that status, `FAIL cut` breaks the
connection off in the middle of the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

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
    Think,
    Tick,
    Tool,
    filler,
    parse_script,
    words,
)

INPUT_TOKENS: Final = 1000
OUTPUT_TOKENS: Final = 100
CUT: Final = "cut"
_MAX_HEAD_BYTES: Final = 64 * 1024
_NOT_SAID: Final = ("<session_context>", "This is the Gemini CLI", "System: ", "Please continue.")
_EASY: Final = {"complexity_reasoning": "short", "complexity_score": 1, "reasoning": "short", "model_choice": "flash"}
_STATUS_NAMES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


@dataclass(slots=True)
class Request:
    """One request as it came, and what became of it. `body` is the decoded JSON, {} where there was none."""

    path: str
    body: dict[str, Any]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    client_disconnected: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> str:
        return self.path.rpartition("/")[2].partition(":")[0]

    @property
    def method(self) -> str:
        return self.path.rpartition(":")[2]

    @property
    def turns(self) -> list[str]:
        """What the user said, oldest first: without results of tools and without what the client adds by itself."""
        return [text for content in self.body.get("contents", []) for text in _said(content)]

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """The `response` of all tools in the conversation, oldest first."""
        contents = self.body.get("contents", [])
        return [part["functionResponse"]["response"] for each in contents for part in _parts(each, "functionResponse")]

    @property
    def inline_types(self) -> list[str]:
        """The types of the images and sounds in the conversation."""
        contents = self.body.get("contents", [])
        return [part["inlineData"]["mimeType"] for each in contents for part in _parts(each, "inlineData")]


class FakeGemini:
    """The server, as an async context manager. `url` is its base URL, `requests` what it was asked, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._changed = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def environment(self, home: Path) -> dict[str, str]:
        """Variables for a Gemini CLI that lives in `home` and speaks to this server and to nothing else."""
        (home / ".gemini").mkdir(parents=True, exist_ok=True)
        settings = home / ".gemini" / "settings.json"
        if not settings.exists():
            settings.write_text(
                json.dumps(
                    {
                        "security": {"auth": {"selectedType": "gemini-api-key"}},
                        "privacy": {"usageStatisticsEnabled": False},
                        "telemetry": {"enabled": False},
                        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False, "maxAttempts": 1},
                    }
                )
            )
        return {"HOME": str(home), "GEMINI_API_KEY": "fake", "GOOGLE_GEMINI_BASE_URL": self.url, "NO_COLOR": "1"}

    @property
    def conversations(self) -> list[Request]:
        """The requests that carry a conversation with tools, not what a client asks on the side."""
        return [request for request in self.requests if request.body.get("tools")]

    async def until(self, holds: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
        """Wait until `holds()`, looked at whenever a request comes, is answered or is cut off. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(holds)

    async def until_disconnected(self, *, timeout_s: float = 5.0) -> Request:
        """The first request whose client went away before it had its answer. Raises TimeoutError."""
        await self.until(lambda: any(r.client_disconnected.is_set() for r in self.requests), timeout_s=timeout_s)
        return next(request for request in self.requests if request.client_disconnected.is_set())

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            if request is None:
                return
            self.requests.append(request)
            await self._tell()
            answering = asyncio.create_task(_answer(request, writer))
            leaving = asyncio.create_task(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            is_whole = answering.done() and answering.exception() is None
            (request.answered if is_whole else request.client_disconnected).set()
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            await self._tell()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    _method, target, _version = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    decoded = json.loads(body) if body else {}
    return Request(target.partition("?")[0], decoded if isinstance(decoded, dict) else {})


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    instructions = _rest_of_script(request)
    if request.method == "countTokens":
        await _send_json(writer, 200, {"totalTokens": INPUT_TOKENS})
    elif request.method not in ("streamGenerateContent", "generateContent"):
        await _send_json(writer, 404, _error(404, "there is no such thing"))
    elif request.method == "generateContent":  # asked on the side: how hard the question is
        await _send_json(writer, 200, _chunk([{"text": json.dumps(_EASY)}], request, is_last=True))
    elif isinstance(instructions[0], Fail) and instructions[0].message != CUT:
        status, message = _failure(instructions[0])
        await _send_json(writer, status, _error(status, message))
    else:
        writer.write(_head(200, "text/event-stream") + b"\r\n")
        async for chunk in _chunks(request, instructions):
            writer.write(f"data: {json.dumps(chunk)}\r\n\r\n".encode())
            await writer.drain()


def _rest_of_script(request: Request) -> list[Instruction]:
    """The instructions that are still to be run: those behind the tools that were used since the user spoke."""
    contents = request.body.get("contents", [])
    spoken = max((number for number, content in enumerate(contents) if _said(content)), default=-1)
    texts = _said(contents[spoken]) if spoken >= 0 else [""]
    # What is beside the script, such as a file that was sent along, is none.
    text = next((text for text in reversed(texts) if parse_script(text)), texts[-1])
    used = sum(len(_parts(content, "functionCall")) for content in contents[spoken + 1 :])
    rest: list[Instruction] = parse_script(text) or [Say(f"You said: {text}")]
    while used:
        tool = next((number for number, step in enumerate(rest) if isinstance(step, Tool | Ask)), len(rest))
        rest = rest[tool + 1 :] or [Say("That is all.")]  # a client asks again for an answer that is empty
        used -= 1
    return rest


async def _chunks(request: Request, instructions: list[Instruction]) -> AsyncIterator[dict[str, Any]]:
    for instruction in instructions:
        match instruction:
            case Fail(message) if message == CUT:
                raise ConnectionAbortedError
            case Fail():
                yield _error(*_failure(instruction))
                return
            case Tool(name, arguments) | Ask(name, arguments):
                yield _chunk([{"functionCall": {"name": name, "args": arguments}}], request)
                break
            case Think(text):
                yield _chunk([{"text": f"**Thought** {text}", "thought": True}], request)
            case _:
                async for piece in _pieces(request, instruction):
                    yield _chunk([{"text": piece}], request)
    yield _chunk([{"text": ""}], request, is_last=True)


async def _pieces(request: Request, instruction: Instruction) -> AsyncIterator[str]:
    match instruction:
        case Say(text):
            for word in words(text):
                yield word
        case Slow(count, seconds):
            for number in range(count):
                yield f"w{number} "
                await asyncio.sleep(seconds)
        case Burst(count) | Tick(count):
            for number in range(count):
                yield filler(number)
        case NoStream(text) | Refused(text):
            yield text
        case File(path):
            yield f"<file:{path}>"
        case EchoHistory():
            yield f"{len(request.turns)} turns"
        case _:
            yield f"{type(instruction).__name__} is nothing that a model does"


def _chunk(parts: list[dict[str, Any]], request: Request, *, is_last: bool = False) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    if is_last:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": INPUT_TOKENS,
        "candidatesTokenCount": OUTPUT_TOKENS,
        "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {"candidates": [candidate], "modelVersion": request.model} | ({"usageMetadata": usage} if is_last else {})


def _parts(content: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [part for part in content.get("parts", []) if kind in part]


def _said(content: dict[str, Any]) -> list[str]:
    """What the user said in this content: neither results of tools nor what the client adds by itself count."""
    if content.get("role") != "user" or _parts(content, "functionResponse"):
        return []
    texts = (part["text"].strip() for part in _parts(content, "text"))
    return [text for text in texts if text and not text.startswith(_NOT_SAID)]


def _failure(instruction: Fail) -> tuple[int, str]:
    status, _, message = instruction.message.partition(" ")
    return (int(status), message or "scripted failure") if status.isdigit() else (500, instruction.message)


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": _STATUS_NAMES.get(status, "INTERNAL")}}


def _head(status: int, content_type: str) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nConnection: close\r\n".encode()


async def _send_json(writer: asyncio.StreamWriter, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    writer.write(_head(status, "application/json") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
