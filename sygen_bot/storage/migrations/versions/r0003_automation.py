"""Notifications, runs of automation, cron jobs, webhooks and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("agent", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("source_id", sa.Text),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("chat_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("session_id", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("is_read", sa.Boolean, nullable=False),
    )
    op.create_index(
        "notifications_unread",
        "notifications",
        ["number"],
        sqlite_where=sa.text("is_read IS 0"),  # word for word as it is asked for, or it is not used
        postgresql_where=sa.text("is_read IS false"),
    )
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("repeats", sa.Boolean, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("session_id", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("error", sa.Text),
    )
    op.create_index("runs_of_a_source", "runs", ["source", "source_id", "number"])
    op.create_index(
        "runs_unfinished",
        "runs",
        ["number"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("chat_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("quiet_from", sa.Text),
        sa.Column("quiet_to", sa.Text),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("missed", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double),
    )
    op.create_table(
        "hooks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("auth", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("chat_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("hook_id", sa.Text, sa.ForeignKey("hooks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("refusal", sa.Text),
        sa.UniqueConstraint("hook_id", "delivery_id"),
    )
    op.create_index("deliveries_of_a_hook", "deliveries", ["hook_id", "number"])
    op.create_index("deliveries_by_time", "deliveries", ["received_at"])
