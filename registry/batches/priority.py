"""How urgent a batch is: a value of its own, so that a command line names it without opening a database."""

from __future__ import annotations

from enum import StrEnum


class BatchPriority(StrEnum):
    """How urgent a batch is."""

    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"
