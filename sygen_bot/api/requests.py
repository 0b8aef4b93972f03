"""Requests of one client over its socket: the JSON API, answered by the handlers that answer HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sygen_bot.api.outbox import Outbox
from sygen_bot.api.protocol import Request, Response, encode_response
from sygen_bot.errors import RequestError

MAX_AT_ONCE: Final = 8

Answerer = Callable[[Request], Awaitable[Response]]


class TooManyRequests(RequestError):
    code = "rate_limited"
    sentence = f"At most {MAX_AT_ONCE} requests of a connection run at once. Wait for an answer."


class Requests:
    """Runs a client's requests beside its stream, at most `MAX_AT_ONCE` of them."""

    def __init__(self, answer: Answerer, outbox: Outbox) -> None:
        self._answer = answer
        self._outbox = outbox
        self._running: set[asyncio.Task[None]] = set()
        self._unanswered = 0
        self._is_gone = False

    def start(self, request: Request) -> None:
        """Raises TooManyRequests."""
        if self._unanswered >= MAX_AT_ONCE:
            raise TooManyRequests
        self._unanswered += 1
        task = asyncio.create_task(self._run(request), name=f"request {request.path}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, request: Request) -> None:
        try:
            response = await self._answer(request)
        finally:
            self._unanswered -= 1  # before the client can know: it may ask the next at once
        if not self._is_gone:
            self._outbox.put(encode_response(response))

    def leave(self) -> None:
        """The client is gone: what it asked for is done all the same, as over HTTP, and told to nobody."""
        self._is_gone = True
