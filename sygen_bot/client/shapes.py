"""What the gateway tells of files, voices, agents and approvals, as this SDK hands it on."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sygen_bot.client.errors import RequestFailed
from sygen_bot.events import ApprovalOutcome

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


class PastApproval(msgspec.Struct, frozen=True):
    """A use of a tool that was asked for. `decision`: None as long as it waits; `decided_by`: a device, an address or a rule."""

    id: str
    session_id: str
    turn_id: str
    agent: str
    tool: str
    summary: str
    asked_at: float
    decision: ApprovalOutcome | None = None
    decided_by: str | None = None
    decided_at: float | None = None


class ApprovalRule(msgspec.Struct, frozen=True):
    """`agent` may use `tool` without being asked for exactly `pattern`: a command, a file, a host, or the whole input as JSON."""

    id: str
    agent: str
    tool: str
    pattern: str
    made_by: str | None
    created_at: float


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
