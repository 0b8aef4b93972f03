"""Providers over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends

from sygen_bot.api.auth import bearer
from sygen_bot.api.context import ApiContext


def router(context: ApiContext) -> APIRouter:
    routes = APIRouter(dependencies=[Depends(bearer(context.token))])

    @routes.get("/api/providers", summary="The providers that can run now, with their models")
    def providers() -> list[dict[str, Any]]:
        return [{**msgspec.to_builtins(card), "available": True} for card in context.providers()]

    return routes
