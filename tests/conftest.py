"""Fixtures that several parts of the suite need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis  # noqa: F401 - its plugin would load it only at the very end, in the midst of a summary
import pytest

from sygen_bot.providers.weights import install_weights
from tests.fakes.postgres import PostgresMissing, PostgresServer


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


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of its own, once of each kind that is supported."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sygen.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
