"""Files over HTTP: read one, link to one, upload one."""

from __future__ import annotations

import asyncio
import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, FileContext
from sygen_bot.api.file_links import LIFETIME_S, FileLinks
from sygen_bot.api.file_response import file_response
from sygen_bot.api.multipart import ReceivedFile, received_file, storing
from sygen_bot.api.refusals import refusals
from sygen_bot.api.routes.chat_shapes import Wanted
from sygen_bot.files.mime import HEAD_BYTES, kind_of, media_type
from sygen_bot.files.prompt import incoming_file_prompt

_ANY_FILE: Final[dict[str, Any]] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "caption": {"type": "string", "maxLength": 65536},
                    },
                }
            }
        },
    }
}


_PATH = "Absolute, or relative to the agents' workspace"


class Uploaded(BaseModel):
    """A file as it was stored. `prompt`: the text that tells the agent about it, to be sent as a message."""

    path: str
    name: str
    mime: str
    size: int
    prompt: str


class LinkWanted(Wanted):
    """The file that is to be linked to."""

    path: str = Field(description=_PATH)


class Link(BaseModel):
    """A link that needs no token. `url` is relative to the gateway's address."""

    url: str
    expires_at: float


def router(context: ApiContext, files: FileContext) -> APIRouter:
    links = FileLinks(context.token)
    reading = protected_router(context.token, tags=["files"], also_opens=links.opens)
    sending = protected_router(context.token, tags=["files"], max_body_bytes=None)
    routes = protected_router(context.token, tags=["files"])

    def whole(path: str) -> str:
        """What agents are told of uploads is relative to their workspace."""
        return os.path.join(files.workspace, path) if path else path  # noqa: PTH118 - Path would read more into it

    @reading.head("/files", include_in_schema=False)
    @reading.get(
        "/files",
        summary="A file, or a range of it",
        response_class=Response,
        response_description="The file",
        responses={
            200: _ANY_FILE,
            206: {"description": "The range", **_ANY_FILE},
            304: {"description": "It is as the client has it"},
            **refusals(400, 401, 403, 404, 416),
        },
    )
    async def read(request: Request, path: Annotated[str, Query(description=_PATH)]) -> Response:
        file = await asyncio.to_thread(files.roots.open, whole(path))
        try:
            return await asyncio.to_thread(file_response, request, file)
        except BaseException:
            file.close()
            raise

    @routes.post(
        "/api/files/link",
        summary=f"A link to a file that needs no token, for {LIFETIME_S // 60} minutes",
        response_description="The link",
        responses=refusals(400, 403, 404, 413, 422),
    )
    async def link(body: LinkWanted) -> Link:
        real = await asyncio.to_thread(files.roots.resolve, whole(body.path))
        url, expires_at = links.make(str(real))
        return Link(url=url, expires_at=expires_at)

    @sending.post(
        "/upload",
        summary="Send a file to the agents' workspace",
        response_description="The file as it was stored",
        responses=refusals(400, 413, 503),
        openapi_extra=_FORM,
    )
    async def upload(request: Request) -> Uploaded:
        async with received_file(
            request, name="file", max_bytes=files.max_upload_bytes, temporary=files.uploads.temporary, texts=["caption"]
        ) as received:
            with storing():
                return await _stored(files, received)

    everything = APIRouter()
    for part in (reading, sending, routes):
        everything.include_router(part)
    return everything


async def _stored(files: FileContext, received: ReceivedFile) -> Uploaded:
    """Give the file its place, smaller if it is a large picture."""
    mime = await asyncio.to_thread(_mime, received.path, received.filename)
    source, name = received.path, received.filename
    smaller = await asyncio.to_thread(files.uploads.temporary)
    try:
        if kind_of(mime) == "photo" and (scaled := await files.pictures.scaled(source, smaller)) is not None:
            mime, source = scaled, smaller
            name = f"{Path(name.replace(chr(92), '/')).stem or 'image'}.{scaled.partition('/')[2]}"
        size = (await asyncio.to_thread(source.stat)).st_size
        path = await asyncio.to_thread(files.uploads.publish, source, name, today=date.today())
    finally:
        await asyncio.to_thread(smaller.unlink, missing_ok=True)
    prompt = incoming_file_prompt(
        path, workspace=files.workspace, mime=mime, caption=received.fields.get("caption", "")
    )
    return Uploaded(path=str(path), name=path.name, mime=mime, size=size, prompt=prompt)


def _mime(path: Path, name: str) -> str:
    with path.open("rb") as file:
        return media_type(file.read(HEAD_BYTES), name)
