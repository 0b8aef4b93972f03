"""CORS: which pages of other origins may use the HTTP API from a browser. Those in `api.allowed_origins`, and with the token as
everybody else: cookies and other credentials of the browser play no part.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_AGE_S: Final = 600
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, Range",
    "Access-Control-Max-Age": str(_MAX_AGE_S),
}
_EXPOSED: Final = "Content-Disposition, Content-Length, Content-Range, ETag, Retry-After"


class CrossOrigin:
    """An ASGI application in front of another: browsers on an allowed origin may read its answers, no others.

    It surrounds all, so that also the answer to a crash can be read. Of others a browser keeps the answer from the page that
    asked; nothing is told to them, so there is nothing to refuse.
    """

    def __init__(self, app: ASGIApp, *, allowed_origins: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        origin = asked.get("Origin")
        is_allowed = origin in self._allowed

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin is not None and is_allowed:
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = _EXPOSED
            await send(message)

        if is_allowed and scope["method"] == "OPTIONS" and "Access-Control-Request-Method" in asked:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send_marked)
        else:
            await self._app(scope, receive, send_marked)
