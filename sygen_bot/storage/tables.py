"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, ForeignKey, MetaData, Table, Text

NEWEST_REVISION: Final = "0001"

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("provider", Text),
    Column("model", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

contexts = Table(
    "contexts",
    metadata,
    Column("session_key", Text, ForeignKey("sessions.key", ondelete="CASCADE"), primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("resume_token", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
)
