"""Reversals at a counter: on the day of the redemption, with its card in the reader, and the uses given back at once
where the office is there.

The journal of the counter has the reversal first. The office books it and orders that the chip gets its uses back; in
the same installation that runs in the same insertion, else at the next one where changes of the card run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from personalize.updates import UpdateReport
from reader_service.errors import Conflict
from reader_service.events import EventBus
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.worker import ReaderSession
from reader_service.redemptions.record import CounterRecord
from reader_service.registry_errors import needs_reason
from reader_service.services.counter.counter import CounterService
from reader_service.services.counter.insertion import InsertionUpdates
from reader_service.services.redeeming.redemptions import RedemptionService
from registry.members.wanted import UpdateKind
from terminal.apdu import Sender
from terminal.member.outcome import Verdict

BOOKED_WITHIN: Final = 5.0
"""Seconds in which the office books the reversal, while the card waits."""
_WORKING: Final = 30.0
"""Seconds after which the insertion counts as hung."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """A redemption that was taken back. ``credited``: its uses are on the chip again; else they come back at the next
    insertion where changes of the card run."""

    record: CounterRecord
    credited: bool

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        return {"redemption": self.record.to_json(), "credited": self.credited}


class ReversalService:
    """The use-case. Event (topic: reader id): redemption.reversed (data: Reversal.to_json())."""

    def __init__(
        self,
        bus: EventBus,
        readers: ReaderManager,
        counter: CounterService,
        redemptions: RedemptionService,
        insertions: InsertionUpdates,
    ) -> None:
        self._bus, self._readers, self._counter = bus, readers, counter
        self._redemptions, self._insertions = redemptions, insertions

    def reverse(self, p: Principal, receipt: str, reason: str, *, reader_id: str = "") -> Reversal:
        """REDEEM. Take back the redemption of a receipt's number, whose card is in a reader in counter mode;
        ``reader_id`` names it where the card is not looked for.

        Raises Conflict (``reversal-…``: another day, another merchant, a foreign receipt, another card, twice;
        ``no-cashier``; the faults of the journal), Invalid without a reason, LeaseLost, ReaderOut.
        """
        p.need(Permission.REDEEM)
        why = needs_reason(reason)
        record = self._redemptions.reversible(p, receipt)
        reader = reader_id or self._redemptions.reader_of(p, record)
        job = partial(self._reverse, p, reader, receipt, why)
        return self._readers.use(p, reader, "", job, _WORKING, counter=True)

    def _reverse(self, p: Principal, reader_id: str, receipt: str, reason: str, session: ReaderSession) -> Reversal:
        came_to: list[CounterRecord | Conflict] = []

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            try:
                came_to.append(self._redemptions.take_back(p, reader_id, verdict, receipt, reason))
            except Conflict as refusal:  # the card stays verified, and can redeem
                came_to.append(refusal)
                return UpdateReport()
            if not self._redemptions.booked_within(BOOKED_WITHIN):
                return UpdateReport()
            self._insertions.expect()
            return self._insertions.at_counter(sender, verdict)

        view = self._counter.visit(reader_id, session, work)
        record = came_to[0]
        if isinstance(record, Conflict):
            raise record
        reversal = Reversal(record, UpdateKind.CREDIT in view.updates.kinds)
        self._bus.publish("redemption.reversed", reader_id, reversal.to_json())
        return reversal
