"""Cron jobs over HTTP: make, change, run and remove them, and see what became of their times."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext
from sygen_bot.api.refusals import refusals
from sygen_bot.api.routes.chat_shapes import ChatId, Title, Wanted
from sygen_bot.api.routes.run_shapes import RunOut, run_out
from sygen_bot.automation.cron import MAX_PROMPT_CHARS, Cron, JobChanges, NewJob
from sygen_bot.storage.jobs import Job, Missed
from sygen_bot.storage.runs import Run

MAX_PAGE: Final = 200

Prompt = Annotated[
    str,
    Field(
        description=f"What the agent is to do; 1 to {MAX_PROMPT_CHARS} characters",
        json_schema_extra={"minLength": 1, "maxLength": MAX_PROMPT_CHARS},
    ),
]
Schedule = Annotated[
    str,
    Field(
        description="Five fields of cron: minute, hour, day of the month, month, day of the week",
        examples=["30 7 * * 1-5"],
    ),
]
Zone = Annotated[
    str | None,
    Field(description="The name of a time zone; null for the gateway's", examples=["Europe/Berlin"]),
]
Clock = Annotated[
    str | None,
    Field(description="HH:MM in the time zone of the job; both or neither", examples=["22:00"]),
]
Agent = Annotated[str | None, Field(description="Null for the main agent")]
Model = Annotated[str | None, Field(description="Only with `provider`")]
Channel = Annotated[ChatId | None, Field(description="Only with `chat_id`")]


class CronJob(BaseModel):
    """Something an agent does again and again. `provider` and `model` are null for the agent's default."""

    id: str
    title: str
    schedule: str
    timezone: str
    prompt: str
    agent: str
    provider: str | None
    model: str | None
    chat_id: int | None = Field(description="The chat in which it answers; null for a session of its own each time")
    channel_id: int | None
    quiet_from: str | None = Field(description="From then on, HH:MM, it does not run; null for no quiet hours")
    quiet_to: str | None = Field(description="Until then; before `quiet_from` it is on the next day")
    enabled: bool
    missed: Missed = Field(description="What becomes of times that nobody was there for: nothing, or one run for all")
    created_at: float
    updated_at: float
    next_run_at: float | None = Field(description="Null if it is off")
    last_run: RunOut | None


class NewCronJob(Wanted):
    """A job to make."""

    title: Title
    schedule: Schedule
    prompt: Prompt
    timezone: Zone = None
    agent: Agent = None
    provider: str | None = None
    model: Model = None
    chat_id: ChatId | None = None
    channel_id: Channel = None
    quiet_from: Clock = None
    quiet_to: Clock = None
    enabled: bool = True
    missed: Missed = "skip"


def _as_it_is() -> Any:
    """For a field that need not be given, and has no default then."""
    return Field(default_factory=lambda: None)


class CronJobChanges(Wanted):
    """What is to change of a job; what is not given stays as it is."""

    title: Title = _as_it_is()
    schedule: Schedule = _as_it_is()
    prompt: Prompt = _as_it_is()
    timezone: Zone = _as_it_is()
    agent: Agent = _as_it_is()
    provider: str | None = _as_it_is()
    model: Model = _as_it_is()
    chat_id: ChatId | None = _as_it_is()
    channel_id: Channel = _as_it_is()
    quiet_from: Clock = _as_it_is()
    quiet_to: Clock = _as_it_is()
    enabled: bool = _as_it_is()
    missed: Missed = _as_it_is()


def router(context: ApiContext, cron: Cron) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/cron", tags=["cron"])
    of_one = refusals(404, 503)

    async def shown(job: Job) -> CronJob:
        return _job_out(job, await cron.last_run(job))

    @routes.get("", summary="The cron jobs, oldest first", response_description="The jobs", responses=refusals(503))
    async def listed() -> list[CronJob]:
        return list(await asyncio.gather(*(shown(job) for job in await cron.listed())))

    @routes.post(
        "",
        summary="Make a cron job",
        status_code=201,
        response_description="The new job",
        responses=refusals(400, 413, 422, 503),
    )
    async def create(body: NewCronJob) -> CronJob:
        return await shown(await cron.create(**cast("NewJob", _fields(body))))

    @routes.get("/{job_id}", summary="One cron job", response_description="The job", responses=of_one)
    async def get(job_id: str) -> CronJob:
        return await shown(await cron.get(job_id))

    @routes.put(
        "/{job_id}",
        summary="Change a cron job: what is not given stays as it is",
        response_description="The job",
        responses=refusals(400, 404, 413, 422, 503),
    )
    async def update(job_id: str, body: CronJobChanges) -> CronJob:
        return await shown(await cron.update(job_id, **cast("JobChanges", _fields(body))))

    @routes.delete(
        "/{job_id}",
        summary="Remove a cron job; what runs goes on",
        status_code=204,
        response_description="It is gone",
        responses=of_one,
    )
    async def remove(job_id: str) -> None:
        await cron.remove(job_id)

    @routes.post(
        "/{job_id}/run",
        summary="Run a cron job now, beside its schedule",
        status_code=202,
        response_description="The run, which is under way",
        responses=refusals(404, 409, 503),
    )
    async def run(job_id: str) -> RunOut:
        return run_out(await cron.run_now(job_id))

    @routes.get(
        "/{job_id}/runs",
        summary="The last runs of a cron job, newest first",
        response_description="The runs",
        responses=refusals(404, 422, 503),
    )
    async def runs(job_id: str, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20) -> list[RunOut]:
        return [run_out(one) for one in await cron.runs(job_id, limit=limit)]

    return routes


def _fields(body: NewCronJob | CronJobChanges) -> dict[str, Any]:
    given = body.model_dump(exclude_unset=True)
    if "enabled" in given:
        given["is_enabled"] = given.pop("enabled")
    return given


def _job_out(job: Job, last_run: Run | None) -> CronJob:
    return CronJob(
        id=job.id,
        title=job.title,
        schedule=job.schedule,
        timezone=job.timezone,
        prompt=job.prompt,
        agent=job.agent,
        provider=job.provider,
        model=job.model,
        chat_id=job.chat_id,
        channel_id=job.channel_id,
        quiet_from=job.quiet_from,
        quiet_to=job.quiet_to,
        enabled=job.is_enabled,
        missed=job.missed,
        created_at=job.created_at,
        updated_at=job.updated_at,
        next_run_at=job.due_at,
        last_run=None if last_run is None else run_out(last_run),
    )
