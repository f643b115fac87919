"""Values of matters: what is opened, who holds it, each step, and figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class MatterChannel(StrEnum):
    WINDOW = "window"
    HOTLINE = "hotline"


class MatterStepKind(StrEnum):
    """What was done. ``UP`` and ``DOWN`` hand a matter to a window one level above or below its holder."""

    OPEN = "open"
    UP = "up"
    DOWN = "down"
    NOTE = "note"
    CLOSE = "close"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class WindowPlace:
    """A window by its code in the programme, and its level: city, district or station."""

    code: str
    level: str


@dataclass(frozen=True, slots=True)
class NewMatter:
    """A matter as it is opened. ``member`` is None for a caller who does not say who they are; ``words`` are sealed."""

    kind: str
    channel: MatterChannel
    window: WindowPlace
    days: int
    words: str = field(default="", repr=False)
    member: int | None = None


@dataclass(frozen=True, slots=True)
class Matter:
    """A matter without its words. ``holder`` is the window that has it now."""

    number: int
    member_id: int | None
    name_masked: str | None
    unit: str | None
    kind: str
    channel: MatterChannel
    opened_at: datetime
    opened_by: str
    opened_window: str
    holder: WindowPlace
    due: date
    closed_at: datetime | None
    closed_by: str | None
    steps: int

    @property
    def open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class MatterStep:
    """A step, with the window that holds the matter after it; ``words`` are in clear, where the matter was opened with
    the audit's knowledge."""

    number: int
    at: datetime
    by: str
    kind: MatterStepKind
    window: WindowPlace
    words: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class MatterFigures:
    """Matters of a kind that were opened at a window in some days: how many, how many are closed, how many were closed
    late or are overdue, how often they were handed on, and the days to their end on average."""

    kind: str
    window: str
    opened: int
    closed: int
    late: int
    handed: int
    days: float | None
