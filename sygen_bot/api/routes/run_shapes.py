"""What a run of automation looks like over HTTP. Times are epoch seconds."""

from __future__ import annotations

from pydantic import BaseModel, Field

from sygen_bot.automation.runner import TRANSPORT
from sygen_bot.storage.runs import Run, RunStatus, Source


class RunOut(BaseModel):
    """One run of an agent that nobody waits for. `provider` and `model` are null for the agent's default."""

    id: str
    source: Source
    source_id: str | None = Field(description="The id of the cron job or webhook; null for a task")
    title: str
    prompt: str
    agent: str
    provider: str | None
    model: str | None
    status: RunStatus
    created_at: float
    started_at: float | None = Field(description="Null as long as it waits, and for one that was skipped")
    ended_at: float | None = Field(description="Null until it has ended")
    duration_s: float | None = Field(description="From its start to its end; null until both are known")
    session_id: str | None = Field(description="The session in which it runs, known from its start")
    chat_id: int | None = Field(description="The chat in which it answers; null for a session of its own")
    channel_id: int | None
    answer: str | None
    error: str | None = Field(description="Why there is no answer, in a sentence")
    attempt: int = Field(description="1, or more if it was run again after a restart")


def run_out(run: Run) -> RunOut:
    has_run = run.started_at is not None and run.ended_at is not None
    is_chat = run.key.transport != TRANSPORT
    return RunOut(
        id=run.id,
        source=run.source,
        source_id=run.source_id,
        title=run.title,
        prompt=run.prompt,
        agent=run.agent,
        provider=run.provider,
        model=run.model,
        status=run.status,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        duration_s=max((run.ended_at or 0.0) - (run.started_at or 0.0), 0.0) if has_run else None,
        session_id=run.session_id,
        chat_id=run.key.chat_id if is_chat else None,
        channel_id=run.key.topic_id if is_chat else None,
        answer=run.answer,
        error=run.error,
        attempt=run.attempt,
    )
