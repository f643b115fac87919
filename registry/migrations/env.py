"""Alembic's environment: runs the migrations on the connection and in the transaction of ``migrate``."""

from __future__ import annotations

from alembic import context

from registry.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    transactional_ddl=False,  # everything runs in the caller's transaction
)
context.run_migrations()
