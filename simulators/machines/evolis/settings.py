"""What a printer keeps through a power failure: its ribbon, and what it counts. It lies in the record of the body."""

from __future__ import annotations

from typing import Final

from simulators.machines.body import MachineBody
from simulators.machines.evolis.ribbon import KINDS, Ribbon
from terminal.errors import ReaderFault

_RIBBON: Final = ("ribbon", "ribbon-lines", "ribbon-place")


class PrinterSettings:
    """``ribbon`` is the roll in the printer, None without one; ``printed`` counts cards that were printed,
    ``since_cleaning`` cards that were inserted since the last cleaning. Raises ReaderFault for a record of another kind
    of machine."""

    def __init__(self, body: MachineBody) -> None:
        self._body = body
        values = dict(body.record.settings or {})
        kind, lines, place = (values.get(name, "0") for name in _RIBBON)
        try:
            self.printed = int(values.get("printed", 0))
            self.since_cleaning = int(values.get("since-cleaning", 0))
            self.ribbon = Ribbon(kind, int(lines), int(place)) if kind in KINDS else None
        except ValueError as error:
            raise ReaderFault(f"{body.directory} is no record of a machine") from error

    def save(self) -> None:
        """Raises ReaderFault."""
        values = {"printed": str(self.printed), "since-cleaning": str(self.since_cleaning)}
        if (ribbon := self.ribbon) is not None:
            numbers = (ribbon.kind, str(ribbon.lines_left), str(ribbon.place))
            values.update(zip(_RIBBON, numbers, strict=True))
        if values != self._body.record.settings:
            self._body.record.settings = values
            self._body.save()
