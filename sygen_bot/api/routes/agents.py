"""The agents over HTTP: who there is, and their pictures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sygen_bot.agents.profiles import AgentCard
from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import Agents, ApiContext
from sygen_bot.api.file_response import matches
from sygen_bot.api.multipart import received_file, storing
from sygen_bot.api.refusals import refusals
from sygen_bot.files.storage import UploadFolder

MAX_AVATAR_BYTES: Final = 10 * 1024 * 1024
"""Of a picture as it is sent; it is stored far smaller."""

_FIELD: Final = "avatar"
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_PICTURE: Final[dict[str, Any]] = {"content": {"image/svg+xml": _BYTES, "image/webp": _BYTES}}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": [_FIELD], "properties": {_FIELD: _BYTES["schema"]}}
            }
        },
    }
}
_SAFE_TO_OPEN: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""An SVG is a document when it is opened by itself: it may run nothing and load nothing."""


class Agent(BaseModel):
    """One agent. `provider` and `model`: who answers for it now, null where nobody can."""

    name: str
    title: str
    provider: str | None
    model: str | None
    has_avatar: bool = Field(description="Whether it has a picture of its own; else one is made from its name")


def router(context: ApiContext, agents: Agents, uploads: UploadFolder) -> APIRouter:
    # Names may hold anything, slashes too.
    path = "/{name:path}/avatar"
    routes = protected_router(context.token, prefix="/api/agents", tags=["agents"])
    sending = protected_router(context.token, prefix="/api/agents", tags=["agents"], max_body_bytes=None)

    @routes.get("", summary="The agents", response_description="The agents, as they are configured")
    async def listed() -> list[Agent]:
        return [_out(card) for card in await agents.listed()]

    @routes.head(path, include_in_schema=False)
    @routes.get(
        path,
        summary="An agent's picture",
        response_class=Response,
        response_description="The picture",
        responses={200: _PICTURE, 304: {"description": "It is as the client has it"}, **refusals(404, 503)},
    )
    async def avatar(request: Request, name: str) -> Response:
        with storing():
            picture = await agents.avatar(name)
        headers = {"ETag": picture.etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
        if "svg" in picture.mime:
            headers["Content-Security-Policy"] = _SAFE_TO_OPEN
        if matches(request.headers.get("If-None-Match"), picture.etag):
            return Response(status_code=304, headers=headers)
        return Response(picture.data, media_type=picture.mime, headers=headers)

    @sending.post(
        path,
        summary="Give an agent a picture",
        response_description="The agent",
        responses=refusals(400, 404, 413, 415, 422, 503),
        openapi_extra=_FORM,
    )
    async def upload(request: Request, name: str) -> Agent:
        await agents.get(name)  # before a body is read
        async with received_file(
            request, name=_FIELD, max_bytes=MAX_AVATAR_BYTES, temporary=uploads.temporary
        ) as received:
            with storing():
                return _out(await agents.set_avatar(name, received.path))

    @routes.delete(
        path,
        summary="Take an agent's uploaded picture away",
        status_code=204,
        response_description="There is none any more",
        responses=refusals(404, 503),
    )
    async def delete(name: str) -> None:
        with storing():
            await agents.remove_avatar(name)

    everything = APIRouter()
    everything.include_router(routes)
    everything.include_router(sending)
    return everything


def _out(card: AgentCard) -> Agent:
    return Agent(**asdict(card))
