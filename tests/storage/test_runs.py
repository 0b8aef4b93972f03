"""Runs as they are kept: begun and ended once, the end together with what is told of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sygen_bot.errors import StorageError
from sygen_bot.session.key import SessionKey
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.notifications import Notification, NotificationStore
from sygen_bot.storage.runs import Run, RunStore, Source, insert_run

FIRST = Run(
    id="r0",
    source="cron",
    source_id="job",
    title="The backup",
    prompt="Back it all up.",
    key=SessionKey("task", 2**53 - 1, None),
    agent="main",
    provider="scripted",
    model="scripted",
    repeats=True,
    created_at=1000.25,
)
TOLD = Notification(
    id="run-r0",
    type="cron",
    title="The backup is done",
    body="All of it.",
    agent="main",
    status="done",
    source_id="job",
    severity="info",
    chat_id=None,
    channel_id=None,
    session_id="s",
    created_at=1003.0,
)


@pytest.fixture
def runs(storage: Storage) -> RunStore:
    return RunStore(storage)


@pytest.fixture
def notifications(storage: Storage) -> NotificationStore:
    return NotificationStore(storage)


async def end(runs: RunStore, run_id: str = "r0", *, notification: Notification | None = TOLD) -> bool:
    return await runs.end(
        run_id, status="done", answer="All of it.", error=None, ended_at=1003.0, notification=notification
    )


async def test_a_run_comes_back_as_it_was_in_every_state(runs: RunStore) -> None:
    assert await runs.add(FIRST)
    assert await runs.get("r0") == FIRST
    assert await runs.begin("r0", session_id="s", started_at=1001.0)
    running = replace(FIRST, status="running", session_id="s", started_at=1001.0)
    assert await runs.get("r0") == running
    assert await runs.begin("r0", session_id="s", started_at=1002.0)
    assert await runs.get("r0") == running, "it began when it began first"
    await runs.repeat("r0", attempt=2)
    assert await runs.get("r0") == replace(FIRST, session_id="s", attempt=2)
    assert await end(runs)
    ended = replace(FIRST, session_id="s", attempt=2, status="done", answer="All of it.", ended_at=1003.0)
    assert await runs.get("r0") == ended


@pytest.mark.parametrize("unknown", ["r1", "", "r0\0", "\ud800"])
async def test_an_unknown_run_is_none(runs: RunStore, unknown: str) -> None:
    await runs.add(FIRST)
    assert await runs.get(unknown) is None
    assert await runs.listed(source=None, source_id=None, before=unknown, limit=9) is None


async def test_an_ended_run_stays_as_it_is(runs: RunStore, notifications: NotificationStore) -> None:
    await runs.add(FIRST)
    assert await end(runs)
    ended = await runs.get("r0")
    assert not await end(runs, notification=replace(TOLD, id="another"))
    assert not await runs.begin("r0", session_id="other", started_at=1.0)
    await runs.repeat("r0", attempt=3)
    assert await runs.get("r0") == ended
    assert await notifications.listed(limit=9, unread_only=False, before=None) == [TOLD]


async def test_an_end_and_its_notification_are_kept_together_or_not_at_all(
    runs: RunStore, notifications: NotificationStore
) -> None:
    await runs.add(FIRST)
    with pytest.raises(StorageError):
        await end(runs, notification=replace(TOLD, severity=None))  # type: ignore[arg-type]
    assert await runs.get("r0") == FIRST
    assert await notifications.unread_count() == 0
    assert await end(runs)
    assert await notifications.unread_count() == 1


async def test_a_run_is_kept_together_with_something_else_or_not_at_all(storage: Storage, runs: RunStore) -> None:
    done: list[str] = []
    assert await runs.add(FIRST, together_with=lambda _connection: done.append("once"))
    assert not await runs.add(FIRST, together_with=lambda _connection: done.append("twice"))
    assert done == ["once"]

    def fails(connection: sa.Connection) -> None:
        assert insert_run(connection, replace(FIRST, id="r1"))
        assert not insert_run(connection, replace(FIRST, id="r1"))
        connection.execute(sa.text("SELECT * FROM there_is_no_such_table"))

    with pytest.raises(StorageError):
        await storage.write(fails)
    assert await runs.get("r1") is None


async def test_what_a_run_says_can_be_anything(runs: RunStore) -> None:
    await runs.add(replace(FIRST, title="two\nlines\0 " + "x" * 300, prompt="nul \0 lone \ud800\nline"))
    kept = await runs.get("r0")
    assert kept is not None
    assert kept.title == ("two lines\ufffd " + "x" * 300)[:200]
    assert kept.prompt == "nul \ufffd lone \ufffd\nline"


async def test_runs_are_listed_by_source_page_by_page_from_the_newest(runs: RunStore) -> None:
    sources: list[tuple[Source, str | None]] = [("task", None), ("cron", "a"), ("cron", "b")]
    for number in range(9):
        source, source_id = sources[number % 3]
        await runs.add(replace(FIRST, id=f"r{number}", source=source, source_id=source_id))

    async def ids(source: Source | None, source_id: str | None, before: str | None, limit: int = 9) -> list[str]:
        found = await runs.listed(source=source, source_id=source_id, before=before, limit=limit)
        return [run.id for run in found or ()]

    assert await ids(None, None, None, 2) == ["r8", "r7"]
    assert await ids(None, None, "r7", 3) == ["r6", "r5", "r4"]
    assert await ids("task", None, None) == ["r6", "r3", "r0"]
    assert await ids("cron", "b", "r8") == ["r5", "r2"]
    assert await ids("cron", "nul\0", None) == []
    assert await ids("cron", None, "r1") == []


async def test_what_has_no_end_is_found_in_its_order(runs: RunStore) -> None:
    for number in range(4):
        await runs.add(replace(FIRST, id=f"r{number}", source_id="a" if number % 2 else "b"))
    await runs.begin("r2", session_id="s", started_at=1.0)
    await end(runs, "r1")
    assert [run.id for run in await runs.unfinished()] == ["r0", "r2", "r3"]
    assert [run.id for run in await runs.unfinished(source_id="a")] == ["r3"]
