"""Many sessions come and go: each is there once, deleted ones do not linger, and a start runs nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from sygen_bot.config import load_settings
from sygen_bot.events import Finished, ProviderEvent, Result, TextDelta, ToolActivity
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.lifecycle import running_gateway
from sygen_bot.paths import Paths
from sygen_bot.providers.base import Availability, ProviderInfo, Turn
from sygen_bot.session.key import SessionKey
from sygen_bot.session.receipt import Acceptance, Receipt

MANY = 1100


class Nester:
    """An agent whose tool gets lists in lists, as deep as the message says."""

    def __init__(self) -> None:
        self.info = ProviderInfo(id="scripted", name="Nester", color="#000000")

    @property
    def processes(self) -> int:
        return 0

    async def check(self) -> Availability:
        return Availability(available=True)

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        value: object = None
        for _ in range(int(turn.text)):
            value = [value]
        yield ToolActivity("Read", "1", input=value)
        yield TextDelta("done")
        yield Finished()

    async def forget(self, session: SessionKey) -> None: ...
    async def close(self) -> None: ...


@pytest.fixture
async def orchestrator(tmp_path: Path) -> AsyncIterator[Orchestrator]:
    paths = Paths(tmp_path / "home")
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    async with running_gateway(load_settings(paths, overrides=overrides), paths, token="t") as gateway:
        yield gateway.orchestrator


async def test_a_session_is_there_once_however_many_there_are(orchestrator: Orchestrator) -> None:
    """Whoever opens one holds the same as everybody else, also while many others are opened."""
    leave = []
    for start in range(1, MANY, 100):
        opened = await asyncio.gather(
            *(orchestrator.open(SessionKey("api", chat, None)) for chat in range(start, start + 100))
        )
        leave += [session.log.subscribe(lambda _logged: None) for session in opened]
    keys = [SessionKey("api", chat, None) for chat in range(10_001, 10_011)]
    held = await asyncio.gather(*(orchestrator.open(key) for key in keys))
    again = await asyncio.gather(*(orchestrator.open(key) for key in keys))
    assert [one is other for one, other in zip(held, again, strict=True)] == [True] * 10
    for unfollow in leave:
        unfollow()


async def test_who_opens_a_session_while_it_is_deleted_gets_a_new_one_that_works(orchestrator: Orchestrator) -> None:
    key = SessionKey("api", 1, None)
    old = await orchestrator.open(key)
    old.submit("SLOW 1000 0.05", client_id=None, on_receipt=lambda _receipt: None)
    deleting = asyncio.create_task(orchestrator.delete(key))
    opening: list[asyncio.Task[object]] = []
    while not deleting.done():
        opening.append(asyncio.create_task(orchestrator.open(key)))
        await asyncio.sleep(0)
    await deleting
    new = await orchestrator.open(key)
    assert new.id != old.id
    for opened in await asyncio.gather(*opening):
        assert opened in (old, new), "nobody holds a third one"
    async with asyncio.timeout(10):
        end = await orchestrator.handle_message_streaming(key, "SAY hello", client_id="c")
    assert isinstance(end, Result)
    assert end.text == "hello"


async def test_a_caller_that_goes_away_before_its_receipt_does_not_lose_its_message(orchestrator: Orchestrator) -> None:
    key = SessionKey("api", 1, None)
    session = await orchestrator.open(key)
    caller = asyncio.create_task(orchestrator.handle_message_streaming(key, "SAY hello", client_id="c"))
    for _ in range(100):
        if session.unfinished():
            break
        await asyncio.sleep(0)
    caller.cancel()
    async with asyncio.timeout(10):
        end = await orchestrator.handle_message_streaming(key, "SAY hello", client_id="c")
    assert isinstance(end, Result)
    assert end.text == "hello"


async def test_however_deep_a_tools_input_nests_its_turn_ends(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    settings = load_settings(paths, overrides=overrides)
    async with running_gateway(settings, paths, token="t", providers=[Nester()]) as gateway, asyncio.timeout(60):
        for depth in (1, 60, 500, *range(930, 1010, 2), 5000):
            end = await gateway.orchestrator.handle_message_streaming(SessionKey("api", 1, None), f"{depth}")
            assert isinstance(end, Result), (depth, end)
            assert end.text == "done"


async def test_a_message_that_is_sent_again_during_a_start_is_run_once(tmp_path: Path) -> None:
    """What a crash left is in its queue before the first client can come."""
    paths = Paths(tmp_path / "home")
    overrides = {"api.host": "127.0.0.1", "api.port": 0, "provider": "scripted", "api.drain_s": 0}
    async with running_gateway(load_settings(paths, overrides=overrides), paths, token="t") as gateway:
        session = await gateway.orchestrator.open(SessionKey("api", 1, None))
        receipts: list[asyncio.Future[Receipt]] = []
        for text in ("SLOW 1000 0.05", "SAY once"):
            receipts.append(asyncio.get_running_loop().create_future())
            session.submit(text, client_id=text, on_receipt=receipts[-1].set_result)
        first, second = await asyncio.gather(*receipts)
        assert isinstance(first, Acceptance)
        assert isinstance(second, Acceptance)
        assert (first.position, second.position) == (0, 1)
        again: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        session.submit("SAY once", client_id="SAY once", on_receipt=again.set_result)
        repeated = await again
        assert isinstance(repeated, Acceptance)
        assert (repeated.turn_id, repeated.is_duplicate, repeated.position) == (second.turn_id, True, 1)
