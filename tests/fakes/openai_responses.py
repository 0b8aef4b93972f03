"""A scripted fake of the OpenAI Responses API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a
function call; the request that brings its output goes on with the next instruction. `FAIL 401` answers with that status, and after
something was said it breaks the stream off. The tool `apply_patch` is called with its bare text, as models do.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sygen_bot.testing.script import (
    Ask,
    Fail,
    Instruction,
    NoStream,
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
class Request(ApiRequest):
    """A request, with what it says."""

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


class FakeResponses(ModelApi[Request]):
    """The server."""

    request_type = Request
    base_path = "/v1"

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

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await _answer(request, writer)

    @property
    def conversations(self) -> list[Request]:
        """The requests for an answer."""
        return [request for request in self.requests if request.path.endswith("/responses")]


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or not request.path.endswith("/responses"):
        await _send_error(writer, 404, "there is no such thing")
        return
    instructions = _rest_of_script(request)
    if isinstance(instructions[0], Fail):
        await _send_error(writer, *failure(instructions[0]))
        return
    writer.write(head(200, "text/event-stream") + b"\r\n")
    async for event in _events(request, instructions):
        writer.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await writer.drain()


def _rest_of_script(request: Request) -> list[Instruction]:
    """The instructions that are still to be run: those behind the tools that were used since the user spoke."""
    items = request.items
    spoken = max((number for number, item in enumerate(items) if _said(item)), default=-1)
    text = _said(items[spoken])[-1] if spoken >= 0 else ""
    used = sum(str(item.get("type", "")).endswith("_call") for item in items[spoken + 1 :])
    return rest_of_script(parse_script(text) or [Say(f"You said: {text}")], used)


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
                async for piece in pieces(instruction, turns=len(request.turns)):
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


async def _send_error(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    error = {"message": message, "type": "error", "code": _CODES.get(status, "server_error"), "param": None}
    await send_json(writer, status, {"error": error})
