"""The stripe encoder inside a printer. Programming guide A5013, 10."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulators.machines.evolis.answers import PrinterError, PrinterRefusal
from simulators.machines.stripe.formats import ISO_FORMATS, TrackFault, TrackFormat, TrackUnreadable
from simulators.machines.stripe.stripe import HIGH, LOW, TRACKS, StripeFile, write_text
from terminal.errors import CodecError

_COERCIVITIES: Final = {"h": HIGH, "l": LOW}
_DENSITIES: Final = ("75", "210")


class PrinterEncoder:
    """Tracks that are loaded, and the settings of the head.

    ``stock`` is the coercivity of blank cards. ``next_error`` makes the next write or read fail, once.
    """

    def __init__(self, stock: str = HIGH) -> None:
        self.stock = stock
        self.next_error: PrinterError | None = None
        self.reset()

    def reset(self) -> None:
        self.coercivity = HIGH
        self._formats: dict[int, TrackFormat] = dict(ISO_FORMATS)
        self._densities = {track: coding.density for track, coding in ISO_FORMATS.items()}
        self.drop()

    def drop(self) -> None:
        """Forget tracks that were loaded or read."""
        self._loaded: dict[int, str] = {}
        self._last: dict[int, str] = {}

    def set_coercivity(self, letter: str) -> None:
        if letter not in _COERCIVITIES:
            raise PrinterRefusal(PrinterError.PARAMETER)
        self.coercivity = _COERCIVITIES[letter]

    def set_format(self, track: str, number: str) -> None:
        if not number.isdecimal() or int(number) not in ISO_FORMATS:
            raise PrinterRefusal(PrinterError.PARAMETER)
        self._formats[track_of(track)] = ISO_FORMATS[int(number)]

    def set_density(self, track: str, density: str) -> None:
        if density not in _DENSITIES:
            raise PrinterRefusal(PrinterError.PARAMETER)
        self._densities[track_of(track)] = int(density)

    def load(self, track: str, text: str) -> None:
        number = track_of(track)
        try:
            self._formats[number].encode(text)
        except CodecError:
            raise PrinterRefusal(PrinterError.DATA) from None
        self._loaded[number] = text

    def write(self, card: Path) -> None:
        """Write all loaded tracks, and read them back."""
        if not self._loaded:
            raise PrinterRefusal(PrinterError.DATA)
        file = StripeFile(card, self.stock)
        stripe = file.read()
        error = self._take_error()
        if error is PrinterError.WRITE or (stripe.coercivity == HIGH and self.coercivity == LOW):
            raise PrinterRefusal(PrinterError.WRITE)
        for track, text in self._loaded.items():
            stripe = write_text(stripe, track, text, self._formats[track], self._densities[track])
        file.write(stripe)
        self._loaded = {}
        if error is not None:
            raise PrinterRefusal(error)

    def read(self, card: Path, track: str) -> str:
        number = track_of(track)
        if (error := self._take_error()) is not None:
            raise PrinterRefusal(error)
        try:
            stripe = StripeFile(card, self.stock).read()
            text = stripe.text(number, self._formats[number], self._densities[number])
        except TrackUnreadable as fault:
            check = fault.fault is TrackFault.CHECK
            raise PrinterRefusal(PrinterError.CHECKSUM if check else PrinterError.DATA) from None
        self._last[number] = text
        return text

    def last(self, track: str) -> str:
        """The text that was read last of a track."""
        return self._last.get(track_of(track), "")

    def _take_error(self) -> PrinterError | None:
        error, self.next_error = self.next_error, None
        return error


def track_of(text: str) -> int:
    """The number of a track. Raises PrinterRefusal."""
    if not text.isdecimal() or int(text) not in TRACKS:
        raise PrinterRefusal(PrinterError.PARAMETER)
    return int(text)
