"""The contract between the gateway and an agent back end.

A provider turns one `Turn` into a stream of provider events. Everything else (queueing, the log, permissions, fairness)
is the gateway's. `sygen_bot.testing.contract` holds the suite that every provider passes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sygen_bot.events import ProviderEvent
from sygen_bot.session.key import SessionKey

Decision = Literal["allow", "deny"]
Policy = Literal["ask", "deny", "allow_read_only", "allow_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """An agent wants to use a tool. `read_only`: the provider knows that this use changes nothing and sends nothing out.

    `summary`: what would be done, in one line for people; empty where `input` says it as well.
    """

    tool: str
    input: object
    read_only: bool
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message. The agent may have it; it may be gone by now."""

    path: Path
    mime: str
    name: str


Approver = Callable[[ToolRequest], Awaitable[Decision]]
TaskStarter = Callable[[str, str | None], Awaitable[str]]
"""Begins a background task with a prompt and perhaps a title, and returns its id. Raises SygenError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One user message for an agent, with all that the agent needs to know.

    `model`: None means the provider's default. `resume_token`: what the provider last gave in `ContextSaved` for this
    session, None for a new context. `workspace`: an existing directory, the agent's working directory.
    `approve`: asked before every use of a tool, may wait for a person; what it denies must not run. `start_task`: what a
    provider that can offers to the agent as a tool. `attachments`: files of the message, which its text names too.
    """

    session: SessionKey
    turn_id: str
    text: str
    model: str | None
    resume_token: str | None
    workspace: Path
    system_prompt: str | None
    approve: Approver
    start_task: TaskStarter | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """How a provider is shown: stable `id`, `name` for people, `color` as #RRGGBB."""

    id: str
    name: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a provider can run now. If not, `reason` says why and `remedy` what to do, in one sentence each.

    `models`: what may be asked for by name, the default first; empty if the provider cannot tell.
    """

    available: bool
    models: tuple[str, ...] = field(default=())
    reason: str = ""
    remedy: str = ""


class Provider(Protocol):
    """An agent back end.

    `run` is an async generator. It yields `TextDelta`s as the agent speaks and `Finished` last; it yields `ContextSaved`
    as soon as there is something to come back to, so that an aborted turn is remembered too. It raises
    `ProviderUnavailable`, `ProviderFailed`, or `AgentDied` for an agent that ended in the middle of its answer; anything else it raises is a bug and is reported as an internal error.

    Cancellation: when the task that iterates is cancelled, or the generator is closed, the agent's work and every process
    that it started end within 5 s, and only then the generator returns. The next turn of the session may follow at once.
    Turns of one session never overlap; turns of different sessions do.
    """

    @property
    def info(self) -> ProviderInfo: ...

    @property
    def processes(self) -> int:
        """Agent processes that are alive now, at work or kept warm."""
        ...

    async def check(self) -> Availability:
        """Whether a turn could run now. Quick (at most 5 s), starts no agent, never raises."""
        ...

    def run(self, turn: Turn) -> AsyncGenerator[ProviderEvent, None]: ...

    async def forget(self, session: SessionKey) -> None:
        """Let go of anything kept warm for `session`. Its next turn comes with a resume token, or None for a new context."""
        ...

    async def close(self) -> None:
        """End every process and connection, within 5 s. No turn runs any more when this is called."""
        ...
