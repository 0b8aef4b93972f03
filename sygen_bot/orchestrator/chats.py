"""Chat sessions as clients list, read and change them: storage's view with what runs right now laid over it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from sygen_bot.errors import NotFound, RequestError
from sygen_bot.events import AbortReason, Failed, FileRef, Result, TurnEnd, TurnStatus, Usage, status_of
from sygen_bot.orchestrator.core import Orchestrator
from sygen_bot.orchestrator.outline import Part, Tool, outlined
from sygen_bot.orchestrator.session import LiveSession
from sygen_bot.providers.registry import Target
from sygen_bot.session.key import SessionKey, is_valid_id
from sygen_bot.session.text import one_line
from sygen_bot.storage.history import ChatHistory, ChatSession, PastTurn

_T = TypeVar("_T")

MAX_TITLE_CHARS: Final = 200
_FIRST_FRESH_CHANNEL: Final = 2**40
"""Fresh channels are drawn at random above this, so that none repeats an old one or meets a number that a person chose."""
_SNAPSHOT_ATTEMPTS: Final = 5
_EXPORT_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation. `timestamp`: epoch seconds. `error`: why a failed turn has no answer.

    `outline`: in which order an answer's text, thoughts and tools came. `provider`, `model` and `reason` as in a result.
    """

    id: str
    turn_id: str
    sender: Literal["user", "agent"]
    content: str
    timestamp: float
    files: Sequence[FileRef]
    tools: Sequence[Tool]
    usage: Usage | None
    status: TurnStatus
    outline: Sequence[Part] = ()
    provider: str | None = None
    model: str | None = None
    duration_ms: int | None = None
    reason: AbortReason | None = None
    error: Failed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """Messages, oldest first. `cursor` is the place in the log that they show; what follows it is new."""

    messages: Sequence[Message]
    has_more: bool
    total: int
    cursor: str


class Unusable(RequestError):
    """The request is understood, but what it asks for cannot be."""

    code = "invalid"


class ChatSessions:
    """Every method raises StorageError; those that take an id raise NotFound for an unknown one."""

    def __init__(
        self, *, orchestrator: Orchestrator, history: ChatHistory, agents: Sequence[str], default_chat_id: int
    ) -> None:
        self._orchestrator = orchestrator
        self._history = history
        self._agents = agents
        self._default_chat_id = default_chat_id

    async def listed(
        self, *, chat_id: int | None, agent: str | None, include_archived: bool, before: str | None, limit: int
    ) -> list[ChatSession]:
        """The newest sessions; `before`: those that follow that one in the list."""
        last = None if before is None else await self.get(before)
        return await self._history.sessions(
            chat_id=chat_id, agent=agent, include_archived=include_archived, before=last, limit=limit
        )

    async def create(self, *, agent: str | None, title: str | None, chat_id: int | None) -> ChatSession:
        """A new session with a channel of its own. Raises Unusable."""
        if agent is not None and agent not in self._agents:
            raise Unusable(f"There is no agent {agent!r}.")
        if chat_id is not None and not is_valid_id(chat_id):
            raise Unusable("`chat_id` is a whole number from 1 to 2^53-1.")
        wanted = None if title is None else _checked_title(title)
        channel = secrets.randbelow(2**53 - 1 - _FIRST_FRESH_CHANNEL) + _FIRST_FRESH_CHANNEL
        session = await self._orchestrator.open(SessionKey("api", chat_id or self._default_chat_id, channel))
        if wanted is not None:
            await self._history.rename(session.id, wanted)
        return await self.get(session.id)

    async def get(self, session_id: str) -> ChatSession:
        return _found(await self._history.session(session_id))

    async def rename(self, session_id: str, title: str) -> ChatSession:
        """Raises Unusable for an empty title or one over `MAX_TITLE_CHARS`."""
        return _found(await self._history.rename(session_id, _checked_title(title)))

    async def archive(self, session_id: str, *, is_archived: bool) -> ChatSession:
        return _found(await self._history.archive(session_id, is_archived=is_archived))

    async def delete(self, session_id: str) -> None:
        """Stop what runs in it and remove it; who follows it is told."""
        await self._orchestrator.delete((await self.get(session_id)).key)

    async def choose(self, session_id: str, *, provider: str | None, model: str | None) -> Target | None:
        """Who answers from now on; None for the default. Raises Unusable for nobody known."""
        session = await self._orchestrator.open((await self.get(session_id)).key)
        target = None
        if provider is not None or model is not None:
            target = self._orchestrator.registry.named(provider, model)
            if target is None:
                raise Unusable(f"There is no provider or model {provider or model!r}.")
        await self._orchestrator.choose(session, target)
        return target

    async def messages(self, session_id: str, *, limit: int, before: str | None) -> MessagePage:
        """The last `limit` messages, or those before the message `before`; one snapshot, what runs now included."""
        session = await self._orchestrator.open((await self.get(session_id)).key)
        turn_id, _, side = (before or "").partition(".")
        if before is not None and side not in ("u", "a"):
            raise NotFound
        first = None if before is None else _found(await self._history.turn(session.id, turn_id)).ordinal
        below = None if first is None else first + (side == "a")
        for _ in range(_SNAPSHOT_ATTEMPTS):
            seen = session.log.turns_changed
            turns = await self._history.turns(session.id, before=below, limit=limit + 1)
            if seen == session.log.turns_changed:
                break
        # Nothing waits from here on: the log stands still while it is laid over what was read.
        messages = _messages(session, turns)
        if side == "a":
            messages = [message for message in messages if message.id != before]
        return MessagePage(
            messages=messages[-limit:],
            has_more=len(messages) > limit or len(turns) > limit,
            total=session.message_count,
            cursor=str(session.log.cursor),
        )

    async def export(self, session_id: str) -> tuple[ChatSession, AsyncIterator[Message]]:
        """The session and all its messages, oldest first."""
        stored = await self.get(session_id)
        session = await self._orchestrator.open(stored.key)

        async def everything() -> AsyncIterator[Message]:
            after = 0
            while turns := await self._history.turns_after(session.id, after=after, limit=_EXPORT_PAGE):
                for message in _messages(session, turns):
                    yield message
                after = turns[-1].ordinal

        return stored, everything()


