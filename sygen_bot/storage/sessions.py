"""Sessions and their turns as they are written: accepted, begun, said so far, ended; and set right after a crash."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from sygen_bot.errors import Conflict
from sygen_bot.events import Failed, Result, TurnEnd, status_of
from sygen_bot.files.prompt import own_words
from sygen_bot.session.key import SessionKey
from sygen_bot.session.text import one_line
from sygen_bot.session.trace import TextSpan, Thought, TraceEntry, decode_trace, encode_trace
from sygen_bot.storage.engine import Storage
from sygen_bot.storage.tables import contexts, sessions, turn_parts, turns

_GIVEN_TITLE_CHARS: Final = 80
MOST_CHARS_IN_ROW: Final = 256 * 1024
"""Of an answer. A larger one stays in the parts in which it was stored."""
_PART_CHARS: Final = 64 * 1024
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ContextUse:
    """How far an agent's context was used: when its last turn began, in epoch seconds, and how many it has had."""

    used_at: float | None = None
    turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """What storage knows of a session. `provider` and `model` are None for the default; `contexts` holds resume tokens by provider.

    `epoch` and `seq`: where its log stands. `ordinal`: turns accepted so far. Times in epoch seconds.
    """

    id: str
    key: SessionKey
    agent: str
    epoch: str
    seq: int
    ordinal: int
    message_count: int = 0
    provider: str | None
    model: str | None
    context: ContextUse
    contexts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """An accepted message. `ordinal` is its place among the turns of its session, `user_seq` that in the log, once it has one."""

    id: str
    ordinal: int
    text: str
    accepted_at: float
    client_id: str | None = None
    user_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPart:
    """What a running turn has said since part `number - 1`, and what else happened in it. The same number again replaces it."""

    turn_id: str
    number: int
    text: str
    trace: Sequence[TraceEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTurn:
    """How a turn ended: its places in the log, its answer and what else happened in it.

    `parts` and `chars_in_parts`: what of the answer is known to be stored, by `add_parts`.
    """

    turn_id: str
    user_seq: int
    end_seq: int
    end: TurnEnd
    answer: str
    trace: Sequence[TraceEntry]
    parts: int = 0
    chars_in_parts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMessage:
    """A message of that client id was accepted before. `end` is how its turn ended, None if it has not."""

    turn_id: str
    end: TurnEnd | None


# What every message and every end takes, made once: to put a statement together takes longer than to run it.
_SESSION: Final = sa.bindparam("of_session", type_=sa.Text)
_TURN: Final = sa.bindparam("of_turn", type_=sa.Text)
_IS_SESSION = sa.select(sa.exists().where(sessions.c.id == _SESSION))
_OF_CLIENT = sa.select(turns.c.id, turns.c.text, turns.c.answer, turns.c.end).where(
    turns.c.session_id == _SESSION, turns.c.client_id == sa.bindparam("named")
)
_ADD_TURN = sa.insert(turns)
_COUNT_TURN = (
    sa.update(sessions)
    .where(sessions.c.id == _SESSION)
    .values(
        ordinal=sa.bindparam("to_ordinal"),
        message_count=sessions.c.message_count + 1,
        updated_at=sa.bindparam("now"),
        title=sa.case((sessions.c.title == "", sa.bindparam("first_title", type_=sa.Text)), else_=sessions.c.title),
    )
)
_BEGIN_TURN = sa.update(turns).where(turns.c.id == _TURN).values(status="running", user_seq=sa.bindparam("at"))
_END_OF = sa.select(turns.c.end_seq).where(turns.c.id == _TURN)
_END_TURN = (
    sa.update(turns)
    .where(turns.c.id == _TURN)
    .values(
        {name: sa.bindparam(name) for name in ("status", "user_seq", "end_seq", "ended_at", "answer", "trace", "end")}
    )
)
_TEXTS_OF = sa.select(turn_parts.c.text).where(turn_parts.c.turn_id == _TURN).order_by(turn_parts.c.number)
_FORGET_PARTS = sa.delete(turn_parts).where(turn_parts.c.turn_id == _TURN)
_COUNT_END = (
    sa.update(sessions)
    .where(sessions.c.id == _SESSION)
    .values(
        seq=sa.bindparam("seq"),
        message_count=sessions.c.message_count + sa.bindparam("more", type_=sa.BigInteger),
        updated_at=sa.bindparam("now"),
    )
)
_USE_CONTEXT = (
    sa.update(sessions)
    .where(sessions.c.id == _SESSION)
    .values(context_used_at=sa.bindparam("used_at"), context_turns=sa.bindparam("context_turns"))
)


class SessionStore:
    """Every method raises StorageError if the database cannot be used. `clock`: epoch seconds."""

    def __init__(self, storage: Storage, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    # --- sessions -----------------------------------------------------------------------------------------------------

    async def open(self, key: SessionKey, *, agent: str) -> StoredSession:
        """The session of that key, made if there is none."""
        if (found := await self._find(key)) is not None:
            return found
        now = self._clock()

        def make(connection: sa.Connection) -> None:
            row = {
                "id": secrets.token_hex(12),
                "key": str(key),
                "agent": agent,
                "chat_id": key.chat_id,
                "channel_id": key.topic_id,
                "title": "",
                "is_archived": False,
                "created_at": now,
                "updated_at": now,
                "epoch": secrets.token_hex(8),
                "seq": 0,
                "ordinal": 0,
                "message_count": 0,
                "context_turns": 0,
            }
            connection.execute(_insert(connection.dialect.name, sessions).values(row).on_conflict_do_nothing())

        await self._storage.write(make)
        made = await self._find(key)
        if made is None:  # deleted in between
            return await self.open(key, agent=agent)
        return made

    async def _find(self, key: SessionKey) -> StoredSession | None:
        def find(connection: sa.Connection) -> StoredSession | None:
            row = connection.execute(sa.select(sessions).where(sessions.c.key == str(key))).first()
            if row is None:
                return None
            tokens = connection.execute(
                sa.select(contexts.c.provider, contexts.c.resume_token).where(contexts.c.session_id == row.id)
            )
            return StoredSession(
                id=row.id,
                key=key,
                agent=row.agent,
                epoch=row.epoch,
                seq=row.seq,
                ordinal=row.ordinal,
                message_count=row.message_count,
                provider=row.provider,
                model=row.model,
                context=ContextUse(row.context_used_at, row.context_turns),
                contexts=dict(tokens.all()),
            )

        return await self._storage.read(find)

    async def set_target(self, session_id: str, *, provider: str | None, model: str | None) -> None:
        await self._update_session(session_id, provider=provider, model=model)

    async def save_context(self, session_id: str, provider: str, resume_token: str) -> None:
        now = self._clock()
        await self._storage.write(lambda connection: _keep_context(connection, session_id, provider, resume_token, now))

    async def clear_contexts(self, session_id: str) -> None:
        def clear(connection: sa.Connection) -> None:
            connection.execute(sa.delete(contexts).where(contexts.c.session_id == session_id))
            connection.execute(
                sa.update(sessions).where(sessions.c.id == session_id).values(context_turns=0, context_used_at=None)
            )

        await self._storage.write(clear)

    async def delete(self, session_id: str) -> None:
        """Remove a session with all its turns."""

        def remove(connection: sa.Connection) -> None:
            of_it = sa.select(turns.c.id).where(turns.c.session_id == session_id)
            connection.execute(sa.delete(turn_parts).where(turn_parts.c.turn_id.in_(of_it)))
            for table in (turns, contexts):
                connection.execute(sa.delete(table).where(table.c.session_id == session_id))
            connection.execute(sa.delete(sessions).where(sessions.c.id == session_id))

        await self._storage.write(remove)

    async def _update_session(self, session_id: str, **values: object) -> None:
        def update(connection: sa.Connection) -> None:
            connection.execute(sa.update(sessions).where(sessions.c.id == session_id).values(**values))

        await self._storage.write(update)

    # --- turns --------------------------------------------------------------------------------------------------------

    def accept(
        self,
        session_id: str,
        turn: StoredTurn,
        *,
        begins: bool,
        on_done: Callable[[KnownMessage | Exception | None], None],
    ) -> None:
        """Keep an accepted message and call back: with None if it was new, with Conflict if its client id stands for another text.

        `begins`: the agent gets it as soon as it is stored, so that from now on it is never given to one again.
        """
        row = {
            "id": turn.id,
            "session_id": session_id,
            "ordinal": turn.ordinal,
            "client_id": turn.client_id,
            "text": turn.text,
            "accepted_at": turn.accepted_at,
            "status": "running" if begins else "queued",
            "user_seq": turn.user_seq,
        }
        counted = {
            "of_session": session_id,
            "to_ordinal": turn.ordinal,
            "now": turn.accepted_at,
            "first_title": _title_from(turn.text),
        }

        def keep(connection: sa.Connection) -> KnownMessage | None:
            if turn.client_id is not None and (known := _by_client_id(connection, session_id, turn)) is not None:
                return None if known.turn_id == turn.id else known  # its own: the transaction is run again
            connection.execute(_ADD_TURN, row)
            connection.execute(_COUNT_TURN, counted)
            return None

        self._storage.submit(keep, on_done)

    async def begin(self, turn_id: str, *, user_seq: int) -> None:
        """Note that the agent is about to get the message: from now on it is never given to one again."""

        def note(connection: sa.Connection) -> None:
            connection.execute(_BEGIN_TURN, {"of_turn": turn_id, "at": user_seq})

        await self._storage.write(note)

    async def add_parts(self, parts: Sequence[TurnPart]) -> None:
        """Keep what running turns have said since their last parts. Does nothing for a turn that has ended."""

        def add(connection: sa.Connection) -> None:
            rows = [
                {"of_turn": part.turn_id, "at": part.number, "said": part.text, "done": encode_trace(part.trace)}
                for part in parts
            ]
            connection.execute(_add_part(connection.dialect.name), rows)

        await self._storage.write(add, is_patient=True)

    async def finish(
        self,
        session_id: str,
        ended: Sequence[EndedTurn],
        *,
        waiting: Mapping[str, int],
        context: ContextUse,
        contexts: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Keep how turns of one session ended, in the order of their ends, and how far its agent's context was used.

        `waiting`: the places in the log of the messages that wait. `contexts`: resume tokens that were not saved yet, by provider.
        """
        now = self._clock()

        def keep(connection: sa.Connection) -> None:
            for turn in ended:
                _finish(connection, session_id, turn, now)
            for provider, resume_token in contexts.items():
                _keep_context(connection, session_id, provider, resume_token, now)
            used = {"of_session": session_id, "used_at": context.used_at, "context_turns": context.turns}
            connection.execute(_USE_CONTEXT, used)
            for turn_id, user_seq in waiting.items():
                connection.execute(sa.update(turns).where(turns.c.id == turn_id).values(user_seq=user_seq))

        await self._storage.write(keep)

    # --- after a start ------------------------------------------------------------------------------------------------

    async def recover(self, *, max_age_s: float) -> list[tuple[SessionKey, StoredTurn]]:
        """Set right what a crash left, and return the messages to run, by session in their order.

        A turn that had begun ends as interrupted with what it had said; so does one that had not, if its client gave it no id
        or if it is older than `max_age_s`. A session with a turn that had begun gets a new epoch.
        """

        def set_right(connection: sa.Connection) -> list[tuple[SessionKey, StoredTurn]]:
            left = (
                connection.execute(
                    sa.select(turns, sessions.c.key, sessions.c.seq)
                    .join(sessions, sessions.c.id == turns.c.session_id)
                    .where(turns.c.end_seq.is_(None), turns.c.status.in_(("queued", "running")))
                    .order_by(turns.c.session_id, turns.c.ordinal)
                )
            ).all()
            to_run: list[tuple[SessionKey, StoredTurn]] = []
            by_session: dict[str, list[Any]] = {}
            for row in left:
                by_session.setdefault(row.session_id, []).append(row)
            for session_id, rows in by_session.items():
                to_run += self._recover_session(connection, session_id, rows, max_age_s)
            return to_run

        return await self._storage.write(set_right)

    def _recover_session(
        self, connection: sa.Connection, session_id: str, rows: list[Any], max_age_s: float
    ) -> list[tuple[SessionKey, StoredTurn]]:
        now, seq = self._clock(), rows[0].seq
        # An end that was stored after a message, without its place: clients may have been told it at a place that nobody knows.
        last_end = (
            connection.scalar(sa.select(sa.func.max(turns.c.ended_at)).where(turns.c.session_id == session_id)) or 0
        )
        has_begun = any(
            row.status == "running" or (row.user_seq is None and row.accepted_at <= last_end) for row in rows
        )
        if has_begun:
            connection.execute(
                sa.update(sessions).where(sessions.c.id == session_id).values(epoch=secrets.token_hex(8))
            )
        # In the old epoch a message keeps the place that clients have seen; one without was told next, in order.
        user_seqs: dict[str, int] = {}
        for row in rows:
            if has_begun or row.user_seq is None:
                seq += 1
            user_seqs[row.id] = seq if has_begun or row.user_seq is None else row.user_seq
        to_run: list[tuple[SessionKey, StoredTurn]] = []
        for row in rows:
            if row.status == "queued" and row.client_id is not None and now - row.accepted_at <= max_age_s:
                turn = StoredTurn(
                    id=row.id,
                    ordinal=row.ordinal,
                    text=row.text,
                    accepted_at=row.accepted_at,
                    client_id=row.client_id,
                    user_seq=user_seqs[row.id],
                )
                to_run.append((SessionKey.parse(row.key), turn))
                connection.execute(sa.update(turns).where(turns.c.id == row.id).values(user_seq=user_seqs[row.id]))
                continue
            parts = (
                connection.execute(
                    sa.select(turn_parts).where(turn_parts.c.turn_id == row.id).order_by(turn_parts.c.number)
                )
            ).all()
            answer = "".join(part.text for part in parts)
            trace, seq = _moved([entry for part in parts for entry in decode_trace(part.trace)], seq)
            seq += 1
            _finish(
                connection,
                session_id,
                EndedTurn(
                    turn_id=row.id,
                    user_seq=user_seqs[row.id],
                    end_seq=seq,
                    end=Result(answer, aborted=True, reason="interrupted"),
                    answer=answer,
                    trace=trace,
                    parts=len(parts),
                    chars_in_parts=len(answer),
                ),
                now,
            )
        connection.execute(sa.update(sessions).where(sessions.c.id == session_id).values(seq=seq))
        return to_run


def _by_client_id(connection: sa.Connection, session_id: str, turn: StoredTurn) -> KnownMessage | None:
    row = connection.execute(_OF_CLIENT, {"of_session": session_id, "named": turn.client_id}).first()
    if row is None:
        return None
    if row.text != turn.text:
        raise Conflict("This id stands for another message.")
    return KnownMessage(
        turn_id=row.id, end=None if row.end is None else decode_end(row.end, whole_answer(connection, row))
    )


@cache
def _add_part(dialect: str) -> sa.Executable:
    running = sa.select(
        sa.bindparam("of_turn", type_=sa.String),
        sa.bindparam("at", type_=sa.Integer),
        sa.bindparam("said", type_=sa.Text),
        sa.bindparam("done", type_=sa.Text),
    ).where(sa.exists().where(turns.c.id == sa.bindparam("of_turn", type_=sa.String), turns.c.status == "running"))
    new = _insert(dialect, turn_parts).from_select(["turn_id", "number", "text", "trace"], running)
    changed = {"text": new.excluded.text, "trace": new.excluded.trace}  # the commit of the first was not heard of
    statement: sa.Executable = new.on_conflict_do_update(index_elements=["turn_id", "number"], set_=changed)
    return statement


@cache
def _put_context(dialect: str) -> sa.Executable:
    new = _insert(dialect, contexts)
    changed = {"resume_token": new.excluded.resume_token, "updated_at": new.excluded.updated_at}
    statement: sa.Executable = new.on_conflict_do_update(index_elements=["session_id", "provider"], set_=changed)
    return statement


def _keep_context(connection: sa.Connection, session_id: str, provider: str, resume_token: str, now: float) -> None:
    if not connection.scalar(_IS_SESSION, {"of_session": session_id}):
        return  # deleted while its agent spoke
    row = {"session_id": session_id, "provider": provider, "resume_token": resume_token, "updated_at": now}
    connection.execute(_put_context(connection.dialect.name), row)


def _finish(connection: sa.Connection, session_id: str, turn: EndedTurn, now: float) -> None:
    before = connection.execute(_END_OF, {"of_turn": turn.turn_id}).first()
    if before is None:
        return  # the session was deleted
    stays_in_parts = _complete_parts(connection, turn)
    connection.execute(
        _END_TURN,
        {
            "of_turn": turn.turn_id,
            "status": status_of(turn.end),
            "user_seq": turn.user_seq,
            "end_seq": turn.end_seq,
            "ended_at": now,
            "answer": None if stays_in_parts else turn.answer,
            "trace": encode_trace(turn.trace),
            "end": encode_end(turn.end),
        },
    )
    if not stays_in_parts:
        connection.execute(_FORGET_PARTS, {"of_turn": turn.turn_id})
    counted = {"of_session": session_id, "seq": turn.end_seq, "more": int(before.end_seq is None), "now": now}
    connection.execute(_COUNT_END, counted)


def _complete_parts(connection: sa.Connection, turn: EndedTurn) -> bool:
    """Whether the answer stays in the parts in which it was stored while it was said: to write a large one a second time, or to read it,
    would hold up everybody who waits for the database. Adds what is missing, over parts whose commit was not heard of.
    """
    if len(turn.answer) <= MOST_CHARS_IN_ROW or not MOST_CHARS_IN_ROW // 2 <= turn.chars_in_parts <= len(turn.answer):
        return False
    rest = [
        {"of_turn": turn.turn_id, "at": number, "said": turn.answer[start : start + _PART_CHARS], "done": "[]"}
        for number, start in enumerate(range(turn.chars_in_parts, len(turn.answer), _PART_CHARS), turn.parts)
    ]
    if rest:
        connection.execute(_add_part(connection.dialect.name), rest)
    return True


def whole_answer(connection: sa.Connection, row: Any) -> str:
    """What was said in the turn of that row."""
    if row.answer is not None or row.end is None:
        return row.answer or ""
    return "".join(connection.scalars(_TEXTS_OF, {"of_turn": row.id}))


def encode_end(end: TurnEnd) -> str:
    """A turn's end as JSON, without the text of its answer, which is kept beside it."""
    if isinstance(end, Result):
        return msgspec.json.encode({"result": msgspec.structs.replace(end, text="")}).decode()
    return msgspec.json.encode({"failed": end}).decode()


def decode_end(text: str, answer: str | None) -> TurnEnd:
    stored = msgspec.json.decode(text, type=_StoredEnd)
    if stored.failed is not None:
        return stored.failed
    return msgspec.structs.replace(stored.result or Result(""), text=answer or "")


class _StoredEnd(msgspec.Struct):
    result: Result | None = None
    failed: Failed | None = None


def _moved(trace: list[TraceEntry], seq: int) -> tuple[list[TraceEntry], int]:
    """The trace with new places that follow `seq`, and the last of them: another turn's events may have stood between."""
    moved: list[TraceEntry] = []
    for entry in trace:
        match entry:
            case TextSpan(length=length):
                seq += length
            case Thought(text=text):
                seq += len(text)
            case _:
                seq += 1
        moved.append(msgspec.structs.replace(entry, seq=seq))
    return moved, seq


def _title_from(text: str) -> str:
    first = next((line for line in map(one_line, own_words(text).splitlines()) if line), "")
    return first if len(first) <= _GIVEN_TITLE_CHARS else first[: _GIVEN_TITLE_CHARS - 1].rstrip() + "…"


def _insert(dialect: str, table: sa.Table) -> Any:
    """An insert that knows `ON CONFLICT`; SQLite and PostgreSQL spell it alike."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # the dialect has it loaded; where it is another, it is not needed

        return postgresql.insert(table)
    return sqlite.insert(table)
