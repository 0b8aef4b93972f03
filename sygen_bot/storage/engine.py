"""The database: opened, checked, brought to the newest revision, and written by one writer.

SQLite runs in threads of its own, a whole transaction at a time: an async driver would come back to the event loop after every
statement, and on a busy loop each of these costs milliseconds. Database servers are asked by their async drivers.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, NoSuchModuleError, SQLAlchemyError

from sygen_bot.errors import StorageError
from sygen_bot.storage.fresh import make_tables
from sygen_bot.storage.journal import Journal, Operation, Outcome
from sygen_bot.storage.tables import NEWEST_REVISION

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_READERS: Final = 4
_LOG_BYTES: Final = 4 * 1024 * 1024
_LOG_PAGES_AT_MOST: Final = 16 * 1024  # 64 MiB
_COMMITS_BETWEEN_LOOKS: Final = 16
_EXAMPLE: Final = "An example: postgresql+asyncpg://user@127.0.0.1/sygen"
_T = TypeVar("_T")


class Database(Protocol):
    """Runs operations, synchronous functions of a connection, without holding up the event loop."""

    def transaction(self, operations: Sequence[Operation[Any]], on_done: Callable[[Outcome[list[Any]]], None]) -> None:
        """All of them in one transaction. Calls back on the event loop with their results, or with what went wrong."""
        ...

    async def read(self, operation: Operation[_T]) -> _T: ...
    async def close(self) -> None: ...


class Storage:
    """An open database. `write` and `read` are the only ways in; both raise StorageError in one clear line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journal = Journal(database.transaction)

    def submit(self, operation: Operation[_T], on_done: Callable[[Outcome[_T]], None]) -> None:
        """`write` for those who cannot wait for a task to wake up: `on_done` is called with the result or the error."""
        self._journal.submit(operation, on_done)

    async def write(self, operation: Operation[_T], *, is_patient: bool = False) -> _T:
        """Run `operation` in a transaction, which it may share with others, in the order of the calls. Returns when it is committed.

        A patient one lets all others go first. Cancelling the caller does not take the operation back.
        """
        return await self._journal.write(operation, is_patient=is_patient)

    async def read(self, operation: Operation[_T]) -> _T:
        """Run `operation`, which only reads, on what is committed by now."""
        with readable_errors():
            return await self._database.read(operation)

    async def close(self) -> None:
        """Wait for what is being written and let go of the database."""
        await self._journal.close()
        await self._database.close()


async def open_storage(database: Path | str) -> Storage:
    """Open a database, created or migrated as needed: a SQLite file by its path, or any by its SQLAlchemy URL. Raises StorageError."""
    url = URL.create("sqlite", database=str(database)) if isinstance(database, Path) else _parsed(database)
    with readable_errors():
        opened: Database
        if url.get_backend_name() == "sqlite":
            opened = await _open_sqlite(url.set(drivername="sqlite"))
        else:
            opened = await _open_server(url)
    return Storage(opened)


