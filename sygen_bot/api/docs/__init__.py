"""The API for people: a page that holds nothing. It reads the description with the token that its reader gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

_FILES: Final = {
    "/docs": ("page.html", "text/html; charset=utf-8"),
    "/docs/page.css": ("page.css", "text/css; charset=utf-8"),
    "/docs/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/docs/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def router() -> APIRouter:
    """The page and its files, open to everybody."""
    routes = APIRouter(include_in_schema=False)
    for path, (name, kind) in _FILES.items():
        routes.add_api_route(path, _file(name, kind), methods=["GET", "HEAD"])
    return routes


def _file(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    file = Path(__file__).parent / name

    async def serve() -> Response:
        return Response(await asyncio.to_thread(file.read_bytes), media_type=kind, headers=_HEADERS)

    return serve
