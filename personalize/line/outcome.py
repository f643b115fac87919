"""The outcome of one presentation of a chip, with its steps and traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from terminal.apdu import LinkProtocol, Transport


class Bin(StrEnum):
    """The tray that a rejected chip goes to, by the kind of fault."""

    CONTACT = "1 contact"
    KEYS = "2 keys"
    DATA = "3 data"
    FOREIGN = "4 foreign"
    BODY = "5 body"


class CardOutcome(StrEnum):
    """The outcome of presenting one chip to a lane."""

    VERIFIED = "verified"
    REJECTED = "rejected"
    AGAIN = "again"
    """It failed; the same chip is to be presented again."""
    KNOWN = "known"
    """It was verified before; nothing to do."""
    REFUSED = "refused"
    """It was rejected before and stays rejected."""
    ASIDE = "aside"
    """It is bound in another batch, two chips have its serial, or nothing proves which chip it is."""
    NOTHING_LEFT = "nothing left"


@dataclass(frozen=True, slots=True)
class CardReport:
    """Report of one presentation. ``reason`` is a sentence for logs; ``code`` (personalize.reasons) and ``params`` are
    for other languages. ``steps`` are seconds by step; ``commands`` and ``bytes_sent`` count the traffic."""

    outcome: CardOutcome
    chip_serial: str
    card_number: str = ""
    reason: str = ""
    bin: str = ""
    code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)
    commands: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class HeldChip:
    """The chip that failed in a slot and has not left it since: its serial, empty where it gave none, and whether it
    had a dossier. The default is that of a slot that was seen empty."""

    serial: str = ""
    bound: bool = False

    def after(self, report: CardReport) -> HeldChip:
        """The same slot after another failure."""
        same = report.chip_serial in ("", self.serial)
        return HeldChip(report.chip_serial or self.serial, bool(report.card_number) or (same and self.bound))

    def unwatched(self) -> HeldChip:
        """The same slot after a time in which nobody saw whether the chip left it: that it had a dossier there proves
        nothing any more."""
        return HeldChip(self.serial)


NO_CHIP: Final = HeldChip()


class ExchangeMeter:
    """A transport that counts commands and bytes."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.atr: bytes = inner.atr
        self.protocol: LinkProtocol = inner.protocol
        self.extended_length: bool = inner.extended_length
        self.commands = 0
        self.bytes_sent = 0

    def exchange(self, apdu: bytes) -> bytes:
        self.commands += 1
        self.bytes_sent += len(apdu)
        return self._inner.exchange(apdu)

    def reset(self) -> bytes:
        self.atr = self._inner.reset()
        return self.atr

    def close(self) -> None:
        self._inner.close()
