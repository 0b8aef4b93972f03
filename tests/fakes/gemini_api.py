"""A scripted fake of the Gemini API on loopback: real HTTP, real server-sent events, words from a script.

It runs the instructions in the last text of the user, in the language of the scripted agent. A `TOOL` ends the answer with a function
call; the request that brings its result goes on with the next instruction. `FAIL 401` answers with that status, `FAIL cut` breaks the
connection off in the middle of the stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
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
)
from tests.fakes.model_api import ModelApi, failure, head, pieces, rest_of_script, send_json
from tests.fakes.model_api import Request as ApiRequest

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
class Request(ApiRequest):
    """A request, with what it says."""

    @property
    def model(self) -> str:
        return self.path.rpartition("/")[2].partition(":")[0]

    @property
    def action(self) -> str:
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


class FakeGemini(ModelApi[Request]):
    """The server."""

    request_type = Request

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

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await _answer(request, writer)

    @property
    def conversations(self) -> list[Request]:
        """The requests that carry a conversation with tools, not what a client asks on the side."""
        return [request for request in self.requests if request.body.get("tools")]


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    instructions = _rest_of_script(request)
    if request.action == "countTokens":
        await send_json(writer, 200, {"totalTokens": INPUT_TOKENS})
    elif request.action not in ("streamGenerateContent", "generateContent"):
        await send_json(writer, 404, _error(404, "there is no such thing"))
    elif request.action == "generateContent":  # asked on the side: how hard the question is
        await send_json(writer, 200, _chunk([{"text": json.dumps(_EASY)}], request, is_last=True))
    elif isinstance(instructions[0], Fail) and instructions[0].message != CUT:
        status, message = failure(instructions[0])
        await send_json(writer, status, _error(status, message))
    else:
        writer.write(head(200, "text/event-stream") + b"\r\n")
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
    return rest_of_script(parse_script(text) or [Say(f"You said: {text}")], used)


async def _chunks(request: Request, instructions: list[Instruction]) -> AsyncIterator[dict[str, Any]]:
    for instruction in instructions:
        match instruction:
            case Fail(message) if message == CUT:
                raise ConnectionAbortedError
            case Fail():
                yield _error(*failure(instruction))
                return
            case Tool(name, arguments) | Ask(name, arguments):
                yield _chunk([{"functionCall": {"name": name, "args": arguments}}], request)
                break
            case Think(text):
                yield _chunk([{"text": f"**Thought** {text}", "thought": True}], request)
            case _:
                async for piece in pieces(instruction, turns=len(request.turns)):
                    yield _chunk([{"text": piece}], request)
    yield _chunk([{"text": ""}], request, is_last=True)


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


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": _STATUS_NAMES.get(status, "INTERNAL")}}
