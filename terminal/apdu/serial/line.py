"""What the protocols need of a serial port: characters as its UART has them, before the card's convention."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Arrived(NamedTuple):
    """Characters that have arrived. ``marked`` are the positions of those whose parity was wrong."""

    data: bytes
    marked: tuple[int, ...] = ()


class SerialLine(Protocol):
    """A half-duplex line to a card. Raises ReaderFault when the port fails or is gone, and nothing else."""

    @property
    def paced(self) -> bool:
        """Whether characters take their time: False at a port without a UART, as a pseudo-terminal is."""
        ...

    @property
    def resettable(self) -> bool:
        """Whether a modem line holds the card in reset; without one ``release_reset`` opens the port again."""
        ...

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...

    def pause(self, seconds: float) -> None: ...

    def configure(self, rate: float, *, odd: bool, stop_bits: int) -> bool:
        """Set bit rate, parity and stop bits (1 or 2) once everything has been sent. False for a rate that the port
        does not do within two percent; it keeps the former then."""
        ...

    def write(self, data: bytes) -> None:
        """Hand over all characters for sending."""
        ...

    def drain(self) -> None:
        """Wait until all characters were sent."""
        ...

    def read(self, seconds: float) -> Arrived:
        """What has arrived, at least one character; nothing when none arrives within ``seconds``."""
        ...

    def discard(self) -> None:
        """Forget what has arrived."""
        ...

    def hold_reset(self) -> None:
        """Hold the card in reset, where a line for that is there."""
        ...

    def release_reset(self) -> None:
        """Let the card begin its answer to reset."""
        ...

    def card_present(self) -> bool | None:
        """As the presence line says; None without one."""
        ...