def _parsed(text: str) -> URL:
    """Raises StorageError for what is no URL of a database that can be used here."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise StorageError("storage.url is no URL", _EXAMPLE) from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StorageError("storage.url names no file", "Name one: sqlite:////path/to/file.db")
    return url.set(drivername="postgresql+asyncpg") if url.drivername == "postgresql" else url


# --- SQLite -------------------------------------------------------------------------------------------------------------


class _Sqlite:
    """A SQLite file: one thread writes, a few read beside it (WAL), and one moves what was written from the log to its place.

    That last one takes long, and would be the writer's work else, whoever waits for it.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, "database writer")
        self._readers = ThreadPoolExecutor(_READERS, "database reader")
        self._checkpointer = ThreadPoolExecutor(1, "database checkpoint")
        self._log = Path(f"{engine.url.database}-wal")
        self._written = 0
        self._checkpoint: Future[None] | None = None

    def transaction(self, operations: Sequence[Operation[Any]], on_done: Callable[[Outcome[list[Any]]], None]) -> None:
        loop = asyncio.get_running_loop()
        self._writer.submit(lambda: loop.call_soon_threadsafe(on_done, self._run(operations)))

    async def read(self, operation: Operation[_T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, operation)

    async def close(self) -> None:
        for pool in (self._writer, self._readers, self._checkpointer):
            await asyncio.to_thread(pool.shutdown)
        self._engine.dispose()

    def _run(self, operations: Sequence[Operation[Any]]) -> Outcome[list[Any]]:
        try:
            with readable_errors(), self._engine.begin() as connection:
                results = [operation(connection) for operation in operations]
        except Exception as error:  # noqa: BLE001 - the thread's work ends here; the error is the caller's
            return error
        self._written += 1
        if self._written % _COMMITS_BETWEEN_LOOKS == 0 and (self._checkpoint is None or self._checkpoint.done()):
            self._checkpoint = self._checkpointer.submit(self._move_log)
        return results

    def _move_log(self) -> None:
        """Beside the writer, as far as nobody is in the way. What fails is tried again; in the end SQLite does it with a commit."""
        with contextlib.suppress(SQLAlchemyError, OSError):
            if self._log.stat().st_size >= _LOG_BYTES:
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def _look(self, operation: Operation[_T]) -> _T:
        with self._engine.connect() as connection:
            return operation(connection)


async def _open_sqlite(url: URL) -> _Sqlite:
    file = Path(url.database or "")
    if not file.exists():
        try:
            file.touch(mode=0o600)
        except OSError as error:
            raise StorageError(
                f"The database {file} cannot be made: {error.strerror}", "Make its folder writable."
            ) from error
    engine = sa.create_engine(url, pool_size=_READERS + 2, max_overflow=0)
    sa.event.listen(engine, "connect", _configure)
    try:
        await asyncio.to_thread(_prepare, engine)
    except BaseException:
        engine.dispose()
        raise
    return _Sqlite(engine)


def _prepare(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE"
        )  # the driver begins none before DDL: a failing migration would stay half done
        _migrate(connection)


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    settings = (
        "busy_timeout=5000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={_LOG_PAGES_AT_MOST}",
    )
    for pragma in settings:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


# --- database servers ---------------------------------------------------------------------------------------------------


class _Server:
    """A database server, by its async driver."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing: asyncio.Task[None] | None = None

    def transaction(self, operations: Sequence[Operation[Any]], on_done: Callable[[Outcome[list[Any]]], None]) -> None:
        async def run() -> None:
            on_done(await self._run(operations))

        self._writing = asyncio.create_task(run(), name="database transaction")

    async def _run(self, operations: Sequence[Operation[Any]]) -> Outcome[list[Any]]:
        try:
            with readable_errors():
                async with self._engine.begin() as connection:
                    return await connection.run_sync(partial(_run_all, operations))
        except Exception as error:  # noqa: BLE001 - the task ends here; the error is the caller's
            return error

    async def read(self, operation: Operation[_T]) -> _T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(operation)

    async def close(self) -> None:
        await self._engine.dispose()


def _run_all(operations: Sequence[Operation[Any]], connection: sa.Connection) -> list[Any]:
    return [operation(connection) for operation in operations]


async def _open_server(url: URL) -> _Server:
    """Raises StorageError if its driver is missing; what the driver raises passes."""
    from sqlalchemy.ext.asyncio import create_async_engine  # costs start-up time, and few need it

    try:
        engine = create_async_engine(url, pool_size=_READERS + 1, pool_pre_ping=True)
    except (NoSuchModuleError, InvalidRequestError) as error:
        raise StorageError(f"storage.url cannot be used: {error}", _EXAMPLE) from error
    except ModuleNotFoundError as error:
        raise StorageError(
            f"The database driver {error.name} is not installed",
            "Run `make install` in the checkout, or install the extra `postgres`.",
        ) from error
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except BaseException:
        await engine.dispose()
        raise
    return _Server(engine)


# --- both ---------------------------------------------------------------------------------------------------------------


def _migrate(connection: sa.Connection) -> None:
    """Bring the database to the newest revision. Alembic is loaded only if there is something to do: it costs start-up time."""
    revision = None
    if sa.inspect(connection).has_table("alembic_version"):
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if revision == NEWEST_REVISION:
        return
    if revision is None and not sa.inspect(connection).get_table_names():
        make_tables(connection)
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
def readable_errors() -> Iterator[None]:
    """Turn what a database or its driver raises into StorageError, in one line."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        what = str(cause).partition("\n")[0]
        raise StorageError(
            f"The database cannot be used: {what}", "Check its disk, its rights and who else has it open."
        ) from error
