"""A print sequence: panels that arrive, and what becomes of them on the card. Programming guide A5013, 2 and 8 (S).

The printer holds the panels of one side in its memory until the side is printed, so that a side can be printed again
after an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulators.machines.evolis.answers import PrinterError, PrinterRefusal
from simulators.machines.evolis.commands import HostCommand
from simulators.machines.evolis.face import BACK, FRONT, CardFace
from simulators.machines.evolis.panels import LINES, PANELS, Dots, decode, decode_compressed
from simulators.machines.evolis.ribbon import KINDS
from simulators.machines.evolis.settings import PrinterSettings
from terminal.errors import CodecError

_MONOCHROME: Final = "ko"


class PrintSequence:
    """The sequence that is open, if one is. The ribbon is that of the printer's settings.

    ``sides`` counts sides with at least one printed panel since the sequence began.
    """

    def __init__(self, settings: PrinterSettings, *, at_end: bool) -> None:
        self._settings, self._at_end = settings, at_end
        self.kind: str | None = None
        """The ribbon that the host has set (``Pr``); None: that in the printer."""
        self.close()

    def close(self) -> None:
        """Forget panels that were not printed."""
        self.open = False
        self.side = FRONT
        self.sides = 0
        self._waiting: dict[str, tuple[int, Dots]] = {}
        self._begun = False

    def start(self) -> None:
        self.close()
        self.open = True

    def select(self, kind: str) -> None:
        if kind not in KINDS:
            raise PrinterRefusal(PrinterError.PARAMETER)
        self.kind = kind

    def turn(self, side: str) -> None:
        """The next panels are of this side."""
        if side != self.side:
            self.side, self._begun = side, False

    def download(self, command: HostCommand) -> None:
        """Take a panel into the memory."""
        try:
            panel, levels = command.fields[0], int(command.fields[1])
        except (IndexError, ValueError):
            raise PrinterRefusal(PrinterError.PARAMETER) from None
        if command.damaged or panel not in tuple(PANELS) or (panel in _MONOCHROME and levels != 2):
            raise PrinterRefusal(PrinterError.PARAMETER)
        try:
            whole = command.name == "Db"
            dots = decode(levels, command.data) if whole else decode_compressed(panel, levels, command.data)
        except CodecError:
            raise PrinterRefusal(PrinterError.PARAMETER) from None
        self._waiting[panel] = (levels, dots)

    @property
    def due(self) -> bool:
        """Whether panels in memory are to be printed now."""
        return self.open and bool(self._waiting) and not self._at_end

    @property
    def unprinted(self) -> int:
        """How many panels are in memory."""
        return len(self._waiting)

    def print(self, card: Path) -> None:
        """Print the panels in memory on this side of the card.

        A ribbon that ends leaves the panel half printed and in memory.
        """
        if not self._waiting:
            return
        ribbon = self._settings.ribbon
        if ribbon is None or (self.kind and ribbon.kind != self.kind):
            raise PrinterRefusal(PrinterError.RIBBON)
        if not self._begun:
            ribbon.begin()
            self._begun = True
            self.sides += 1
        face = CardFace.of_card(card, self.side)
        try:
            for panel in sorted(self._waiting, key=PANELS.index):
                levels, dots = self._waiting[panel]
                lines = ribbon.pull(panel)
                face.lay(panel, levels, dots, lines)
                if lines < LINES:
                    self._begun = False  # with a new ribbon the side begins anew
                    raise PrinterRefusal(PrinterError.RIBBON)
                del self._waiting[panel]
        finally:
            face.save(card, self.side)


SIDES: Final = {"Sr": FRONT, "Sv": BACK}
