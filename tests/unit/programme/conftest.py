"""A registry for what publishes into one."""

from tests.unit.registry.conftest import clock, custody, registry, url, with_tables

__all__ = ["clock", "custody", "registry", "url", "with_tables"]
