"""Notifications over HTTP: list them, count what is unread, mark as read."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, Notifications
from sygen_bot.api.refusals import refusals
from sygen_bot.notifications.shape import notification_fields
from sygen_bot.storage.notifications import NotificationType, Severity

MAX_PAGE: Final = 200


class NotificationOut(BaseModel):
    """Something that happened while nobody looked."""

    id: str
    type: NotificationType = Field(description="What it comes from")
    title: str
    body: str
    agent: str | None
    status: str | None = Field(description="How that which it is about ended, such as `done` or `failed`")
    source_id: str | None = Field(description="The id of the cron job, webhook or task that it is about")
    severity: Severity
    created_at: float = Field(description="Epoch seconds")
    read: bool = Field(description="Whether somebody has read it, on whichever device")
    chat_id: int | None = Field(description="The chat it belongs to; null if there is none")
    channel_id: int | None
    session_id: str | None = Field(description="The session whose history tells more; null if there is none")


class Count(BaseModel):
    """How many notifications are unread."""

    count: int


class Updated(BaseModel):
    """How many notifications were unread, and are not any more."""

    updated: int


def router(context: ApiContext, center: Notifications) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/notifications", tags=["notifications"])

    @routes.get(
        "",
        summary="The notifications, newest first",
        response_model=list[NotificationOut],
        response_description="A page of notifications",
        responses=refusals(404, 422, 503),
    )
    async def listed(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        unread_only: bool = False,
        before: Annotated[str | None, Query(description="The id of the last notification of the page before")] = None,
    ) -> Response:
        found = await center.listed(limit=limit, unread_only=unread_only, before=before or None)
        shown = msgspec.json.encode([notification_fields(notification) for notification in found])
        return Response(shown, media_type="application/json")  # the models would take longer than the database

    @routes.get(
        "/unread-count",
        summary="How many notifications are unread",
        response_description="Their number",
        responses=refusals(),
    )
    async def unread_count() -> Count:
        return Count(count=center.unread)

    @routes.post(
        "/read-all",
        summary="Mark every notification as read",
        response_description="How many were unread",
        responses=refusals(503),
    )
    async def read_all() -> Updated:
        return Updated(updated=await center.mark_all_read())

    @routes.put(
        "/{notification_id}/read",
        summary="Mark a notification as read, on every device",
        response_description="The notification",
        responses=refusals(404, 503),
    )
    async def read(notification_id: str) -> NotificationOut:
        return NotificationOut.model_validate(notification_fields(await center.mark_read(notification_id)))

    return routes
