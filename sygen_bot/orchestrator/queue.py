"""The turns of one session: one runs, the others wait in the order in which they were accepted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from sygen_bot.errors import QueueFull
from sygen_bot.events import AbortReason, Result, TurnEnd
from sygen_bot.session.log import SessionLog

REAP_LIMIT_S: Final = 8.0
"""How long a stopped turn may take to clean up before the next one starts regardless (providers promise 5 s)."""

_log = structlog.get_logger(__name__)


@dataclass(eq=False, kw_only=True)
class TurnJob:
    """One accepted message and what becomes of it. It ends once: what is said later is dropped."""

    turn_id: str
    text: str
    log: SessionLog
    accepted_at: float
    done: asyncio.Future[TurnEnd] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        return self.done.done()

    def end(self, event: TurnEnd) -> None:
        """Log the end of the turn, unless it has one."""
        if not self.done.done():
            self.done.set_result(event)
            self.log.append(self.turn_id, event)

    def stop(self, reason: AbortReason) -> None:
        """End the turn with what it has said so far, and make the agent stop in the background."""
        self.end(Result(self.log.text(self.turn_id), aborted=True, reason=reason))
        if self.task is not None:
            self.task.cancel()


class SessionQueue:
    """Runs jobs one after another with `run`, at most `limit` unfinished ones at a time."""

    def __init__(self, run: Callable[[TurnJob], Coroutine[object, None, None]], *, limit: int) -> None:
        self._run = run
        self._limit = limit
        self._waiting: deque[TurnJob] = deque()
        self._running: TurnJob | None = None
        self._reaping: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Nothing runs, waits or is being cleaned up."""
        return self._running is None and not self._waiting and not self._reaping

    def unfinished(self) -> list[TurnJob]:
        """The turns without an end, the running one first."""
        jobs = [*self._waiting] if self._running is None else [self._running, *self._waiting]
        return [job for job in jobs if not job.has_ended]

    def put(self, job: TurnJob) -> None:
        """Accept a job. Raises QueueFull."""
        if len(self.unfinished()) >= self._limit:
            raise QueueFull
        self._waiting.append(job)
        if self._running is None:
            self._start_next()

    def stop_all(self, reason: AbortReason) -> int:
        """End every unfinished turn now. Returns how many there were."""
        jobs = self.unfinished()
        self._waiting.clear()
        for job in jobs:
            job.stop(reason)
        return len(jobs)

    async def idle(self) -> None:
        """Return when everything that ran has cleaned up."""
        while tasks := {*self._reaping, *([self._running.task] if self._running and self._running.task else [])}:
            await asyncio.wait(tasks)

    def _start_next(self) -> None:
        while self._waiting:
            job = self._waiting.popleft()
            if job.has_ended:
                continue
            self._running = job
            job.task = asyncio.create_task(self._run(job), name=f"turn {job.turn_id}")
            job.task.add_done_callback(partial(self._finished, job))
            job.done.add_done_callback(partial(self._watch_cleanup, job))
            return

    def _finished(self, job: TurnJob, _task: asyncio.Task[None] | None = None) -> None:
        if self._running is job:
            self._running = None
            self._start_next()

    def _watch_cleanup(self, job: TurnJob, _end: asyncio.Future[TurnEnd] | None = None) -> None:
        """Do not let a provider that never cleans up block its session for ever."""

        def give_up() -> None:
            if self._running is job and job.task is not None:
                _log.error("turn_not_reaped", turn_id=job.turn_id, after_s=REAP_LIMIT_S)
                self._reaping.add(job.task)
                job.task.add_done_callback(self._reaping.discard)
                self._finished(job)

        asyncio.get_running_loop().call_later(REAP_LIMIT_S, give_up)
