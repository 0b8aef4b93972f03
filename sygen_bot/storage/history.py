"""Chat sessions as people see them: listed, titled, archived, with their turns page by page. Reads storage; runs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from sygen_bot.events import TurnEnd, TurnStatus, UserMessage
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.session.text import speakable
from sygen_bot.session.trace import TraceEntry, decode_trace, events_after
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.sessions import decode_end, whole_answer
from sygen_bot.storage.tables import sessions, turn_parts, turns

RUNS: Final = "task"
"""The transport of sessions that only a run of automation has: no conversation with a person."""
MOST_CHARS_TOLD_AGAIN: Final = 4 * 1024 * 1024
"""A client that has missed more of answers reads the history instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSession:
    """A titled conversation. Times in epoch seconds; `provider` and `model` None for the default."""

    id: str
    key: SessionKey
    agent: str
    title: str
    created_at: float
    updated_at: float
    is_archived: bool
    provider: str | None
    model: str | None
    message_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTurn:
    """One turn as storage has it. `end` is None while it waits or runs; `user_seq` and `end_seq` are its places in the log."""

    id: str
    ordinal: int
    client_id: str | None
    text: str
    accepted_at: float
    status: TurnStatus
    user_seq: int | None
    end_seq: int | None
    ended_at: float | None
    answer: str
    trace: Sequence[TraceEntry]
    end: TurnEnd | None


class ChatHistory:
    """Every method raises StorageError if the database cannot be used. `clock`: epoch seconds."""

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    async def sessions(
        self,
        *,
        chat_id: int | None,
        agent: str | None,
        include_archived: bool,
        before: ChatSession | None,
        limit: int,
    ) -> list[ChatSession]:
        """The newest sessions, by their last change; with `before` those that come after it in that order."""
        is_chat = ~sessions.c.key.startswith(f"{RUNS}:", autoescape=True)
        query = (
            sa.select(sessions).where(is_chat).order_by(sessions.c.updated_at.desc(), sessions.c.id.desc()).limit(limit)
        )
        if chat_id is not None:
            query = query.where(sessions.c.chat_id == chat_id)
        if agent is not None:
            query = query.where(sessions.c.agent == speakable(agent))
        if not include_archived:
            query = query.where(sessions.c.is_archived.is_(False))
        if before is not None:
            query = query.where(
                sa.or_(
                    sessions.c.updated_at < before.updated_at,
                    sa.and_(sessions.c.updated_at == before.updated_at, sessions.c.id < before.id),
                )
            )
        return await self._storage.read(lambda connection: [_session(row) for row in connection.execute(query)])

    async def session(self, session_id: str) -> ChatSession | None:
        row = await self._storage.read(
            lambda connection: connection.execute(
                sa.select(sessions).where(sessions.c.id == speakable(session_id))
            ).first()
        )
        return None if row is None else _session(row)

    async def rename(self, session_id: str, title: str) -> ChatSession | None:
        """The session with its new title; None if there is none. Does not make it newer."""
        return await self._change(session_id, title=title)

    async def archive(self, session_id: str, *, is_archived: bool) -> ChatSession | None:
        return await self._change(session_id, is_archived=is_archived)

    async def _change(self, session_id: str, **values: object) -> ChatSession | None:
        def change(connection: sa.Connection) -> None:
            connection.execute(sa.update(sessions).where(sessions.c.id == speakable(session_id)).values(**values))

        await self._storage.write(change)
        return await self.session(session_id)

    async def turns(self, session_id: str, *, before: int | None, limit: int) -> list[PastTurn]:
        """The last `limit` turns whose ordinal is below `before`, oldest first."""
        query = sa.select(turns).where(turns.c.session_id == speakable(session_id))
        if before is not None:
            query = query.where(turns.c.ordinal < before)
        query = query.order_by(turns.c.ordinal.desc()).limit(limit)
        return (await self._past_turns(query))[::-1]

    async def turns_after(self, session_id: str, *, after: int, limit: int) -> list[PastTurn]:
        """The first `limit` turns whose ordinal is above `after`, oldest first."""
        query = (
            sa.select(turns)
            .where(turns.c.session_id == speakable(session_id), turns.c.ordinal > after)
            .order_by(turns.c.ordinal)
            .limit(limit)
        )
        return await self._past_turns(query)

    async def turn(self, session_id: str, turn_id: str) -> PastTurn | None:
        query = sa.select(turns).where(turns.c.session_id == speakable(session_id), turns.c.id == speakable(turn_id))
        found = await self._past_turns(query)
        return found[0] if found else None

    async def events(
        self, session_id: str, *, after: int, until: int, most_turns: int, most_chars: int = MOST_CHARS_TOLD_AGAIN
    ) -> list[LoggedEvent] | None:
        """What the log of the session said after the place `after` up to `until`; None if that is too much:
        more than `most_turns` turns, or answers of over `most_chars` code points together.
        """
        query = (
            sa.select(turns)
            .where(
                turns.c.session_id == speakable(session_id),
                sa.or_(turns.c.end_seq > after, turns.c.end_seq.is_(None)),  # without an end: its message waits
                turns.c.user_seq <= until,
            )
            .order_by(turns.c.ordinal)
        )
        found = query.subquery()
        in_parts = (
            sa.select(sa.func.sum(sa.func.length(turn_parts.c.text)))
            .where(turn_parts.c.turn_id == found.c.id)
            .scalar_subquery()
        )
        length = sa.func.coalesce(sa.func.length(found.c.answer), in_parts, 0)
        size = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(length), 0)).select_from(found)
        number, chars = await self._storage.read(lambda connection: connection.execute(size).one())
        if number > most_turns or chars > most_chars:
            return None
        past = await self._past_turns(query)
        events = [event for turn in past for event in _events(turn, after) if event.seq <= until]
        return sorted(events, key=lambda logged: logged.seq)

    async def _past_turns(self, query: sa.Select[Any]) -> list[PastTurn]:
        return await self._storage.read(
            lambda connection: [_turn(connection, row) for row in connection.execute(query).all()]
        )


def _events(turn: PastTurn, after: int) -> list[LoggedEvent]:
    events = [LoggedEvent(seq, turn.id, event) for seq, event in events_after(turn.trace, turn.answer, after)]
    if turn.user_seq is not None and turn.user_seq > after:
        events.append(LoggedEvent(turn.user_seq, turn.id, UserMessage(turn.text, turn.accepted_at, turn.client_id)))
    if turn.end is not None and turn.end_seq is not None:
        events.append(LoggedEvent(turn.end_seq, turn.id, turn.end))
    return events


def _session(row: Any) -> ChatSession:
    return ChatSession(
        id=row.id,
        key=SessionKey.parse(row.key),
        agent=row.agent,
        title=row.title,
        created_at=row.created_at,
        updated_at=row.updated_at,
        is_archived=bool(row.is_archived),
        provider=row.provider,
        model=row.model,
        message_count=row.message_count,
    )


def _turn(connection: sa.Connection, row: Any) -> PastTurn:
    answer = whole_answer(connection, row)
    return PastTurn(
        id=row.id,
        ordinal=row.ordinal,
        client_id=row.client_id,
        text=row.text,
        accepted_at=row.accepted_at,
        status=row.status,
        user_seq=row.user_seq,
        end_seq=row.end_seq,
        ended_at=row.ended_at,
        answer=answer,
        trace=decode_trace(row.trace),
        end=None if row.end is None else decode_end(row.end, answer),
    )
