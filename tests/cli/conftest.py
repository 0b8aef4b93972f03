"""One gateway for the tests of a module that only talk to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cli.command import LIMIT_S, quick_commands, serving


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Commands that are only run to their end are forked."""
    with quick_commands():
        yield


@dataclass(frozen=True)
class Served:
    home: Path
    url: str

    def waiting(self, summary: str) -> str:
        """The id of the request for a yes or no with that summary, once there is one."""
        token = json.loads((self.home / "config" / "config.json").read_text())["api"]["token"]
        deadline = time.monotonic() + LIMIT_S
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}) as http:
            while time.monotonic() < deadline:
                for request in http.get("/api/approvals").json():
                    if request["summary"] == summary:
                        return str(request["id"])
                time.sleep(0.02)
        raise AssertionError(f"nobody asks for {summary}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    with serving(home, SYGEN_API__DRAIN_S="0") as (_gateway, url):
        yield Served(home, url)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
