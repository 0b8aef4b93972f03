"""Runs of automation as they are kept: waiting, running, ended. A run and the notification of its end are one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa

from sygen_bot.session.key import SessionKey
from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.journal import Operation
from sygen_bot.storage.notifications import Notification, insert_notification
from sygen_bot.storage.tables import runs

Source = Literal["task", "cron", "webhook"]
RunStatus = Literal["queued", "running", "done", "failed", "aborted", "interrupted", "skipped"]

_MAX_TITLE_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of an agent that no person waits for. Times in epoch seconds.

    `source` and `source_id`: what it is a run of, the id of the job or hook, None for a task. `key`: the session in which it
    runs, one of its own or a chat. `provider` and `model`: None for the default. `repeats`: one that a crash interrupted is run again.
    """

    id: str
    source: Source
    source_id: str | None
    title: str
    prompt: str
    key: SessionKey
    agent: str
    provider: str | None = None
    model: str | None = None
    repeats: bool = False
    attempt: int = 1
    status: RunStatus = "queued"
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    session_id: str | None = None
    answer: str | None = None
    error: str | None = None


class RunStore:
    """Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, run: Run, *, together_with: Operation[object] | None = None) -> bool:
        """Keep a run, in one transaction with something else. False, and nothing is done, if one of its id is there."""

        def write(connection: sa.Connection) -> bool:
            if not insert_run(connection, run):
                return False
            if together_with is not None:
                together_with(connection)
            return True

        return await self._storage.write(write)

    async def get(self, run_id: str) -> Run | None:
        query = sa.select(runs).where(runs.c.id == speakable(run_id))
        row = await self._storage.read(lambda connection: connection.execute(query).first())
        return None if row is None else _run(row)

    async def listed(
        self, *, source: Source | None, source_id: str | None, before: str | None, limit: int
    ) -> list[Run] | None:
        """The newest; `before`: those that came before that one. None if there is no such one."""

        def read(connection: sa.Connection) -> list[Run] | None:
            query = sa.select(runs).order_by(runs.c.number.desc()).limit(limit)
            if source is not None:
                query = query.where(runs.c.source == source)
            if source_id is not None:
                query = query.where(runs.c.source_id == speakable(source_id))
            if before is not None:
                number = connection.scalar(sa.select(runs.c.number).where(runs.c.id == speakable(before)))
                if number is None:
                    return None
                query = query.where(runs.c.number < number)
            return [_run(row) for row in connection.execute(query)]

        return await self._storage.read(read)

    async def unfinished(self, *, source_id: str | None = None) -> list[Run]:
        """Those that have no end, oldest first; with `source_id` only those of that job or hook."""
        query = sa.select(runs).where(runs.c.ended_at.is_(None)).order_by(runs.c.number)
        if source_id is not None:
            query = query.where(runs.c.source_id == source_id)
        return await self._storage.read(lambda connection: [_run(row) for row in connection.execute(query)])

    async def rename(self, run_id: str, title: str) -> None:
        change = sa.update(runs).where(runs.c.id == run_id).values(title=one_line(title)[:_MAX_TITLE_CHARS])
        await self._storage.write(lambda connection: connection.execute(change).rowcount)

    async def remove(self, run_id: str) -> bool:
        """Remove one that has ended. False if there is none."""
        removal = sa.delete(runs).where(runs.c.id == run_id, runs.c.ended_at.is_not(None))
        return await self._storage.write(lambda connection: connection.execute(removal).rowcount > 0)

    async def begin(self, run_id: str, *, session_id: str, started_at: float) -> bool:
        """Note that it is about to run. False if it has an end."""
        change = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.ended_at.is_(None))
            .values(status="running", session_id=session_id, started_at=sa.func.coalesce(runs.c.started_at, started_at))
        )
        return await self._storage.write(lambda connection: connection.execute(change).rowcount > 0)

    async def repeat(self, run_id: str, *, attempt: int) -> None:
        """It is to run again."""
        change = (
            sa.update(runs)
            .where(runs.c.id == run_id, runs.c.ended_at.is_(None))
            .values(status="queued", attempt=attempt, started_at=None)
        )
        await self._storage.write(lambda connection: connection.execute(change) and None)

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
        """Keep its end, and with it what is told of it. False if it had one."""

        def write(connection: sa.Connection) -> bool:
            changed = connection.execute(
                sa.update(runs)
                .where(runs.c.id == run_id, runs.c.ended_at.is_(None))
                .values(status=status, answer=answer, error=error, ended_at=ended_at)
            ).rowcount
            if changed and notification is not None:
                insert_notification(connection, notification)
            return changed > 0

        return await self._storage.write(write)


def insert_run(connection: sa.Connection, run: Run) -> bool:
    """Part of somebody's transaction. False, and nothing is done, if one of its id is there."""
    if connection.scalar(sa.select(runs.c.number).where(runs.c.id == run.id)) is not None:
        return False
    connection.execute(
        sa.insert(runs).values(
            id=run.id,
            source=run.source,
            source_id=run.source_id,
            title=one_line(run.title)[:_MAX_TITLE_CHARS],
            prompt=speakable(run.prompt),
            key=str(run.key),
            agent=run.agent,
            provider=run.provider,
            model=run.model,
            repeats=run.repeats,
            attempt=run.attempt,
            status=run.status,
            created_at=run.created_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            session_id=run.session_id,
            answer=run.answer,
            error=run.error,
        )
    )
    return True


def _run(row: sa.Row[Any]) -> Run:
    fields = row._asdict()
    del fields["number"]
    return Run(**fields | {"key": SessionKey.parse(fields["key"])})
