"""A page of messages as it goes over HTTP: of chat sessions, and of those that only a task has."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Response

from sygen_bot.orchestrator.chats import Message, MessagePage


def page_answer(page: MessagePage) -> Response:
    """Encoded here and not by pydantic: what tools were given nests deeply."""
    shown = {
        "messages": [message_fields(message) for message in page.messages],
        "has_more": page.has_more,
        "total": page.total,
        "cursor": page.cursor,
    }
    return Response(msgspec.json.encode(shown), media_type="application/json")


def message_fields(message: Message) -> dict[str, Any]:
    """The JSON object of a message."""
    shown: dict[str, Any] = msgspec.to_builtins(message)
    if message.error is None:
        del shown["error"]
    return shown
