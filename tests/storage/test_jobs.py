"""Cron jobs in both databases: kept, changed, found when they are due, and each of their times dealt with once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.jobs import Job, JobStore
from sygen_bot.storage.runs import Run, RunStore

JOB = Job(
    id="j1",
    title="Good morning",
    schedule="30 7 * * 1-5",
    timezone="Europe/Berlin",
    prompt="SAY hello",
    agent="main",
    provider="scripted",
    model=None,
    chat_id=2**53 - 1,
    channel_id=8,
    quiet_from="22:00",
    quiet_to="07:00",
    is_enabled=True,
    missed="run_once",
    created_at=1000.25,
    updated_at=1000.25,
    due_at=1200.0,
)
RUN = Run(
    id="j1-1200",
    source="cron",
    source_id="j1",
    title="Good morning",
    prompt="SAY hello",
    key=SessionKey("api", 7, 8),
    agent="main",
    created_at=1200.5,
)


@pytest.fixture
def jobs(storage: Storage) -> JobStore:
    return JobStore(storage)


@pytest.fixture
def runs(storage: Storage) -> RunStore:
    return RunStore(storage)


async def test_a_job_is_kept_as_it_is_and_changed_as_a_whole(jobs: JobStore) -> None:
    await jobs.add(JOB)
    assert await jobs.get("j1") == JOB
    changed = replace(
        JOB,
        title="Good night",
        chat_id=None,
        channel_id=None,
        quiet_from=None,
        quiet_to=None,
        is_enabled=False,
        due_at=None,
    )
    assert await jobs.update(changed)
    assert await jobs.get("j1") == changed
    assert await jobs.remove("j1")
    assert await jobs.get("j1") is None
    assert not await jobs.remove("j1")
    assert not await jobs.update(changed)


async def test_text_that_no_database_holds_is_kept_readable(jobs: JobStore) -> None:
    await jobs.add(replace(JOB, title="a\0\nb", prompt="c\0\ud800\nd"))
    kept = await jobs.get("j1")
    assert kept is not None
    assert (kept.title, kept.prompt) == ("a\ufffd b", "c\ufffd\ufffd\nd")
    assert await jobs.get("\0\ud800") is None
    assert not await jobs.remove("\0")


async def test_jobs_are_listed_oldest_first_and_found_when_they_are_due(jobs: JobStore) -> None:
    assert await jobs.listed() == []
    assert await jobs.next_due_at() is None
    later, earlier = replace(JOB, id="a", created_at=2000.0, due_at=500.0), replace(JOB, id="b", due_at=1500.0)
    off, never = replace(JOB, id="c", is_enabled=False, created_at=3000.0), replace(JOB, id="d", due_at=None)
    for job in (later, earlier, off, never):
        await jobs.add(job)
    assert [job.id for job in await jobs.listed()] == ["b", "d", "a", "c"]
    assert [job.id for job in await jobs.due(499.9)] == []
    assert [job.id for job in await jobs.due(500.0)] == ["a"]
    assert [job.id for job in await jobs.due(9999.0)] == ["a", "b"]
    assert await jobs.next_due_at() == 500.0


async def test_a_time_is_dealt_with_once_and_together_with_its_run(jobs: JobStore, runs: RunStore) -> None:
    await jobs.add(JOB)
    assert await jobs.fire(JOB, due_at=1200.0, next_due_at=1260.0, run=RUN)
    assert await jobs.get("j1") == replace(JOB, due_at=1260.0)
    assert await runs.get(RUN.id) == RUN
    assert not await jobs.fire(JOB, due_at=1200.0, next_due_at=1320.0, run=replace(RUN, id="another"))
    assert await jobs.get("j1") == replace(JOB, due_at=1260.0)
    assert await runs.get("another") is None
    assert not await jobs.fire(JOB, due_at=1260.0, next_due_at=None, run=None), "there is no run of it"
    assert await jobs.get("j1") == replace(JOB, due_at=None)


async def test_a_run_that_is_known_is_not_added_again_but_its_time_is_over(jobs: JobStore, runs: RunStore) -> None:
    await jobs.add(JOB)
    await runs.add(replace(RUN, title="the first"))
    assert not await jobs.fire(JOB, due_at=1200.0, next_due_at=1260.0, run=RUN)
    assert await jobs.get("j1") == replace(JOB, due_at=1260.0)
    kept = await runs.get(RUN.id)
    assert kept is not None
    assert kept.title == "the first"


async def test_a_job_that_was_changed_or_removed_meanwhile_is_left_alone(jobs: JobStore, runs: RunStore) -> None:
    await jobs.add(JOB)
    await jobs.update(replace(JOB, prompt="SAY something else", updated_at=1100.0))
    assert not await jobs.fire(JOB, due_at=1200.0, next_due_at=1260.0, run=RUN)
    await jobs.remove("j1")
    assert not await jobs.fire(JOB, due_at=1200.0, next_due_at=1260.0, run=RUN)
    assert await runs.get(RUN.id) is None


async def test_the_runs_of_a_job_stay_when_it_is_removed(jobs: JobStore, runs: RunStore) -> None:
    await jobs.add(JOB)
    await jobs.fire(JOB, due_at=1200.0, next_due_at=1260.0, run=RUN)
    await jobs.remove("j1")
    assert await runs.get(RUN.id) == RUN
