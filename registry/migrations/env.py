"""What Alembic runs: the migrations on the connection that ``registry.migrate`` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from registry.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()
