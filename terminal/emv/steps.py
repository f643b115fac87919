"""What one transaction knows and what it did, step by step: the state that every function of the kernel works on.

A step says in a sentence what was decided and why, with the section it follows and the bits it set, so that a whole
transaction can be read like a protocol. EMV 4.4 Book 3, 10 (functions), Annex C5 and C6 (TVR, TSI).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from terminal.emv.outcome import Result

TVR: Final = 0x95
TSI: Final = 0x9B
_TVR_BYTES, _TSI_BYTES = 5, 2


class Stage(StrEnum):
    """The functions of a transaction, in the book's order. EMV 4.4 Book 3, 8.2, figure 8."""

    SELECTION = "application selection"
    INITIATION = "initiate application processing"
    READING = "read application data"
    AUTHENTICATION = "offline data authentication"
    RESTRICTIONS = "processing restrictions"
    CARDHOLDER = "cardholder verification"
    RISK = "terminal risk management"
    TERMINAL_ACTION = "terminal action analysis"
    CARD_ACTION = "card action analysis"
    ONLINE = "online processing"
    ISSUER = "issuer authentication"
    SCRIPTS = "issuer script processing"
    COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: ``text`` tells it, ``source`` is where the rule stands, ``tvr`` and ``tsi`` are the bits that this
    step newly set (5 and 2 bytes; all zero for none)."""

    stage: Stage
    text: str
    source: str
    tvr: bytes = bytes(_TVR_BYTES)
    tsi: bytes = bytes(_TSI_BYTES)


class Stop(Exception):
    """Ends the transaction from inside a stage, with the result that ``run_transaction`` gives back.

    Never leaves the kernel. ``result`` is TERMINATED, TRY_ANOTHER_INTERFACE or CANCELLED; ``reason`` is a sentence.
    """

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class State:
    """One transaction under way. Not thread-safe; made anew for each transaction.

    ``terminal`` and ``card`` are data elements by tag, as bytes. They are kept apart, and ``value`` asks the terminal
    first, so that no card can slip an amount or an unpredictable number of its own into a data object list.
    """

    def __init__(self, terminal: Mapping[int, bytes]) -> None:
        self.terminal: dict[int, bytes] = dict(terminal)
        self.card: dict[int, bytes] = {}
        self.steps: list[Step] = []
        self.aid: bytes | None = None
        """The name of the selected application, tag 84."""
        self._tvr = 0
        self._tsi = 0

    @property
    def tvr(self) -> int:
        """Terminal verification results, 40 bits. EMV 4.4 Book 3, Annex C5."""
        return self._tvr

    @property
    def tsi(self) -> int:
        """Transaction status information, 16 bits. EMV 4.4 Book 3, Annex C6."""
        return self._tsi

    @property
    def tvr_bytes(self) -> bytes:
        return self._tvr.to_bytes(_TVR_BYTES, "big")

    @property
    def tsi_bytes(self) -> bytes:
        return self._tsi.to_bytes(_TSI_BYTES, "big")

    def note(self, stage: Stage, text: str, source: str, *, tvr: int = 0, tsi: int = 0) -> None:
        """Record a step, setting the bits it brings. Bits are never taken back."""
        new_tvr, new_tsi = tvr & ~self._tvr, tsi & ~self._tsi
        self._tvr |= tvr
        self._tsi |= tsi
        step = Step(stage, text, source, new_tvr.to_bytes(_TVR_BYTES, "big"), new_tsi.to_bytes(_TSI_BYTES, "big"))
        self.steps.append(step)

    def value(self, tag: int) -> bytes | None:
        """A data element, the terminal's own first; TVR and TSI as they stand now."""
        if tag == TVR:
            return self.tvr_bytes
        if tag == TSI:
            return self.tsi_bytes
        own = self.terminal.get(tag)
        return self.card.get(tag) if own is None else own

    def values(self) -> dict[int, bytes]:
        """Every data element by tag, for filling a data object list."""
        return {**self.card, **self.terminal, TVR: self.tvr_bytes, TSI: self.tsi_bytes}

    def stop(self, stage: Stage, reason: str, source: str, result: Result = Result.TERMINATED) -> NoReturn:
        """Note the last step and end the transaction. Raises Stop."""
        self.note(stage, reason, source)
        raise Stop(result, reason)
