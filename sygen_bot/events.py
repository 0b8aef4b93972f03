"""What a turn can say.

Two layers: a *provider event* is what an agent back end yields while it runs; a *session event* is what the session log
records and everybody who follows the session sees. The first three provider events are session events as they are.
"""

from __future__ import annotations

from typing import Literal

import msgspec

AbortReason = Literal["abort", "interrupted", "shutdown", "timeout", "answer_too_large"]
ApprovalDecision = Literal["allow_once", "allow_always", "deny"]
ApprovalOutcome = Literal["allow_once", "allow_always", "deny", "expired", "cancelled"]


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer. The pieces of one turn, joined, are the answer."""

    data: str


class ThinkingDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the agent's reasoning; never part of the answer."""

    data: str


class SystemStatus(msgspec.Struct, frozen=True, gc=False):
    """A label for what the agent is busy with, such as `thinking`; None clears it."""

    label: str | None


class ToolActivity(msgspec.Struct, frozen=True):
    """The agent uses a tool. `start` and `end` share `tool_id`; `output`, `is_error` and `duration_ms` belong to the end.

    `truncated`: the input or output was longer than what is kept of it.
    """

    name: str
    tool_id: str = ""
    phase: Literal["start", "end"] = "start"
    input: object = None
    output: str | None = None
    is_error: bool = False
    duration_ms: int | None = None
    truncated: bool = False


class ApprovalRequest(msgspec.Struct, frozen=True):
    """Somebody has to say whether the agent may use a tool. `expires_at`: epoch seconds; nobody by then means no.

    `input` is shown in full, or as text with `truncated`. `pattern`: what `allow_always` would hold for.
    """

    id: str
    session_id: str
    agent: str
    turn_id: str
    tool: str
    summary: str
    input: object
    options: tuple[ApprovalDecision, ...]
    expires_at: float
    truncated: bool = False
    pattern: str = ""


class ApprovalResolved(msgspec.Struct, frozen=True, gc=False):
    """A request has its answer, or will have none. `by`: who answered."""

    id: str
    decision: ApprovalOutcome
    by: str | None = None


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What one turn used. Tokens as the provider counts them; `cost_usd` is None where it is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


class ContextSaved(msgspec.Struct, frozen=True, gc=False):
    """From a provider: its opaque `resume_token` for this session is now this. Nobody else sees it."""

    resume_token: str


class Finished(msgspec.Struct, frozen=True):
    """From a provider, at most once and last. `text` only if the provider could not stream: it is then the only copy."""

    text: str | None = None
    usage: Usage | None = None
    model: str | None = None


class FileRef(msgspec.Struct, frozen=True, gc=False):
    """A file that the answer mentions by a `<file:...>` tag. `path` is absolute."""

    path: str
    name: str
    is_image: bool


class UserMessage(msgspec.Struct, frozen=True, gc=False):
    """A person's message as the log holds it. `id`: the client's own name for it; `created_at`: epoch seconds."""

    text: str
    created_at: float
    id: str | None = None


class Result(msgspec.Struct, frozen=True):
    """The end of a turn: the whole answer, or with `aborted` what had been said until then."""

    text: str
    stream_fallback: bool = False
    files: tuple[FileRef, ...] = ()
    aborted: bool = False
    reason: AbortReason | None = None
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    duration_ms: int = 0


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The end of a turn that has no answer. `message` is for people."""

    code: str
    message: str


class SessionDeleted(msgspec.Struct, frozen=True, gc=False):
    """The session is gone. Not part of the log: nothing follows."""


ProviderEvent = TextDelta | ThinkingDelta | SystemStatus | ToolActivity | ContextSaved | Finished
SessionEvent = (
    TextDelta
    | ThinkingDelta
    | SystemStatus
    | ToolActivity
    | ApprovalRequest
    | ApprovalResolved
    | UserMessage
    | Result
    | Failed
    | SessionDeleted
)
TurnEnd = Result | Failed
TurnStatus = Literal["queued", "running", "done", "aborted", "interrupted", "failed"]


def status_of(end: TurnEnd) -> TurnStatus:
    """How a turn with this end is filed."""
    match end:
        case Failed():
            return "failed"
        case Result(aborted=True, reason="interrupted"):
            return "interrupted"
        case Result(aborted=True):
            return "aborted"
        case _:
            return "done"
