"""The ``serial:`` reader URL: ``serial:/dev/ttyUSB0?rts=high&present=cts``, where each option may be left out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from terminal.apdu.url_options import UrlOption, number, options_url, parse_options
from terminal.errors import ReaderNotFound


class ResetLine(StrEnum):
    """The state of RTS that holds the card in reset; with NONE the reader resets its card when the port is opened."""

    HIGH = "high"
    LOW = "low"
    NONE = "none"


class PresenceLine(StrEnum):
    """The modem line that is asserted while a card is in the slot, or (``-low``) while there is none."""

    NONE = "none"
    CTS = "cts"
    CTS_LOW = "cts-low"
    DSR = "dsr"
    DSR_LOW = "dsr-low"


class WantedProtocol(StrEnum):
    """The protocol to use; AUTO is the card's first."""

    AUTO = "auto"
    T0 = "0"
    T1 = "1"


class Echo(StrEnum):
    """Whether the port receives what it sends; AUTO finds out."""

    AUTO = "auto"
    YES = "1"
    NO = "0"


@dataclass(frozen=True, slots=True)
class SerialOptions:
    """How a reader at a serial port is wired, and what it can do.

    ``clock`` is the card's clock in Hz, ``rate`` the highest bit rate of the port, ``deadline`` the longest that one
    exchange may take in seconds.
    """

    rts: ResetLine = ResetLine.HIGH
    present: PresenceLine = PresenceLine.NONE
    echo: Echo = Echo.AUTO
    clock: float = 3.5712e6
    rate: float = 115200.0
    protocol: WantedProtocol = WantedProtocol.AUTO
    deadline: float = 30.0


_OPTIONS: Final[dict[str, UrlOption]] = {
    "rts": (ResetLine, "high, low, none"),
    "present": (PresenceLine, "none, cts, cts-low, dsr, dsr-low"),
    "echo": (Echo, "auto, 1, 0"),
    "clock": (number(1e6, 20e6), "1e6 ... 20e6 Hz"),
    "rate": (number(1200, 4e6), "1200 ... 4000000 bit/s"),
    "protocol": (WantedProtocol, "auto, 0, 1"),
    "deadline": (number(0.1, 3600), "0.1 ... 3600 s"),
}


def parse_rest(rest: str) -> tuple[str, SerialOptions]:
    """Device and options of ``DEVICE?rts=low&echo=1``. Raises ReaderNotFound, which names what is wrong and what is
    allowed."""
    device, values = parse_options("serial", rest, _OPTIONS)
    if not device or "\0" in device:
        raise ReaderNotFound(f"serial:{rest} names no port; give one, as in serial:/dev/ttyUSB0")
    return device, SerialOptions(**values)


def serial_url(device: str, options: SerialOptions) -> str:
    """The ``serial:`` URL that opens this port with these options; defaults are left out."""
    return options_url("serial", device, options)
