"""The bearer check of HTTP."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import HTTPException, Request

from sygen_bot.api.context import TokenGate


def bearer(gate: TokenGate) -> Callable[[Request], None]:
    """A dependency that lets a request pass only with `Authorization: Bearer <token>`; else 401."""

    def check(request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # header values arrive as latin-1, tokens may be any UTF-8
        given = token.strip(" \t").encode("latin-1").decode("utf-8", "replace")
        if scheme.lower() != "bearer" or not gate.opens(given):
            raise HTTPException(401, "This needs the gateway's token.", {"WWW-Authenticate": "Bearer"})

    return check
