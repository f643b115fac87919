"""A virtual card at the far end of a pseudo-terminal, as if it lay in a serial reader at that port.

The port's opening powers the card, which then answers to reset, and its closing takes the power away; it stays closed
for 10 ms at least, as a card does that is reset cold (ISO/IEC 7816-3:2006, 6.2.4). A pseudo-terminal has no control
lines, so there is no warm reset over RTS. What a program sends comes back first: reader and card share one line.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from simulators.readers.serial.contact import SerialContact
from simulators.readers.serial.terminal import PseudoTerminal

_POLL: Final = 0.002
"""Seconds between looks for a program that opens the port; below the shortest time that it stays closed."""
_RESET: Final = 0.011
"""Seconds between the power and the answer to reset: 40,000 clock cycles at most. ISO/IEC 7816-3:2006, 6.2.2."""
_TOLERANCE: Final = 0.05
"""How far the port's rate may be from the card's: a character of ten bits is read wrong beyond it."""
_STOPPED: Final = 0.2
"""Seconds of silence within a block after which it is not complete any more."""


class SerialSlot:
    """A pseudo-terminal with a card behind it, served by a thread. ``port`` is the device that a program opens.

    ``echo``: whether the line gives back what it carries. ``report`` gets one line for each event that an operator
    should know.
    """

    def __init__(
        self, contact: SerialContact, *, echo: bool = True, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._contact, self._echo, self._report = contact, echo, report
        self._terminal = PseudoTerminal()
        self.port = self._terminal.port
        self._closing, self._noted = False, ""
        self._thread = threading.Thread(target=self._run, name=f"card at {self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the card out and end the thread."""
        self._closing = True
        self._thread.join()
        self._terminal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        powered = False
        while not self._closing:
            events = self._terminal.wait(_STOPPED)
            if events & select.POLLHUP:
                if powered:
                    powered = False
                    self._contact.power_off()
                    self._terminal.drain()
                time.sleep(_POLL)
                continue
            if not powered:
                powered, self._noted = True, ""
                time.sleep(_RESET)  # the program throws away what came before it was ready
                self._terminal.write(self._contact.power_on())
            elif events & select.POLLIN:
                self._serve()
            else:
                self._terminal.write(self._contact.silence())
        self._contact.power_off()

    def _serve(self) -> None:
        characters = self._terminal.read()
        if not characters:  # closed in this moment
            return
        if self._echo:
            self._terminal.write(characters)
        rate = self._terminal.rate
        if abs(rate / self._contact.rate - 1) > _TOLERANCE:
            self._note(f"{self.port} is set to {rate} bit/s, and the card to {self._contact.rate:.0f}")
            return
        self._terminal.write(self._contact.receive(characters))

    def _note(self, line: str) -> None:
        """Report a line once for each time that the port is open."""
        if line != self._noted:
            self._noted = line
            self._report(line)
