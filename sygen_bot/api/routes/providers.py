"""Providers over HTTP."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext


class Provider(BaseModel):
    """Somebody who can answer now."""

    id: str = Field(examples=["claude"])
    name: str = Field(examples=["Claude"])
    color: str = Field(description="`#RRGGBB`", examples=["#D97757"])
    models: list[str] = Field(description="The default first")
    available: Literal[True] = True


def router(context: ApiContext) -> APIRouter:
    routes = protected_router(context.token, tags=["gateway"])

    @routes.get(
        "/api/providers",
        summary="The providers that can run now, with their models",
        response_description="The providers",
    )
    async def providers() -> list[Provider]:
        return [
            Provider(id=card.id, name=card.name, color=card.color, models=list(card.models), available=True)
            for card in context.providers()
        ]

    return routes
