"""The state of one transaction: its data elements, TVR and TSI, and the steps taken so far.

EMV 4.4 Book 3, 10 (functions), Annex C5 and C6 (TVR, TSI).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from terminal.emv.data.bits import TSI, TVR
from terminal.emv.data.tags import TAG_9B_TSI, TAG_95_TVR
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.step import NO_TSI, NO_TVR, KernelStage, Step, new_step


class Stop(Exception):
    """Ends the transaction from inside a stage, with the result that ``run_transaction`` returns.

    Never leaves the kernel. ``result`` is TERMINATED, TRY_ANOTHER_INTERFACE or CANCELLED; ``reason`` is a sentence.
    """

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class TransactionState:
    """The state of a running transaction. Not thread-safe; one instance for each transaction.

    ``terminal`` and ``card`` are data elements by tag, as bytes. They are separate, and ``value`` reads the terminal's
    first, so that a card cannot put an amount or an unpredictable number of its own into a data object list.
    """

    def __init__(self, terminal: Mapping[int, bytes]) -> None:
        self.terminal: dict[int, bytes] = dict(terminal)
        self.card: dict[int, bytes] = {}
        self.steps: list[Step] = []
        self.aid: bytes | None = None
        """The name of the selected application, tag 84."""
        self.begun = False
        """Whether the card has answered at all: from then on, a missing answer is an outcome and no fault."""
        self.tvr_bits = 0
        """The TVR as a number: flags take ten times as long to join and to compare."""
        self._tsi_bits = 0

    @property
    def tvr(self) -> TVR:
        """Terminal verification results so far."""
        return TVR(self.tvr_bits)

    @property
    def tsi(self) -> TSI:
        """Transaction status information so far."""
        return TSI(self._tsi_bits)

    def note(self, stage: KernelStage, text: str, source: str, *, tvr: TVR = NO_TVR, tsi: TSI = NO_TSI) -> None:
        """Record a step and set its bits."""
        if tvr:
            new = int(tvr) & ~self.tvr_bits
            self.tvr_bits |= new
            tvr = tvr if tvr == new else TVR(new)
        if tsi:
            new = int(tsi) & ~self._tsi_bits
            self._tsi_bits |= new
            tsi = tsi if tsi == new else TSI(new)
        self.steps.append(new_step((stage, text, source, tvr, tsi)))

    def take_back(self, stage: KernelStage, tvr: TVR, source: str) -> None:
        """Clear a bit of the TVR that was set before, with a step; nothing where it is not set. The one
        bit that a book clears again is "Offline data authentication was not performed". EMV 4.4 Book 2, 6.6."""
        if taken := self.tvr & tvr:
            names = "; ".join(flag.text for flag in taken)
            self.steps.append(Step(stage, f"no longer so: {names}", source))
            self.tvr_bits &= ~int(taken)

    def value(self, tag: int) -> bytes | None:
        """A data element, the terminal's own first; TVR and TSI as they stand now."""
        if tag == TAG_95_TVR:
            return self._encoded_tvr()
        if tag == TAG_9B_TSI:
            return self._encoded_tsi()
        own = self.terminal.get(tag)
        return self.card.get(tag) if own is None else own

    def values(self) -> dict[int, bytes]:
        """Every data element by tag, for filling a data object list."""
        return {**self.card, **self.terminal, TAG_95_TVR: self._encoded_tvr(), TAG_9B_TSI: self._encoded_tsi()}

    def _encoded_tvr(self) -> bytes:
        return self.tvr_bits.to_bytes(TVR.size(), "big")

    def _encoded_tsi(self) -> bytes:
        return self._tsi_bits.to_bytes(TSI.size(), "big")

    def stop(self, stage: KernelStage, reason: str, source: str, result: Result = Result.TERMINATED) -> NoReturn:
        """Note the last step and end the transaction. Raises Stop."""
        self.note(stage, reason, source)
        raise Stop(result, reason)
