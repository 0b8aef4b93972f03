"""Fixtures that several parts of the suite need."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis  # noqa: F401 - its plugin would load it only at the very end, in the midst of a summary
import pytest

from sygen_bot.providers.weights import install_weights
from sygen_bot.storage.engine import open_storage
from sygen_bot.storage.tables import metadata
from tests.blocking import nothing_blocks
from tests.fakes.postgres import PostgresMissing, PostgresServer
from tests.fakes.ramdisk import ramdisk

if (memory := ramdisk()) is not None:  # for what pytest's own fixtures make
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


@pytest.fixture(scope="session", autouse=True)
def watched_loops() -> Iterator[None]:
    """No code of the package may block an event loop; that of the tests themselves may."""
    with nothing_blocks():
        yield


@pytest.fixture(scope="session")
def weights() -> Path:
    """The real model file of the local provider, downloaded once per machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return install_weights(cache / "sygen-tests" / "smollm2-135m.gguf")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started when the first test asks for it."""
    try:
        server = PostgresServer()
    except PostgresMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def newest_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database of the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("newest") / "sygen.db"
    asyncio.run(_migrate(file))
    return file


@pytest.fixture(scope="session")
def newest_database(postgres: PostgresServer) -> str:
    """The URL of a PostgreSQL database of the newest revision, to be emptied."""
    url = postgres.new_database()
    asyncio.run(_migrate(url))
    return url


async def _migrate(database: Path | str) -> None:
    await (await open_storage(database)).close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of the newest revision with nothing in it, once of each kind that is supported."""
    if request.param == "sqlite":
        file = tmp_path / "sygen.db"
        shutil.copyfile(request.getfixturevalue("newest_file"), file)
        file.chmod(0o600)
        return f"sqlite:///{file}"
    server: PostgresServer = request.getfixturevalue("postgres")
    url: str = request.getfixturevalue("newest_database")
    server.empty(url, tables=metadata.tables)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any tables, once of each kind that is supported."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sygen.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
