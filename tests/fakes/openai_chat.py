"""A scripted fake of an OpenAI-compatible endpoint on loopback: /v1/models, and /v1/chat/completions as server-sent events.

It runs the instructions in the last message of the user, in the language of the scripted agent. `FAIL 429 slow down` answers
with that status; behind other instructions it is an error in the midst of the stream. What no script can say is an attribute.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from sygen_bot.testing.script import (
    Fail,
    Instruction,
    NoStream,
    Say,
    Think,
    Tool,
    parse_script,
    words,
)
from tests.fakes.model_api import ModelApi, failure, head, pieces
from tests.fakes.model_api import Request as ApiRequest
from tests.fakes.model_api import send as send_whole

Fault = Literal[
    "drop", "html", "html_stream", "cut", "hang", "garbage", "endless", "no_done", "whole", "redirect", "drip"
]
"""drop: no answer at all. html: 502 with a page. html_stream: 200 with an empty page. cut: the connection ends behind the words.
hang: silence after the head. garbage: odd lines between the words. endless: one line that never ends. no_done: nothing but
a reason to finish says that it is over. whole: JSON instead of a stream. redirect: elsewhere. drip: an error whose text never ends."""

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_PAGE: Final = b"<!doctype html><html><body>Welcome to nginx</body></html>"
_GARBAGE: Final = (
    b": a comment\n\n",
    b"data: {half a line\n\n",
    b"nonsense without a colon\n",
    b"event: ping\nid: 7\nretry: x\n\n",
    b"data: [1, 2]\n\ndata: null\n\ndata: 7\n\n",
    b'data: {"choices": []}\n\ndata: {"object": "surprise"}\n\ndata: {"choices": null}\n\n',
    b'data: {"choices": [{"index": 1, "delta": {"content": "another choice"}}]}\n\n',
    b'data: {"choices": [7, {"delta": 7}, {"delta": {"content": 7}}, {}]}\n\n',
    b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\ndata: {"choices": [{"delta": {"content": "\\u0000"}}]}\n\n',
    b'data: {"usage": {"prompt_tokens": -1, "completion_tokens": "many"}}\n\n',
    b"data: \xff\xfe\n\n",
    b"data: " + b"[" * 50_000 + b"\n\n",
)


@dataclass(slots=True)
class Request(ApiRequest):
    """A request, with what it says."""

    @property
    def messages(self) -> list[tuple[str, str]]:
        """(role, text) of each message, images left out."""
        return [(message["role"], _text(message["content"])) for message in self.body.get("messages", [])]

    @property
    def images(self) -> list[str]:
        """The URLs of all images."""
        parts = (message["content"] for message in self.body.get("messages", []))
        listed = [part for content in parts if isinstance(content, list) for part in content]
        return [part["image_url"]["url"] for part in listed if part["type"] == "image_url"]

    @property
    def tokens(self) -> int:
        """How long it is, at four characters a token."""
        return sum(len(text) // 4 for _, text in self.messages)


class FakeOpenAI(ModelApi[Request]):
    """The server. `url` is its address without a path.

    `models`: the entries of /v1/models; `models_answer`: (status, content type, body) instead. `key`: what is asked for.
    `faults`: taken one for each chat request. `context_tokens`: longer requests are refused. `token_factor`: how many tokens
    its usage says for each that it counts. `refuses_fields`: a field that it does not know. `error`: more fields of a `FAIL`. `reasoning`: how it thinks: under this name in the delta, or in `<think>` tags.
    """

    request_type = Request

    def __init__(self) -> None:
        super().__init__()
        self.models: list[dict[str, Any]] = [{"id": "fake-large", "object": "model"}, {"id": "fake-small"}]
        self.models_answer: tuple[int, str, bytes] | None = None
        self.models_hang = False
        self.key: str | None = None
        self.faults: deque[Fault] = deque()
        self.context_tokens: int | None = None
        self.says_context = True
        self.token_factor = 1.0
        self.refuses_images: tuple[int, str] | None = None
        self.refuses_fields: str | None = None
        self.finish_reason: str | None = None
        self.error: dict[str, Any] = {}
        self.retry_after: str | None = None
        self.reasoning: Literal["reasoning_content", "reasoning", "tags"] = "reasoning_content"

    @property
    def chats(self) -> list[Request]:
        return [request for request in self.requests if request.path == "/v1/chat/completions"]

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            await _send_error(
                writer, 401, "Incorrect API key provided: " + request.headers.get("authorization", "none")
            )
        elif (request.method, request.path) == ("GET", "/v1/models"):
            await self._list_models(writer)
        elif (request.method, request.path) == ("POST", "/v1/chat/completions"):
            await self._chat(request, writer)
        else:
            await send_whole(writer, 404, "application/json", b'{"detail": "Not Found"}')

    async def _list_models(self, writer: asyncio.StreamWriter) -> None:
        if self.models_hang:
            await asyncio.sleep(3600)
        document = json.dumps({"object": "list", "data": self.models}).encode()
        await send_whole(writer, *(self.models_answer or (200, "application/json", document)))

    async def _chat(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.popleft() if self.faults else None
        instructions = _script(request.messages[-1][1])
        match fault:
            case "drop":
                return None
            case "html" | "html_stream":
                status, page = (502, _PAGE) if fault == "html" else (200, b"")
                return await send_whole(writer, status, "text/html", page)
            case "redirect":
                return await send_whole(writer, 307, "text/plain", b"", f"Location: {self.url}/elsewhere\r\n")
            case "drip":
                writer.write(head(500, "text/plain") + b"\r\n")
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    await asyncio.sleep(0)
            case _:
                pass
        if refusal := self._refusal(request, instructions):
            status, error = refusal
            extra = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
            return await send_whole(writer, status, "application/json", json.dumps({"error": error}).encode(), extra)
        if fault == "whole" or not request.body.get("stream") or isinstance(instructions[0], NoStream):
            return await self._send_whole(request, instructions, writer)
        writer.write(head(200, "text/event-stream") + b"\r\n")
        await writer.drain()
        if fault == "hang":
            await asyncio.sleep(3600)
        await self._stream(request, instructions, fault, writer)
        return None

    def _refusal(self, request: Request, instructions: list[Instruction]) -> tuple[int, dict[str, Any]] | None:
        if self.refuses_images and request.images:
            status, message = self.refuses_images
            return status, {"message": message, "type": "invalid_request_error"}
        if self.refuses_fields in request.body:
            return 422, {"message": f"Extra inputs are not permitted: {self.refuses_fields}"}
        if self.context_tokens is not None and request.tokens > self.context_tokens:
            error = {"message": "the request exceeds the available context size", "code": "context_length_exceeded"}
            return 400, error | ({"n_ctx": self.context_tokens} if self.says_context else {})
        if request.body.get("model") not in {model.get("id") for model in self.models}:
            return 404, {
                "message": f"The model `{request.body.get('model')}` does not exist",
                "code": "model_not_found",
            }
        if isinstance(instructions[0], Fail):
            status, message = failure(instructions[0])
            return status, {"message": message, "type": "scripted", "code": None} | self.error
        return None

    async def _stream(
        self, request: Request, instructions: list[Instruction], fault: Fault | None, writer: asyncio.StreamWriter
    ) -> None:
        async def send(**chunk: object) -> None:
            whole = {"object": "chat.completion.chunk", "model": request.body["model"], **chunk}
            writer.write(b"data: " + json.dumps(whole).encode() + b"\n\n")
            await writer.drain()

        pieces, reason = 0, "stop"
        garbage = list(_GARBAGE) if fault == "garbage" else []
        await send(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        for instruction in instructions:
            if isinstance(instruction, Fail):
                status, message = failure(instruction)
                await send(error={"message": message, "code": status})
                return
            if isinstance(instruction, Tool):
                function = {"name": instruction.name, "arguments": json.dumps(instruction.input)}
                call = {"index": 0, "id": "call_1", "type": "function", "function": function}
                await send(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])
                reason = "tool_calls"
                continue
            async for name, piece in self._pieces(request, instruction):
                pieces += 1
                await send(choices=[{"index": 0, "delta": {name: piece}, "finish_reason": None}])
                if garbage:
                    writer.write(garbage.pop(0))
        for left in garbage:
            writer.write(left)
        if fault == "garbage":
            writer.write(b"data: " + b"x" * (32 * 1024 * 1024) + b"\n\n")
            await writer.drain()
        if fault == "endless":
            writer.write(b"data: ")
            while True:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                await asyncio.sleep(0)
        if fault == "cut":
            return
        await send(choices=[{"index": 0, "delta": {}, "finish_reason": self.finish_reason or reason}])
        if fault == "no_done":
            return
        if (request.body.get("stream_options") or {}).get("include_usage"):
            await send(choices=[], usage=self._usage(request, pieces))
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()

    async def _pieces(self, request: Request, instruction: Instruction) -> AsyncIterator[tuple[str, str]]:
        if isinstance(instruction, Think):
            in_tags = self.reasoning == "tags"
            for word in words(f"<think>{instruction.text}</think>\n\n" if in_tags else instruction.text):
                yield "content" if in_tags else self.reasoning, word
            return
        async for piece in pieces(instruction, turns=sum(role == "user" for role, _ in request.messages)):
            yield "content", piece

    async def _send_whole(
        self, request: Request, instructions: list[Instruction], writer: asyncio.StreamWriter
    ) -> None:
        text = "".join([piece for step in instructions async for _, piece in self._pieces(request, step)])
        document = {
            "object": "chat.completion",
            "model": request.body.get("model"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": self._usage(request, 1),
        }
        await send_whole(writer, 200, "application/json", json.dumps(document).encode())

    def _usage(self, request: Request, pieces: int) -> dict[str, int]:
        return {"prompt_tokens": int(request.tokens * self.token_factor), "completion_tokens": pieces}


def _script(text: str) -> list[Instruction]:
    """That of the last paragraph that has one: a client may join what the user said in turns that had no answer."""
    paragraphs = reversed(text.split("\n\n"))
    return next((script for part in paragraphs if (script := parse_script(part))), [Say("I have no script")])


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if part["type"] == "text")


async def _send_error(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    await send_whole(writer, status, "application/json", json.dumps({"error": {"message": message}}).encode())
