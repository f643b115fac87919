"""The cyclic logs of the payment application: transactions (9F4D, 9F4F) and e-cash loads (DF4D, DF4F).

EMV 4.4 Book 3, annex D; JR/T 0025.13 (PBOC 3.0, e-cash based on debit and credit).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulators.applets.payment.data import LOAD_FORMAT, LOG_FORMAT
from simulators.applets.payment.state import PaymentState
from simulators.applets.personalized import well_formed
from simulators.card.applet import Refuse
from terminal.tlv import Dol, Tag


@dataclass(frozen=True, slots=True)
class PaymentLog:
    """One cyclic file of ``records`` records, the newest is record 1. ``kind`` names it in memory."""

    kind: str
    sfi: int
    records: int
    log_format: Dol
    format_tag: int
    """Tag of the log format in GET DATA."""

    def read(self, state: PaymentState, number: int) -> bytes:
        """Record ``number``, without a template. EMV 4.4 Book 3, D4. Raises Refuse: 6A83."""
        count = state.logged if self.kind == "log" else state.loads
        if not 1 <= number <= min(count, self.records):
            raise Refuse(0x6A83)
        return state.memory[self._name(count - number)]

    def append(self, state: PaymentState, values: Mapping[Tag, bytes], head: bytes = b"") -> None:
        """Write the next record; in a full file it replaces the oldest."""
        count = state.logged if self.kind == "log" else state.loads
        values_by_tag = {int(tag): value for tag, value in values.items()}
        state.memory[self._name(count)] = head + self.log_format.fill(values_by_tag)
        if self.kind == "log":
            state.logged = count + 1
        else:
            state.loads = count + 1

    def _name(self, count: int) -> str:
        return f"{self.kind} {count % self.records}"


_KINDS: Final = (("log", 0x9F4D, 0x9F4F, LOG_FORMAT), ("load", 0xDF4D, 0xDF4F, LOAD_FORMAT))


def logs(fci: bytes, state: PaymentState) -> dict[str, PaymentLog]:
    """The logs with an entry in the FCI (an A5 template), with the formats of the card."""
    discretionary = well_formed(fci, 0xA5).find(0xBF0C)
    files = {}
    for kind, entry, log_format, default in _KINDS:
        place = discretionary.children.find(entry) if discretionary else None
        if place is not None and len(place.value) == 2 and all(place.value):
            files[kind] = PaymentLog(
                kind, place.value[0], place.value[1], Dol.parse(state.object(log_format) or default), log_format
            )
    return files
