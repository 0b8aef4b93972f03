"""The database: opened, refused with one clear line when it cannot be used, private, and shared by several."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa

from sygen_bot.errors import StorageError
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.storage.tables import NEWEST_REVISION
from tests.fakes.postgres import PostgresServer
from tests.storage.rows import KEY, opened


@pytest.fixture
def database(bare_database: str) -> str:
    """Nothing is in it yet, not even tables."""
    return bare_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sygen.db"


async def refusal(database: Path | str) -> str:
    with pytest.raises(StorageError) as refused:
        await open_storage(database)
    assert "\n" not in str(refused.value)
    assert refused.value.remedy
    return str(refused.value)


# --- opening ----------------------------------------------------------------------------------------------------------


async def test_an_empty_place_becomes_a_database_of_the_newest_revision(storage: Storage) -> None:
    revision = await storage.read(
        lambda connection: connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    )
    assert revision == NEWEST_REVISION


async def test_what_is_committed_survives_a_power_cut(file: Path) -> None:
    storage = await open_storage(file)
    assert await storage.read(lambda connection: connection.scalar(sa.text("PRAGMA journal_mode"))) == "wal"
    assert await storage.read(lambda connection: connection.scalar(sa.text("PRAGMA synchronous"))) == 2  # FULL
    await storage.close()


async def test_a_database_is_opened_again_with_all_it_holds(database: str) -> None:
    known = None
    for turn in ("first", "second"):
        storage = await open_storage(database)
        store = SessionStore(storage)
        session = await opened(store)
        assert dict(session.contexts) == ({} if turn == "first" else {"scripted": "first"})
        assert known in (None, (session.id, session.epoch))
        known = (session.id, session.epoch)
        await store.save_context(session.id, "scripted", turn)
        await storage.close()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(file: Path) -> None:
    content = b"not a database, but somebody's letter " * 100
    file.write_bytes(content)
    assert "not a database" in await refusal(file)
    assert file.read_bytes() == content


async def test_a_directory_in_its_place_is_refused(file: Path) -> None:
    file.mkdir()
    await refusal(file)


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be made" in await refusal(tmp_path / "nowhere" / "sygen.db")


@pytest.mark.parametrize("name", ["what? a=1", "100%41", "a#b", "möbel"])
async def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "sygen.db"
    file.parent.mkdir()
    await (await open_storage(file)).close()
    assert file.stat().st_size > 0


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "no URL"),
        ("just words", "no URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("nonsense://there/x", "cannot be used"),
        ("sqlite:////nowhere/at/all.db", "cannot be made"),
        ("postgresql://sygen@127.0.0.1:1/x", "cannot be used"),
    ],
)
async def test_a_url_that_leads_nowhere_is_refused(url: str, why: str) -> None:
    assert why in await refusal(url)


async def test_what_a_server_refuses_is_told_in_its_words(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    assert 'role "nobody" does not exist' in await refusal(url.replace("sygen@", "nobody@"))
    assert 'database "test_nowhere" does not exist' in await refusal(
        url.replace("/test", "/test_nowhere?x=", 1).partition("?")[0] + "?" + url.partition("?")[2]
    )


async def test_a_password_in_the_url_is_never_told(postgres: PostgresServer) -> None:
    url = postgres.new_database().replace("sygen@", "nobody:swordfish@")
    assert "swordfish" not in await refusal(url)


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


async def test_a_database_that_another_process_holds_is_refused_and_later_opened(file: Path) -> None:
    await (await open_storage(file)).close()
    with other_process(LOCKER, file):
        assert "locked" in await refusal(file)
    await (await open_storage(file)).close()


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
        session = await store.open(key, agent="main")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
        saved = 0
        try:
            for saved in range(1000):
                await store.save_context(session.id, f"p{saved}", "x" * 4000)
        except StorageError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len((await store.open(key, agent="main")).contexts) == saved, "what was saved is still there, and nothing else"
        await store.save_context(session.id, "again", "x" * 4000)
        await storage.close()

    asyncio.run(main())
"""


def test_a_full_disk_is_one_clear_line_and_loses_nothing(file: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-I", "-c", dedent(FULL_DISK), str(file)], capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("The database cannot be used: ")
    assert said.stdout.count("\n") == 1


# --- more than one ----------------------------------------------------------------------------------------------------


async def test_two_that_open_one_database_share_what_is_in_it(database: str) -> None:
    await (await open_storage(database)).close()
    storages = await asyncio.gather(open_storage(database), open_storage(database))
    stores = [SessionStore(storage) for storage in storages]
    one, other = await asyncio.gather(*(opened(store) for store in stores))
    assert one == other
    await asyncio.gather(*(store.save_context(one.id, f"p{number}", "t") for number, store in enumerate(stores)))
    assert set((await opened(stores[0])).contexts) == {"p0", "p1"}
    for storage in storages:
        await storage.close()


def test_a_wide_umask_does_not_open_the_database_to_others(tmp_path: Path) -> None:
    async def modes_of_its_files() -> dict[str, int]:
        storage = await open_storage(tmp_path / "sygen.db")
        await opened(SessionStore(storage), KEY)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        await storage.close()
        return modes

    before = os.umask(0)
    try:
        modes = asyncio.run(modes_of_its_files())
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["sygen.db", "sygen.db-wal", "sygen.db-shm"], 0o600)
