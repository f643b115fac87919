"""Alembic migrations, run by ``registry.migrations.migrate``; the same scripts for SQLite and PostgreSQL."""
