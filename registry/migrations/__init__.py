"""Alembic migrations of the registry, run by ``registry.migrate``; the same scripts for SQLite and PostgreSQL."""
