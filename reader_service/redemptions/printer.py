"""The receipt printer of a counter: a network printer, a serial one, or a device file, by its address.

A printer that is away or out of paper is a fault of the printing alone: the journal has the redemption, and its receipt
can be printed again at any time.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

from terminal.errors import CodecError, MembercardError

SECONDS: Final = 5.0
"""How long a printer may take to answer or to take bytes."""
_PORT: Final = 9100
_BAUD: Final = 19200
_NETWORK: Final = re.compile(r"tcp://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/?")
_SERIAL: Final = re.compile(r"serial:(?P<device>/[^?]+)(?:\?baud=(?P<baud>[0-9]{3,7}))?")
_FILE: Final = re.compile(r"file:(?P<path>/.+)")


class PrinterNotReady(MembercardError):
    """The printer is away, out of paper or does not take what is sent. Nothing is lost: it can be printed again."""


@cache
def printers() -> Any:
    """The printers of python-escpos, without what its import leaves behind: a handler at the root logger, and a folder
    with a copy of its printer profiles in every process."""
    root = logging.getLogger()
    before = list(root.handlers)
    from escpos import capabilities, printer  # slow to import; only printers need it

    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
    if "ESCPOS_CAPABILITIES_PICKLE_DIR" not in os.environ:
        shutil.rmtree(capabilities.pickle_dir, ignore_errors=True)
    return printer


@dataclass(frozen=True, slots=True)
class ReceiptPrinter:
    """``host`` and ``port`` of a network printer, ``device`` with ``baud`` of a serial one, or ``path`` of a file."""

    host: str = ""
    port: int = _PORT
    device: str = ""
    baud: int = _BAUD
    path: str = ""

    @classmethod
    def of(cls, address: str) -> Self:
        """``tcp://HOST[:PORT]``, ``serial:/dev/ttyUSB0[?baud=19200]`` or ``file:/dev/usb/lp0``. Raises CodecError."""
        if match := _NETWORK.fullmatch(address):
            port = int(match["port"] or _PORT)
            if 1 <= port <= 65535:
                return cls(host=match["host"], port=port)
        elif match := _SERIAL.fullmatch(address):
            return cls(device=match["device"], baud=int(match["baud"] or _BAUD))
        elif match := _FILE.fullmatch(address):
            return cls(path=match["path"])
        raise CodecError(
            "a receipt printer is tcp://HOST[:PORT], serial:/dev/ttyUSB0[?baud=19200] or file:/dev/usb/lp0"
        )

    def send(self, content: bytes) -> None:
        """Send a slip. Raises PrinterNotReady, also where the printer says that it has no paper."""
        with self._opened() as printer:
            if not self.path and not _has_paper(printer):
                raise PrinterNotReady("the printer has no paper; the receipt can be printed again")
            printer._raw(content)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        library = printers()
        from escpos.exceptions import Error

        opened: Any
        try:
            if self.host:
                opened = library.Network(self.host, self.port, timeout=SECONDS)
            elif self.device:
                opened = library.Serial(self.device, baudrate=self.baud, timeout=SECONDS)
            else:
                opened = library.File(self.path)
            if self.host:  # the library leaves a socket open that is refused
                opened.device = socket.create_connection((self.host, self.port), SECONDS)
            else:
                opened.open()
            if self.device:
                opened.device.write_timeout = SECONDS  # a printer that is off holds the line
            try:
                yield opened
            finally:
                opened.close()
        except (OSError, Error) as fault:
            raise PrinterNotReady(
                "the printer does not answer: check its cable, cover and paper; the receipt can be printed again"
            ) from fault


def _has_paper(printer: Any) -> bool:
    """Whether the printer has paper, as far as it says: many print servers answer no question. Raises OSError."""
    try:
        return bool(printer.paper_status())
    except TimeoutError:
        return True
