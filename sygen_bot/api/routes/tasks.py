"""Background tasks over HTTP: made, listed, followed, cancelled, and what each of them said."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, ChatSessions
from sygen_bot.api.refusals import refusals
from sygen_bot.api.routes.chat_shapes import Messages, NewTitle, Title, Wanted
from sygen_bot.api.routes.message_pages import page_answer
from sygen_bot.api.routes.run_shapes import RunOut, run_out
from sygen_bot.automation.tasks import MAX_PROMPT_CHARS, Tasks
from sygen_bot.orchestrator.chats import MessagePage

MAX_PAGE: Final = 200
_NOTHING_YET: Final = MessagePage(messages=(), has_more=False, total=0, cursor="")


class NewTask(Wanted):
    """A task to run: by the main agent and its default model, where nothing else is said."""

    prompt: str = Field(
        description=f"What the agent is to do; 1 to {MAX_PROMPT_CHARS} characters",
        json_schema_extra={"minLength": 1, "maxLength": MAX_PROMPT_CHARS},
    )
    title: Title | None = None
    agent: str | None = None
    provider: str | None = None
    model: str | None = None
    repeats: bool = Field(default=False, description="Whether it is run again if the gateway stops before its end")


def router(context: ApiContext, tasks: Tasks, chats: ChatSessions) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/tasks", tags=["tasks"])

    @routes.get(
        "",
        summary="The background tasks, newest first",
        response_description="A page of tasks",
        responses=refusals(404, 422, 503),
    )
    async def listed(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[str | None, Query(description="The id of the last task of the page before")] = None,
    ) -> list[RunOut]:
        return [run_out(run) for run in await tasks.listed(before=before or None, limit=limit)]

    @routes.post(
        "",
        summary="Have an agent do something in the background",
        status_code=201,
        response_description="The task; it runs as soon as its turn has come",
        responses=refusals(400, 413, 422, 503),
    )
    async def create(body: NewTask) -> RunOut:
        run = await tasks.create(
            body.prompt,
            title=body.title,
            agent=body.agent,
            provider=body.provider,
            model=body.model,
            repeats=body.repeats,
        )
        return run_out(run)

    @routes.get(
        "/{task_id}",
        summary="One background task, with its answer when it has ended",
        response_description="The task",
        responses=refusals(404, 503),
    )
    async def get(task_id: str) -> RunOut:
        return run_out(await tasks.get(task_id))

    @routes.put(
        "/{task_id}",
        summary="Rename a background task",
        response_description="The task",
        responses=refusals(400, 404, 413, 422, 503),
    )
    async def rename(task_id: str, body: NewTitle) -> RunOut:
        return run_out(await tasks.rename(task_id, body.title))

    @routes.delete(
        "/{task_id}",
        summary="Remove a background task that has ended, and what was said in it",
        status_code=204,
        response_description="It is gone",
        responses=refusals(404, 409, 503),
    )
    async def remove(task_id: str) -> None:
        await tasks.remove(task_id)

    @routes.post(
        "/{task_id}/cancel",
        summary="Stop a background task, whether it waits or runs",
        response_description="The task with its end",
        responses=refusals(404, 409, 503),
    )
    async def cancel(task_id: str) -> RunOut:
        return run_out(await tasks.cancel(task_id))

    @routes.get(
        "/{task_id}/messages",
        summary="What a background task was told and says, while it runs and afterwards",
        response_model=Messages,
        response_description="A page of messages; empty, with an empty `cursor`, before it has begun",
        responses=refusals(404, 422, 503),
    )
    async def messages(
        task_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[str | None, Query(description="The id of the oldest message of the page before")] = None,
    ) -> Response:
        session_id = (await tasks.get(task_id)).session_id
        if session_id is None:
            return page_answer(_NOTHING_YET)
        return page_answer(await chats.messages(session_id, limit=limit, before=before))

    return routes
