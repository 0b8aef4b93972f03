"""An API server on its own, wired with next to nothing."""

from __future__ import annotations

import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sygen_bot.api.context import ApiContext, ApiLimits, TokenGate
from sygen_bot.api.server import ApiServer
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from tests.api.wire import TOKEN, Address

DEFAULT_CHAT = 3


@asynccontextmanager
async def bare_server(*, status: Callable[[], dict[str, object]] = dict) -> AsyncIterator[Address]:
    """Where it listens. It has no message handler, no chats, no files and no providers."""

    def nobody(_key: SessionKey) -> tuple[None, None]:
        return None, None

    context = ApiContext(
        message_handler=None,
        providers=ProviderRegistry([]),
        active=nobody,
        status=status,
        limits=ApiLimits(
            max_frame_bytes=65536,
            send_timeout_s=5,
            auth_timeout_s=5,
            max_connections=5,
            max_unauthenticated=5,
            max_unauthenticated_per_address=5,
        ),
        identity=b"\1" * 32,
        token=TokenGate(TOKEN),
        default_chat_id=DEFAULT_CHAT,
        require_sealed=False,
    )
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        server = ApiServer(context, listener=listener)
        await server.start()
        try:
            yield Address(listener.getsockname()[1])
        finally:
            await server.stop(1001)
