"""The ``evolis:`` machine URL: ``evolis:tcp://192.168.1.20:9100?reader=pcsc:0&ribbon=ymckok``, each option may be left
out.

What manuals leave open, or one source says, is an option; docs/machines.md tells which.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personalize.machines.evolis.panels import ChipSide, Compression, PanelSettings, PrinterRibbon
from terminal.apdu.url_options import UrlOption, choice, number, parse_options
from terminal.errors import ReaderNotFound


class AnswerForm(StrEnum):
    """How the printer answers."""

    ACK = "ack"
    """ACK, or NACK and a letter; ACK before a text."""
    TEXT_FIRST = "text-first"
    """The same with ACK after a text."""
    WORDS = "words"
    """A text for each command, ``OK`` or the words of an error: newer firmware."""


class RejectBox(StrEnum):
    """Where the reject box is."""

    OUTPUT = "output"
    """Under the output: ``Ser``."""
    FEEDER = "feeder"
    """Under the feeder: ``Seb``."""
    NONE = "none"


class StripeCoercivity(StrEnum):
    HIGH = "high"
    LOW = "low"


class TrackReading(StrEnum):
    """Which command gives the text of a track."""

    DIRECT = "direct"
    """``Smr``."""
    BUFFER = "buffer"
    """``Smr`` reads, ``Rmb`` gives the text."""


@dataclass(frozen=True, slots=True)
class EvolisOptions:
    """How a printer is attached and what it has.

    ``rate``: bit/s of a serial port. ``reader`` and ``antenna``: URLs of the readers inside. ``deadline``: seconds for
    a move or a panel. ``offset``: of the contact station in dots; None leaves the printer's own. ``encoder``: it has a
    stripe encoder. ``tracks``: those that are read back. The others are those of PanelSettings.
    """

    rate: float = 115200.0
    reader: str = ""
    antenna: str = ""
    answers: AnswerForm = AnswerForm.ACK
    deadline: float = 90.0
    reject: RejectBox = RejectBox.OUTPUT
    flip: bool = False
    offset: float | None = None
    encoder: bool = False
    coercivity: StripeCoercivity = StripeCoercivity.HIGH
    tracks: str = "123"
    reading: TrackReading = TrackReading.DIRECT
    ribbon: PrinterRibbon = PrinterRibbon.YMCKO
    levels: int = 128
    compress: Compression = Compression.KO
    contacts: ChipSide = ChipSide.FRONT
    gamma: float = 1.0
    turn_back: bool = False

    @property
    def panels(self) -> PanelSettings:
        return PanelSettings(
            self.ribbon, self.levels, self.compress, self.contacts, self.encoder, self.gamma, self.turn_back
        )


def _members(kind: type[StrEnum]) -> UrlOption:
    return kind, ", ".join(kind)


_YES_OR_NO: Final = choice({"1": True, "0": False})
_OPTIONS: Final[dict[str, UrlOption]] = {
    "rate": (number(2400, 115200), "2400 ... 115200 bit/s"),
    "reader": (str, "a reader URL, as pcsc:0"),
    "antenna": (str, "a reader URL, as pcsc:1"),
    "answers": _members(AnswerForm),
    "deadline": (number(1, 600), "1 ... 600 s"),
    "reject": _members(RejectBox),
    "flip": _YES_OR_NO,
    "offset": (number(0, 2000), "0 ... 2000 dots"),
    "encoder": _YES_OR_NO,
    "coercivity": _members(StripeCoercivity),
    "tracks": choice({tracks: tracks for tracks in ("1", "2", "3", "12", "13", "23", "123")}),
    "reading": _members(TrackReading),
    "ribbon": _members(PrinterRibbon),
    "levels": choice({"32": 32, "64": 64, "128": 128}),
    "compress": _members(Compression),
    "contacts": _members(ChipSide),
    "gamma": (number(0.5, 3), "0.5 ... 3"),
    "turn-back": _YES_OR_NO,
}


def parse_rest(rest: str) -> tuple[str, EvolisOptions]:
    """Device (a serial port, or ``tcp://HOST:PORT``) and options of what follows ``evolis:``.

    Raises ReaderNotFound, which names what is wrong and what is allowed.
    """
    device, mark, tail = rest.partition("?")
    # The reader's own URL may have a question mark too: the first one is that of this URL.
    device, values = parse_options("evolis", device + mark + tail.replace("?", "%3F"), _OPTIONS)
    if not device or "\0" in device:
        raise ReaderNotFound(f"evolis:{rest} names no printer; give one, as in evolis:tcp://192.168.1.20:9100")
    return device, EvolisOptions(**{name.replace("-", "_"): value for name, value in values.items()})
