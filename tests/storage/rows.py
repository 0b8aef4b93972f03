"""What the storage tests write: sessions, messages and ends, short to name."""

from __future__ import annotations

import asyncio

from sygen_bot.events import Result, TurnEnd, UserMessage
from sygen_bot.session.key import SessionKey
from sygen_bot.session.log import LoggedEvent
from sygen_bot.session.trace import TextSpan, TraceEntry
from sygen_bot.storage.sessions import ContextUse, EndedTurn, KnownMessage, SessionStore, StoredSession, StoredTurn

KEY = SessionKey("api", 5, 7)
OTHER = SessionKey("api", 5, None)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def opened(store: SessionStore, key: SessionKey = KEY) -> StoredSession:
    return await store.open(key, agent="main")


def message(
    ordinal: int, text: str = "hello", *, client_id: str | None = "", accepted_at: float = 1000.0, session: str = "t"
) -> StoredTurn:
    """The message number `ordinal`; its client calls it `c` and that number, unless told otherwise."""
    name = f"c{ordinal}" if client_id == "" else client_id
    return StoredTurn(id=f"{session}{ordinal}", ordinal=ordinal, text=text, accepted_at=accepted_at, client_id=name)


def ended(
    turn_id: str,
    end_seq: int,
    answer: str = "",
    *,
    user_seq: int | None = None,
    end: TurnEnd | None = None,
    trace: list[TraceEntry] | None = None,
    in_parts: tuple[int, int] = (0, 0),
) -> EndedTurn:
    """A turn that said `answer` in one go and ended at `end_seq`; its message came just before, unless told otherwise."""
    spans: list[TraceEntry] = [TextSpan(end_seq - 1, len(answer))] if answer else []
    return EndedTurn(
        turn_id=turn_id,
        user_seq=end_seq - 1 - len(answer) if user_seq is None else user_seq,
        end_seq=end_seq,
        end=Result(answer) if end is None else end,
        answer=answer,
        trace=spans if trace is None else trace,
        parts=in_parts[0],
        chars_in_parts=in_parts[1],
    )


async def accept(
    store: SessionStore, session: StoredSession, turn: StoredTurn, *, begins: bool = False
) -> KnownMessage | None:
    """Keep a message, and return or raise what its sender would be told."""
    done: asyncio.Future[KnownMessage | Exception | None] = asyncio.get_running_loop().create_future()
    store.accept(session.id, turn, begins=begins, on_done=done.set_result)
    outcome = await done
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def one_turn(store: SessionStore, session: StoredSession, ordinal: int, answer: str, *, seq: int) -> int:
    """A whole turn after the place `seq`. Returns the place after it."""
    turn = message(ordinal, f"question {ordinal}")
    assert await accept(store, session, turn) is None
    await store.begin(turn.id, user_seq=seq + 1)
    end_seq = seq + 1 + len(answer) + 1
    await store.finish(session.id, [ended(turn.id, end_seq, answer)], waiting={}, context=ContextUse())
    return end_seq


def places(events: list[LoggedEvent] | None) -> list[tuple[int, object]]:
    """Events by place, user messages by their text."""
    assert events is not None
    return [(one.seq, one.event.text if isinstance(one.event, UserMessage) else one.event) for one in events]
