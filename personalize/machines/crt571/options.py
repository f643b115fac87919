"""The ``crt571:`` machine URL: ``crt571:/dev/ttyUSB0?rate=9600&address=0``, where each option may be left out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from terminal.apdu.url_options import UrlOption, choice, number, options_url, parse_options
from terminal.errors import ReaderNotFound

SCHEME: Final = "crt571"


class CardSource(StrEnum):
    """Where cards come from."""

    STACKER = "stacker"
    EXIT_SLOT = "exit-slot"
    """A person puts each into the slot from which cards are given out."""


class CardStation(StrEnum):
    """Where a card is brought when it is taken."""

    CHIP = "chip"
    ANTENNA = "antenna"


class CardAtStart(StrEnum):
    """What the first initialization does with a card that is inside."""

    LEAVE = "leave"
    HOLD = "hold"
    REJECT = "reject"


class AtrForm(StrEnum):
    """How the machine answers a reset of the chip; AUTO looks at the bytes."""

    AUTO = "auto"
    PROTOCOL_FIRST = "protocol-first"
    PROTOCOL_LAST = "protocol-last"


class ApduCommand(StrEnum):
    """Which command carries APDUs to the chip: that of its protocol, or the one that leaves it to the machine."""

    PROTOCOL = "protocol"
    MACHINE = "machine"


class RfType(StrEnum):
    AUTO = "auto"
    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class Crt571Settings:
    """How a machine is wired and set, and what is not known of it.

    Seconds: ``ack`` until the machine acknowledges a command, ``answer`` until its work is done, ``settle`` in which an
    answer may still come after a command that was not acknowledged, ``gap`` of silence that ends a damaged frame.
    ``tries`` is how often a frame is sent or asked for at most. ``rf_data`` is the DATA that starts the RF station.
    """

    rate: float = 9600.0
    address: int = 0
    feed: CardSource = CardSource.STACKER
    station: CardStation = CardStation.CHIP
    start: CardAtStart = CardAtStart.LEAVE
    retract_counter: bool = False
    atr: AtrForm = AtrForm.AUTO
    apdu: ApduCommand = ApduCommand.PROTOCOL
    extended: bool = False
    rf: RfType = RfType.AUTO
    rf_data: str = ""
    ack: float = 1.0
    answer: float = 20.0
    settle: float = 5.0
    gap: float = 0.25
    tries: int = 3


def _words(kind: type[StrEnum]) -> UrlOption:
    return kind, ", ".join(kind)


def _whole(least: int, most: int) -> UrlOption:
    parse = number(least, most)

    def whole(value: str) -> int:
        if not parse(value).is_integer():
            raise ValueError(value)
        return int(parse(value))

    return whole, f"{least} ... {most}"


def _hex(value: str) -> str:
    return bytes.fromhex(value).hex().upper()


_YES_NO: Final = choice({"1": True, "0": False})
_SECONDS: Final = (number(0.01, 600), "0.01 ... 600 s")
_OPTIONS: Final[dict[str, UrlOption]] = {
    "rate": (number(1200, 38400), "1200 ... 38400 bit/s"),
    "address": _whole(0, 15),
    "feed": _words(CardSource),
    "station": _words(CardStation),
    "start": _words(CardAtStart),
    "retract-counter": _YES_NO,
    "atr": _words(AtrForm),
    "apdu": _words(ApduCommand),
    "extended": _YES_NO,
    "rf": _words(RfType),
    "rf-data": (_hex, "bytes in hex"),
    "ack": _SECONDS,
    "answer": _SECONDS,
    "settle": _SECONDS,
    "gap": _SECONDS,
    "tries": _whole(1, 10),
}


def parse_rest(rest: str) -> tuple[str, Crt571Settings]:
    """Device and options of ``DEVICE?rate=9600&address=1``. Raises ReaderNotFound, which names what is wrong and what
    is allowed."""
    device, values = parse_options(SCHEME, rest, _OPTIONS)
    if not device or "\0" in device:
        raise ReaderNotFound(f"{SCHEME}:{rest} names no port; give one, as in {SCHEME}:/dev/ttyUSB0")
    return device, Crt571Settings(**{key.replace("-", "_"): value for key, value in values.items()})


def machine_url(device: str, options: Crt571Settings) -> str:
    """The ``crt571:`` URL that opens this machine with these options; defaults are left out."""
    return options_url(SCHEME, device, options)
