"""The seams of this room: Transport (a powered card), Sender (commands to responses), Reader (a slot for cards)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from terminal.apdu.command import Command, Response


class LinkProtocol(StrEnum):
    """The transmission protocol a card runs. ISO/IEC 7816-3:2006, 10 and 11."""

    T0 = "T=0"
    T1 = "T=1"
    CONTACTLESS = "T=CL"


class Disposition(StrEnum):
    """Where a card goes when the reader lets it out."""

    DONE = "done"
    """Finished: to the good bin, or given back."""
    REJECT = "reject"
    """To the reject bin."""
    ASIDE = "aside"
    """Given back to the operator: neither finished nor broken, but not for this job."""
    KEEP = "keep"
    """Stays where it is: nothing was decided about it."""


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
        """Let go of the card, powering it down. Safe to call twice."""
        ...


@runtime_checkable
class Reader(Protocol):
    """A slot that cards come and go in: a PC/SC reader, a virtual card, a feeder over a stock of blanks."""

    @property
    def name(self) -> str:
        """Stable identity: the same reader has the same name after a restart and a re-plug."""
        ...

    @property
    def url(self) -> str: ...

    def wait_for_card(self, timeout: float | None) -> bool:
        """Wait until a card is in the slot, at most ``timeout`` seconds (None: for ever).

        False: none came (a feeder: none left).
        """
        ...

    def connect(self) -> Transport:
        """Power the card. Raises NoCard, ReaderBusy, ReaderFault."""
        ...

    def release(self, disposition: Disposition) -> None:
        """Let the card out.

        A feeder moves to the next blank; a hand-fed slot waits on its next wait_for_card until this card was taken.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A card that lies in a slot. ``atr`` is empty where it is not known, or the card is ``mute``."""

    atr: bytes = b""
    mute: bool = False


@runtime_checkable
class Watched(Protocol):
    """A Reader that tells by itself when cards come and go, so that nobody has to look."""

    def watch(self, tell: Callable[[CardSeen | None], None]) -> None:
        """Tell at once what lies in the slot, and at each change from then on; from whatever thread, and quickly."""
        ...


@runtime_checkable
class CardSlot(Protocol):
    """A slot for virtual cards, worked by hand: from any thread, while another works with the card."""

    def insert(self, path: Path) -> None:
        """Put the card of this file in. Raises ReaderBusy where one lies in the slot, ReaderFault for no card file."""
        ...

    def eject(self) -> None:
        """Take the card out, after the command in hand. Raises NoCard."""
        ...

    def tear(self) -> None:
        """Pull the card out now, in the middle of whatever it does. Raises NoCard."""
        ...


@runtime_checkable
class Sender(Protocol):
    """Commands to responses. Senders stack: SecureChannel(ExtendedLength(FollowUp(Traced(Link(transport)))))."""

    def send(self, command: Command) -> Response: ...
