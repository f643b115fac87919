"""Chips without a dossier that a lane gives up, and the reasons why a chip gets none."""

from __future__ import annotations

from typing import Final

from personalize.line.job import Job
from personalize.line.outcome import Bin, CardOutcome, CardReport
from personalize.reasons import Reason, RejectCode, reason_for
from registry.errors import CHIP_VERIFIED, RegistryConflict
from registry.values import Coded, NothingLeft
from terminal.errors import NoCard

BATCH_DONE: Final = Reason("the batch is done", RejectCode.BATCH_DONE)
NO_IDENTITY: Final = Reason(
    "nothing that this chip gives tells it from others, so it was left as it is; the card profile names what "
    "identifies a chip (line.identity: cplc, key-data, cin)",
    RejectCode.NO_IDENTITY,
)


def dead_chip(job: Job, lane: str, fault: NoCard, held: str = "") -> CardReport:
    """Record a chip that gives no answer to reset. ``held`` is its serial, where the lane knows it."""
    reason = reason_for(fault)
    outcome, serial, tray = reject_chip(job, lane, held, reason, "connect", Bin.CONTACT)
    return CardReport(outcome, serial, reason=reason.sentence, bin=tray, code=reason.code, params=reason.params)


def reject_chip(job: Job, lane: str, serial: str, reason: Reason, step: str, bin: Bin) -> tuple[CardOutcome, str, str]:
    """Reject a chip without a claim: outcome, serial and tray. One with the serial of a verified card is put aside."""
    ours, coded = bin is not Bin.FOREIGN, Coded(reason.code, reason.params)
    line = job.registry.line
    try:
        serial = line.reject_chip(job.batch_id, serial, reason.sentence, step, bin, lane, from_stock=ours, coded=coded)
    except RegistryConflict as conflict:
        if conflict.reason != CHIP_VERIFIED:
            raise
        return CardOutcome.ASIDE, serial, ""
    return CardOutcome.REJECTED, serial, bin


def two_chips(number: str) -> Reason:
    sentence = f"two chips have this serial, and none of them is taken for card {number} by it"
    return Reason(sentence, RejectCode.DOUBLED, {"number": number[-6:]})


def nothing_left(left: NothingLeft) -> Reason:
    if left.claimed:
        return Reason("nothing left to begin", RejectCode.NOTHING_LEFT)
    if left.to_prepare:
        sentence = f"no dossier waits; {left.to_prepare} members still need one: membercard batch prepare"
        return Reason(sentence, RejectCode.NOT_PREPARED, {"members": str(left.to_prepare)})
    return BATCH_DONE
