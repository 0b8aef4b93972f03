"""Sharing the loop: measured in passes of the loop and by the order of events, never by the clock on the wall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from sygen_bot.events import Result, TextDelta
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.fairness import MOST_UNMARKED, FairShare
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent, Subscriber
from sygen_bot.session.receipt import Acceptance, Receipt
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.sessions import ContextUse, EndedTurn, SessionStore
from sygen_bot.testing.scripted import ScriptedProvider
from tests.orchestrator.alone import orchestrator_alone


class Ticks:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Passes:
    """Counts the passes of the event loop while it is on."""

    def __init__(self) -> None:
        self.count = 0
        self._is_on = True
        self._again()

    def _again(self) -> None:
        self.count += 1
        if self._is_on:
            asyncio.get_running_loop().call_soon(self._again)

    def stop(self) -> None:
        self._is_on = False


async def talk(share: FairShare, clock: Ticks, said: list[str], name: str, count: int, *, cost_s: float) -> None:
    """What a turn does: say something, which takes `cost_s`, and ask whether others are due."""
    for number in range(count):
        said.append(name)
        clock.now += cost_s
        if share.is_spent():
            await share.next_pass(has_spoken=number > 0)


async def test_a_turn_goes_on_until_the_budget_is_spent() -> None:
    clock, said = Ticks(), list[str]()
    share = FairShare(budget_s=1.0, clock=clock)
    turn = asyncio.create_task(talk(share, clock, said, "a", 100, cost_s=0.1))
    await asyncio.sleep(0)
    assert 10 <= len(said) <= 12 + MOST_UNMARKED  # the budget begins with the first question that is not passed over
    await turn
    assert len(said) == 100


async def test_talkers_take_turns() -> None:
    clock, said = Ticks(), list[str]()
    share = FairShare(budget_s=1.0, clock=clock)
    await asyncio.gather(*(talk(share, clock, said, name, 40, cost_s=1.0) for name in "abcd"))
    for start in range(8 + 4 * MOST_UNMARKED, 120, 4):  # once all of them are under way
        assert set(said[start : start + 4]) == set("abcd")


async def test_who_has_said_nothing_yet_goes_first() -> None:
    clock, order = Ticks(), list[str]()
    share = FairShare(budget_s=1.0, clock=clock)

    async def wait(name: str, has_spoken: bool) -> None:
        while not share.is_spent():
            clock.now += 1.0
        await share.next_pass(has_spoken=has_spoken)
        order.append(name)

    waiting = [asyncio.create_task(wait(f"talker {number}", True)) for number in range(3)]
    waiting.append(asyncio.create_task(wait("newcomer", False)))
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert order[0] == "newcomer"


async def test_a_waiter_that_was_cancelled_holds_nobody_up() -> None:
    clock, said = Ticks(), list[str]()
    share = FairShare(budget_s=1.0, clock=clock)
    talkers = [asyncio.create_task(talk(share, clock, said, name, 1000, cost_s=1.0)) for name in "abcd"]
    for _ in range(10):
        await asyncio.sleep(0)
    for task in talkers[:3]:
        task.cancel()
    await asyncio.wait_for(talkers[3], 10)
    assert said.count("d") == 1000


async def test_others_run_between_the_passes_of_a_turn_that_never_pauses() -> None:
    clock, said = Ticks(), list[str]()
    share = FairShare(budget_s=1.0, clock=clock)
    passes = Passes()
    await talk(share, clock, said, "a", 500, cost_s=0.5)
    passes.stop()
    assert passes.count >= 500 * 0.5 / (1.5 + 0.5 * MOST_UNMARKED)


class SlowStore(SessionStore):
    """A real store whose disk can be held up where turns end. `saved`: the contexts that came with ends."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.storage = storage
        self.disk = asyncio.Event()
        self.disk.set()
        self.saved: list[str] = []

    async def finish(
        self,
        session_id: str,
        ended: Sequence[EndedTurn],
        *,
        waiting: Mapping[str, int],
        context: ContextUse,
        contexts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        await self.disk.wait()
        await super().finish(session_id, ended, waiting=waiting, context=context, contexts=contexts)
        self.saved += contexts.values()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SlowStore]:
    storage = await open_storage(tmp_path / "sygen.db")
    yield SlowStore(storage)
    await storage.close()


