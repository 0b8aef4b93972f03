"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
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
    event,
)

NEWEST_REVISION: Final = "0004"

metadata = MetaData()


def _partial_index(table: Table, statement: str) -> None:
    """Make an index of some rows with `table`.

    An `Index` with a condition would have to name every kind of database, and load SQLAlchemy's part for each: 25 ms and 2 MiB.
    """
    for dialect, false in (("sqlite", "0"), ("postgresql", "false")):
        ddl = DDL(statement.format(false=false)).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl)


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
_partial_index(turns, "CREATE INDEX turns_unfinished ON turns (status) WHERE end_seq IS NULL")

turn_parts = Table(
    "turn_parts",
    metadata,
    # What a running turn has said, piece by piece, in the order of `number`. Gone when the turn has ended.
    Column("turn_id", Text, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("trace", Text, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # the order in which they came
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("agent", Text),
    Column("status", Text),
    Column("source_id", Text),
    Column("severity", Text, nullable=False),
    Column("chat_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("session_id", Text),
    Column("created_at", Double, nullable=False),
    Column("is_read", Boolean, nullable=False),
)
# Word for word as it is asked for, or SQLite does not use it.
_partial_index(notifications, "CREATE INDEX notifications_unread ON notifications (number) WHERE is_read IS {false}")

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # the order in which they came
    Column("id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),  # task, cron or webhook
    Column("source_id", Text),
    Column("title", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("key", Text, nullable=False),  # of the session in which it runs
    Column("agent", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("repeats", Boolean, nullable=False),  # whether one that a crash interrupted is run again
    Column("attempt", Integer, nullable=False),
    Column(
        "status", Text, nullable=False
    ),  # queued, running, or how it ended: done, failed, aborted, interrupted, skipped
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("session_id", Text),
    Column("answer", Text),
    Column("error", Text),
)
Index("runs_of_a_source", runs.c.source, runs.c.source_id, runs.c.number)
_partial_index(runs, "CREATE INDEX runs_unfinished ON runs (number) WHERE ended_at IS NULL")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("schedule", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("chat_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("quiet_from", Text),
    Column("quiet_to", Text),
    Column("is_enabled", Boolean, nullable=False),
    Column("missed", Text, nullable=False),  # skip or run_once
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("due_at", Double),  # the next time that was not dealt with yet
)

hooks = Table(
    "hooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("mode", Text, nullable=False),  # chat or task
    Column("template", Text, nullable=False),
    Column("auth", Text, nullable=False),  # bearer, github or stripe
    Column("secret", Text, nullable=False),  # of bearer only the digest
    Column("agent", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("chat_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("is_enabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("hook_id", Text, ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("run_id", Text),
    Column("refusal", Text),  # why there is no run
    UniqueConstraint("hook_id", "delivery_id"),
)
Index("deliveries_of_a_hook", deliveries.c.hook_id, deliveries.c.number)
Index("deliveries_by_time", deliveries.c.received_at)

approvals = Table(
    "approvals",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # the order in which they came
    Column("id", Text, nullable=False, unique=True),
    # No foreign keys: who allowed what stays known when the conversation is gone.
    Column("session_id", Text, nullable=False),
    Column("turn_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("input", Text, nullable=False),  # JSON
    Column("is_cut", Boolean, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("decision", Text),  # allow_once, allow_always, deny, expired, cancelled; none yet
    Column("decided_by", Text),
    Column("decided_at", Double),
)
_partial_index(approvals, "CREATE INDEX approvals_pending ON approvals (number) WHERE decision IS NULL")

approval_rules = Table(
    "approval_rules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("made_by", Text),
    Column("created_at", Double, nullable=False),
)
