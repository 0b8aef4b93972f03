"""Runs: each is kept, runs once, and ends in one notification, whatever becomes of the gateway meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sygen_bot.automation.runner import MOST_ATTEMPTS, Runner, own_session
from sygen_bot.errors import Conflict, NotFound, StorageError
from sygen_bot.events import Finished, ProviderEvent, TextDelta, TurnEnd
from sygen_bot.notifications.center import NotificationCenter, Read
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.providers.base import Turn
from sygen_bot.providers.registry import ProviderRegistry, Target
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.notifications import Notification, NotificationStore
from sygen_bot.storage.runs import Run, RunStatus, RunStore
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.testing.scripted import ScriptedProvider
from tests.orchestrator.alone import orchestrator_alone

PATIENCE_S = 20
CHAT = SessionKey("api", 7, 8)


class Gates:
    """Steps by name that can be held up; `tried` tells which came so far."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self._held: dict[str, asyncio.Event] = {}

    def hold(self, step: str) -> None:
        self._held[step] = asyncio.Event()

    def let_go(self, step: str) -> None:
        self._held.pop(step).set()

    async def passed(self, step: str) -> None:
        self.tried.append(step)
        if step in self._held:
            await self._held[step].wait()


class HeldAgent(ScriptedProvider):
    """The scripted agent, that also takes `HOLD name`: it says `name so far`, and ends when it is let go."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir=run_dir)
        self.begun: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    def let_go(self, text: str) -> None:
        self._gates.setdefault(text, asyncio.Event()).set()

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        self.begun.append(turn.text)
        if turn.text.startswith("HOLD"):
            yield TextDelta(f"{turn.text[5:]} so far")
            await self._gates.setdefault(turn.text, asyncio.Event()).wait()
            yield Finished()
            return
        async with aclosing(super().run(turn)) as events:
            async for event in events:
                yield event


class SlowRuns(RunStore):
    """A real store in which ends can be held up before they are kept, or fail."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.gates = Gates()
        self.is_broken = False

    async def end(
        self,
        run_id: str,
        *,
        status: RunStatus,
        answer: str | None,
        error: str | None,
        ended_at: float,
        notification: Notification | None,
    ) -> bool:
        await self.gates.passed("end")
        if self.is_broken:
            raise StorageError("The disk is full", "Make room.")
        was_first = await super().end(
            run_id, status=status, answer=answer, error=error, ended_at=ended_at, notification=notification
        )
        await self.gates.passed("kept")
        return was_first


