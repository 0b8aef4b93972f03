"""The database: opened, migrated, refused with one clear line when it cannot be used, and safe with many writers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa

from sygen_bot.errors import StorageError
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.sessions import SessionStore, StoredSession
from sygen_bot.storage.tables import NEWEST_REVISION, metadata

KEY = SessionKey("api", 5, 7)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sygen.db"


@pytest.fixture
async def storage(database: Path) -> AsyncIterator[Storage]:
    opened = await open_storage(database)
    yield opened
    await opened.close()


@pytest.fixture
def store(storage: Storage) -> SessionStore:
    return SessionStore(storage)


async def refusal(database: Path) -> str:
    with pytest.raises(StorageError) as refused:
        await open_storage(database)
    assert "\n" not in str(refused.value)
    assert refused.value.remedy
    return str(refused.value)


# --- opening ----------------------------------------------------------------------------------------------------------


async def test_an_empty_place_becomes_a_private_database_of_the_newest_revision(
    storage: Storage, database: Path
) -> None:
    assert database.stat().st_mode & 0o077 == 0
    async with storage.read() as connection:
        revision = await connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    assert revision == NEWEST_REVISION


async def test_the_migrations_lead_to_the_tables_that_the_code_uses(storage: Storage) -> None:
    def shape(connection: sa.Connection) -> dict[str, list[tuple[str, str, bool]]]:
        inspector = sa.inspect(connection)
        return {
            table: [
                (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            ]
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }

    async with storage.read() as connection:
        migrated = await connection.run_sync(shape)
    assert migrated == {
        table.name: [(column.name, str(column.type), bool(column.nullable)) for column in table.columns]
        for table in metadata.sorted_tables
    }


async def test_what_is_committed_survives_a_power_cut(storage: Storage) -> None:
    async with storage.read() as connection:
        assert await connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert await connection.scalar(sa.text("PRAGMA synchronous")) == 2  # FULL


async def test_a_database_is_opened_again_with_all_it_holds(database: Path) -> None:
    for turn in ("first", "second"):
        storage = await open_storage(database)
        store = SessionStore(storage)
        assert (await store.load(KEY)).contexts == ({} if turn == "first" else {"scripted": "first"})
        await store.save_context(KEY, "scripted", turn)
        await storage.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Path) -> None:
    await (await open_storage(database)).close()
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer version of Sygen" in await refusal(database)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(database: Path) -> None:
    content = b"not a database, but somebody's letter " * 100
    database.write_bytes(content)
    assert "not a database" in await refusal(database)
    assert database.read_bytes() == content


async def test_a_directory_in_its_place_is_refused(database: Path) -> None:
    database.mkdir()
    await refusal(database)


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be made" in await refusal(tmp_path / "nowhere" / "sygen.db")


@pytest.mark.parametrize("name", ["what? a=1", "100%41", "a#b", "möbel"])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    database = tmp_path / name / "sygen.db"
    database.parent.mkdir()
    await (await open_storage(database)).close()
    assert database.stat().st_size > 0


# --- what the machine may lack ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def other_process(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python program that has said `ready`; it is told to go on by the end of its stdin."""
    argv = [sys.executable, "-I", "-c", dedent(source), *map(str, arguments)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


LOCKER = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    print("ready", flush=True)
    sys.stdin.read()
"""


async def test_a_database_that_another_process_holds_is_refused_and_later_opened(database: Path) -> None:
    await (await open_storage(database)).close()
    with other_process(LOCKER, database):
        assert "locked" in await refusal(database)
    await (await open_storage(database)).close()


UNPRIVILEGED = """
    import asyncio, os, sys
    from pathlib import Path
    from sygen_bot.errors import StorageError
    from sygen_bot.storage.engine import open_storage

    async def open_and_close(database):
        await (await open_storage(database)).close()

    database = Path(sys.argv[1])
    asyncio.run(open_and_close(database))
    database.chmod(0o444)
    database.parent.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        asyncio.run(open_and_close(database))
    except StorageError as error:
        print(error)
"""


def test_a_file_that_may_not_be_written_is_refused() -> None:
    folder = Path(tempfile.mkdtemp())  # not below pytest's own folder, which only its owner may enter
    folder.chmod(0o755)
    try:
        argv = [sys.executable, "-I", "-c", dedent(UNPRIVILEGED), str(folder / "sygen.db")]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert "readonly" in said.stdout, said.stderr
    assert said.stdout.count("\n") == 1


FULL_DISK = """
    import asyncio, itertools, resource, sys
    from pathlib import Path
    from sygen_bot.errors import StorageError
    from sygen_bot.storage.engine import open_storage
    from sygen_bot.storage.sessions import SessionStore
    from sygen_bot.session.key import SessionKey

    async def main():
        storage = await open_storage(Path(sys.argv[1]))
        store, key = SessionStore(storage), SessionKey("api", 1, None)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
        saved = 0
        try:
            for saved in range(1000):
                await store.save_context(key, f"p{saved}", "x" * 4000)
        except StorageError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len((await store.load(key)).contexts) == saved, "what was saved is still there, and nothing else"
        await store.save_context(key, "again", "x" * 4000)
        await storage.close()

    asyncio.run(main())
"""


def test_a_full_disk_is_one_clear_line_and_loses_nothing(database: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-I", "-c", dedent(FULL_DISK), str(database)], capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("The database cannot be used: ")
    assert said.stdout.count("\n") == 1


async def test_a_failing_transaction_leaves_nothing_and_the_next_one_works(
    storage: Storage, store: SessionStore
) -> None:
    async def fail_half_way() -> None:
        async with storage.write() as connection:
            await connection.execute(sa.text("INSERT INTO sessions VALUES ('api:9', 'p', 'm', 0, 0)"))
            await connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(StorageError):
        await fail_half_way()
    assert await store.load(SessionKey("api", 9, None)) == StoredSession()
    await store.save_context(KEY, "p", "t")


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_an_unknown_session_is_an_empty_one(store: SessionStore) -> None:
    assert await store.load(KEY) == StoredSession(provider=None, model=None, contexts={})


async def test_the_choice_of_a_session_is_kept_and_taken_back(store: SessionStore) -> None:
    await store.set_target(KEY, provider="claude", model="opus")
    assert await store.load(KEY) == StoredSession("claude", "opus", {})
    await store.set_target(KEY, provider=None, model=None)
    assert await store.load(KEY) == StoredSession()


async def test_each_provider_has_a_context_of_its_own_and_the_newest_counts(store: SessionStore) -> None:
    await store.save_context(KEY, "claude", "old")
    await store.save_context(KEY, "local", '{"ü": "🚀"}')
    await store.save_context(KEY, "claude", "new")
    assert (await store.load(KEY)).contexts == {"claude": "new", "local": '{"ü": "🚀"}'}


async def test_starting_over_clears_the_contexts_and_keeps_the_choice(store: SessionStore) -> None:
    await store.set_target(KEY, provider="claude", model=None)
    await store.save_context(KEY, "claude", "token")
    await store.clear_contexts(KEY)
    assert await store.load(KEY) == StoredSession("claude", None, {})


@pytest.mark.parametrize("other", [SessionKey("api", 5, None), SessionKey("api", 57, None), SessionKey("mail", 5, 7)])
async def test_sessions_with_similar_keys_are_kept_apart(store: SessionStore, other: SessionKey) -> None:
    await store.save_context(KEY, "claude", "mine")
    await store.save_context(other, "claude", "other")
    await store.clear_contexts(other)
    assert (await store.load(KEY)).contexts == {"claude": "mine"}


async def test_times_come_from_the_clock_that_was_given(storage: Storage) -> None:
    times = iter([10.0, 10.0, 20.0])
    store = SessionStore(storage, clock=lambda: next(times))
    await store.save_context(KEY, "p", "t")
    await store.set_target(KEY, provider="p", model=None)
    async with storage.read() as connection:
        row = (await connection.execute(sa.text("SELECT created_at, updated_at FROM sessions"))).one()
    assert tuple(row) == (10.0, 20.0)


async def test_many_writers_at_once_all_get_through(store: SessionStore) -> None:
    keys = [SessionKey("api", chat, None) for chat in range(1, 11)]
    await asyncio.gather(
        *(store.save_context(key, f"p{number}", f"{key} {number}") for number in range(20) for key in keys)
    )
    for key in keys:
        assert (await store.load(key)).contexts == {f"p{number}": f"{key} {number}" for number in range(20)}


async def test_a_writer_that_is_cancelled_does_not_stop_the_others(store: SessionStore) -> None:
    writers = [asyncio.create_task(store.save_context(KEY, f"p{number}", "t")) for number in range(30)]
    await asyncio.sleep(0)
    for writer in writers[::3]:
        writer.cancel()
    ends = await asyncio.gather(*writers, return_exceptions=True)
    saved = (await store.load(KEY)).contexts
    for number, end in enumerate(ends):
        assert end is None or isinstance(end, asyncio.CancelledError)
        assert end is not None or f"p{number}" in saved


async def test_two_that_open_one_database_share_what_is_in_it(database: Path) -> None:
    await (await open_storage(database)).close()
    storages = await asyncio.gather(open_storage(database), open_storage(database))
    stores = [SessionStore(storage) for storage in storages]
    await asyncio.gather(*(store.save_context(KEY, f"p{number}", "t") for number, store in enumerate(stores)))
    assert set((await stores[0].load(KEY)).contexts) == {"p0", "p1"}
    for storage in storages:
        await storage.close()


def test_a_wide_umask_does_not_open_the_database_to_others(tmp_path: Path) -> None:
    async def modes_of_its_files() -> dict[str, int]:
        storage = await open_storage(tmp_path / "sygen.db")
        await SessionStore(storage).save_context(KEY, "p", "t")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        await storage.close()
        return modes

    before = os.umask(0)
    try:
        modes = asyncio.run(modes_of_its_files())
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["sygen.db", "sygen.db-wal", "sygen.db-shm"], 0o600)
