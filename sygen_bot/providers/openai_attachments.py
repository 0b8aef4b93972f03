"""Files of a message, as a chat API takes them: images as data URLs, short texts as text. All others are only named."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sygen_bot.providers.base import Attachment
from sygen_bot.session.text import one_line, speakable

MAX_IMAGE_BYTES: Final = 8_000_000
MAX_IMAGES_BYTES: Final = 16_000_000
"""All images of one message together."""
MAX_TEXT_BYTES: Final = 64 * 1024
MAX_TEXTS_BYTES: Final = 256 * 1024

_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What all endpoints that see images can read."""
_NO_TEXT: Final = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip")
_TOKENS_AN_IMAGE: Final = 1200
_BACKTICKS: Final = re.compile("`{3,}")


@dataclass(frozen=True, slots=True)
class Files:
    """`text`: follows the message. `images`: their URLs. `notes`: for people, what the model does not get."""

    text: str = ""
    images: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """An estimate of what they add to the message."""
        return len(self.text) // 4 + len(self.images) * _TOKENS_AN_IMAGE

    def content(self, text: str) -> str | list[dict[str, object]]:
        """The content of the message that they belong to, whose own text is `text`."""
        whole = text + self.text
        if not self.images:
            return whole
        shown: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in self.images]
        return [{"type": "text", "text": whole}, *shown]


async def read_files(attachments: Sequence[Attachment]) -> Files:
    """Read what can be given to a model, in a thread."""
    return await asyncio.to_thread(_read, attachments) if attachments else Files()


def _read(attachments: Sequence[Attachment]) -> Files:
    text, images, notes = "", list[str](), list[str]()
    room_for_images, room_for_text = MAX_IMAGES_BYTES, MAX_TEXTS_BYTES
    for attachment in attachments:
        name = one_line(attachment.name)
        is_image = attachment.mime in _IMAGES
        most = min(MAX_IMAGE_BYTES, room_for_images) if is_image else min(MAX_TEXT_BYTES, room_for_text)
        try:
            raw = _beginning(attachment, most + 1)
        except OSError:
            notes.append(f"{name} cannot be read any more")
            continue
        if is_image and len(raw) <= most:
            images.append(f"data:{attachment.mime};base64,{base64.b64encode(raw).decode()}")
            room_for_images -= len(raw)
        elif is_image:
            notes.append(f"{name} is too large: the model gets its name only")
        elif len(raw) <= most and (written := _as_text(attachment.mime, raw)) is not None:
            text += _fenced(name, written)
            room_for_text -= len(raw)
        else:
            notes.append(f"the model gets only the name of {name}")
    return Files(text, tuple(images), tuple(notes))


def _beginning(attachment: Attachment, size: int) -> bytes:
    if not attachment.path.is_file():  # a pipe would be waited for
        raise FileNotFoundError
    with attachment.path.open("rb") as file:
        return file.read(size)


def _as_text(mime: str, raw: bytes) -> str | None:
    if mime.startswith(_NO_TEXT) and mime != "image/svg+xml":
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else speakable(text)


def _fenced(name: str, text: str) -> str:
    """A block that the text cannot end by itself."""
    fence = max(["```", *(found + "`" for found in _BACKTICKS.findall(text))], key=len)
    return f"\n\n{name}:\n{fence}\n{text.rstrip()}\n{fence}"
