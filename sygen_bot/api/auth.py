"""The bearer check of HTTP, and what is read of a request before and after it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.types import Message

from sygen_bot.api.context import TokenGate
from sygen_bot.api.refusals import refusals

_SCHEME = HTTPBearer(
    scheme_name="token",
    description="The gateway's token. `sygen api token --show` tells it on the gateway's machine.",
    auto_error=False,  # it only describes: what it would say on its own has another shape
)

MAX_BODY_BYTES: Final = 1024 * 1024
"""Of a request for JSON over HTTP."""

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def protected_router(
    gate: TokenGate,
    *,
    prefix: str = "",
    tags: list[str | Enum] | None = None,
    max_body_bytes: int | None = MAX_BODY_BYTES,
    also_opens: Callable[[Request], bool] | None = None,
) -> APIRouter:
    """A router whose routes are open only to `Authorization: Bearer <token>`; else 401, before a body is read.

    A body over `max_body_bytes` is 413; with None the routes bound it themselves. `also_opens`: another way in.
    """

    class Protected(APIRoute):
        def get_route_handler(self) -> _Handler:
            answer = super().get_route_handler()

            async def checked(request: Request) -> Response:
                if also_opens is None or not also_opens(request):
                    _check(request, gate)
                return await answer(request if max_body_bytes is None else _bounded(request, max_body_bytes))

            return checked

    return APIRouter(
        prefix=prefix,
        tags=tags,
        route_class=Protected,
        dependencies=[Security(_SCHEME)],
        responses=refusals(401),
    )


def _check(request: Request, gate: TokenGate) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # header values arrive as latin-1, tokens may be any UTF-8
    given = token.strip(" \t").encode("latin-1").decode("utf-8", "replace")
    if scheme.lower() != "bearer" or not gate.opens(given):
        raise HTTPException(401, "This needs the gateway's token.", {"WWW-Authenticate": "Bearer"})


def _bounded(request: Request, left: int) -> Request:

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, "The body of the request is too large.")
        return message

    return Request(request.scope, receive)
