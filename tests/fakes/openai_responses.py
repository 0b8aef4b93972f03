"""A scripted fake of the OpenAI Responses API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a
function call; the request that brings its output goes on with the next instruction. `FAIL 401` answers with that status, and after
something was said it breaks the stream off. The tool `apply_patch` is called with its bare text, as models do.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
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
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md",
    "<turn_aborted>",
    "<INSTRUCTIONS>",
    "<image",
    "</image",
)
"""How the messages begin that Codex adds in the user's name."""
_CODES: Final = {401: "invalid_api_key", 403: "forbidden", 404: "model_not_found", 429: "rate_limit_exceeded"}

_numbers = itertools.count(1)

Event = dict[str, Any]


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
    def items(self) -> list[dict[str, Any]]:
        """The conversation, oldest first."""
        given = self.body.get("input")
        return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []

    @property
    def turns(self) -> list[str]:
        """What the user said, oldest first: without results of tools and without what the client adds by itself."""
        return [text for item in self.items for text in _said(item)]

    @property
    def tool_results(self) -> list[str]:
        """What the tools of the conversation gave, oldest first."""
        return [_output(item) for item in self.items if str(item.get("type", "")).endswith("_call_output")]

    @property
    def tools(self) -> set[str]:
        """The names, or types, of the tools that the model is offered."""
        return {str(tool.get("name") or tool.get("type")) for tool in self.body.get("tools", [])}


class FakeResponses:
    """The server, as an async context manager. `url` is its base URL, `requests` what it was asked, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._changed = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def environment(self, home: Path, *, settings: str = "") -> dict[str, str]:
        """Variables for a Codex that lives in `home` and speaks to this server and to nothing else. `settings`: more TOML."""
        codex_home = home / ".codex"
        codex_home.mkdir(parents=True, exist_ok=True)
        provider = {
            "name": "fake",
            "base_url": self.url,
            "env_key": "OPENAI_API_KEY",
            "wire_api": "responses",
            "request_max_retries": 0,
            "stream_max_retries": 0,
        }
        lines = [
            'model_provider = "fake"',
            *(f"model_providers.fake.{name} = {json.dumps(value)}" for name, value in provider.items()),
            "check_for_update_on_startup = false",
            "analytics.enabled = false",
            "features.plugins = false",
            settings,
        ]
        (codex_home / "config.toml").write_text("\n".join(lines))
        return {"HOME": str(home), "CODEX_HOME": str(codex_home), "OPENAI_API_KEY": "sk-fake"}

    @property
    def conversations(self) -> list[Request]:
        """The requests for an answer."""
        return [request for request in self.requests if request.path.endswith("/responses")]

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
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
        }
        length = int(headers.get("content-length", "0"))
        if length > _MAX_BODY_BYTES:
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    decoded = json.loads(body) if body else {}
    return Request(method, target.partition("?")[0], headers, decoded if isinstance(decoded, dict) else {})


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or not request.path.endswith("/responses"):
        await _send_error(writer, 404, "there is no such thing")
        return
    instructions = _rest_of_script(request)
    if isinstance(instructions[0], Fail):
        await _send_error(writer, *_failure(instructions[0]))
        return
    writer.write(_head(200, "text/event-stream") + b"\r\n")
    async for event in _events(request, instructions):
        writer.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await writer.drain()


def _rest_of_script(request: Request) -> list[Instruction]:
    """The instructions that are still to be run: those behind the tools that were used since the user spoke."""
    items = request.items
    spoken = max((number for number, item in enumerate(items) if _said(item)), default=-1)
    text = _said(items[spoken])[-1] if spoken >= 0 else ""
    used = sum(str(item.get("type", "")).endswith("_call") for item in items[spoken + 1 :])
    rest: list[Instruction] = parse_script(text) or [Say(f"You said: {text}")]
    while used:
        tool = next((number for number, step in enumerate(rest) if isinstance(step, Tool | Ask)), len(rest))
        rest = rest[tool + 1 :] or [Say("That is all.")]
        used -= 1
    return rest


async def _events(request: Request, instructions: list[Instruction]) -> AsyncIterator[Event]:
    response: dict[str, Any] = {
        "id": f"resp_{next(_numbers)}",
        "object": "response",
        "model": request.body.get("model"),
        "output": [],
    }
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    for index, instruction in enumerate(instructions):
        match instruction:
            case Fail():
                return
            case Tool(name, arguments) | Ask(name, arguments):
                yield {"type": "response.output_item.done", "output_index": index, "item": _call(name, arguments)}
                break
            case Think(text):
                for event in _thought(index, text):
                    yield event
            case _:
                item: dict[str, Any] = {
                    "type": "message",
                    "id": f"msg_{next(_numbers)}",
                    "role": "assistant",
                    "content": [],
                }
                yield {"type": "response.output_item.added", "output_index": index, "item": item}
                said = ""
                async for piece in _pieces(request, instruction):
                    said += piece
                    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
                    if not isinstance(instruction, NoStream):
                        yield {"type": "response.output_text.delta", "delta": piece, **place}
                item = {**item, "content": [{"type": "output_text", "text": said}]}
                yield {"type": "response.output_item.done", "output_index": index, "item": item}
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    yield {"type": "response.completed", "response": {**response, "status": "completed", "usage": usage}}


def _call(name: str, arguments: object) -> dict[str, Any]:
    number = next(_numbers)
    call = {"id": f"item_{number}", "call_id": f"call_{number}", "name": name}
    if isinstance(arguments, str):
        return {**call, "type": "custom_tool_call", "input": arguments}
    if name == "web_search":
        return {"id": call["id"], "type": "web_search_call", "status": "completed", "action": arguments}
    namespace, dot, rest = name.partition(".")
    if dot:
        call |= {"namespace": namespace, "name": rest}
    return {**call, "type": "function_call", "arguments": json.dumps(arguments)}


def _thought(index: int, text: str) -> Iterator[Event]:
    item: dict[str, Any] = {"type": "reasoning", "id": f"rs_{next(_numbers)}", "summary": []}
    place = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    yield {"type": "response.output_item.added", "output_index": index, "item": item}
    yield {"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}, **place}
    for word in words(text):
        yield {"type": "response.reasoning_summary_text.delta", "delta": word, **place}
    item = {**item, "summary": [{"type": "summary_text", "text": text}]}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


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


def _said(item: dict[str, Any]) -> list[str]:
    """What the user said in this item; one text at most."""
    if item.get("type", "message") != "message" or item.get("role") != "user":
        return []
    content = item.get("content")
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content or []
    texts = [part.get("text", "") for part in parts if part.get("type") == "input_text"]
    return [text.strip() for text in texts if text.strip() and not text.lstrip().startswith(_NOT_SAID)]


def _output(item: dict[str, Any]) -> str:
    output = item.get("output")
    if isinstance(output, list):
        return "".join(str(part.get("text", "")) for part in output if isinstance(part, dict))
    return str(output)


def _failure(instruction: Fail) -> tuple[int, str]:
    status, _, message = instruction.message.partition(" ")
    return (int(status), message or "scripted failure") if status.isdigit() else (500, instruction.message)


def _head(status: int, content_type: str) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nConnection: close\r\n".encode()


async def _send_error(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    error = {"message": message, "type": "error", "code": _CODES.get(status, "server_error"), "param": None}
    body = json.dumps({"error": error}).encode()
    writer.write(_head(status, "application/json") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
