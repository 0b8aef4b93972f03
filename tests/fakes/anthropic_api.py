"""A scripted fake of the Anthropic Messages API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a
tool use; the request that brings its result goes on with the next instruction. `FAIL 401` answers with that status.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterable
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
_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_NOT_SAID: Final = (
    "<system-reminder>",
    "<command-",
    "<local-command-",
    "[Request interrupted",
    "[Your previous response",
)
_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


_message_numbers = itertools.count(1)  # a client takes messages of one id for parts of one message


@dataclass(slots=True)
class Request:
    """One request as it came, and what became of it. `body` is the decoded JSON, {} where there was none."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    client_disconnected: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def turns(self) -> list[str]:
        """What the user said, oldest first: without tool results and without what the client adds by itself."""
        return [text for message in self.body.get("messages", []) for text in _said(message)]

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """The results of all tools in the conversation, oldest first, each with its text as `text`."""
        return [
            {**block, "text": _text_of(block.get("content"))}
            for message in self.body.get("messages", [])
            for block in _blocks(message)
            if block.get("type") == "tool_result"
        ]


class FakeAnthropic:
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
        """Variables for a Claude Code that lives in `home` and speaks to this server and to nothing else."""
        home.mkdir(parents=True, exist_ok=True)
        return {
            "HOME": str(home),
            "ANTHROPIC_API_KEY": "sk-ant-fake",
            "ANTHROPIC_BASE_URL": self.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
        }

    @property
    def conversations(self) -> list[Request]:
        """The requests that carry a script or a conversation with tools, not what a client asks on the side."""
        return [request for request in self.requests if request.path == "/v1/messages" and request.body.get("tools")]

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

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    length = int(headers.get("content-length", "0"))
    if length > _MAX_BODY_BYTES:
        return None
    body = await reader.readexactly(length)
    decoded = json.loads(body) if body else {}
    return Request(method, target.partition("?")[0], headers, decoded if isinstance(decoded, dict) else {})


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or request.path not in ("/v1/messages", "/v1/messages/count_tokens"):
        await _send_json(writer, 404, _error(404, "there is no such thing"))
        return
    if request.path.endswith("count_tokens"):
        await _send_json(writer, 200, {"input_tokens": INPUT_TOKENS})
        return
    instructions = _rest_of_script(request)
    if instructions and isinstance(instructions[0], Fail):
        status, message = _failure(instructions[0])
        await _send_json(writer, status, _error(status, message))
    elif request.body.get("stream"):
        writer.write(_head(200, "text/event-stream") + b"\r\n")
        async for name, data in _events(request, instructions):
            writer.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())
            await writer.drain()
    else:
        await _send_json(writer, 200, await _whole(request, instructions))


def _rest_of_script(request: Request) -> list[Instruction]:
    """The instructions that are still to be run: those behind the tools that were used since the user spoke."""
    messages = request.body.get("messages", [])
    spoken = max((number for number, message in enumerate(messages) if _said(message)), default=-1)
    text = _said(messages[spoken])[-1] if spoken >= 0 else ""
    used = sum(block.get("type") == "tool_use" for message in messages[spoken + 1 :] for block in _blocks(message))
    rest: list[Instruction] = parse_script(text) or [Say(f"You said: {text}")]
    while used:
        tool = next((number for number, step in enumerate(rest) if isinstance(step, Tool | Ask)), len(rest))
        rest = rest[tool + 1 :] or [Say("That is all.")]  # a client asks again for an answer that is empty
        used -= 1
    return rest


async def _events(request: Request, instructions: list[Instruction]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    message = {**_message(request), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield "message_start", {"message": message}
    stop_reason = "end_turn"
    for index, instruction in enumerate(instructions):
        match instruction:
            case Fail():
                status, text = _failure(instruction)
                yield "error", {"error": _error(status, text)["error"]}
                return
            case Tool(name, arguments) | Ask(name, arguments):
                block = {"type": "tool_use", "id": _tool_id(request), "name": name, "input": {}}
                yield "content_block_start", {"index": index, "content_block": block}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
                yield "content_block_delta", {"index": index, "delta": delta}
                yield "content_block_stop", {"index": index}
                stop_reason = "tool_use"
                break
            case Think(text):
                yield "content_block_start", {"index": index, "content_block": {"type": "thinking", "thinking": ""}}
                for word in words(text):
                    delta = {"type": "thinking_delta", "thinking": word}
                    yield "content_block_delta", {"index": index, "delta": delta}
                delta = {"type": "signature_delta", "signature": "c2lnbmF0dXJl"}
                yield "content_block_delta", {"index": index, "delta": delta}
                yield "content_block_stop", {"index": index}
            case _:
                yield "content_block_start", {"index": index, "content_block": {"type": "text", "text": ""}}
                async for piece in _pieces(request, instruction):
                    yield "content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": piece}}
                yield "content_block_stop", {"index": index}
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    yield "message_delta", {"delta": end, "usage": {"output_tokens": OUTPUT_TOKENS}}
    yield "message_stop", {}


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


async def _whole(request: Request, instructions: list[Instruction]) -> dict[str, Any]:
    text = "".join([piece for step in instructions async for piece in _pieces(request, step)])
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    content = [{"type": "text", "text": text}]
    return {**_message(request), "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _message(request: Request) -> dict[str, Any]:
    number = next(_message_numbers)
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": request.body.get("model", "fake")}


def _tool_id(request: Request) -> str:
    uses = (block for message in request.body.get("messages", []) for block in _blocks(message))
    return f"toolu_fake_{sum(block.get('type') == 'tool_use' for block in uses)}"


def _blocks(message: dict[str, Any]) -> Iterable[dict[str, Any]]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _text_of(content: object) -> str:
    return "".join(block.get("text", "") for block in _blocks({"content": content}))


def _said(message: dict[str, Any]) -> list[str]:
    """What the user said in this message: neither results of tools nor what the client adds by itself count.

    It is more than one text where a client joins what the user said in turns that had no answer.
    """
    if message.get("role") != "user":
        return []
    texts = (block.get("text", "") for block in _blocks(message) if block.get("type") == "text")
    return [text.strip() for text in texts if text.strip() and not text.startswith(_NOT_SAID)]


def _failure(instruction: Fail) -> tuple[int, str]:
    status, _, message = instruction.message.partition(" ")
    return (int(status), message or "scripted failure") if status.isdigit() else (500, instruction.message)


def _error(status: int, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}}


def _head(status: int, content_type: str) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nConnection: close\r\n".encode()


async def _send_json(writer: asyncio.StreamWriter, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    writer.write(_head(status, "application/json") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
