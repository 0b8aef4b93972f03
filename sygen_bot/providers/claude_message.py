"""A message as Claude takes it: the text, and pictures and PDFs that came with it as blocks of their own."""

from __future__ import annotations

import base64
from typing import Any, Final

from sygen_bot.providers.base import Attachment, Turn

PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
MAX_PICTURE_BYTES: Final = 3_750_000
"""A larger picture is over the limit of the API, 5 MB, when it is text."""
MAX_PDF_BYTES: Final = 16 * 1024 * 1024
_MAX_TOTAL_BYTES: Final = 20 * 1024 * 1024


def message_content(turn: Turn) -> str | list[dict[str, Any]]:
    """The text alone, or blocks. What cannot be read, or is too large, is only named, as the text does. Reads files."""
    blocks: list[dict[str, Any]] = []
    room = _MAX_TOTAL_BYTES
    for attachment in turn.attachments:
        content = _content(attachment)
        if content and len(content) <= room:
            room -= len(content)
            kind = "document" if attachment.mime == "application/pdf" else "image"
            source = {"type": "base64", "media_type": attachment.mime, "data": base64.b64encode(content).decode()}
            blocks.append({"type": kind, "source": source})
    return [*blocks, {"type": "text", "text": turn.text}] if blocks else turn.text


def _content(attachment: Attachment) -> bytes:
    limit = MAX_PDF_BYTES if attachment.mime == "application/pdf" else MAX_PICTURE_BYTES
    if attachment.mime not in PICTURES and attachment.mime != "application/pdf":
        return b""
    try:
        with attachment.path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError:
        return b""
    return content if len(content) <= limit else b""
