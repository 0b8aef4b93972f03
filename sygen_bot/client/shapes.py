"""What the gateway tells of files, voices and agents, as this SDK hands it on."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sygen_bot.client.errors import RequestFailed

_Shape = TypeVar("_Shape")


class UploadedFile(msgspec.Struct, frozen=True):
    """A file that the gateway has now. `path`: over there; `prompt`: the message that tells the agent about it."""

    path: str
    name: str
    mime: str
    size: int
    prompt: str


class FileLink(msgspec.Struct, frozen=True):
    """A URL that shows one file without a token, until `expires_at` (epoch seconds)."""

    url: str
    expires_at: float


class Transcript(msgspec.Struct, frozen=True):
    """What somebody said. `engine` heard it; `duration_s`: how long the recording is, if that is known."""

    text: str
    engine: str
    duration_s: float | None = None


class Agent(msgspec.Struct, frozen=True):
    """An agent of the gateway. `has_avatar`: somebody has given it a picture of its own."""

    name: str
    title: str | None = None
    provider: str | None = None
    model: str | None = None
    has_avatar: bool = False


def shaped(body: object, shape: type[_Shape], *, status: int = 200) -> _Shape:
    """A decoded answer as a `shape`. Raises RequestFailed with the code `invalid_answer`."""
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise RequestFailed(
            status, "invalid_answer", "The gateway's answer is not what this version expects. Which version is it?"
        ) from error


def refusal(status: int, body: object) -> RequestFailed:
    """The error for a refusal of the gateway, or of whoever stands before it."""
    said = body if isinstance(body, dict) else {}
    sentence = said.get("error") or f"The gateway answered with HTTP {status}, and did not say why."
    return RequestFailed(status, str(said.get("code") or "internal_error"), str(sentence))
