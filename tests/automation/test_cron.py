"""Cron jobs with real runs: each time is dealt with once, whatever becomes of the gateway and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from sygen_bot.automation.cron import Cron, JobChanges, NewJob
from sygen_bot.automation.runner import Runner
from sygen_bot.errors import Conflict, NotFound, RequestError, StorageError
from sygen_bot.events import Finished, ProviderEvent
from sygen_bot.notifications.center import NotificationCenter, Read
from sygen_bot.providers.base import Turn
from sygen_bot.providers.registry import ProviderRegistry
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage, open_storage
from sygen_bot.storage.jobs import Job, JobStore
from sygen_bot.storage.notifications import Notification, NotificationStore
from sygen_bot.storage.runs import RunStore
from sygen_bot.storage.sessions import SessionStore
from sygen_bot.testing.scripted import ScriptedProvider
from tests.orchestrator.alone import orchestrator_alone

BERLIN = "Europe/Berlin"
PATIENCE_S = 20
MINUTE, HOUR, DAY = 60, 3600, 86_400


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


class Clock:
    """Stands still until it is set. `looked_at`: somebody asked for the time since it was cleared."""

    def __init__(self, text: str) -> None:
        self.now = at(text)
        self.looked_at = asyncio.Event()

    def __call__(self) -> float:
        self.looked_at.set()
        return self.now

    def show(self, text: str) -> None:
        self.now = at(text)


class Agent(ScriptedProvider):
    """The scripted agent, that also takes `HOLD` and ends it when it is let go. `asked`: what it was told to do."""

    def __init__(self, folder: Path) -> None:
        super().__init__(run_dir=folder)
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]:
        self.asked.append(turn.text)
        if turn.text == "HOLD":
            await self.go.wait()
            yield Finished()
            return
        async with aclosing(super().run(turn)) as events:
            async for event in events:
                yield event


class BrokenJobs(JobStore):
    """A real store on a disk that fails for a while."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.is_broken = False
        self.has_failed = asyncio.Event()

    async def due(self, now: float) -> list[Job]:
        if self.is_broken:
            self.has_failed.set()
            raise StorageError("The disk is full", "Make room.")
        return await super().due(now)


