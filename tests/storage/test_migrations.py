"""Older databases become newest ones with all they hold; newer ones are refused and left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

import sygen_bot.storage
from sygen_bot.errors import StorageError
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.fresh import make_tables
from sygen_bot.storage.history import ChatHistory
from sygen_bot.storage.sessions import ContextUse, SessionStore
from sygen_bot.storage.tables import NEWEST_REVISION, metadata
from tests.storage.rows import one_turn, opened


@pytest.fixture
def database(bare_database: str) -> str:
    """Nothing is in it yet, not even tables."""
    return bare_database


SHAPE = {
    "sqlite": ("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name",),
    "postgresql": (
        "SELECT table_name, ordinal_position, column_name, udt_name, character_maximum_length, is_nullable, column_default,"
        " is_identity FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = current_schema()::regnamespace ORDER BY 1, 2",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2",
        "SELECT sequencename, data_type::text, start_value, increment_by FROM pg_sequences"
        " WHERE schemaname = current_schema() ORDER BY 1",
    ),
}


def shape(connection: sa.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the database knows about its tables, in its own words, and which revision they are said to have."""
    questions = (*SHAPE[connection.dialect.name], "SELECT version_num FROM alembic_version")
    return {question: [tuple(row) for row in connection.exec_driver_sql(question)] for question in questions}


async def run_on(database: str, work: Callable[[sa.Connection], object]) -> None:
    """Do something to a database that nobody has open."""
    if database.startswith("sqlite"):
        await asyncio.to_thread(_run_on_sqlite, database, work)
        return
    server = create_async_engine(database.replace("postgresql://", "postgresql+asyncpg://"))
    async with server.begin() as asynchronous:
        await asynchronous.run_sync(work)
    await server.dispose()


def _run_on_sqlite(database: str, work: Callable[[sa.Connection], object]) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        work(connection)
    engine.dispose()


def upgrade_to(revision: str) -> Callable[[sa.Connection], object]:
    def upgrade(connection: sa.Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(sygen_bot.storage.__path__[0]) / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    return upgrade


def execute(*statements: str) -> Callable[[sa.Connection], object]:
    def run(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return run


async def test_a_database_made_at_once_is_the_one_that_the_migrations_make(database: str) -> None:
    """To the letter: tables, columns and their order, keys, conditions of indexes, and the revision."""
    shapes: list[dict[str, list[tuple[object, ...]]]] = []
    for make in (upgrade_to(NEWEST_REVISION), make_tables):
        await run_on(database, make)
        await run_on(database, lambda connection: shapes.append(shape(connection)))
        await run_on(database, lambda connection: metadata.drop_all(connection))
        await run_on(database, execute("DROP TABLE alembic_version"))
    migrated, made = shapes
    assert all(migrated.values())
    assert made == migrated
    assert [table for table in metadata.tables if table not in str(made)] == []


async def test_an_empty_database_is_made_without_any_migration(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(command, "upgrade")
    storage = await open_storage(database)
    await opened(SessionStore(storage))
    await storage.close()


async def test_the_tables_of_others_stay_beside_ours(database: str) -> None:
    await run_on(database, execute("CREATE TABLE theirs (id TEXT)"))
    await (await open_storage(database)).close()
    await run_on(database, execute("SELECT id FROM theirs", "SELECT id FROM turns"))


async def test_the_next_migration_goes_on_from_a_database_made_at_once(database: str) -> None:
    await run_on(database, make_tables)
    await run_on(database, upgrade_to("head"))
    storage = await open_storage(database)
    await opened(SessionStore(storage))
    await storage.close()


OLD_ROWS = (
    "INSERT INTO sessions VALUES ('api:1', NULL, NULL, 10, 20)",
    "INSERT INTO sessions VALUES ('api:9007199254740991:77', 'claude', 'opus', 30.5, 1780000000.25)",
    "INSERT INTO sessions VALUES ('mail:2', 'local', NULL, 1, 2)",
    "INSERT INTO contexts VALUES ('api:1', 'claude', 'token ä🚀', 5)",
    "INSERT INTO contexts VALUES ('api:1', 'local', '{\"a\": 1}', 6)",
    "INSERT INTO contexts VALUES ('api:9007199254740991:77', 'claude', 'other', 7)",
)


async def test_a_database_of_the_first_revision_keeps_all_it_holds(database: str) -> None:
    await run_on(database, upgrade_to("0001"))
    await run_on(database, execute(*OLD_ROWS))
    storage = await open_storage(database)
    store, history = SessionStore(storage), ChatHistory(storage)
    big = SessionKey("api", 2**53 - 1, 77)
    found = {key: await opened(store, key) for key in (SessionKey("api", 1, None), big, SessionKey("mail", 2, None))}
    assert {str(key): dict(session.contexts) for key, session in found.items()} == {
        "api:1": {"claude": "token ä🚀", "local": '{"a": 1}'},
        str(big): {"claude": "other"},
        "mail:2": {},
    }
    assert [(session.provider, session.model) for session in found.values()] == [
        (None, None),
        ("claude", "opus"),
        ("local", None),
    ]
    assert {(session.seq, session.ordinal, session.context) for session in found.values()} == {(0, 0, ContextUse())}
    assert len({session.id for session in found.values()}) == len({session.epoch for session in found.values()}) == 3
    listed = await history.sessions(chat_id=None, agent=None, include_archived=False, before=None, limit=9)
    assert [str(session.key) for session in listed] == [str(big), "api:1", "mail:2"]
    assert [(session.created_at, session.updated_at) for session in listed] == [(30.5, 1780000000.25), (10, 20), (1, 2)]
    assert {(session.title, session.agent, session.message_count) for session in listed} == {("", "main", 0)}
    assert await one_turn(store, found[big], 1, "it goes on", seq=0) == 12
    await storage.close()


async def test_an_empty_database_of_the_first_revision_is_migrated(database: str) -> None:
    await run_on(database, upgrade_to("0001"))
    storage = await open_storage(database)
    await opened(SessionStore(storage))
    await storage.close()


async def test_a_migration_that_fails_leaves_the_old_database_as_it_was(database: str) -> None:
    await run_on(database, upgrade_to("0001"))
    # what the migration makes is already there: it cannot go on
    await run_on(database, execute(OLD_ROWS[0], "CREATE TABLE turns (id TEXT)"))
    with pytest.raises(StorageError) as refused:
        await open_storage(database)
    assert "\n" not in str(refused.value)
    await run_on(database, execute("DROP TABLE turns"))
    storage = await open_storage(database)
    found = await ChatHistory(storage).sessions(chat_id=1, agent=None, include_archived=False, before=None, limit=9)
    assert [str(session.key) for session in found] == ["api:1"]
    await storage.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: str) -> None:
    await (await open_storage(database)).close()
    await run_on(database, execute("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer version of Sygen") as refused:
        await open_storage(database)
    assert "9999" in str(refused.value)
    assert NEWEST_REVISION in str(refused.value)
    seen: list[str] = []
    await run_on(
        database, lambda connection: seen.extend(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
    )
    assert seen == ["9999"]
