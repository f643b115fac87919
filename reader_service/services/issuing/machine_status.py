"""A machine of this station as a frozen value that pages, API and events use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from personalize.machines.faults import MachineFaultCode
from personalize.machines.protocols import MachineAbilities, MachinePlace, MachineStatus, Supply


@dataclass(frozen=True, slots=True)
class MachineView:
    """The machine that feeds a reader, as of its last answer at ``at``; null before the first one.

    ``answers`` is false while it does not answer. ``faults`` are the codes of what stops it or will, the first one
    first (personalize.machines.faults.MachineFaultCode). ``clearing``: a fault is being cleared. Supplies are empty,
    low, enough or unknown; null where the machine does not say.
    """

    reader: str
    name: str
    feeds: bool
    prints: bool
    answers: bool
    clearing: bool
    place: MachinePlace = MachinePlace.UNKNOWN
    feeder: Supply = Supply.UNKNOWN
    reject_full: bool | None = None
    cover_open: bool | None = None
    ribbon: Supply = Supply.UNKNOWN
    ribbon_kind: str = ""
    cleaning_due: bool | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    model: str = ""
    firmware: str = ""
    serial_number: str = ""
    at: datetime | None = None

    @property
    def fault(self) -> str:
        """The first of the faults; empty for none."""
        return self.faults[0] if self.faults else ""

    def to_json(self) -> dict[str, Any]:
        """The JSON form for events and API."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        at = self.at and self.at.isoformat()
        return fields | {"counters": dict(self.counters), "faults": list(self.faults), "at": at}


def faults_of(status: MachineStatus, abilities: MachineAbilities) -> Iterator[MachineFaultCode]:
    """What stops the machine, by what it says and by what its sensors show."""
    known = frozenset(MachineFaultCode)
    yield from (MachineFaultCode(code) for code in status.faults if code in known)
    if status.cover_open:
        yield MachineFaultCode.COVER
    if status.reject_full:
        yield MachineFaultCode.REJECT_FULL
    if abilities.prints and status.ribbon is Supply.EMPTY:
        yield MachineFaultCode.RIBBON
    if status.cleaning_due:
        yield MachineFaultCode.CLEANING
    if abilities.feeds and status.feeder is Supply.EMPTY:
        yield MachineFaultCode.FEEDER_EMPTY
