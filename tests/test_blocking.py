"""The watch over event loops is on, on either kind of loop, and it watches the package alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from blockbuster import BlockingError

from sygen_bot.files.storage import UploadFolder
from sygen_bot.identity import load_identity
from sygen_bot.paths import Paths

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "home")
    made.prepare()
    load_identity(made)
    return made


@LOOPS
def test_what_the_package_reads_on_a_loop_raises(paths: Paths, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def read() -> None:
        load_identity(paths)

    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(BlockingError):
        runner.run(read())


@LOOPS
def test_in_a_thread_it_may_and_so_may_tests(paths: Paths, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def read() -> tuple[bytes, bytes]:
        return await asyncio.to_thread(load_identity, paths), paths.identity_key.read_bytes()

    with asyncio.Runner(loop_factory=loop) as runner:
        ours, theirs = runner.run(read())
    assert ours == theirs


async def test_a_write_that_would_wait_for_the_disk_raises(paths: Paths) -> None:
    folder = UploadFolder(paths.uploads)
    with pytest.raises(BlockingError):
        folder.temporary()