@pytest.fixture
async def orchestrator(tmp_path: Path, store: SlowStore) -> AsyncIterator[Orchestrator]:
    registry = ProviderRegistry([ScriptedProvider(run_dir=tmp_path / "run")])
    await registry.refresh()
    orchestrator = orchestrator_alone(
        store.storage,
        registry,
        tmp_path,
        store=store,
        max_answer_bytes=2**30,  # no chatter ends by itself
    )
    yield orchestrator
    await orchestrator.drain(0)


async def start(orchestrator: Orchestrator, key: SessionKey, text: str, hear: Subscriber) -> Acceptance:
    """Send a message and follow its session. Returns when it is accepted."""
    session = await orchestrator.open(key)
    session.log.subscribe(hear)
    receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    session.submit(text, client_id=None, on_receipt=receipt.set_result)
    accepted = await asyncio.wait_for(receipt, 10)
    assert isinstance(accepted, Acceptance)
    return accepted


@pytest.mark.parametrize("chatty", [1, 16, 40])
async def test_a_quiet_session_speaks_within_a_few_passes_however_many_others_chatter(
    orchestrator: Orchestrator, chatty: int
) -> None:
    quiet = SessionKey("api", 999, None)
    talking = {key: asyncio.Event() for key in (SessionKey("api", chat, None) for chat in range(1, chatty + 1))}

    def listener(has_spoken: asyncio.Event) -> Subscriber:
        return lambda logged: has_spoken.set() if isinstance(logged.event, TextDelta) else None

    await asyncio.gather(
        *(start(orchestrator, key, "BURST 1000000\n" * 20, listener(has_spoken)) for key, has_spoken in talking.items())
    )
    async with asyncio.timeout(30):
        await asyncio.gather(*(event.wait() for event in talking.values()))

    session = await orchestrator.open(quiet)
    for _ in range(5):
        passes = Passes()
        first: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        ended = asyncio.Event()

        def hear_quiet(
            logged: LoggedEvent,
            first: asyncio.Future[tuple[int, int]] = first,
            ended: asyncio.Event = ended,
            passes: Passes = passes,
        ) -> None:
            if isinstance(logged.event, TextDelta) and not first.done():
                first.set_result((passes.count, orchestrator.turns_running))
            if isinstance(logged.event, Result):
                ended.set()

        leave = session.log.subscribe(hear_quiet)
        began: list[int] = []

        def note(_receipt: Receipt, began: list[int] = began, passes: Passes = passes) -> None:
            began.append(passes.count)

        session.submit("SAY one two three", client_id=None, on_receipt=note)
        async with asyncio.timeout(30):
            spoke, running = await first
            await ended.wait()
            await session.idle()
        passes.stop()
        leave()
        assert spoke - began[0] <= 5, "from the moment that its message is stored"
        assert running == chatty + 1, "they still chatter"


async def test_an_abort_among_chatter_is_decided_by_the_call_and_soon_told(orchestrator: Orchestrator) -> None:
    key, ends, has_spoken = SessionKey("api", 1, None), list[Result](), asyncio.Event()

    def hear(logged: LoggedEvent) -> None:
        if isinstance(logged.event, TextDelta):
            has_spoken.set()
        if isinstance(logged.event, Result):
            ends.append(logged.event)

    await start(orchestrator, key, "BURST 1000000", hear)
    async with asyncio.timeout(30):
        await has_spoken.wait()
        said = (await orchestrator.open(key)).log.cursor.seq
        stopping = orchestrator.abort(key)
        assert (await orchestrator.open(key)).unfinished() == []
        assert await stopping == 1
    assert [end.reason for end in ends] == ["abort"]
    assert (await orchestrator.open(key)).log.cursor.seq == said + 1, "it said nothing more"


async def test_an_answer_does_not_wait_for_the_disk_but_its_end_does(
    orchestrator: Orchestrator, store: SlowStore
) -> None:
    key, has_spoken, has_ended = SessionKey("api", 1, None), asyncio.Event(), asyncio.Event()

    def hear(logged: LoggedEvent) -> None:
        if isinstance(logged.event, TextDelta):
            has_spoken.set()
        if isinstance(logged.event, Result):
            has_ended.set()

    store.disk.clear()
    await start(orchestrator, key, "SAY hello", hear)
    async with asyncio.timeout(10):
        await has_spoken.wait()
    assert store.saved == []
    assert not has_ended.is_set()
    store.disk.set()
    async with asyncio.timeout(10):
        await has_ended.wait()
        await orchestrator.handle_message_streaming(key, "SAY again")
    assert store.saved == ['{"turns":1}', '{"turns":2}']
