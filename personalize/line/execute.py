"""Processes one chip: identify, bind, authenticate, plan, execute, read back, record.

Docs: docs/personalization-line.md. At every moment the journal holds which dossier a chip is bound to, and the chip
itself shows how far it came, so that the same function continues a returning chip.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import ChipUnfit, DossierError, LineStopped
from personalize.line.chipkeys import open_chip
from personalize.line.chipstate import chip_state
from personalize.line.dates import refuse_wrong_dates, refuse_wrong_trust
from personalize.line.known import is_card, proven_lack
from personalize.line.outcome import NO_CHIP, Bin, CardOutcome, CardReport, ExchangeMeter, HeldChip
from personalize.line.plan import (
    NAMES,
    Install,
    Personalize,
    ReadBack,
    RotateKeys,
    Secure,
    Step,
    plan,
)
from personalize.line.readback import read_back
from personalize.payment.readback import PaymentProof
from personalize.profiles.profile import Profile
from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from registry.errors import CHIP_VERIFIED, FenceLost, RegistryConflict
from registry.store import Registry
from registry.values import ChipKnown, Claim, Coded, JournalEntry, JournalEvent, NothingLeft
from terminal.apdu import Command, Sender, Transport, stack
from terminal.errors import (
    AuthenticationGuarded,
    AuthenticationRefused,
    CardError,
    CardMalformed,
    CodecError,
    IntegrityError,
    NoCard,
    NotGenuine,
    ReaderBusy,
    ReaderNotFound,
    SecureChannelError,
    TransportError,
)
from terminal.globalplatform import (
    Aid,
    AuthenticationGuard,
    SecurityDomain,
)
from terminal.keys import CardKeys, KeyCustody, Sealed
from terminal.member.trust import TrustList

BATCH_DONE: Final = Reason("the batch is done", RejectCode.BATCH_DONE)
NO_IDENTITY: Final = Reason(
    "nothing that this chip gives tells it from others, so it was left as it is; the card profile names what "
    "identifies a chip (line.identity: cplc, key-data, cin)",
    RejectCode.NO_IDENTITY,
)
_SELECT: Final = Command(0x00, 0xA4, 0x04, 0x00, ne=256).encode()


@dataclass(frozen=True, slots=True)
class Job:
    """What all chips of one run share. ``guard`` is shared by all lanes; ``now`` gives the time in the zone whose
    calendar days are on the cards; ``dossier_days`` is the greatest age of a dossier; ``payment_proof`` verifies a
    payment application by a transaction, after its data were read back."""

    registry: Registry
    custody: KeyCustody
    profile: Profile
    guard: AuthenticationGuard
    trust: TrustList
    batch_id: str
    station: str
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.perf_counter
    lease: timedelta = timedelta(minutes=2)
    dossier_days: int = 366
    payment_proof: PaymentProof | None = None

    def refuse_wrong_dates(self) -> None:
        """Compare the dates of the next waiting dossier with the clock, before any chip is fed. Raises LineStopped."""
        at = self.now()
        refuse_wrong_trust(self.trust, at)
        if waiting := self.registry.dossiers.next_waiting(self.batch_id):
            dossier = open_dossier(self.custody, waiting.card_number, waiting.sequence, waiting.sealed)
            refuse_wrong_dates(dossier, at, self.dossier_days)

    def done(self) -> bool:
        """Whether no dossier of the batch is waiting, claimed or still to be prepared."""
        accounts = self.registry.batches.accounts(self.batch_id)
        return accounts.waiting == accounts.claimed == accounts.to_prepare == 0


def dead_chip(job: Job, lane: str, fault: NoCard, held: str = "") -> CardReport:
    """Record a chip that gives no answer to reset. ``held`` is its serial, where the lane knows it."""
    reason = reason_for(fault)
    outcome, serial, tray = _reject_chip(job, lane, held, reason, "connect", Bin.CONTACT)
    return CardReport(outcome, serial, reason=reason.sentence, bin=tray, code=reason.code, params=reason.params)


def _reject_chip(job: Job, lane: str, serial: str, reason: Reason, step: str, bin: Bin) -> tuple[CardOutcome, str, str]:
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


def process(
    transport: Transport,
    job: Job,
    lane: str,
    last_try: Callable[[str], bool],
    tell: Callable[[str, str], None] = lambda step, card_number: None,
    held: HeldChip = NO_CHIP,
) -> CardReport:
    """Do everything that this chip still needs. Faults of the chip are reported, not raised; raises RegistryError,
    CustodyError, DossierError, LineStopped, ReaderBusy and ReaderNotFound, which are not the chip's fault.

    ``last_try(serial)`` says whether a chip that fails now is to be rejected; ``tell`` is called at each step.
    A chip that no longer gives a serial must be ``held``, and its dossier is made again instead of waiting forever.
    """
    meter = ExchangeMeter(transport)
    run = _CardRun(meter, job, lane, tell)
    try:
        return _outcome_of(run, last_try, held)
    except FenceLost:
        return run.taken_over(last_try)


def _outcome_of(run: _CardRun, last_try: Callable[[str], bool], held: HeldChip) -> CardReport:
    """The outcome of a run, each fault assigned to chip, reader or registry. Raises FenceLost, also from writing a
    fault to the journal."""
    try:
        return run.process(held)
    except (ReaderBusy, ReaderNotFound, LineStopped) as e:
        run.note(str(e))
        raise
    except TransportError as e:
        if e.retryable and not last_try(run.serial or held.serial):
            return run.fell_out(reason_for(e))
        return run.rejected(reason_for(e), Bin.CONTACT, held.serial)
    except (AuthenticationRefused, AuthenticationGuarded, NotGenuine) as e:
        return run.rejected(reason_for(e), Bin.KEYS, held.serial)
    except ChipUnfit as e:
        return run.rejected(reason_for(e), Bin.DATA, held.serial)
    except (CardError, SecureChannelError, IntegrityError, CodecError) as e:
        # A garbled response may come from the contacts: try again from the state that the chip then shows.
        if not last_try(run.serial or held.serial):
            return run.fell_out(reason_for(e))
        return run.rejected(reason_for(e), Bin.DATA, held.serial)


class _CardRun:
    def __init__(self, meter: ExchangeMeter, job: Job, lane: str, tell: Callable[[str, str], None]) -> None:
        self._meter, self._job, self._lane, self._tell = meter, job, lane, tell
        self._started = job.monotonic()
        self._steps: dict[str, float] = {}
        self._step = "connect"
        self._done: list[JournalEntry] = []
        self._claim: Claim | None = None
        self._verdict: dict[str, str] = {}
        self._proving = False
        self.serial = ""

    def process(self, held: HeldChip) -> CardReport:
        job = self._job
        sender = stack(self._meter)
        domain = self._identify(sender, held.serial)
        if not self.serial:
            return self.report(CardOutcome.ASIDE, NO_IDENTITY)
        claim = job.registry.line.claim(job.batch_id, self._lane, job.station, self.serial, job.lease)
        if isinstance(claim, NothingLeft):
            return self.report(CardOutcome.NOTHING_LEFT, _nothing_left(claim))
        if isinstance(claim, ChipKnown):
            return self._known(claim, sender, domain, held)
        self._claim = claim
        at = job.now()
        dossier = open_dossier(job.custody, claim.card_number, claim.sequence, claim.sealed)
        refuse_wrong_dates(dossier, at, job.dossier_days)
        refuse_wrong_trust(job.trust, at)
        self._begin("authenticate")
        opened = open_chip(domain, job.custody, job.profile.line)
        state = chip_state(domain, dossier, opened)
        done = job.registry.line.acknowledged(claim) if claim.returning else ()
        if proof := proven_lack(done, state, lambda: chip_state(domain, dossier, opened)):
            return self._doubled(claim.card_number, proof)
        steps = plan(dossier, state, opened.final)
        self._end()
        for step in steps:
            self._begin(NAMES[type(step)])
            self._execute(step, domain, dossier, opened.final, at)
            self._end(step.application.instance_aid.hex().upper() if isinstance(step, Personalize) else "")
        result: dict[str, object] = {**self._verdict, "commands": self._meter.commands, "bytes": self._meter.bytes_sent}
        result["key_data"] = opened.key_data.hex().upper()
        job.registry.line.verified(claim, result, job.monotonic() - self._started, *self._done)
        return self.report(CardOutcome.VERIFIED)

    def _identify(self, sender: Sender, held: str) -> SecurityDomain:
        self._begin("identify")
        domain = SecurityDomain(sender, self._job.custody, self._job.guard)
        domain.select()
        self.serial = domain.identify(self._job.profile.line.identity)
        if held and not self.serial:
            raise CardMalformed("reading the identity of the chip: it gave one before and gives none now")
        self._end()
        return domain

    def _known(self, chip: ChipKnown, sender: Sender, domain: SecurityDomain, held: HeldChip) -> CardReport:
        if chip.why == "verified":
            return self._verified_before(chip.detail, sender, domain, held)
        if chip.why == "doubled":
            return self.report(CardOutcome.ASIDE, _two_chips(chip.detail))
        if chip.why == "rejected":
            was = {"was": chip.code} if chip.code else {}
            return self.report(
                CardOutcome.REFUSED, Reason(f"rejected before: {chip.detail}", RejectCode.REJECTED_BEFORE, was)
            )
        sentence = f"bound in batch {chip.detail}: run that batch with this chip"
        return self.report(CardOutcome.ASIDE, Reason(sentence, RejectCode.OTHER_BATCH, {"batch": chip.detail}))

    def _verified_before(self, number: str, sender: Sender, domain: SecurityDomain, held: HeldChip) -> CardReport:
        """A chip with the serial of a verified card is that card only if it proves its keys and carries the number.

        One that had a dossier in this slot and has not left it since is another chip: the card was verified elsewhere.
        """
        self._proving = True
        job = self._job
        if held.bound and self.serial == held.serial:
            return self._doubled(number, f"card {number} was verified elsewhere while this chip was in its reader")
        card = job.registry.cards.card(number)
        if is_card(card, sender, domain, job.custody, job.profile):
            reason = Reason(f"verified before as card {number}", RejectCode.VERIFIED_BEFORE, {"number": number[-6:]})
            return self.report(CardOutcome.KNOWN, reason)
        sentence = f"it has the serial of the chip with card {number} and does not prove to be that card"
        return self.report(CardOutcome.ASIDE, Reason(sentence, RejectCode.TWINS))

    def taken_over(self, last_try: Callable[[str], bool]) -> CardReport:
        """The report where another lane has taken the dossier over. It has another chip if its chip answered, or if it
        takes the dossier again and again, while this one has not left its reader."""
        last, claim = last_try(self.serial), self._claim
        if claim is not None and (last or self._job.registry.line.rival_answered(claim)) and self._in_reader():
            return self._doubled(claim.card_number, "another lane had its dossier while this chip was in its reader")
        if last:
            sentence = "another lane keeps taking its dossier over: two chips with this serial?"
            return self.report(CardOutcome.ASIDE, Reason(sentence, RejectCode.TWINS))
        sentence = "another lane took this dossier over; the chip is examined again"
        return self.report(CardOutcome.AGAIN, Reason(sentence, RejectCode.TAKEN_OVER))

    def _in_reader(self) -> bool:
        """Whether the chip has not left its reader since it was powered: one that was out answers no command."""
        try:
            self._meter.exchange(_SELECT)
        except TransportError:
            return False
        return True

    def _doubled(self, number: str, proof: str) -> CardReport:
        """Record that two chips have the serial of this one, and put it aside."""
        self._job.registry.line.doubled(self.serial, self._lane, self._job.station, proof)
        return self.report(CardOutcome.ASIDE, _two_chips(number))

    def _execute(self, step: Step, domain: SecurityDomain, dossier: Dossier, final: CardKeys, at: datetime) -> None:
        match step:
            case Install(application, delete_first):
                if delete_first:
                    domain.delete(Aid(application.instance_aid))
                domain.install(
                    *(Aid(a) for a in (application.package_aid, application.module_aid, application.instance_aid))
                )
            case Personalize(application):
                domain.personalize(Aid(application.instance_aid), application.parts, acknowledged=self._acknowledged)
            case RotateKeys(old_version, new):
                domain.put_keys(new, replaces=old_version)
            case Secure(states):
                for state in states:
                    domain.set_card_state(state)
            case ReadBack():
                self._meter.reset()
                job = self._job
                fresh = stack(self._meter)
                # The day that was compared with the data before the first command, also after midnight.
                self._verdict = read_back(
                    fresh, dossier, final, job.custody, job.guard, job.trust, at, self.serial, job.profile.line
                )
                if dossier.payment is not None and job.payment_proof is not None:
                    self._meter.reset()
                    self._verdict["payment"] = job.payment_proof(stack(self._meter), dossier, at)

    def _acknowledged(self, block: int, of: int) -> None:
        self._finished(block=block - 1)
        if block == of - 1:
            self._write(JournalEvent.INTENT, "the last block")
        elif block < of:
            self._write()

    def _begin(self, step: str) -> None:
        self._step, self._step_began = step, self._job.monotonic()
        self._tell(step, self._claim.card_number if self._claim else "")
        self._write(JournalEvent.INTENT)

    def _end(self, detail: str = "") -> None:
        took = self._job.monotonic() - self._step_began
        self._steps[self._step] = self._steps.get(self._step, 0.0) + took  # one for each application
        self._finished(detail=detail)

    def _finished(self, block: int | None = None, detail: str = "") -> None:
        """Remember a completed step for the journal; it is written with the next entry."""
        if self._claim is not None:
            self._done.append(JournalEntry(self._step, JournalEvent.DONE, detail, block))

    def _write(self, event: JournalEvent | None = None, detail: str = "") -> None:
        """Write completed steps and the next intent in one commit, before the chip gets the next command. Does nothing
        while no dossier is bound."""
        if self._claim is not None:
            now = [JournalEntry(self._step, event, detail)] if event else []
            self._job.registry.line.journal(self._claim, *self._done, *now)
            self._done.clear()

    def note(self, reason: str) -> None:
        """Write a fault to the journal."""
        self._write(JournalEvent.FAULT, reason)

    def fell_out(self, reason: Reason) -> CardReport:
        """The chip is to be presented again; it stays bound."""
        self.note(reason.sentence)
        return self.report(CardOutcome.AGAIN, reason)

    def rejected(self, reason: Reason, bin: Bin, held: str) -> CardReport:
        """Reject the chip for good; where it has a dossier, its card is hotlisted and the dossier made again. One with
        the serial of a verified card is put aside."""
        if self._proving:
            return self.report(CardOutcome.ASIDE, reason)
        if self._claim is not None:
            coded = Coded(reason.code, reason.params)
            self._job.registry.line.reject(self._claim, reason.sentence, self._step, bin, coded=coded)
            return self.report(CardOutcome.REJECTED, reason, bin)
        self.serial = self.serial or held
        bin = bin if self.serial or bin is Bin.CONTACT else Bin.FOREIGN
        outcome, self.serial, tray = _reject_chip(self._job, self._lane, self.serial, reason, self._step, bin)
        return self.report(outcome, reason, tray)

    def report(self, outcome: CardOutcome, reason: Reason = NOTHING, bin: str = "") -> CardReport:
        return CardReport(
            outcome=outcome,
            chip_serial=self.serial,
            card_number=self._claim.card_number if self._claim else "",
            reason=reason.sentence,
            bin=bin,
            code=reason.code,
            params=reason.params,
            seconds=self._job.monotonic() - self._started,
            steps=self._steps,
            commands=self._meter.commands,
            bytes_sent=self._meter.bytes_sent,
        )


def open_dossier(custody: KeyCustody, card_number: str, sequence: int, sealed: Sealed) -> Dossier:
    """The opened dossier of a card. Raises DossierError for a fault of the dossier, which is not the chip's."""
    try:
        dossier = Dossier.decode(custody.open(sealed).reveal())
    except IntegrityError as e:
        raise DossierError(f"the sealed dossier of {card_number}: {e}; are registry and keystore a pair?") from e
    if (dossier.card_number, dossier.sequence) != (card_number, sequence):
        raise DossierError(f"the sealed dossier of {card_number} is another card's")
    return dossier


def _two_chips(number: str) -> Reason:
    sentence = f"two chips have this serial, and none of them is taken for card {number} by it"
    return Reason(sentence, RejectCode.DOUBLED, {"number": number[-6:]})


def _nothing_left(left: NothingLeft) -> Reason:
    if left.claimed:
        return Reason("nothing left to begin", RejectCode.NOTHING_LEFT)
    if left.to_prepare:
        sentence = f"no dossier waits; {left.to_prepare} members still need one: membercard batch prepare"
        return Reason(sentence, RejectCode.NOT_PREPARED, {"members": str(left.to_prepare)})
    return BATCH_DONE
