"""A tile of the Station page: a reader, its lane and its machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from personalize.line.outcome import CardOutcome
from reader_service.pages.issuing.machine import NOTICES, PICTURES
from reader_service.readers.values import Mode, ReaderState, ReaderView
from reader_service.services.issuing.lane_status import LaneStatus
from reader_service.services.issuing.machine_status import MachineView
from registry.line.machines import PRINT, STRIPE

STEPS: Final = ("connect", "identify", "authenticate", "install", "store", "keys", "secure", "read back")
"""The steps of a chip in their order (personalize.line.plan.NAMES), for a tile's progress bar. Those of the card's body
come after the last."""
ALARMS: Final[Mapping[str, str]] = {
    CardOutcome.REJECTED: "bad",
    CardOutcome.REFUSED: "bad",
    CardOutcome.AGAIN: "warn",
    CardOutcome.ASIDE: "warn",
}
"""Outcomes that need the operator, and their tone."""
HOURS: Final = 12 * 3600.0
"""Seconds within which the end of a batch is a time of day; a later one has its date."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A reader, the lane that runs on it or ran last, or both. ``fresh``: its card ended just now."""

    id: str
    name: str
    reader: ReaderView | None
    lane: LaneStatus | None
    fresh: bool = False
    machine: MachineView | None = None

    @property
    def running(self) -> bool:
        return self.lane is not None and self.lane.state != "ended"

    @property
    def free(self) -> bool:
        """Whether a lane may be started on it."""
        if self.running or self.reader is None or self.reader.state in (ReaderState.LOST, ReaderState.HUNG):
            return False
        return self.reader.mode is Mode.FREE and self.reader.lease is None

    @property
    def ends(self) -> datetime | None:
        """When its batch is done at the present rate."""
        if self.lane is None or self.lane.seconds_left is None or not self.running:
            return None
        return datetime.now(UTC) + timedelta(seconds=self.lane.seconds_left)

    @property
    def soon(self) -> bool:
        """Whether the time of day alone says when it ends."""
        return self.lane is not None and (self.lane.seconds_left or 0) < HOURS

    @property
    def gone(self) -> bool:
        """Whether it may be removed from the page."""
        return not self.running and self.reader is not None and self.reader.state is ReaderState.LOST

    @property
    def alarm(self) -> str:
        """Tone of what the operator has to do about the last card; empty for nothing, or once the next has begun."""
        if self.lane is None or self.lane.last is None or self.lane.state == "working" or self.machine is not None:
            return ""  # a machine puts each card into its bin by itself
        return ALARMS.get(self.lane.last.outcome, "")

    @property
    def machine_fault(self) -> str:
        """The code of what a person has to do at the machine; empty for nothing."""
        if self.machine is None or (self.lane is not None and self.lane.state == "working"):
            return ""
        if self.lane is not None and self.running and self.lane.code in PICTURES:
            return self.lane.code
        return self.machine.fault

    @property
    def machine_tone(self) -> str:
        return "warn" if not self.running and self.machine_fault in NOTICES else "bad"

    @property
    def picture(self) -> str:
        """The symbol that shows what to do."""
        return PICTURES.get(self.machine_fault, "service")

    @property
    def done(self) -> int:
        """Steps that the present card has completed."""
        step = "" if self.lane is None else self.lane.step
        if step in (STRIPE, PRINT):
            return len(STEPS) - 1
        return STEPS.index(step) if step in STEPS else 0
