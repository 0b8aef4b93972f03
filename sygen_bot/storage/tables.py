"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

NEWEST_REVISION: Final = "0002"

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("agent", Text, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger),
    Column("title", Text, nullable=False),
    Column("is_archived", Boolean, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # Where the log of the session stands: its epoch, and the place after the last event that was committed.
    Column("epoch", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    # How many turns were accepted, ever, and how many messages there are to show.
    Column("ordinal", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    # The agent's context: when its last turn began, and how many it has had.
    Column("context_used_at", Double),
    Column("context_turns", Integer, nullable=False),
)
Index("sessions_newest", sessions.c.updated_at, sessions.c.id)

contexts = Table(
    "contexts",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("resume_token", Text, nullable=False),
    Column("updated_at", Double, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("client_id", Text),
    Column("text", Text, nullable=False),
    Column("accepted_at", Double, nullable=False),
    Column("status", Text, nullable=False),  # queued, running, or how it ended: done, aborted, interrupted, failed
    # Its places in the session's log: of the user's message and of its end, known when the turn has begun and ended.
    Column("user_seq", BigInteger),
    Column("end_seq", BigInteger),
    Column("ended_at", Double),
    Column("answer", Text),
    Column("trace", Text),  # what else happened, as `sygen_bot.session.trace` writes it
    Column("end", Text),  # the `Result` without its text, or the `Failed`, as JSON
    UniqueConstraint("session_id", "ordinal"),
    UniqueConstraint("session_id", "client_id"),
)
Index(
    "turns_unfinished",
    turns.c.status,
    sqlite_where=turns.c.end_seq.is_(None),
    postgresql_where=turns.c.end_seq.is_(None),
)

turn_parts = Table(
    "turn_parts",
    metadata,
    # What a running turn has said, piece by piece, in the order of `number`. Gone when the turn has ended.
    Column("turn_id", Text, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("trace", Text, nullable=False),
)
