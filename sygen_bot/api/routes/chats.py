"""Chat sessions over HTTP: list, create, rename, archive, delete, read, export, and who answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from sygen_bot.api.auth import protected_router
from sygen_bot.api.context import ApiContext, ChatSessions
from sygen_bot.api.refusals import refusals
from sygen_bot.api.routes.chat_shapes import Choice, Chosen, Export, Messages, NewSession, NewTitle, Session
from sygen_bot.api.routes.message_pages import message_fields, page_answer
from sygen_bot.orchestrator.chats import Message
from sygen_bot.storage.history import ChatSession

MAX_PAGE: Final = 200
_MAX_ID: Final = 2**53 - 1
_MARKDOWN: Final = {"text/markdown": {"schema": {"type": "string"}}}


def router(context: ApiContext, chats: ChatSessions) -> APIRouter:
    routes = protected_router(context.token, prefix="/api/chat/sessions", tags=["chat"])
    of_one, with_body = refusals(404, 503), refusals(400, 404, 413, 422, 503)

    @routes.get(
        "",
        summary="The chat sessions, newest first",
        response_description="The sessions",
        responses=refusals(404, 422, 503),
    )
    async def listed(
        chat_id: Annotated[int | None, Query(ge=1, le=_MAX_ID)] = None,
        agent: str | None = None,
        include_archived: bool = False,
        before: Annotated[str | None, Query(description="The id of the last session of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[Session]:
        found = await chats.listed(
            chat_id=chat_id, agent=agent, include_archived=include_archived, before=before, limit=limit
        )
        return [_out(session) for session in found]

    @routes.post(
        "",
        summary="Begin a chat session in a channel of its own",
        status_code=201,
        response_description="The new session",
        responses=refusals(400, 413, 422, 503),
    )
    async def create(body: NewSession) -> Session:
        return _out(await chats.create(agent=body.agent, title=body.title, chat_id=body.chat_id))

    @routes.get("/{session_id}", summary="One chat session", response_description="The session", responses=of_one)
    async def get(session_id: str) -> Session:
        return _out(await chats.get(session_id))

    @routes.put(
        "/{session_id}", summary="Rename a chat session", response_description="The session", responses=with_body
    )
    async def rename(session_id: str, body: NewTitle) -> Session:
        return _out(await chats.rename(session_id, body.title))

    @routes.delete(
        "/{session_id}",
        summary="Stop what runs in a chat session, and remove it",
        status_code=204,
        response_description="It is gone",
        responses=of_one,
    )
    async def delete(session_id: str) -> None:
        await chats.delete(session_id)

    @routes.post(
        "/{session_id}/archive", summary="Put a chat session away", response_description="The session", responses=of_one
    )
    async def archive(session_id: str) -> Session:
        return _out(await chats.archive(session_id, is_archived=True))

    @routes.post(
        "/{session_id}/unarchive",
        summary="Bring a chat session back",
        response_description="The session",
        responses=of_one,
    )
    async def unarchive(session_id: str) -> Session:
        return _out(await chats.archive(session_id, is_archived=False))

    @routes.get(
        "/{session_id}/messages",
        summary="The messages of a chat session, page by page from the newest",
        response_model=Messages,
        response_description="A page of messages",
        responses=refusals(404, 422, 503),
    )
    async def messages(
        session_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        before: Annotated[str | None, Query(description="The id of the oldest message of the page before")] = None,
    ) -> Response:
        page = await chats.messages(session_id, limit=limit, before=before)
        return page_answer(page)

    @routes.post(
        "/{session_id}/provider",
        summary="Choose who answers in a chat session",
        response_description="Who answers from now on",
        responses=with_body,
    )
    async def choose(session_id: str, body: Choice) -> Chosen:
        target = await chats.choose(session_id, provider=body.provider, model=body.model)
        return Chosen(
            session_id=session_id,
            provider=None if target is None else target.provider,
            model=None if target is None else target.model,
        )

    @routes.get(
        "/{session_id}/export",
        summary="A chat session as a download",
        response_class=Response,
        response_description="The download",
        responses={200: {"model": Export, "content": _MARKDOWN}, **refusals(404, 422, 503)},
    )
    async def export(session_id: str, format: Literal["md", "json"] = "md") -> StreamingResponse:
        session, everything = await chats.export(session_id)
        lines = _as_markdown(session, everything) if format == "md" else _as_json(session, everything)
        kind = "text/markdown; charset=utf-8" if format == "md" else "application/json"
        headers = {"Content-Disposition": _attachment(session, format), "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(lines, media_type=kind, headers=headers)

    return routes


def _out(session: ChatSession) -> Session:
    return Session(
        id=session.id,
        agent=session.agent,
        title=session.title,
        chat_id=session.key.chat_id,
        channel_id=session.key.topic_id,
        created_at=session.created_at,
        updated_at=session.updated_at,
        archived=session.is_archived,
        provider=session.provider,
        model=session.model,
        message_count=session.message_count,
    )


async def _as_json(session: ChatSession, messages: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    yield b'{"session": ' + _out(session).model_dump_json().encode() + b', "messages": ['
    separator = b"\n"
    async for message in messages:
        yield separator + msgspec.json.encode(message_fields(message))
        separator = b",\n"
    yield b"\n]}\n"


async def _as_markdown(session: ChatSession, messages: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    yield f"# {session.title or 'Untitled'}\n".encode()
    async for message in messages:
        moment = datetime.fromtimestamp(message.timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
        who = "You" if message.sender == "user" else "Agent"
        mark = f", {message.status}" if message.status != "done" else ""
        tools = "".join(f"\n> used {tool.name}\n" for tool in message.tools)
        content = message.content or ("" if message.error is None else message.error.message)
        yield f"\n## {who}, {moment}{mark}\n{tools}\n{content}\n".encode()


def _attachment(session: ChatSession, suffix: str) -> str:
    """The name of the download: plain letters for old programs, the real title for the others."""
    name = re.sub(r"[/\\]", "_", session.title) or "chat"
    plain = re.sub(r"[^A-Za-z0-9._ -]+", "_", name).strip(" ._") or "chat"
    return f"attachment; filename=\"{plain[:80]}.{suffix}\"; filename*=UTF-8''{quote(name[:80])}.{suffix}"
