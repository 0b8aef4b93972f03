"""What the gateway is doing, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext


class Processes(BaseModel):
    """How many agent processes of a provider are alive, at work or kept warm."""

    provider: str
    count: int


class Status(BaseModel):
    """What the gateway is doing. `provider` and `model`: who answers by default, null where nobody does."""

    version: str
    uptime_s: float
    connections: int = Field(description="Authenticated WebSocket connections")
    sessions: int = Field(description="Those that somebody follows or that have a turn")
    turns_running: int
    turns_queued: int
    max_parallel_turns: int = Field(description="Agents that may work at once, in all sessions together")
    processes: list[Processes] = Field(description="Of the providers that have any")
    approvals_pending: int = Field(description="Uses of tools that wait for somebody's yes or no")
    provider: str | None
    model: str | None


def router(context: ApiContext) -> APIRouter:
    routes = protected_router(context.token, tags=["gateway"])

    @routes.get("/api/status", summary="What the gateway is doing", response_description="The status")
    async def status() -> Status:
        return Status.model_validate(context.status())

    return routes
