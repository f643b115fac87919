"""A reader inside a machine: the machine moves the cards, so that nothing is asked of a person."""

from __future__ import annotations

from typing import Final

from terminal.apdu import Disposition, Reader, Transport
from terminal.errors import NoCard

_SETTLED: Final = 5.0
"""Seconds within which a reader notices the card that the machine brought."""


class InnerReader:
    """The reader of a station, whose card comes and goes with the machine: ``release`` moves nothing."""

    def __init__(self, machine: str, reader: Reader, *, settled: float = _SETTLED) -> None:
        self._machine, self._reader, self._settled = machine, reader, settled

    @property
    def name(self) -> str:
        return self._reader.name

    @property
    def url(self) -> str:
        return self._reader.url

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._reader.wait_for_card(timeout)

    def connect(self) -> Transport:
        """Power the card. Raises NoCard where the reader does not see one: it lies wrong, or has no chip."""
        if not self._reader.wait_for_card(self._settled):
            raise NoCard(f"{self._reader.name} in {self._machine} sees no chip; look how the cards lie in the feeder")
        return self._reader.connect()

    def release(self, disposition: Disposition) -> None:
        self._reader.release(Disposition.KEEP)

    def close(self) -> None:
        self._reader.close()
