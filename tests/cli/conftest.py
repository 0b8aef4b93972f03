"""One gateway for the tests of a module that only talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import serving


@dataclass(frozen=True)
class Served:
    home: Path
    url: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    with serving(home, SYGEN_API__DRAIN_S="0") as (_gateway, url):
        yield Served(home, url)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
