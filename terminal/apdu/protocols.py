"""Protocols of the card connection: Transport (a powered card), Sender (commands to responses), Reader (a slot)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from terminal.apdu.command import Command, Response


class LinkProtocol(StrEnum):
    """The transmission protocol of a card. ISO/IEC 7816-3:2006, 10 and 11."""

    T0 = "T=0"
    T1 = "T=1"
    CONTACTLESS = "T=CL"


class Disposition(StrEnum):
    """Where a released card goes."""

    DONE = "done"
    """Finished: to the bin of good cards, or back to the cardholder."""
    REJECT = "reject"
    """To the reject bin."""
    ASIDE = "aside"
    """Back to the operator: neither finished nor defective, but not for this job."""
    KEEP = "keep"
    """Stays in the reader: nothing was decided about it."""


@runtime_checkable
class Transport(Protocol):
    """A powered card. Knows bytes only. Raises TransportError and nothing else."""

    @property
    def atr(self) -> bytes: ...
    @property
    def protocol(self) -> LinkProtocol: ...
    @property
    def extended_length(self) -> bool:
        """Whether reader and link carry extended APDUs (the card may still refuse them)."""
        ...

    def exchange(self, apdu: bytes) -> bytes:
        """One command APDU to data || SW1 SW2. No status word is interpreted."""
        ...

    def reset(self) -> bytes:
        """Warm reset; the new ATR."""
        ...

    def close(self) -> None:
        """Power the card down and end the session. Safe to call twice."""
        ...


@runtime_checkable
class Reader(Protocol):
    """A slot for cards: a PC/SC reader, a virtual card, a feeder over a stock of blanks."""

    @property
    def name(self) -> str:
        """Stable identity: a reader has the same name after a restart and a re-plug."""
        ...

    @property
    def url(self) -> str: ...

    def wait_for_card(self, timeout: float | None) -> bool:
        """Wait until a card is in the slot, at most ``timeout`` seconds (None: without limit).

        False when none was inserted (a feeder: none is left).
        """
        ...

    def connect(self) -> Transport:
        """Power the card. Raises NoCard, ReaderBusy, ReaderFault."""
        ...

    def release(self, disposition: Disposition) -> None:
        """Release the card from the reader.

        A feeder moves to the next blank; a manual slot waits in its next wait_for_card until this card was removed.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InsertedCard:
    """A card in a slot. ``atr`` is empty where it is not known, and where the card is ``mute``: it gives none."""

    atr: bytes = b""
    mute: bool = False


@runtime_checkable
class WatchableReader(Protocol):
    """A Reader that reports by itself when cards are inserted and removed, so that no caller has to poll it."""

    def watch(self, notify: Callable[[InsertedCard | None], None], /) -> None:
        """Call ``notify`` at once with the card in the slot (None: empty), and at each change from then on.

        ``notify`` may be called from any thread and returns quickly.
        """
        ...


@runtime_checkable
class CardSlot(Protocol):
    """A slot whose virtual cards a person inserts and removes: from any thread, while another one uses the card."""

    def insert(self, path: Path) -> None:
        """Insert the card of this file. Raises ReaderBusy where a card is in the slot, ReaderFault for another file."""
        ...

    def eject(self) -> None:
        """Remove the card once its present command has ended. Raises NoCard."""
        ...

    def tear(self) -> None:
        """Pull the card now, in the middle of a command if there is one. Raises NoCard."""
        ...


@runtime_checkable
class Sender(Protocol):
    """Sends commands and gives responses.

    Senders stack: ``SecureChannel(ExtendedLength(FollowUp(Traced(TransportSender(transport)))))``.
    """

    def send(self, command: Command) -> Response: ...
