"""The link between host and machine: bytes over a serial port or a TCP connection."""

from __future__ import annotations

from typing import Protocol


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
