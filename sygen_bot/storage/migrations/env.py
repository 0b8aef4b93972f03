"""Alembic's entry point: runs on the connection that `sygen_bot.storage.engine` hands over."""

from alembic import context

from sygen_bot.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