class Life:
    """A gateway without its API, from its start to its end."""

    def __init__(self, storage: Storage, folder: Path, registry: ProviderRegistry, clock: Clock) -> None:
        self.orchestrator = orchestrator_alone(storage, registry, folder, store=SessionStore(storage))
        self.center = NotificationCenter(NotificationStore(storage))
        self.told: list[Notification] = []
        self.center.listen(self._hear)
        self._told_more = asyncio.Event()
        self.jobs = BrokenJobs(storage)
        self.runner = Runner(
            agents=self.orchestrator, store=RunStore(storage), notifications=self.center, max_parallel=4, clock=clock
        )
        self.cron = Cron(
            store=self.jobs,
            runner=self.runner,
            agents=["main", "other"],
            default_agent="main",
            default_timezone=BERLIN,
            clock=clock,
        )

    async def stop(self) -> None:
        self.runner.refuse()
        await self.orchestrator.drain(0)
        await self.runner.close()

    async def ended(self, count: int) -> list[Notification]:
        """Wait for the ends of so many runs, and return what was told of them."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < count:
                self._told_more.clear()
                await self._told_more.wait()
        return self.told

    def _hear(self, news: Notification | Read) -> None:
        assert isinstance(news, Notification)
        self.told.append(news)
        self._told_more.set()


class House:
    """A database and an agent, for one life after another."""

    def __init__(self, database: str, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self.agent = Agent(folder / "run")
        self.clock = Clock("2026-07-01 12:00")

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Life]:
        storage = await open_storage(self._database)
        registry = ProviderRegistry([self.agent])
        await registry.refresh()
        life = Life(storage, self._folder, registry, self.clock)
        try:
            await life.orchestrator.take_up(await SessionStore(storage).recover(max_age_s=10**9))
            await life.center.start()
            await life.runner.start()
            yield life
        finally:
            await life.stop()
            await storage.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(f"sqlite:///{tmp_path / 'sygen.db'}", tmp_path)


@pytest.fixture
async def life(house: House) -> AsyncIterator[Life]:
    async with house.life() as life:
        yield life


@pytest.fixture
def clock(house: House) -> Clock:
    return house.clock


async def add(life: Life, schedule: str = "0 13 * * *", prompt: str = "SAY good day", **options: object) -> Job:
    return await life.cron.create(title="Greeting", schedule=schedule, prompt=prompt, **options)  # type: ignore[arg-type]


async def outcomes(life: Life, job: Job) -> list[tuple[str, str | None]]:
    """How the runs of a job ended, the oldest first."""
    return [(run.status, run.error or run.answer) for run in reversed(await life.cron.runs(job.id, limit=100))]


async def test_a_job_runs_when_it_is_due_and_its_end_is_told(database: str, tmp_path: Path) -> None:
    house = House(database, tmp_path)
    async with house.life() as life:
        job = await add(life)
        assert job.due_at == await life.cron.tick() == at("2026-07-01 13:00")
        assert await life.cron.runs(job.id, limit=1) == []
        house.clock.show("2026-07-01 13:00")
        assert await life.cron.tick() == at("2026-07-02 13:00")
        (told,) = await life.ended(1)
        assert (told.type, told.source_id, told.status, told.body) == ("cron", job.id, "done", "good day")
        (run,) = await life.cron.runs(job.id, limit=10)
        assert (run.source, run.source_id, run.title, run.status) == ("cron", job.id, "Greeting", "done")
        assert run.key.transport == "task"
        assert run == await life.cron.last_run(job)
        assert (await life.cron.get(job.id)).due_at == at("2026-07-02 13:00")
        await life.cron.tick()
        assert house.agent.asked == ["SAY good day"]


async def test_a_job_can_answer_in_a_chat(life: Life, clock: Clock) -> None:
    job = await add(life, chat_id=7, channel_id=8)
    clock.show("2026-07-01 13:00")
    await life.cron.tick()
    (told,) = await life.ended(1)
    assert (told.chat_id, told.channel_id) == (7, 8)
    (run,) = await life.cron.runs(job.id, limit=10)
    assert run.key == SessionKey("api", 7, 8)


async def test_a_job_that_still_runs_is_not_run_beside_itself(life: Life, house: House) -> None:
    job = await add(life, "*/5 * * * *", "HOLD")
    house.clock.show("2026-07-01 12:05")
    await life.cron.tick()
    house.clock.show("2026-07-01 12:10")
    await life.cron.tick()
    with pytest.raises(Conflict):
        await life.cron.run_now(job.id)
    house.agent.go.set()
    await life.ended(1)
    house.clock.show("2026-07-01 12:15")
    await life.cron.tick()
    await life.ended(2)
    assert await outcomes(life, job) == [
        ("done", ""),
        ("skipped", "The run before it had not ended."),
        ("done", ""),
    ]
    assert house.agent.asked == ["HOLD", "HOLD"]
    assert len(life.told) == 2


async def test_it_is_quiet_in_quiet_hours_and_that_is_recorded(life: Life, house: House) -> None:
    job = await add(life, "0 * * * *", quiet_from="22:00", quiet_to="00:00")
    for now in ("21:00", "22:00", "23:00"):
        house.clock.show(f"2026-07-01 {now}")
        await life.cron.update(job.id, is_enabled=False)  # so that the hours in between are not missed
        house.clock.now -= 1
        await life.cron.update(job.id, is_enabled=True)
        house.clock.now += 1
        await life.cron.tick()
    await life.ended(1)
    house.clock.show("2026-07-02 00:00")
    await life.cron.tick()
    await life.ended(2)
    quiet = ("skipped", "These are the quiet hours of the job.")
    assert await outcomes(life, job) == [("done", "good day"), quiet, quiet, ("done", "good day")]
    skipped = (await life.cron.runs(job.id, limit=2))[1]
    assert (skipped.started_at, skipped.ended_at) == (None, at("2026-07-01 23:00"))
    assert len(life.told) == 2


async def test_run_now_runs_a_job_that_is_off_or_quiet_and_leaves_its_schedule_alone(life: Life) -> None:
    job = await add(life, quiet_from="11:00", quiet_to="14:00", is_enabled=False)
    assert job.due_at is None
    run = await life.cron.run_now(job.id)
    assert (run.source_id, run.status) == (job.id, "queued")
    await life.ended(1)
    await life.cron.run_now(job.id)
    await life.ended(2)
    assert await outcomes(life, job) == [("done", "good day")] * 2
    assert await life.cron.tick() is None
    assert (await life.cron.get(job.id)).due_at is None


@pytest.mark.parametrize("late_s", [0, 1, 59, 60])
async def test_a_minute_late_is_not_missed(life: Life, clock: Clock, late_s: int) -> None:
    job = await add(life)
    clock.now = at("2026-07-01 13:00") + late_s
    await life.cron.tick()
    await life.ended(1)
    assert await outcomes(life, job) == [("done", "good day")]


async def test_missed_times_are_passed_over(life: Life, clock: Clock) -> None:
    job = await add(life, "0 * * * *")
    clock.show("2026-07-04 15:01:01")
    assert await life.cron.tick() == at("2026-07-04 16:00")
    assert await outcomes(life, job) == []
    clock.show("2026-07-04 16:00")
    await life.cron.tick()
    await life.ended(1)


async def test_the_time_that_is_not_missed_yet_runs_after_missed_ones(life: Life, clock: Clock) -> None:
    job = await add(life, "0 * * * *")
    clock.show("2026-07-04 15:00:30")
    assert await life.cron.tick() == at("2026-07-04 16:00")
    await life.ended(1)
    assert [run.id for run in await life.cron.runs(job.id, limit=10)] == [f"{job.id}-{int(at('2026-07-04 15:00'))}"]


async def test_of_two_times_that_come_late_together_the_second_is_no_second_run(life: Life, house: House) -> None:
    job = await add(life, "* * * * *", "HOLD")
    house.clock.show("2026-07-01 12:02")
    await life.cron.tick()
    house.agent.go.set()
    await life.ended(1)
    assert [status for status, _ in await outcomes(life, job)] == ["done", "skipped"]


async def test_however_many_were_missed_they_run_once_if_that_is_wanted(life: Life, house: House) -> None:
    job = await add(life, "0 * * * *", missed="run_once")
    house.clock.show("2026-07-04 15:30")
    assert await life.cron.tick() == at("2026-07-04 16:00")
    await life.ended(1)
    assert await outcomes(life, job) == [("done", "good day")]


async def test_missed_times_do_not_run_in_quiet_hours_nor_because_of_them(life: Life, clock: Clock) -> None:
    nightly = await add(life, "0 3 * * *", missed="run_once", quiet_from="22:00", quiet_to="07:00")
    hourly = await add(life, "0 * * * *", missed="run_once", quiet_from="22:00", quiet_to="07:00")
    clock.show("2026-07-03 23:30")
    await life.cron.tick()
    assert await outcomes(life, nightly) == []
    assert await outcomes(life, hourly) == [("skipped", "These are the quiet hours of the job.")]
    clock.show("2026-07-04 06:30")
    await life.cron.tick()
    clock.show("2026-07-04 07:00:10")
    await life.cron.tick()
    await life.ended(1)
    assert (await outcomes(life, hourly))[-1] == ("done", "good day")
    assert await outcomes(life, nightly) == []


@pytest.mark.parametrize(("missed", "runs"), [("skip", 0), ("run_once", 1)])
async def test_what_was_due_while_no_gateway_ran_was_missed(house: House, missed: str, runs: int) -> None:
    async with house.life() as life:
        job = await add(life, missed=missed)
    house.clock.show("2026-07-03 14:00")
    async with house.life() as life:
        assert await life.cron.tick() == at("2026-07-04 13:00")
        await life.ended(runs)
        assert len(await life.cron.runs(job.id, limit=10)) == runs


async def test_a_crash_between_the_time_and_its_run_neither_loses_nor_doubles_it(database: str, tmp_path: Path) -> None:
    house = House(database, tmp_path)
    async with house.life() as life:
        job = await add(life)
        house.clock.show("2026-07-01 13:00")
        life.runner.refuse()  # it is kept, and then there is nobody to run it
        await life.cron.tick()
        assert [run.status for run in await life.cron.runs(job.id, limit=10)] == ["queued"]
    async with house.life() as life:
        await life.cron.tick()
        await life.ended(1)
        await life.cron.tick()
        assert await outcomes(life, job) == [("done", "good day")]
    async with house.life() as life:
        await life.cron.tick()
        assert house.agent.asked == ["SAY good day"]


async def test_a_clock_that_is_set_back_repeats_nothing_and_stops_nothing(house: House) -> None:
    async with house.life() as life:
        job = await add(life)
        house.clock.show("2026-07-01 13:00")
        await life.cron.tick()
        await life.ended(1)
        house.clock.show("2026-07-01 12:59")
        assert await life.cron.tick() == at("2026-07-01 13:00")
        house.clock.show("2026-07-01 13:00:20")
        assert await life.cron.tick() == at("2026-07-02 13:00")
        assert len(await life.cron.runs(job.id, limit=10)) == 1

        house.clock.show("2036-01-01 12:00")
        assert await life.cron.tick() == at("2036-01-01 13:00")
        house.clock.show("2026-07-01 15:00")
        assert await life.cron.tick() == at("2026-07-02 13:00")

        house.clock.show("2036-01-01 12:00")
        await life.cron.tick()
    house.clock.show("2026-07-02 12:00")
    async with house.life() as life:
        assert await life.cron.tick() == at("2026-07-02 13:00"), "it was set back while no gateway ran"
        house.clock.show("2026-07-02 13:00")
        await life.cron.tick()
        await life.ended(1)
    assert house.agent.asked == ["SAY good day"] * 2


async def test_the_days_when_the_clocks_change_have_each_time_once(house: House) -> None:
    house.clock.show("2026-10-24 23:00")
    async with house.life() as life:
        job = await add(life, "30 2 * * *")
        end = at("2026-10-26 12:00")
        while house.clock.now < end:
            due_at = await life.cron.tick()
            assert due_at is not None
            await life.ended(len(await life.cron.runs(job.id, limit=10)))
            house.clock.now = min(house.clock.now + 20 * MINUTE, due_at if due_at > house.clock.now else end)
        await life.ended(2)
        runs = [int(run.created_at) for run in reversed(await life.cron.runs(job.id, limit=10))]
        assert runs == [at("2026-10-25 02:30"), at("2026-10-26 02:30")]
        assert runs[1] - runs[0] == DAY + HOUR


async def test_changes_set_the_next_time_anew_where_they_touch_it(life: Life, clock: Clock) -> None:
    job = await add(life)
    clock.show("2026-07-01 13:00:10")
    assert (await life.cron.update(job.id, title="Another", prompt="SAY else")).due_at == at("2026-07-01 13:00")
    later = await life.cron.update(job.id, schedule="0 18 * * *")
    assert later.due_at == at("2026-07-01 18:00")
    assert later.updated_at == clock.now
    elsewhere = await life.cron.update(job.id, timezone="America/New_York")
    assert elsewhere.due_at == at("2026-07-02 00:00")
    assert (await life.cron.update(job.id, is_enabled=False)).due_at is None
    again = await life.cron.update(job.id, is_enabled=True, timezone=None)
    assert (again.due_at, again.timezone) == (at("2026-07-01 18:00"), BERLIN)
    assert again == await life.cron.get(job.id)
    assert await life.cron.listed() == [again]
    await life.cron.remove(job.id)
    assert await life.cron.tick() is None


async def test_what_is_not_there_is_not_found(life: Life) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: life.cron.get("x"),
        lambda: life.cron.update("x", title="y"),
        lambda: life.cron.remove("x"),
        lambda: life.cron.run_now("\0"),
        lambda: life.cron.runs("\ud800", limit=1),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            await call()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": " \n"}, "A title has"),
        ({"title": "x" * 201}, "A title has"),
        ({"prompt": " \n"}, "A prompt has"),
        ({"prompt": "x" * 100_001}, "A prompt has"),
        ({"agent": "nobody"}, "There is no agent 'nobody'. There are: main, other."),
        ({"schedule": "0 0 30 2 *"}, "never comes"),
        ({"timezone": "Mars/Olympus"}, "There is no time zone 'Mars/Olympus'"),
        ({"chat_id": 0}, "`chat_id` is a whole number"),
        ({"chat_id": 2**53}, "`chat_id` is a whole number"),
        ({"chat_id": 1, "channel_id": -1}, "`channel_id` is a whole number"),
        ({"channel_id": 1}, "give `chat_id`, too"),
        ({"model": "m"}, "give `provider`, too"),
        ({"provider": ""}, "The name of a provider"),
        ({"provider": "a b"}, "The name of a provider"),
        ({"provider": "x", "model": "m" * 101}, "The name of a model"),
        ({"provider": "x\0"}, "The name of a provider"),
        ({"quiet_from": "22:00"}, "give both"),
        ({"quiet_from": "25:00", "quiet_to": "07:00"}, "not '25:00'"),
        ({"missed": "always"}, "`skip` or `run_once`"),
    ],
)
async def test_what_cannot_be_is_refused_when_a_job_is_made_and_when_it_is_changed(
    life: Life, changes: JobChanges, reason: str
) -> None:
    job = await add(life)
    with pytest.raises(RequestError, match=r".*") as refused:
        await life.cron.update(job.id, **changes)
    assert reason in str(refused.value)
    assert refused.value.code == "invalid"
    complete = {"title": "Greeting", "schedule": "* * * * *", "prompt": "SAY hello"} | dict(changes)
    with pytest.raises(RequestError, match=r".*") as refused:
        await life.cron.create(**cast("NewJob", complete))
    assert reason in str(refused.value)
    assert await life.cron.listed() == [job]


async def test_what_is_written_loosely_is_kept_neatly(life: Life) -> None:
    job = await life.cron.create(title=" a\n b\t", schedule="  0  13 * *\tmon ", prompt="c\ud800")
    assert (job.title, job.schedule, job.prompt) == ("a b", "0 13 * * mon", "c\ufffd")
    assert job == await life.cron.get(job.id)


async def test_the_loop_wakes_up_when_a_job_changes_and_survives_a_database_that_fails(
    life: Life, clock: Clock
) -> None:
    running = asyncio.create_task(life.cron.run())
    try:
        await asyncio.wait_for(clock.looked_at.wait(), PATIENCE_S)
        job = await add(life)
        clock.show("2026-07-01 13:00")
        await life.cron.update(job.id, title="Something else")
        await life.ended(1)

        life.jobs.is_broken = True
        clock.show("2026-07-02 13:00")
        await life.cron.update(job.id, title="Once more")
        await asyncio.wait_for(life.jobs.has_failed.wait(), PATIENCE_S)
        life.jobs.is_broken = False
        await life.cron.update(job.id, title="And again")
        await life.ended(2)
        assert await outcomes(life, job) == [("done", "good day")] * 2
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_time_zone_that_has_gone_stops_only_its_own_job(life: Life, clock: Clock) -> None:
    lost = await add(life)
    await life.jobs.update(replace(lost, timezone="Gone/Away"))
    other = await add(life)
    clock.show("2026-07-01 13:00")
    assert await life.cron.tick() == at("2026-07-02 13:00")
    await life.ended(1)
    assert await outcomes(life, other) == [("done", "good day")]
    assert await outcomes(life, lost) == []
    assert (await life.cron.update(lost.id, timezone=BERLIN)).due_at == at("2026-07-02 13:00")
