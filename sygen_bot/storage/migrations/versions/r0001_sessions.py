"""Sessions and the providers' resume tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "contexts",
        sa.Column("session_key", sa.Text, sa.ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("resume_token", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
