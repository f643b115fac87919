"""The ``serial:`` reader URL: ``serial:/dev/ttyUSB0?rts=high&present=cts``, where each option may be left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl

from terminal.errors import ReaderNotFound

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?(e[0-9]{1,2})?", re.IGNORECASE)


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


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise ValueError(value)
        return float(value)

    return parse


_PARSERS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "rts": (ResetLine, "high, low, none"),
    "present": (PresenceLine, "none, cts, cts-low, dsr, dsr-low"),
    "echo": (Echo, "auto, 1, 0"),
    "clock": (_number(1e6, 20e6), "1e6 ... 20e6 Hz"),
    "rate": (_number(1200, 4e6), "1200 ... 4000000 bit/s"),
    "protocol": (WantedProtocol, "auto, 0, 1"),
    "deadline": (_number(0.1, 3600), "0.1 ... 3600 s"),
}
"""Each option: its parser, which raises ValueError, and what is allowed."""


def parse_rest(rest: str) -> tuple[str, SerialOptions]:
    """Device and options of ``DEVICE?rts=low&echo=1``. Raises ReaderNotFound, which names what is wrong and what is
    allowed."""
    device, mark, tail = rest.rpartition("?")
    if not mark:
        device, tail = rest, ""
    if not device or "\0" in device:
        raise ReaderNotFound(f"serial:{rest} names no port; give one, as in serial:/dev/ttyUSB0")
    values: dict[str, Any] = {}
    for key, value in parse_qsl(tail, keep_blank_values=True):
        if key not in _PARSERS:
            raise ReaderNotFound(f"{key} is not an option of serial: (it has {', '.join(_PARSERS)})")
        parse, allowed = _PARSERS[key]
        if key in values:
            raise ReaderNotFound(f"{key} is given twice in serial:{rest}")
        try:
            values[key] = parse(value)
        except ValueError as wrong:
            raise ReaderNotFound(f"{key}={value} is not possible for serial: (possible: {allowed})") from wrong
    if tail and not values:
        raise ReaderNotFound(f"{tail} is not an option of serial: (it has {', '.join(_PARSERS)})")
    return device, SerialOptions(**values)


def serial_url(device: str, options: SerialOptions) -> str:
    """The ``serial:`` URL that opens this port with these options; defaults are left out."""
    default = SerialOptions()
    given = []
    for name in (field.name for field in fields(options)):
        value = getattr(options, name)
        if value != getattr(default, name):
            given.append(f"{name}={f'{value:.12g}' if isinstance(value, float) else value}")
    # A device whose own name has a question mark needs one behind it as well.
    return f"serial:{device}" + ("?" + "&".join(given) if given or "?" in device else "")
