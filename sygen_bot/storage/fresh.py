"""The tables of a database that is empty yet, made at once: the same that all migrations make, without loading Alembic."""

from __future__ import annotations

import sqlalchemy as sa

from sygen_bot.storage.tables import NEWEST_REVISION, metadata


def make_tables(connection: sa.Connection) -> None:
    """Make all tables in an empty database and note in Alembic's own table that no migration is to be run on them."""
    metadata.create_all(connection, checkfirst=False)
    version = sa.Table(
        "alembic_version",
        sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )
    version.create(connection, checkfirst=False)
    connection.execute(sa.insert(version).values(version_num=NEWEST_REVISION))