def _found(thing: _T | None) -> _T:
    if thing is None:
        raise NotFound
    return thing


def _checked_title(title: str) -> str:
    clean = one_line(title)
    if not clean or len(clean) > MAX_TITLE_CHARS:
        raise Unusable(f"A title has 1 to {MAX_TITLE_CHARS} characters.")
    return clean


def _messages(session: LiveSession, turns: Sequence[PastTurn]) -> list[Message]:
    """What people see of these turns. What storage already has, but the log has not told yet, is left out."""
    untold = session.untold()
    return [message for turn in turns if turn.id not in untold for message in _messages_of(session, turn)]


def _messages_of(session: LiveSession, turn: PastTurn) -> list[Message]:
    log, end, answer, trace, status = session.log, turn.end, turn.answer, turn.trace, turn.status
    if turn.end_seq is None or turn.end_seq > log.cursor.seq:
        told = log.end_of(turn.id)
        end = told.event if told is not None and isinstance(told.event, Result | Failed) else None
        answer, trace = log.text(turn.id), log.trace(turn.id)
        status = _live_status(session, turn, end)
    messages = [
        Message(
            id=f"{turn.id}.u",
            turn_id=turn.id,
            sender="user",
            content=turn.text,
            timestamp=turn.accepted_at,
            files=(),
            tools=(),
            usage=None,
            status="queued" if status == "queued" else "done",
        )
    ]
    if status != "queued":
        tools, outline = outlined(trace, answer)
        result = end if isinstance(end, Result) else None
        messages.append(
            Message(
                id=f"{turn.id}.a",
                turn_id=turn.id,
                sender="agent",
                content=answer,
                timestamp=turn.ended_at or turn.accepted_at,
                files=result.files if result else (),
                tools=tools,
                usage=result.usage if result else None,
                status=status,
                outline=outline,
                provider=result.provider if result else None,
                model=result.model if result else None,
                duration_ms=result.duration_ms if result else None,
                reason=result.reason if result else None,
                error=end if isinstance(end, Failed) else None,
            )
        )
    return messages


def _live_status(session: LiveSession, turn: PastTurn, end: TurnEnd | None) -> TurnStatus:
    if end is not None:
        return status_of(end)
    return "running" if session.running_turn == turn.id else "queued"