class SlowAgents:
    """A real orchestrator that can be held up when it opens a session, and after it has."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self.gates = Gates()

    async def open_for(self, key: SessionKey, target: Target | None) -> LiveSession:
        session = await self._orchestrator.open_for(key, target)
        await self.gates.passed("opened")
        return session

    async def handle_message_streaming(self, key: SessionKey, text: str, *, client_id: str | None = None) -> TurnEnd:
        return await self._orchestrator.handle_message_streaming(key, text, client_id=client_id)

    async def stop_message(self, key: SessionKey, client_id: str) -> bool:
        return await self._orchestrator.stop_message(key, client_id)

    async def delete(self, key: SessionKey) -> None:
        await self._orchestrator.delete(key)


class Life:
    """A gateway without its API, from its start to its end. `told`: what listeners heard."""

    def __init__(self, storage: Storage, folder: Path, registry: ProviderRegistry, *, max_parallel: int) -> None:
        self.storage = storage
        self.orchestrator = orchestrator_alone(storage, registry, folder, store=SessionStore(storage))
        self.agents, self.runs = SlowAgents(self.orchestrator), SlowRuns(storage)
        self.center = NotificationCenter(NotificationStore(storage))
        self.told: list[Notification | Read] = []
        self.center.listen(self.told.append)
        self.runner = Runner(
            agents=self.agents,
            store=self.runs,
            notifications=self.center,
            max_parallel=max_parallel,
            clock=lambda: 5000.0,
        )

    async def start(self) -> None:
        accepted_before = await SessionStore(self.storage).recover(max_age_s=10**9)
        await self.center.start()
        await self.orchestrator.take_up(accepted_before)
        await self.runner.start()

    async def stop(self) -> None:
        """As a gateway is stopped in order."""
        self.runner.refuse()
        await self.orchestrator.drain(0)
        await self.runner.close()

    async def kill(self, before: set[asyncio.Task[object]]) -> None:
        """As if the process had gone: nothing of it says or keeps another word."""
        mine = asyncio.all_tasks() - before
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def notifications(self) -> list[Notification]:
        return await self.center.listed(limit=200, unread_only=False, before=None)

    async def notified(self, count: int = 1) -> None:
        await until(lambda: len(self.told) >= count)


class House:
    """One database and one agent, for one life after another."""

    def __init__(self, database: str, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self.agent = HeldAgent(folder / "run")

    @asynccontextmanager
    async def life(self, *, ends_by: str = "stop", max_parallel: int = 4) -> AsyncIterator[Life]:
        """A gateway that is stopped at the end of the block, or dies there."""
        before = asyncio.all_tasks()
        storage = await open_storage(self._database)
        registry = ProviderRegistry([self.agent])
        await registry.refresh()
        life = Life(storage, self._folder, registry, max_parallel=max_parallel)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await life.start()
                yield life
                await (life.stop() if ends_by == "stop" else life.kill(before))
        finally:
            await life.kill(before)
            await storage.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the others go on until that is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - of what others do, in the database and elsewhere
            await asyncio.sleep(0.001)


def run_of(
    prompt: str,
    *,
    run_id: str = "r1",
    key: SessionKey | None = None,
    repeats: bool = False,
    provider: str | None = None,
) -> Run:
    return Run(
        id=run_id,
        source="task",
        source_id=None,
        title="A thing",
        prompt=prompt,
        key=key or own_session(),
        agent="main",
        provider=provider,
        repeats=repeats,
        created_at=4000.0,
    )


async def assert_ended_once(life: Life, run_id: str, status: str, severity: str) -> Notification:
    """That run has that end, and there is one notification of it: kept, told, and counted."""
    run = await life.runner.get(run_id)
    assert (run.status, run.ended_at) == (status, 5000.0)
    kept = [one for one in await life.notifications() if one.source_id == run_id]
    assert life.told.count(kept[0]) == 1
    assert len(kept) == 1
    assert (kept[0].status, kept[0].severity, kept[0].type, kept[0].session_id) == (
        status,
        severity,
        "task",
        run.session_id,
    )
    assert life.center.unread == len(await life.notifications())
    return kept[0]


@pytest.fixture
def house(database: str, tmp_path: Path) -> House:
    return House(database, tmp_path)


# --- how a run ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "status", "severity", "title", "body"),
    [
        ("SAY hi there", "done", "info", "A thing is done", "hi there"),
        ("FAIL oh", "failed", "critical", "A thing has failed", "The agent failed unexpectedly."),
        ("BURST 100000", "failed", "critical", "A thing has failed", "Its answer was too large."),
        ("THINK hm", "done", "info", "A thing is done", "It said nothing."),
    ],
)
async def test_the_end_of_a_run_and_one_notification_of_it_are_kept_and_told(
    house: House, prompt: str, status: str, severity: str, title: str, body: str
) -> None:
    async with house.life() as life:
        added = await life.runner.add(run_of(prompt))
        kept = await life.runner.get("r1")  # it may have begun already
        assert (kept.id, kept.prompt, kept.created_at) == (added.id, prompt, added.created_at)
        await life.notified()
        notification = await assert_ended_once(life, "r1", status, severity)
        assert (notification.title, notification.agent, notification.created_at) == (title, "main", 5000.0)
        assert notification.body.startswith(body)
        assert (notification.chat_id, notification.channel_id) == (None, None)
        ended = await life.runner.get("r1")
        assert (ended.started_at, ended.attempt) == (5000.0, 1)


async def test_a_run_in_a_chat_belongs_to_it_and_takes_its_turn_there(house: House) -> None:
    async with house.life() as life:
        await life.runner.add(run_of("SAY in the chat", key=CHAT, provider="scripted"))
        await life.notified()
        notification = await assert_ended_once(life, "r1", "done", "info")
        assert (notification.chat_id, notification.channel_id) == (7, 8)
        assert house.agent.begun == ["SAY in the chat"]
        assert (await life.orchestrator.open(CHAT)).choice is None, "who answers there otherwise has not changed"


async def test_a_run_of_its_own_is_answered_by_whom_it_names(house: House) -> None:
    async with house.life() as life:
        await life.runner.add(run_of("SAY hi", provider="nobody"))
        await life.notified()
        notification = await assert_ended_once(life, "r1", "failed", "critical")
        assert "nobody" in notification.body


async def test_a_run_is_kept_and_taken_once(house: House) -> None:
    async with house.life() as life:
        run = await life.runner.add(run_of("HOLD a"))
        with pytest.raises(Conflict):
            await life.runner.add(run_of("HOLD a"))
        life.runner.take(run)
        assert await life.runner.is_busy("job") is False
        await until(lambda: house.agent.begun == ["HOLD a"])
        life.runner.take(run)
        house.agent.let_go("HOLD a")
        await life.notified()
        await assert_ended_once(life, "r1", "done", "info")
        assert house.agent.begun == ["HOLD a"]
        with pytest.raises(NotFound):
            await life.runner.get("r2")


async def test_a_long_title_does_not_hide_how_it_ended(house: House) -> None:
    async with house.life() as life:
        await life.runner.add(replace(run_of("SAY hi"), title="long " * 40))
        await life.notified()
        assert (await assert_ended_once(life, "r1", "done", "info")).title.endswith(" is done")


# --- how many at once -------------------------------------------------------------------------------------------------


async def test_so_many_run_at_once_and_the_others_wait_in_their_order(house: House) -> None:
    prompts = [f"HOLD {number}" for number in range(6)]
    async with house.life(max_parallel=2) as life:
        for number, prompt in enumerate(prompts):
            await life.runner.add(run_of(prompt, run_id=f"r{number}"))
        await until(lambda: len(house.agent.begun) == 2)
        listed = await life.runner.listed(source="task")
        assert [(run.id, run.status) for run in listed] == [
            *((f"r{number}", "queued") for number in (5, 4, 3, 2)),
            ("r1", "running"),
            ("r0", "running"),
        ]
        assert sorted(house.agent.begun) == prompts[:2]
        for ended, number in enumerate((1, 0, 2, 3, 4, 5), 1):
            house.agent.let_go(f"HOLD {number}")
            begun = min(ended + 2, 6)
            await life.notified(ended)
            await until(lambda: len(house.agent.begun) == begun)  # noqa: B023 - it is over before the next
            assert sorted(house.agent.begun) == prompts[:begun]
        assert life.center.unread == 6


# --- cancelling -------------------------------------------------------------------------------------------------------


async def test_one_that_runs_is_stopped_with_what_it_has_said(house: House) -> None:
    async with house.life() as life:
        await life.runner.add(run_of("HOLD a"))
        await until(lambda: house.agent.begun == ["HOLD a"])
        session = await life.orchestrator.open((await life.runner.get("r1")).key)
        await until(lambda: session.running_turn is not None and session.log.text(session.running_turn) != "")
        cancelled = await life.runner.cancel("r1")
        assert (cancelled.status, cancelled.answer, cancelled.error) == ("aborted", "a so far", None)
        await assert_ended_once(life, "r1", "aborted", "info")
        with pytest.raises(Conflict):
            await life.runner.cancel("r1")
        assert len(life.told) == 1


async def test_one_that_waits_never_runs(house: House) -> None:
    async with house.life(max_parallel=1) as life:
        await life.runner.add(run_of("HOLD a"))
        await life.runner.add(run_of("SAY never", run_id="r2"))
        await until(lambda: house.agent.begun == ["HOLD a"])
        assert (await life.runner.cancel("r2")).status == "aborted"
        await assert_ended_once(life, "r2", "aborted", "info")
        house.agent.let_go("HOLD a")
        await life.notified(2)
        assert house.agent.begun == ["HOLD a"]
    async with house.life() as life:
        assert (await life.runner.get("r2")).status == "aborted"
    assert house.agent.begun == ["HOLD a"]


async def test_nothing_unknown_is_cancelled(house: House) -> None:
    async with house.life() as life:
        with pytest.raises(NotFound):
            await life.runner.cancel("r1")


async def test_one_that_is_about_to_run_never_does(house: House) -> None:
    async with house.life() as life:
        life.agents.gates.hold("opened")
        await life.runner.add(run_of("SAY never"))
        await until(lambda: life.agents.gates.tried == ["opened"])
        cancelling = asyncio.create_task(life.runner.cancel("r1"))
        for _ in range(5):
            await life.runner.get("r1")
        life.agents.gates.let_go("opened")
        assert (await cancelling).status == "aborted"
        await assert_ended_once(life, "r1", "aborted", "info")
        assert house.agent.begun == []


async def test_one_that_is_kept_but_not_taken_yet_never_runs(house: House) -> None:
    async with house.life() as life:
        run = run_of("SAY never")
        assert await life.runs.add(run)
        assert (await life.runner.cancel("r1")).status == "aborted"
        await assert_ended_once(life, "r1", "aborted", "info")
        life.runner.take(run)
        await until(lambda: life.agents.gates.tried == ["opened"])
        await life.runner.add(run_of("SAY other", run_id="r2"))
        await life.notified(2)
        assert house.agent.begun == ["SAY other"]


@pytest.mark.parametrize("step", ["end", "kept"])
async def test_one_whose_end_is_being_kept_keeps_that_end(house: House, step: str) -> None:
    async with house.life() as life:
        life.runs.gates.hold(step)
        await life.runner.add(run_of("SAY whole"))
        await until(lambda: step in life.runs.gates.tried)
        cancelling = asyncio.create_task(life.runner.cancel("r1"))
        for _ in range(5):
            await life.runner.get("r1")
        life.runs.gates.let_go(step)
        await asyncio.gather(cancelling, return_exceptions=True)  # it may be too late, or tell of that end
        await life.notified()
        await assert_ended_once(life, "r1", "done", "info")


# --- one gateway after another ----------------------------------------------------------------------------------------


async def test_a_gateway_that_stops_ends_what_runs_and_leaves_what_waits(house: House) -> None:
    async with house.life(max_parallel=1) as life:
        await life.runner.add(run_of("HOLD a"))
        await life.runner.add(run_of("SAY later", run_id="r2"))
        await until(lambda: house.agent.begun == ["HOLD a"])
        await life.stop()
        await assert_ended_once(life, "r1", "interrupted", "warning")
        assert (await life.runner.get("r2")).status == "queued"
    async with house.life() as life:
        await life.notified()
        await assert_ended_once(life, "r2", "done", "info")
        assert [one.source_id for one in await life.notifications()] == ["r2", "r1"]
    assert house.agent.begun == ["HOLD a", "SAY later"]


async def test_what_waited_when_the_gateway_died_runs_once_in_the_next(house: House) -> None:
    async with house.life(max_parallel=1, ends_by="kill") as life:
        for number in range(3):
            await life.runner.add(run_of(f"HOLD {number}", run_id=f"r{number}"))
        await until(lambda: house.agent.begun == ["HOLD 0"])
    for number in range(3):
        house.agent.let_go(f"HOLD {number}")
    async with house.life() as life:
        await life.notified(3)
        await assert_ended_once(life, "r0", "interrupted", "warning")
        await assert_ended_once(life, "r1", "done", "info")
        await assert_ended_once(life, "r2", "done", "info")
    assert sorted(house.agent.begun) == ["HOLD 0", "HOLD 1", "HOLD 2"]
    async with house.life() as life:
        assert life.told == []
        assert len(await life.notifications()) == 3


async def test_one_that_was_about_to_run_when_the_gateway_died_runs_in_the_next(house: House) -> None:
    async with house.life(ends_by="kill") as life:
        life.agents.gates.hold("opened")
        await life.runner.add(run_of("SAY once"))
        await until(lambda: life.agents.gates.tried == ["opened"])
    async with house.life() as life:
        await life.notified()
        await assert_ended_once(life, "r1", "done", "info")
    assert house.agent.begun == ["SAY once"]


async def test_an_end_that_was_not_kept_when_the_gateway_died_is_told_by_the_next(house: House) -> None:
    async with house.life(ends_by="kill") as life:
        life.runs.gates.hold("end")
        await life.runner.add(run_of("SAY once"))
        await until(lambda: life.runs.gates.tried == ["end"])
        assert life.told == []
    async with house.life() as life:
        await life.notified()
        notification = await assert_ended_once(life, "r1", "done", "info")
        assert notification.body == "once"
    assert house.agent.begun == ["SAY once"]


async def test_an_end_that_was_kept_when_the_gateway_died_is_found_unread(house: House) -> None:
    async with house.life(ends_by="kill") as life:
        life.runs.gates.hold("kept")
        await life.runner.add(run_of("SAY once"))
        await until(lambda: "kept" in life.runs.gates.tried)
    async with house.life() as life:
        assert life.told == []
        assert [one.body for one in await life.notifications()] == ["once"]
        assert life.center.unread == 1
    assert house.agent.begun == ["SAY once"]


async def test_an_end_that_the_database_does_not_take_is_kept_as_soon_as_it_does(house: House) -> None:
    async with house.life() as life:
        life.runs.is_broken = True
        await life.runner.add(run_of("SAY once"))
        await until(lambda: life.runs.gates.tried == ["end"])
        life.runs.is_broken = False
        await life.notified()
        await assert_ended_once(life, "r1", "done", "info")
    assert house.agent.begun == ["SAY once"]


async def test_an_end_that_the_database_never_took_is_kept_in_the_next_gateway(house: House) -> None:
    async with house.life() as life:
        life.runs.is_broken = True
        await life.runner.add(run_of("SAY once"))
        await until(lambda: life.runs.gates.tried == ["end"])
        life.runs.is_broken = False
    async with house.life() as life:
        await until(lambda: life.center.unread == 1)
        assert (await life.runner.get("r1")).status == "done"
        assert len(await life.notifications()) == 1
    assert house.agent.begun == ["SAY once"]


# --- those that are to be repeated ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends_by", ["stop", "kill"])
async def test_one_that_repeats_runs_again_in_the_next_gateway(house: House, ends_by: str) -> None:
    async with house.life(ends_by=ends_by) as life:
        await life.runner.add(run_of("HOLD a", repeats=True))
        await until(lambda: house.agent.begun == ["HOLD a"])
    assert life.told == []
    house.agent.let_go("HOLD a")
    async with house.life() as life:
        await life.notified()
        await assert_ended_once(life, "r1", "done", "info")
        ended = await life.runner.get("r1")
        assert (ended.attempt, ended.answer) == (2, "a so far")
    assert house.agent.begun == ["HOLD a"] * 2


async def test_one_that_repeats_is_given_up_after_some_attempts(house: House) -> None:
    for attempt in range(1, MOST_ATTEMPTS + 1):
        async with house.life(ends_by="kill") as life:
            if attempt == 1:
                await life.runner.add(run_of("HOLD a", repeats=True))
            await until(lambda: len(house.agent.begun) == attempt)  # noqa: B023 - it is over before the next
    async with house.life() as life:
        await life.notified()
        await assert_ended_once(life, "r1", "interrupted", "warning")
    assert len(house.agent.begun) == MOST_ATTEMPTS


async def test_one_that_repeats_and_is_cancelled_does_not_run_again(house: House) -> None:
    async with house.life() as life:
        await life.runner.add(run_of("HOLD a", repeats=True))
        await until(lambda: house.agent.begun == ["HOLD a"])
        assert (await life.runner.cancel("r1")).status == "aborted"
    async with house.life() as life:
        assert (await life.runner.get("r1")).status == "aborted"
    assert house.agent.begun == ["HOLD a"]
