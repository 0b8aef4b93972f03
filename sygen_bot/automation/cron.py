"""Cron jobs: what an agent does again and again. Each time of a job is dealt with once, across restarts and changes of the clock."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final, TypedDict, Unpack

import structlog

from sygen_bot.automation.runner import Runner, new_id, own_session
from sygen_bot.automation.schedule import WrongSchedule, check, check_quiet_hours, next_due, quiet_until
from sygen_bot.errors import Conflict, NotFound, RequestError, StorageError
from sygen_bot.session.key import SessionKey, is_valid_id
from sygen_bot.session.text import one_line, speakable
from sygen_bot.storage.jobs import Job, JobStore, Missed
from sygen_bot.storage.runs import Run

MAX_TITLE_CHARS: Final = 200
MAX_PROMPT_CHARS: Final = 100_000
LATE_S: Final = 60.0
"""A time that is found later than this was missed."""
_LONGEST_WAIT_S: Final = 30.0
"""Then the clock is looked at again: somebody may have set it."""
_AGAIN_S: Final = 5.0
_STEP_BACK_S: Final = 1.0
_NAME: Final = re.compile(r"\S{1,100}")
_QUIET: Final = "These are the quiet hours of the job."
_BUSY: Final = "The run before it had not ended."

_log = structlog.get_logger(__name__)


class UnusableJob(RequestError):
    """There can be no such job; the text says why."""

    code = "invalid"


class JobOptions(TypedDict, total=False):
    """What of a job has a default. `timezone` and `agent`: None for the gateway's."""

    timezone: str | None
    agent: str | None
    provider: str | None
    model: str | None
    chat_id: int | None
    channel_id: int | None
    quiet_from: str | None
    quiet_to: str | None
    is_enabled: bool
    missed: Missed


class NewJob(JobOptions):
    title: str
    schedule: str
    prompt: str


class JobChanges(JobOptions, total=False):
    title: str
    schedule: str
    prompt: str


