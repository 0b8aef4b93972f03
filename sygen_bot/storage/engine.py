"""The database: opened, checked and brought to the newest revision."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sygen_bot.errors import StorageError
from sygen_bot.storage.tables import NEWEST_REVISION


class Storage:
    """An open database. `write()` and `read()` are the only ways in; both raise StorageError in one clear line."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end."""
        with _readable_errors():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        with _readable_errors():
            async with self._engine.connect() as connection:
                yield connection

    async def close(self) -> None:
        await self._engine.dispose()


async def open_storage(database: Path) -> Storage:
    """Open the SQLite database at `database`, created or migrated as needed. Raises StorageError."""
    if not database.exists():
        with _readable_errors():
            try:
                database.touch(mode=0o600)
            except OSError as error:
                raise StorageError(
                    f"The database {database} cannot be made: {error.strerror}", "Make its folder writable."
                ) from error
    url = sa.URL.create("sqlite", database=str(database))
    with _readable_errors():
        await asyncio.to_thread(_prepare, url)
    # One connection: SQLite has one writer, and readers here are as quick as writers.
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"), pool_size=1, max_overflow=0)
    sa.event.listen(engine.sync_engine, "connect", _configure)
    try:
        with _readable_errors():
            async with engine.connect():  # now, so that no caller is cancelled half way through it
                pass
    except BaseException:
        await engine.dispose()
        raise
    return Storage(engine)


def _prepare(url: sa.URL) -> None:
    """Check and migrate. Not by aiosqlite: its thread may outlive the loop, and say so, when opening fails."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _configure)
    with engine.begin() as connection:
        _migrate(connection)


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: sa.Connection) -> None:
    """Bring the database to the newest revision. Alembic is loaded only if there is something to do: it costs start-up time."""
    revision = None
    if sa.inspect(connection).has_table("alembic_version"):
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if revision == NEWEST_REVISION:
        return
    if revision is not None and revision > NEWEST_REVISION:
        raise StorageError(
            f"The database is of a newer version of Sygen (revision {revision}, this one knows {NEWEST_REVISION})",
            "Update Sygen, or use another SYGEN_HOME.",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, NEWEST_REVISION)


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        raise StorageError(
            f"The database cannot be used: {cause}", "Check its disk, its rights and who else has it open."
        ) from error
