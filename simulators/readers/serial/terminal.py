"""The near end of a pseudo-terminal, whose far end a program opens as a serial port."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import tty
from typing import Final

_TCGETS2: Final = 0x802C542A
"""Request for struct termios2, whose last word is the output rate in bits a second. Linux, asm-generic/termbits.h."""
_TERMIOS2: Final = 44


class PseudoTerminal:
    """``port`` is the device that a program opens. For one thread, but ``close``."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)  # from now on the master says whether somebody has it open
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)

    def wait(self, seconds: float) -> int:
        """Wait for an event: POLLHUP while nobody has the port open, POLLIN for characters, 0 for neither."""
        return dict(self._poll.poll(seconds * 1000)).get(self._master, 0)

    @property
    def rate(self) -> int:
        """Bits a second at which the program has set the port."""
        words = array.array("I", bytes(_TERMIOS2))
        fcntl.ioctl(self._master, _TCGETS2, words)
        return words[-1]

    def read(self) -> bytes:
        """What the program wrote; nothing where it closed the port in this moment."""
        with contextlib.suppress(OSError):
            return os.read(self._master, 4096)
        return b""

    def write(self, characters: bytes) -> None:
        """Characters for the program; lost where it closed the port in this moment."""
        with contextlib.suppress(OSError):
            while characters:
                characters = characters[os.write(self._master, characters) :]

    def drain(self) -> None:
        """Drop what the program wrote before it closed the port."""
        os.set_blocking(self._master, False)
        with contextlib.suppress(OSError):
            while os.read(self._master, 4096):
                continue
        os.set_blocking(self._master, True)

    def close(self) -> None:
        os.close(self._master)
