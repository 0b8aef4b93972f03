"""What outlives the process of a session: who answers in it, and each provider's resume token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.tables import contexts, sessions


@dataclass(frozen=True, slots=True)
class StoredSession:
    """`provider` and `model` are None for the default; `contexts` holds resume tokens by provider."""

    provider: str | None = None
    model: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)


class SessionStore:
    """Sessions by key. Every method raises StorageError if the database cannot be used. `clock`: epoch seconds."""

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    async def load(self, key: SessionKey) -> StoredSession:
        """What is stored of the session; an empty one if nothing is."""
        async with self._storage.read() as connection:
            row = (await connection.execute(sa.select(sessions).where(sessions.c.key == str(key)))).first()
            if row is None:
                return StoredSession()
            tokens = await connection.execute(
                sa.select(contexts.c.provider, contexts.c.resume_token).where(contexts.c.session_key == str(key))
            )
            return StoredSession(row.provider, row.model, dict(tokens.all()))

    async def set_target(self, key: SessionKey, *, provider: str | None, model: str | None) -> None:
        async with self._storage.write() as connection:
            await self._touch(connection, key)
            await connection.execute(
                sa.update(sessions).where(sessions.c.key == str(key)).values(provider=provider, model=model)
            )

    async def save_context(self, key: SessionKey, provider: str, resume_token: str) -> None:
        async with self._storage.write() as connection:
            await self._touch(connection, key)
            row = {
                "session_key": str(key),
                "provider": provider,
                "resume_token": resume_token,
                "updated_at": self._clock(),
            }
            new = insert(contexts).values(row)
            await connection.execute(
                new.on_conflict_do_update(
                    index_elements=["session_key", "provider"],
                    set_={"resume_token": new.excluded.resume_token, "updated_at": new.excluded.updated_at},
                )
            )

    async def clear_contexts(self, key: SessionKey) -> None:
        async with self._storage.write() as connection:
            await connection.execute(sa.delete(contexts).where(contexts.c.session_key == str(key)))

    async def _touch(self, connection: AsyncConnection, key: SessionKey) -> None:
        now = self._clock()
        new = insert(sessions).values(key=str(key), created_at=now, updated_at=now)
        await connection.execute(
            new.on_conflict_do_update(index_elements=["key"], set_={"updated_at": new.excluded.updated_at})
        )
