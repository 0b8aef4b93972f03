"""Gateways for the tests of the API: one for a whole module, and special ones for those that need other settings."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from sygen_bot.config import load_settings
from sygen_bot.orchestrator.lifecycle import Gateway, running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Provider
from tests.api.wire import TOKEN

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

_chats = itertools.count(1000)


@asynccontextmanager
async def serving(
    home: Path,
    settings: Mapping[str, object] | None = None,
    *,
    token: str = TOKEN,
    providers: Iterable[Provider] | None = None,
) -> AsyncIterator[Gateway]:
    """A real gateway on a free port. `settings` by dotted key."""
    paths = Paths(home)
    defaults = {"api.host": "127.0.0.1", "api.port": 0, "api.drain_s": 0, "provider": "scripted"}
    async with running_gateway(
        load_settings(paths, overrides=defaults | dict(settings or {})), paths, token=token, providers=providers
    ) as gateway:
        yield gateway


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`serving` in a home of its own."""

    def start(
        settings: Mapping[str, object] | None = None,
        *,
        token: str = TOKEN,
        providers: Iterable[Provider] | None = None,
    ) -> AbstractAsyncContextManager[Gateway]:
        return serving(tmp_path / "home", settings, token=token, providers=providers)

    return start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all tests of a module: they keep apart by their chats."""
    async with serving(tmp_path_factory.mktemp("gateway") / "home") as running:
        yield running


@pytest.fixture
def chat() -> int:
    """A chat that no other test uses."""
    return next(_chats)
