"""How the cards of one lane come and go: by a person's hand, or by a machine whose moves are on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from personalize.line.job import Job
from personalize.line.outcome import CardOutcome, CardReport
from personalize.line.rejects import BATCH_DONE, nothing_left
from personalize.machines.faults import OUT_OF_SIGHT, MachineFault, MachineFaultCode
from personalize.machines.protocols import CardMachine, MachinePlace, MachineStatus, Supply
from personalize.machines.reader import bin_of
from personalize.reasons import NOTHING, Reason
from registry.line.claims import LanePlace
from registry.line.machines import LeavingCard
from registry.values import NothingLeft
from terminal.apdu import Disposition, Reader

DISPOSITIONS: Final = {
    CardOutcome.VERIFIED: Disposition.DONE,
    CardOutcome.KNOWN: Disposition.DONE,
    CardOutcome.REJECTED: Disposition.REJECT,
    CardOutcome.REFUSED: Disposition.REJECT,
    CardOutcome.ASIDE: Disposition.ASIDE,
    CardOutcome.AGAIN: Disposition.KEEP,
    CardOutcome.NOTHING_LEFT: Disposition.KEEP,
}


class CardHandling:
    """The cards of one lane. ``clear_after``: seconds between a fault of the machine and the attempt to clear it, where
    no sensor shows whether the cause is gone: a person may have a hand in the machine."""

    def __init__(
        self,
        job: Job,
        lane: str,
        reader: Reader,
        machine: CardMachine | None,
        *,
        clear_after: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._job, self._reader, self._machine = job, reader, machine
        self.clear_after, self._monotonic = clear_after, monotonic
        self._place = LanePlace(lane, job.station)
        self._sure = False
        """Whether this lane knows that no card is inside."""
        self._by_hand = False
        self._fault: MachineFault | None = None
        self._seen = False
        """Whether a sensor showed the cause of the fault."""
        self._clear_at = 0.0

    def failed(self, fault: MachineFault) -> None:
        """The machine failed, with a card or without; it is cleared before its next order."""
        self._sure, self._fault, self._seen = False, fault, False
        self._clear_at = self._monotonic() + self.clear_after

    def recover(self, *, at_once: bool = False) -> None:
        """Clear the machine after a fault, so that the lane goes on by itself once a person removed the cause. Raises
        the fault again while its cause is there to be seen, and before it is time, unless a person wants it
        ``at_once``. After a print that spoiled its card for want of a ribbon, which no sensor sees, only a person
        knows: the next print would spoil the next card."""
        fault, machine = self._fault, self._machine
        if fault is None or machine is None:
            return
        there = _cause_is_there(fault.code, machine.status())
        self._seen = self._seen or there is True
        unknown = fault.spoiled and fault.code is MachineFaultCode.RIBBON and not self._seen
        if there or (there is None and not at_once and (unknown or self._monotonic() < self._clear_at)):
            raise fault
        if fault.code not in (MachineFaultCode.FEEDER_EMPTY, MachineFaultCode.EXIT):
            try:
                machine.clear()
            except MachineFault as another:
                self.failed(another)
                raise
        self._fault = None

    def wait_for_card(self, timeout: float) -> bool:
        """As Reader.wait_for_card."""
        self._sure = False
        present = self._reader.wait_for_card(timeout)
        self._sure = not present
        return present

    def empty(self) -> bool:
        """Whether a machine is sure to hold no card; what was about to leave it before has left it then."""
        if self._machine is None:
            return False
        if not self._sure:
            if self._reader.wait_for_card(0):
                return False
            self._job.registry.machine_cards.left(self._place.station, self._machine.name, by_hand=self._by_hand)
            self._sure, self._by_hand = True, False
        return True

    def nothing_to_feed(self, remake_missing: Callable[[], bool]) -> Reason:
        """Why the machine need not feed another card: no dossier waits or can be made again, and no chip is to come
        back; else NOTHING."""
        job = self._job
        if self._machine is None or not self._machine.abilities.feeds:
            return NOTHING
        if job.registry.dossiers.next_waiting(job.batch_id) or remake_missing():
            return NOTHING
        accounts = job.registry.batches.accounts(job.batch_id)
        if accounts.claimed:
            return NOTHING
        return nothing_left(NothingLeft(0, accounts.to_prepare)) if accounts.to_prepare else BATCH_DONE

    def unread(self) -> str:
        """The serial under which the chip inside is rejected, which gives none: that of before, where it is on record
        and did not leave; empty without a machine."""
        if self._machine is None:
            return ""
        card = LeavingCard("", CardOutcome.REJECTED, "reject")
        return self._leaving(self._machine, card)

    def release(self, report: CardReport) -> None:
        """Move the card on by its outcome, which is on record. Raises TransportError; the card is inside still then, or
        the next look finds that it is not."""
        disposition = DISPOSITIONS[report.outcome]
        bin = bin_of(disposition)
        if self._machine is None or bin is None:
            self._reader.release(disposition)
            return
        self._leaving(self._machine, LeavingCard(report.chip_serial, report.outcome.value, bin.value))
        try:
            self._reader.release(disposition)
        except MachineFault as fault:
            self._by_hand = fault.code not in OUT_OF_SIGHT
            raise
        self._job.registry.machine_cards.left(self._place.station, self._machine.name)
        self._sure, self._by_hand = True, False

    def _leaving(self, machine: CardMachine, card: LeavingCard) -> str:
        moves = self._job.registry.machine_cards
        return moves.leaving(self._job.batch_id, self._place, machine.name, card, by_hand=self._by_hand)


def _cause_is_there(code: MachineFaultCode, status: MachineStatus) -> bool | None:
    """Whether the status shows the cause of a fault; None for one that no sensor shows."""
    match code:
        case MachineFaultCode.FEEDER_EMPTY if status.place is MachinePlace.NONE and status.feeder is not Supply.UNKNOWN:
            return status.feeder is Supply.EMPTY
        case MachineFaultCode.EXIT:
            return status.place is MachinePlace.EXIT
        case MachineFaultCode.REJECT_FULL:
            return status.reject_full
        case MachineFaultCode.COVER:
            return status.cover_open
        case MachineFaultCode.RIBBON if status.ribbon is not Supply.UNKNOWN:
            return status.ribbon is Supply.EMPTY
    return True if status.cover_open else None
