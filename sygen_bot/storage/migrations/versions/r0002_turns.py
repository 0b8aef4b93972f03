"""Sessions get an id, a title and a place in their log; every turn is kept."""

import secrets

import sqlalchemy as sa
from alembic import op

from sygen_bot.session.key import SessionKey

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    connection = op.get_bind()
    old_sessions = connection.execute(
        sa.text("SELECT key, provider, model, created_at, updated_at FROM sessions")
    ).fetchall()
    old_contexts = connection.execute(
        sa.text("SELECT session_key, provider, resume_token, updated_at FROM contexts")
    ).fetchall()
    op.drop_table("contexts")
    op.drop_table("sessions")
    sessions = op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("is_archived", sa.Boolean, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        sa.Column("message_count", sa.BigInteger, nullable=False),
        sa.Column("context_used_at", sa.Double),
        sa.Column("context_turns", sa.Integer, nullable=False),
    )
    op.create_index("sessions_newest", "sessions", ["updated_at", "id"])
    contexts = op.create_table(
        "contexts",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("resume_token", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "turns",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("accepted_at", sa.Double, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("user_seq", sa.BigInteger),
        sa.Column("end_seq", sa.BigInteger),
        sa.Column("ended_at", sa.Double),
        sa.Column("answer", sa.Text),
        sa.Column("trace", sa.Text),
        sa.Column("end", sa.Text),
        sa.UniqueConstraint("session_id", "ordinal"),
        sa.UniqueConstraint("session_id", "client_id"),
    )
    unfinished = sa.text("end_seq IS NULL")
    op.create_index("turns_unfinished", "turns", ["status"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "turn_parts",
        sa.Column("turn_id", sa.Text, sa.ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("trace", sa.Text, nullable=False),
    )
    ids = {row.key: secrets.token_hex(12) for row in old_sessions}
    if old_sessions:
        connection.execute(sa.insert(sessions), [_session(ids[row.key], row) for row in old_sessions])
    if old_contexts:
        connection.execute(
            sa.insert(contexts),
            [
                {
                    "session_id": ids[row.session_key],
                    "provider": row.provider,
                    "resume_token": row.resume_token,
                    "updated_at": row.updated_at,
                }
                for row in old_contexts
            ],
        )


def _session(session_id: str, row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
    key = SessionKey.parse(row.key)
    return {
        "id": session_id,
        "key": row.key,
        "agent": "main",
        "chat_id": key.chat_id,
        "channel_id": key.topic_id,
        "title": "",
        "is_archived": False,
        "provider": row.provider,
        "model": row.model,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "epoch": secrets.token_hex(8),
        "seq": 0,
        "ordinal": 0,
        "message_count": 0,
        "context_turns": 0,
    }
