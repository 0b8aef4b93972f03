"""Providers over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext
from sygen_bot.api.refusals import refusals


class Provider(BaseModel):
    """Somebody who answers, or could. `reason` and `remedy`: why not now, and what to do."""

    id: str = Field(examples=["claude"])
    name: str = Field(examples=["Claude Code"])
    color: str = Field(description="`#RRGGBB`", examples=["#F97316"])
    models: list[str] = Field(description="The default first; empty if the provider cannot tell")
    available: bool
    reason: str | None
    remedy: str | None


def router(context: ApiContext) -> APIRouter:
    routes = protected_router(context.token, tags=["gateway"])

    @routes.get(
        "/api/providers",
        summary="The providers, with their models and whether they can run now",
        response_description="The providers",
        responses=refusals(422),
    )
    async def providers(
        refresh: Annotated[
            bool, Query(description="Check them now, instead of telling what the last check said")
        ] = False,
    ) -> list[Provider]:
        if refresh:
            await context.providers.refresh()
        return [
            Provider(
                id=info.id,
                name=info.name,
                color=info.color,
                models=list(check.models),
                available=check.available,
                reason=check.reason or None,
                remedy=check.remedy or None,
            )
            for info, check in context.providers.listed()
        ]

    return routes
