"""Speech to text over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, Transcribing
from sygen_bot.api.refusals import refusals
from sygen_bot.files.allowed_roots import AllowedRoots
from sygen_bot.files.mime import media_type

_CLIENT_IS_GONE = 499  # nobody reads it

T = TypeVar("T")


class Recording(BaseModel):
    """What is to be transcribed."""

    model_config = ConfigDict(strict=True)

    file_path: str = Field(description="Absolute, of an audio or video file", examples=["/home/ada/voice.webm"])


class Transcription(BaseModel):
    """What was said. `duration_s` is null if nobody can tell."""

    text: str = Field(description="Empty if there is no speech in it")
    engine: str = Field(description="Who answered", examples=["custom", "openai", "whisper", "whisper.cpp"])
    duration_s: float | None


def router(context: ApiContext, transcriber: Transcribing, roots: AllowedRoots) -> APIRouter:
    routes = protected_router(context.token, tags=["files"])

    @routes.post(
        "/api/transcribe",
        summary="Turn speech into text",
        response_description="The text",
        response_model=Transcription,
        responses=refusals(400, 403, 404, 413, 415, 422, 502, 503),
    )
    async def transcribe(body: Recording, request: Request) -> Response | Transcription:
        with await asyncio.to_thread(roots.open, body.file_path) as file:
            mime = media_type(file.head, file.path.name)
            heard = await _while_asked(request, transcriber.transcribe(file.path, mime=mime, fd=file.fd))
        if heard is None:
            return Response(status_code=_CLIENT_IS_GONE)
        return Transcription(text=heard.text, engine=heard.engine, duration_s=heard.duration_s)

    return routes


async def _while_asked(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None if the client went before it was there: then the work has been cancelled."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_client_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})


async def _client_left(request: Request) -> None:
    """Returns when the connection is closed; never, for a request that came over a socket."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
