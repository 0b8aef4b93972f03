"""The JSON API without a network: a request that came over a socket goes through the same handlers as one over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.parse import quote, unquote

import msgspec
from starlette.types import ASGIApp, Message

from sygen_bot.api.context import TokenGate
from sygen_bot.api.protocol import MAX_SERVER_FRAME_BYTES, Request, Response

_MOST_BYTES: Final = MAX_SERVER_FRAME_BYTES * 5 // 8
"""An answer that fits into a frame: base64 makes it a third longer."""
_URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"


class InProcess:
    """Answers requests by calling the application. The client has shown the token when it connected."""

    def __init__(self, app: ASGIApp, token: TokenGate) -> None:
        self._app = app
        self._token = token

    async def __call__(self, request: Request) -> Response:
        body = b"" if request.body is None else json.dumps(request.body).encode()
        path, _, query = request.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": quote(path, safe=_URL_CHARACTERS).encode(),
            "query_string": quote(query, safe=_URL_CHARACTERS).encode(),
            "root_path": "",
            "headers": [
                (b"host", b"gateway"),
                (b"authorization", b"Bearer " + self._token.token.encode()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": None,
            "server": ("gateway", 80),
        }
        answer = _Answer(body)
        try:
            await self._app(scope, answer.receive, answer.send)
        except Exception:  # noqa: BLE001 - it has been told and logged as over HTTP
            if not answer.status:
                return _refusal(request, 500, "internal_error", "Something went wrong in the gateway.")
        if answer.size > _MOST_BYTES:
            return _refusal(request, 413, "too_large", "The answer is too large for a frame. Ask for less at once.")
        if answer.size and b"json" not in answer.kind:
            return _refusal(request, 415, "unsupported_media", "This is no JSON; ask for it over HTTP.")
        return Response(request.id, answer.status, msgspec.Raw(b"".join(answer.parts) or b"null"))


class _Answer:
    """Takes what the application says. What is too large to be sent is not kept."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.kind = b""
        self.parts: list[bytes] = []
        self.size = 0

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()  # the client is there until this is cancelled
        body, self._body = self._body, None
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.kind = dict(message.get("headers", ())).get(b"content-type", b"")
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")
            self.size += len(part)
            if self.size <= _MOST_BYTES:
                self.parts.append(part)
            else:
                self.parts.clear()
            if self.size > _MOST_BYTES or (self.size and b"json" not in self.kind):
                raise ConnectionAbortedError("it will not be sent")  # a file may be larger than all memory and time


def _refusal(request: Request, status: int, code: str, sentence: str) -> Response:
    return Response(request.id, status, {"error": sentence, "code": code})
