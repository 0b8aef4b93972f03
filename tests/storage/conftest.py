"""An open database of each kind, and the stores on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.history import ChatHistory
from sygen_bot.storage.sessions import SessionStore
from tests.storage.rows import Clock


@pytest.fixture
async def storage(database: str) -> AsyncIterator[Storage]:
    opened = await open_storage(database)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(storage: Storage, clock: Clock) -> SessionStore:
    return SessionStore(storage, clock=clock)


@pytest.fixture
def history(storage: Storage, clock: Clock) -> ChatHistory:
    return ChatHistory(storage, clock=clock)
