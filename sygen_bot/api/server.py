"""The API server: HTTP by FastAPI on uvicorn, WebSockets beside it, on one port."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Literal

import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from sygen_bot import __version__
from sygen_bot.api import docs
from sygen_bot.api.auth import protected_router
from sygen_bot.api.broadcast import Broadcast
from sygen_bot.api.connection import Connection
from sygen_bot.api.context import ApiContext
from sygen_bot.api.cross_origin import CrossOrigin
from sygen_bot.api.in_process import InProcess
from sygen_bot.api.page import Page
from sygen_bot.api.protocol import (
    CLOSE_TRY_LATER,
    MAX_FIRST_FRAME_BYTES,
    encode_approval,
    encode_notification,
    encode_notifications_read,
)
from sygen_bot.api.refusals import answer_errors, any_refusal
from sygen_bot.api.routes import (
    agents,
    approvals,
    chats,
    cron,
    files,
    notifications,
    providers,
    status,
    tasks,
    transcribe,
    webhooks,
)
from sygen_bot.api.socket import Socket, websocket_factory
from sygen_bot.api.uvicorn_server import Http, UvicornServer
from sygen_bot.events import ApprovalRequest, ApprovalResolved
from sygen_bot.notifications.center import Read
from sygen_bot.notifications.shape import notification_fields
from sygen_bot.storage.notifications import Notification

_LAST_WORDS_S = 5.0
_DESCRIPTION = """\
A self-hosted gateway between a person and their AI agents. These are its HTTP routes: everything around a conversation.
The conversation itself goes over the WebSocket at `/ws`, end-to-end encrypted, and so can every request for JSON here.

Times are epoch seconds, ids are opaque. Every error has the one shape `Refusal`."""
_TAGS = [
    {"name": "gateway", "description": "Whether it is there, what it does, and who can answer"},
    {"name": "chat", "description": "Chat sessions: conversations with a title and a history"},
    {"name": "agents", "description": "Who answers, and what they look like"},
    {"name": "notifications", "description": "What happened while nobody looked"},
    {"name": "approvals", "description": "What agents want to do, and people decide"},
    {"name": "tasks", "description": "Agents that work in the background"},
    {"name": "cron", "description": "What agents do by the clock"},
    {"name": "webhooks", "description": "What agents do when another service calls"},
    {"name": "files", "description": "What agents made, what people send them, and what is said in it"},
]


class Health(BaseModel):
    """The gateway is there."""

    status: Literal["ok"]
    connections: int = Field(description="Authenticated WebSocket connections")


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
        self._connections: set[Connection] = set()
        self._strangers: dict[Connection, str] = {}
        self._per_address: Counter[str] = Counter()
        self._broadcast: Broadcast[Connection] = Broadcast(lambda: self._connections)
        if context.notifications is not None:
            context.notifications.listen(self._news)
        if context.approvals is not None:
            context.approvals.listen(self._approval_news)
        self._is_closing = False
        limits = context.limits
        app = self._app()
        self._answer_request = InProcess(app, context.token)
        self._uvicorn = UvicornServer(
            uvicorn.Config(
                CrossOrigin(app, allowed_origins=context.allowed_origins) if context.allowed_origins else app,
                http=partial(Http, head_timeout_s=limits.auth_timeout_s),  # type: ignore[arg-type]  # as with `ws`
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
            ),
            listener,
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
        connection = Connection(
            socket,
            self._context,
            answer_request=self._answer_request,
            on_authenticated=self._known,
            on_gone=self._gone,
        )
        self._strangers[connection] = socket.peer_address
        self._per_address[socket.peer_address] += 1
        return connection

    # --- the server's life --------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Authenticated WebSocket connections."""
        return len(self._connections)

    async def start(self) -> None:
        await self._uvicorn.start()

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
        await self._uvicorn.stop()

    def _news(self, news: Notification | Read) -> None:
        if isinstance(news, Read):
            self._broadcast.send(encode_notifications_read(news.ids), to=lambda each: each.is_syncing)
        else:
            self._broadcast.send(encode_notification(notification_fields(news)))

    def _approval_news(self, news: ApprovalRequest | ApprovalResolved, session_id: str) -> None:
        self._broadcast.send(encode_approval(news), to=lambda each: each.wants_approvals_of(session_id))

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
        app = FastAPI(
            title="Sygen",
            version=__version__,
            description=_DESCRIPTION,
            openapi_tags=_TAGS,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            generate_unique_id_function=lambda route: "_".join((*map(str, route.tags[:1]), route.name)),
        )
        answer_errors(app)
        open_to_all, protected = APIRouter(tags=["gateway"]), protected_router(self._context.token)

        @open_to_all.head("/health", include_in_schema=False)
        @open_to_all.get(
            "/health", summary="Whether the gateway is there", response_description="It is", responses=any_refusal()
        )
        async def health() -> Health:
            return Health(status="ok", connections=self.connections)

        @protected.get("/openapi.json", include_in_schema=False)
        def description() -> dict[str, Any]:  # OpenAPI describes its own shape
            return app.openapi()

        app.include_router(open_to_all)
        app.include_router(protected)
        app.include_router(providers.router(self._context))
        app.include_router(status.router(self._context))
        if self._context.chats is not None:
            app.include_router(chats.router(self._context, self._context.chats))
        if self._context.files is not None:
            app.include_router(files.router(self._context, self._context.files))
            if self._context.transcriber is not None:
                app.include_router(
                    transcribe.router(self._context, self._context.transcriber, self._context.files.roots)
                )
            if self._context.agents is not None:
                app.include_router(agents.router(self._context, self._context.agents, self._context.files.uploads))
        if self._context.notifications is not None:
            app.include_router(notifications.router(self._context, self._context.notifications))
        if self._context.approvals is not None:
            app.include_router(approvals.router(self._context, self._context.approvals))
        if self._context.automation is not None and self._context.chats is not None:
            automation = self._context.automation
            app.include_router(tasks.router(self._context, automation.tasks, self._context.chats))
            if automation.cron is not None:
                app.include_router(cron.router(self._context, automation.cron))
            if automation.webhooks is not None:
                app.include_router(
                    webhooks.router(self._context, automation.webhooks, max_body_bytes=automation.max_hook_bytes)
                )
        app.include_router(docs.router())
        if self._context.page is not None:
            app.router.default = Page(self._context.page, otherwise=app.router.default)
        return app
