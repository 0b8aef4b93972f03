"""A message for an ACP agent: text, and what came with it in the forms that the agent says it takes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sygen_bot.providers.base import Attachment

MAX_INLINE_BYTES: Final = 10 * 1024 * 1024
"""A larger file is named, not sent along."""
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


async def prompt_of(
    text: str,
    *,
    preface: str,
    attachments: Sequence[Attachment],
    capabilities: Mapping[str, Any],
    mixes_forms: bool = True,
) -> list[dict[str, Any]]:
    """The blocks of one prompt. `preface`: what goes before the text, or nothing. `capabilities`: the agent's `promptCapabilities`.
    `mixes_forms`: whether the agent takes links and images in one prompt.

    The text stands alone in its block, so that the agent knows a command of its own. An attachment that has gone is left out:
    the text names it.
    """
    blocks: list[dict[str, Any]] = [{"type": "text", "text": f"{preface}\n\n"}] if preface else []
    sent = await asyncio.to_thread(_sent, attachments, capabilities)
    has_links = any(block["type"] == "resource_link" for block in sent)
    if has_links and not mixes_forms:
        sent = await asyncio.to_thread(_sent, attachments, {})
    # Some agents write a link right behind the text.
    blocks.append({"type": "text", "text": f"{text}\n" if has_links else text})
    return blocks + sent


def _sent(attachments: Sequence[Attachment], capabilities: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [block for attachment in attachments if (block := _block(attachment, capabilities)) is not None]


def _block(attachment: Attachment, capabilities: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        size = attachment.path.stat().st_size
        kind = _inline_kind(attachment.mime, capabilities) if size <= MAX_INLINE_BYTES else None
        if kind is not None:
            data = base64.b64encode(attachment.path.read_bytes()).decode()
            return {"type": kind, "data": data, "mimeType": attachment.mime}
    except OSError:
        return None
    # Not percent-encoded: agents take what follows the scheme for the path as it is.
    uri = f"file://{attachment.path}"
    return {"type": "resource_link", "uri": uri, "name": attachment.name, "mimeType": attachment.mime, "size": size}


def _inline_kind(mime: str, capabilities: Mapping[str, Any]) -> str | None:
    if mime in _IMAGES and capabilities.get("image") is True:
        return "image"
    if mime.startswith("audio/") and capabilities.get("audio") is True:
        return "audio"
    return None
