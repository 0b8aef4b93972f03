"""The API server: HTTP by FastAPI on uvicorn, WebSockets beside it, on one port."""

from __future__ import annotations

import asyncio
import contextlib
import html
import socket as sockets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sygen_bot import __version__
from sygen_bot.api.auth import bearer
from sygen_bot.api.connection import Connection
from sygen_bot.api.context import ApiContext
from sygen_bot.api.protocol import CLOSE_TRY_LATER, MAX_FIRST_FRAME_BYTES
from sygen_bot.api.routes import providers, status
from sygen_bot.api.socket import Socket, websocket_factory

_LAST_WORDS_S = 5.0
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media",
    422: "invalid",
    429: "rate_limited",
    503: "unavailable",
}


class _Http(HttpToolsProtocol):
    """uvicorn's HTTP, with our shape of error for what is no HTTP at all."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's name
        body = _error(400, "This is not a valid HTTP request.").body
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: the gateway decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """Serves the API on a bound socket. `start` returns when connections are accepted, `stop` when all are closed."""

    def __init__(
        self,
        context: ApiContext,
        *,
        listener: sockets.socket,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
    ) -> None:
        self._context = context
        self._listener = listener
        self._connections: set[Connection] = set()
        self._strangers: dict[Connection, str] = {}
        self._per_address: Counter[str] = Counter()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        limits = context.limits
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self._app(),
                http=_Http,
                ws=websocket_factory(  # type: ignore[arg-type]  # any callable that makes a protocol will do
                    self,
                    max_frame_bytes=limits.max_frame_bytes,
                    first_frame_bytes=MAX_FIRST_FRAME_BYTES,
                    allowed_origins=context.allowed_origins,
                ),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                ssl_certfile=tls_cert,
                ssl_keyfile=tls_key,
            )
        )

    # --- SocketServer -------------------------------------------------------------------------------------------------

    def admit(self, peer_address: str) -> bool:
        limits = self._context.limits
        return (
            not self._is_closing
            and len(self._strangers) < limits.max_unauthenticated
            and self._per_address[peer_address] < limits.max_unauthenticated_per_address
            and len(self._connections) < limits.max_connections
        )

    def accept(self, socket: Socket) -> Connection:
        connection = Connection(socket, self._context, on_authenticated=self._known, on_gone=self._gone)
        self._strangers[connection] = socket.peer_address
        self._per_address[socket.peer_address] += 1
        return connection

    # --- the server's life --------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Authenticated WebSocket connections."""
        return len(self._connections)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=[self._listener]), name="api server")
        while not self._uvicorn.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(0.005)

    def close_connections(self, code: int, reason: str) -> None:
        """Close every WebSocket."""
        for connection in (*self._connections, *self._strangers):
            connection.close(code, reason)

    def refuse_connections(self) -> None:
        """Let nobody new in."""
        self._is_closing = True

    async def stop(self, code: int) -> None:
        """Send what still waits, within `_LAST_WORDS_S`, close every socket with `code` and stop serving."""
        self.refuse_connections()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await asyncio.gather(*(connection.drained() for connection in self._connections))
        self.close_connections(code, "the gateway stops")
        self._uvicorn.should_exit = True
        if self._task is not None:
            await self._task

    def _known(self, connection: Connection) -> None:
        self._forget_stranger(connection)
        if len(self._connections) < self._context.limits.max_connections:
            self._connections.add(connection)
        else:  # others were quicker since it was admitted
            connection.close(CLOSE_TRY_LATER, "too many connections")

    def _gone(self, connection: Connection) -> None:
        self._forget_stranger(connection)
        self._connections.discard(connection)

    def _forget_stranger(self, connection: Connection) -> None:
        address = self._strangers.pop(connection, None)
        if address is not None:
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def _app(self) -> FastAPI:
        app = FastAPI(title="Sygen", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
        known = [Depends(bearer(self._context.token))]

        @app.get("/openapi.json", include_in_schema=False, dependencies=known)
        def description() -> dict[str, Any]:
            return app.openapi()

        @app.exception_handler(HTTPException)
        def http_error(_request: Request, error: HTTPException) -> JSONResponse:
            return _error(error.status_code, str(error.detail), error.headers)

        @app.exception_handler(RequestValidationError)
        def wrong_request(_request: Request, error: RequestValidationError) -> JSONResponse:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            is_malformed = any(one["type"] in ("json_invalid", "missing") for one in error.errors())
            return _error(400 if is_malformed else 422, problems)

        @app.exception_handler(Exception)
        def crash(_request: Request, _cause: Exception) -> JSONResponse:
            return _error(500, "Something went wrong in the gateway. Its log has the details.")

        @app.get("/health", summary="Whether the gateway is there")
        def health() -> dict[str, Any]:
            return {"status": "ok", "connections": self.connections}

        app.include_router(providers.router(self._context))
        app.include_router(status.router(self._context))

        @app.get("/docs", include_in_schema=False, dependencies=known)
        def docs() -> HTMLResponse:
            return HTMLResponse(
                _docs(app.openapi()),
                headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
            )

        return app


def _error(status_code: int, message: str, headers: Any = None) -> JSONResponse:
    code = _CODES.get(status_code, "internal_error" if status_code >= 500 else "bad_request")
    return JSONResponse({"error": message, "code": code}, status_code, headers)


def _docs(schema: dict[str, Any]) -> str:
    """The API on one page, without a request to anybody else."""
    rows = "".join(
        f"<tr><td><code>{method.upper()} {html.escape(path)}</code><td>{html.escape(operation.get('summary', ''))}"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    )
    style = "body{font:16px system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}td{padding:.4rem 1rem .4rem 0}"
    return (
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Sygen API</title>"
        f"<style>{style}</style><h1>Sygen {__version__}</h1><p>Machine-readable: <a href=/openapi.json>/openapi.json</a>. "
        f"Everything but <code>/health</code> asks for <code>Authorization: Bearer TOKEN</code>.<table>{rows}</table>"
    )
