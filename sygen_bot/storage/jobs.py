"""Cron jobs as they are kept. That one of its times was dealt with, and the run of it, are one transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa

from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.runs import Run, insert_run
from sygen_bot.storage.tables import jobs

Missed = Literal["skip", "run_once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something an agent is to do again and again. Times in epoch seconds.

    `schedule`: five fields of cron, in `timezone`. `provider` and `model`: None for the agent's default. `chat_id` and
    `channel_id`: where it answers; None for a session of its own. `quiet_from` and `quiet_to`: "HH:MM", None for no quiet hours.
    `missed`: what becomes of times at which no gateway ran. `due_at`: the next time that was not dealt with; None if it is off.
    """

    id: str
    title: str
    schedule: str
    timezone: str
    prompt: str
    agent: str
    provider: str | None
    model: str | None
    chat_id: int | None
    channel_id: int | None
    quiet_from: str | None
    quiet_to: str | None
    is_enabled: bool
    missed: Missed
    created_at: float
    updated_at: float
    due_at: float | None


class JobStore:
    """Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def add(self, job: Job) -> None:
        await self._storage.write(lambda connection: connection.execute(sa.insert(jobs).values(_values(job))) and None)

    async def get(self, job_id: str) -> Job | None:
        query = sa.select(jobs).where(jobs.c.id == speakable(job_id))
        row = await self._storage.read(lambda connection: connection.execute(query).first())
        return None if row is None else _job(row)

    async def listed(self) -> list[Job]:
        """All of them, oldest first."""
        return await self._select(sa.select(jobs).order_by(jobs.c.created_at, jobs.c.id))

    async def due(self, now: float) -> list[Job]:
        """Those that are on and have a time that has come, the longest due first."""
        query = sa.select(jobs).where(jobs.c.is_enabled, jobs.c.due_at <= now)
        return await self._select(query.order_by(jobs.c.due_at, jobs.c.id))

    async def next_due_at(self) -> float | None:
        """When the next of those that are on is due."""
        query = sa.select(sa.func.min(jobs.c.due_at)).where(jobs.c.is_enabled)
        return await self._storage.read(lambda connection: connection.scalar(query))

    async def update(self, job: Job) -> bool:
        """Keep it as it is now. False if there is none of its id."""
        change = sa.update(jobs).where(jobs.c.id == job.id).values(_values(job))
        return await self._storage.write(lambda connection: connection.execute(change).rowcount > 0)

    async def remove(self, job_id: str) -> bool:
        """False if there is none of that id. Its runs stay."""
        change = sa.delete(jobs).where(jobs.c.id == speakable(job_id))
        return await self._storage.write(lambda connection: connection.execute(change).rowcount > 0)

    async def fire(self, job: Job, *, due_at: float | None, next_due_at: float | None, run: Run | None) -> bool:
        """`due_at` is dealt with: keep that, and its run, if it has one. Whether a run was added.

        Nothing is done if the job was changed, or dealt with, in the meantime. One run of an id is kept once.
        """
        as_it_was = sa.and_(jobs.c.id == job.id, jobs.c.due_at == due_at, jobs.c.updated_at == job.updated_at)

        def write(connection: sa.Connection) -> bool:
            moved = connection.execute(sa.update(jobs).where(as_it_was).values(due_at=next_due_at)).rowcount
            return moved > 0 and run is not None and insert_run(connection, run)

        return await self._storage.write(write)

    async def _select(self, query: sa.Select[Any]) -> list[Job]:
        return await self._storage.read(lambda connection: [_job(row) for row in connection.execute(query)])


def _values(job: Job) -> dict[str, Any]:
    return asdict(job) | {"title": one_line(job.title), "prompt": speakable(job.prompt)}


def _job(row: sa.Row[Any]) -> Job:
    return Job(**row._asdict())