class Cron:
    """The jobs. Every method raises StorageError; those that take an id raise NotFound for an unknown one.

    `agents`: their names. `clock`: epoch seconds.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        runner: Runner,
        agents: Sequence[str],
        default_agent: str,
        default_timezone: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._runner = runner
        self._agents = agents
        self._default_agent = default_agent
        self._default_timezone = default_timezone
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        """Held while a job is changed, and while one of its times is dealt with: each sees what the other has done."""
        self._changed = asyncio.Event()
        self._seen_at: float | None = None

    # --- the jobs -----------------------------------------------------------------------------------------------------

    async def create(self, **fields: Unpack[NewJob]) -> Job:
        """Raises WrongSchedule or UnusableJob for what cannot be."""
        now = self._clock()
        fallbacks = JobOptions(
            timezone=None,
            agent=None,
            provider=None,
            model=None,
            chat_id=None,
            channel_id=None,
            quiet_from=None,
            quiet_to=None,
            is_enabled=True,
            missed="skip",
        )
        given = {"id": new_id(), "created_at": now, **fallbacks, **fields}
        job = await asyncio.to_thread(self._checked, given, now)  # time zones are files
        job = replace(job, due_at=await asyncio.to_thread(_due, job, now))
        await self._store.add(job)
        self._changed.set()
        return job

    async def get(self, job_id: str) -> Job:
        return _found(await self._store.get(job_id))

    async def listed(self) -> list[Job]:
        """All of them, oldest first."""
        return await self._store.listed()

    async def update(self, job_id: str, **changes: Unpack[JobChanges]) -> Job:
        """Change what is given. Raises WrongSchedule or UnusableJob for what cannot be."""
        async with self._one_at_a_time:
            old, now = await self.get(job_id), self._clock()
            job = await asyncio.to_thread(self._checked, asdict(old) | dict(changes), now)
            if job.due_at is None or _timing(job) != _timing(old):
                job = replace(job, due_at=await asyncio.to_thread(_due, job, now))
            if not await self._store.update(job):
                raise NotFound
        self._changed.set()
        return job

    async def remove(self, job_id: str) -> None:
        """A run of it that is on goes on; its runs stay."""
        async with self._one_at_a_time:
            if not await self._store.remove(job_id):
                raise NotFound
        self._changed.set()

    async def run_now(self, job_id: str) -> Run:
        """Run it beside its schedule, on or off. Raises Conflict while a run of it has no end."""
        async with self._one_at_a_time:
            job = await self.get(job_id)
            if await self._runner.is_busy(job.id):
                raise Conflict("A run of this job has not ended yet.")
            return await self._runner.add(_run(job, f"{job.id}-{new_id()}", self._clock()))

    async def runs(self, job_id: str, *, limit: int) -> list[Run]:
        """The newest."""
        job = await self.get(job_id)
        return await self._runner.listed(source="cron", source_id=job.id, limit=limit)

    async def last_run(self, job: Job) -> Run | None:
        return next(iter(await self._runner.listed(source="cron", source_id=job.id, limit=1)), None)

    # --- their times --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deal with what is due, for ever."""
        while True:
            self._changed.clear()
            wait_s = _LONGEST_WAIT_S
            try:
                next_at = await self.tick()
            except StorageError as error:
                _log.error("cron_jobs_not_stored", error=str(error))
                wait_s = _AGAIN_S
            else:
                if next_at is not None:
                    wait_s = min(max(next_at - self._clock(), 0.0), wait_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def tick(self) -> float | None:
        """Deal with everything that is due by now. Returns when the next time is due, in epoch seconds; None for never."""
        now = self._clock()
        if self._seen_at is None or now < self._seen_at - _STEP_BACK_S:
            await self._set_anew(now)
        self._seen_at = now
        for job in await self._store.due(now):
            left: Job | None = job
            while left is not None:
                async with self._one_at_a_time:
                    left = await self._deal_with(left, now)
        return await self._store.next_due_at()

    async def _set_anew(self, now: float) -> None:
        """Where the clock was ahead of what it is now, take its times back. What was dealt with is not done twice: its run is known."""
        for listed in await self._store.listed():
            async with self._one_at_a_time:
                job = await self._store.get(listed.id)
                due_at = None if job is None else await asyncio.to_thread(_due_if_usable, job, now)
                if job is not None and due_at is not None and (job.due_at is None or due_at < job.due_at):
                    await self._store.fire(job, due_at=job.due_at, next_due_at=due_at, run=None)

    async def _deal_with(self, job: Job, now: float) -> Job | None:
        """Deal with the time for which a job is due. Returns it as it is now, if it is due again."""
        if job.due_at is None or job.due_at > now:
            return None
        try:
            run, until = await self._occurrence(job, job.due_at, now)
            next_at = await asyncio.to_thread(_due, job, until)
        except WrongSchedule as error:  # its time zone has gone from this machine
            _log.error("cron_job_unusable", job=job.id, error=str(error))
            run, next_at = None, None
        is_new = await self._store.fire(job, due_at=job.due_at, next_due_at=next_at, run=run)
        if is_new and run is not None and run.ended_at is None:
            self._runner.take(run)
        return replace(job, due_at=next_at)

    async def _occurrence(self, job: Job, due_at: float, now: float) -> tuple[Run | None, float]:
        """The run for the time `due_at`, if there is to be one, and up to when it stands for the times of the job."""
        is_missed = now - due_at > LATE_S
        if is_missed:
            _log.info("cron_job_missed", job=job.id, due_at=due_at, late_s=round(now - due_at), policy=job.missed)
            if job.missed == "skip" or not await asyncio.to_thread(_would_have_run, job, due_at, now):
                return None, now - LATE_S
        run = _run(job, f"{job.id}-{int(due_at)}", now)
        until = now if is_missed else due_at
        if await asyncio.to_thread(_quiet_until, job, until) is not None:
            return replace(run, status="skipped", ended_at=now, error=_QUIET), until
        if await self._runner.is_busy(job.id):
            return replace(run, status="skipped", ended_at=now, error=_BUSY), until
        return run, until

    def _checked(self, fields: dict[str, Any], now: float) -> Job:
        """The job of these fields. Raises WrongSchedule or UnusableJob."""
        title, prompt = one_line(fields["title"]), speakable(fields["prompt"])
        schedule = " ".join(fields["schedule"].split())
        timezone = self._default_timezone if fields["timezone"] is None else fields["timezone"]
        agent = self._default_agent if fields["agent"] is None else fields["agent"]
        job = Job(
            **fields
            | {"title": title, "prompt": prompt, "schedule": schedule, "timezone": timezone, "agent": agent}
            | {"updated_at": now, "due_at": fields.get("due_at")}
        )
        if not 1 <= len(job.title) <= MAX_TITLE_CHARS:
            raise UnusableJob(f"A title has 1 to {MAX_TITLE_CHARS} characters.")
        if not job.prompt.strip() or len(job.prompt) > MAX_PROMPT_CHARS:
            raise UnusableJob(f"A prompt has 1 to {MAX_PROMPT_CHARS} characters.")
        if job.agent not in self._agents:
            raise UnusableJob(f"There is no agent {one_line(job.agent)[:40]!r}. There are: {', '.join(self._agents)}.")
        _check_target(job)
        _check_chat(job)
        check(job.schedule, job.timezone)
        check_quiet_hours(job.quiet_from, job.quiet_to)
        if job.missed not in ("skip", "run_once"):
            raise UnusableJob("What becomes of missed times is `skip` or `run_once`.")
        return job


def _check_target(job: Job) -> None:
    for name, value in (("provider", job.provider), ("model", job.model)):
        if value is not None and (_NAME.fullmatch(value) is None or one_line(value) != value):
            raise UnusableJob(f"The name of a {name} has 1 to 100 characters and no spaces.")
    if job.model is not None and job.provider is None:
        raise UnusableJob("A model needs its provider: give `provider`, too.")


def _check_chat(job: Job) -> None:
    for name, value in (("chat_id", job.chat_id), ("channel_id", job.channel_id)):
        if value is not None and not is_valid_id(value):
            raise UnusableJob(f"`{name}` is a whole number from 1 to 2^53-1.")
    if job.channel_id is not None and job.chat_id is None:
        raise UnusableJob("A channel is one of a chat: give `chat_id`, too.")


def _due(job: Job, after: float) -> float | None:
    """Raises WrongSchedule."""
    return next_due(job.schedule, job.timezone, after) if job.is_enabled else None


def _due_if_usable(job: Job, after: float) -> float | None:
    try:
        return _due(job, after)
    except WrongSchedule as error:
        _log.error("cron_job_unusable", job=job.id, error=str(error))
        return None


def _timing(job: Job) -> tuple[object, ...]:
    return job.schedule, job.timezone, job.is_enabled


def _quiet_until(job: Job, moment: float) -> float | None:
    return quiet_until(moment, job.timezone, job.quiet_from, job.quiet_to)


def _would_have_run(job: Job, due_at: float, until: float) -> bool:
    """Whether one of its times, of which `due_at` is one, was outside its quiet hours."""
    moment: float | None = due_at
    while moment is not None and moment <= until:
        quiet_end = _quiet_until(job, moment)
        if quiet_end is None:
            return True
        moment = next_due(job.schedule, job.timezone, quiet_end - 1)
    return False


def _run(job: Job, run_id: str, now: float) -> Run:
    key = own_session() if job.chat_id is None else SessionKey("api", job.chat_id, job.channel_id)
    return Run(
        id=run_id,
        source="cron",
        source_id=job.id,
        title=job.title,
        prompt=job.prompt,
        key=key,
        agent=job.agent,
        provider=job.provider,
        model=job.model,
        created_at=now,
    )


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound
    return job
