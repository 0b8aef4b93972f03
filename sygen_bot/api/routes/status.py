"""What the gateway is doing, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from sygen_bot.api.auth import bearer
from sygen_bot.api.context import ApiContext


def router(context: ApiContext) -> APIRouter:
    routes = APIRouter(dependencies=[Depends(bearer(context.token))])

    @routes.get("/api/status", summary="What the gateway is doing")
    def status() -> dict[str, object]:
        return context.status()

    return routes
