"""A scripted fake of the Anthropic Messages API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a
tool use; the request that brings its result goes on with the next instruction. `FAIL 401` answers with that status.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sygen_bot.testing.script import (
    Ask,
    Fail,
    Instruction,
    Say,
    Think,
    Tool,
    parse_script,
    words,
)
from tests.fakes.model_api import ModelApi, failure, head, pieces, rest_of_script, send_json
from tests.fakes.model_api import Request as ApiRequest

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
class Request(ApiRequest):
    """A request, with what it says."""

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


class FakeAnthropic(ModelApi[Request]):
    """The server."""

    request_type = Request

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

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await _answer(request, writer)

    @property
    def conversations(self) -> list[Request]:
        """The requests that carry a script or a conversation with tools, not what a client asks on the side."""
        return [request for request in self.requests if request.path == "/v1/messages" and request.body.get("tools")]


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or request.path not in ("/v1/messages", "/v1/messages/count_tokens"):
        await send_json(writer, 404, _error(404, "there is no such thing"))
        return
    if request.path.endswith("count_tokens"):
        await send_json(writer, 200, {"input_tokens": INPUT_TOKENS})
        return
    instructions = _rest_of_script(request)
    if instructions and isinstance(instructions[0], Fail):
        status, message = failure(instructions[0])
        await send_json(writer, status, _error(status, message))
    elif request.body.get("stream"):
        writer.write(head(200, "text/event-stream") + b"\r\n")
        async for name, data in _events(request, instructions):
            writer.write(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())
            await writer.drain()
    else:
        await send_json(writer, 200, await _whole(request, instructions))


def _rest_of_script(request: Request) -> list[Instruction]:
    """The instructions that are still to be run: those behind the tools that were used since the user spoke."""
    messages = request.body.get("messages", [])
    spoken = max((number for number, message in enumerate(messages) if _said(message)), default=-1)
    text = _said(messages[spoken])[-1] if spoken >= 0 else ""
    used = sum(block.get("type") == "tool_use" for message in messages[spoken + 1 :] for block in _blocks(message))
    return rest_of_script(parse_script(text) or [Say(f"You said: {text}")], used)


async def _events(request: Request, instructions: list[Instruction]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
    message = {**_message(request), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield "message_start", {"message": message}
    stop_reason = "end_turn"
    for index, instruction in enumerate(instructions):
        match instruction:
            case Fail():
                status, text = failure(instruction)
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
                async for piece in pieces(instruction, turns=len(request.turns)):
                    yield "content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": piece}}
                yield "content_block_stop", {"index": index}
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    yield "message_delta", {"delta": end, "usage": {"output_tokens": OUTPUT_TOKENS}}
    yield "message_stop", {}


async def _whole(request: Request, instructions: list[Instruction]) -> dict[str, Any]:
    text = "".join([piece for step in instructions async for piece in pieces(step, turns=len(request.turns))])
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


def _error(status: int, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}}
