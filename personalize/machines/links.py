"""The link between host and machine: bytes over a serial port or a TCP connection."""

from __future__ import annotations

from typing import Protocol

from terminal.apdu.serial.port import MachinePort, Parity


class ByteLink(Protocol):
    """An open link. Raises ReaderFault when it is lost, after which it is closed; openers raise ReaderNotFound and
    ReaderBusy too."""

    @property
    def open(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    def read(self, seconds: float) -> bytes:
        """What arrived, at least one byte, or nothing within ``seconds``."""
        ...

    def discard(self) -> None:
        """Drop what arrived and was not read."""
        ...

    def close(self) -> None: ...


def open_serial_link(device: str, rate: float, parity: Parity = Parity.NONE, stop_bits: int = 1) -> ByteLink:
    """The link over this serial port: eight data bits, 8N1 where nothing else is wanted, at any rate.

    Raises ReaderNotFound (no such port, with the ports present), ReaderBusy (in use, no permission), ReaderFault (a
    rate that the port does not do).
    """
    return MachinePort(device, rate, parity, stop_bits)
