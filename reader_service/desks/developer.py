"""The developer's desk: bytes to a card and back, what they mean, and the drawer of virtual cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reader_service.principal import Principal
from reader_service.readers.values import ReaderView
from terminal.emv.explain import Explained


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, in hex. ``sw`` is empty where ``fault`` says that no answer came. ``said`` explains
    both, personal data masked; ``meaning`` names the command, ``sw_text`` the status word. ``number`` counts them in
    one session."""

    number: int
    command: str
    response: str
    sw: str
    sw_text: str
    meaning: str
    milliseconds: float
    fault: str
    said: tuple[Explained, ...]


@dataclass(frozen=True, slots=True)
class CardFileView:
    """A virtual card that may be put into a drawer. ``name`` is what ``insert`` takes."""

    name: str
    size: int


class DeveloperDesk(Protocol):
    """Event: trace (topic: reader id, data: {"reader", "line"}), redacted, while ``trace`` is on for a reader: what
    goes over the wire there in verifications and sessions alike."""

    def connect(self, p: Principal, reader_id: str, lease: str, *, reset: bool = False) -> str:
        """APDU. Power the card (or reset it): its ATR in hex. It stays powered until disconnect or the end of the
        lease. Raises NotFound, LeaseLost, ReaderOut."""
        ...

    def disconnect(self, p: Principal, reader_id: str, lease: str) -> None:
        """APDU. Take the power away; nothing where there is none."""
        ...

    def transmit(self, p: Principal, reader_id: str, lease: str, apdus: Sequence[bytes]) -> list[Exchange]:
        """APDU. Commands one after the other as they are, without follow-ups; powers the card first where need be.
        Stops at the first that gets no answer. Raises Invalid (not an APDU), NotFound, LeaseLost, ReaderOut."""
        ...

    def history(self, p: Principal, reader_id: str, lease: str) -> list[Exchange]:
        """APDU. The last 500 of this lease, oldest first. Raises LeaseLost."""
        ...

    def decode(self, p: Principal, data: bytes, *, tag: int | None = None) -> tuple[Explained, ...]:
        """DECODE. Data objects in words, or the value of one element. Raises Invalid."""
        ...

    def trace(self, p: Principal, reader_id: str, on: bool) -> None:
        """APDU. Raises NotFound."""
        ...

    def drawer(self, p: Principal) -> list[CardFileView]:
        """APDU. The virtual cards at hand; empty where this is no simulation."""
        ...

    def insert(self, p: Principal, reader_id: str, name: str) -> ReaderView:
        """APDU. Put a card of the drawer into a virtual slot. Raises NotFound, Conflict (a card lies in it, the card
        lies in another slot, no virtual slot), LeaseHeld."""
        ...

    def eject(self, p: Principal, reader_id: str) -> ReaderView:
        """APDU. Take the card out in good order. Raises NotFound, Conflict, LeaseHeld."""
        ...

    def tear(self, p: Principal, reader_id: str) -> ReaderView:
        """APDU. Pull the card out now, in the middle of whatever it does. Raises NotFound, Conflict."""
        ...
