"""Processes one chip: identify, bind, authenticate, plan, execute, read back, record.

Docs: docs/personalization-line.md. At every moment the journal holds which dossier a chip is bound to, and the chip
itself shows how far it came, so that the same function continues a returning chip.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import BodySpoiled, ChipUnfit, LineStopped
from personalize.line.body import NO_BODY, CardBody
from personalize.line.chipkeys import open_chip
from personalize.line.chipstate import chip_state
from personalize.line.dates import refuse_wrong_dates, refuse_wrong_trust
from personalize.line.job import Job, open_dossier
from personalize.line.known import is_card, proven_lack
from personalize.line.outcome import NO_CHIP, Bin, CardOutcome, CardReport, ExchangeMeter, HeldChip
from personalize.line.plan import (
    NAMES,
    Install,
    Personalize,
    PrintFace,
    ReadBack,
    RotateKeys,
    Secure,
    Step,
    WriteStripe,
    plan,
)
from personalize.line.readback import read_back
from personalize.line.rejects import NO_IDENTITY, nothing_left, reject_chip, two_chips
from personalize.machines.faults import OF_THE_STRIPE, OUT_OF_SIGHT, MachineFault, MachineFaultCode
from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from registry.errors import FenceLost
from registry.line.doubled import Acknowledged
from registry.line.machines import UNPRINTED
from registry.values import ChipKnown, Claim, Coded, JournalEntry, JournalEvent, NothingLeft
from terminal.apdu import Command, Sender, Transport, stack
from terminal.errors import (
    AuthenticationGuarded,
    AuthenticationRefused,
    CardError,
    CardMalformed,
    CodecError,
    IntegrityError,
    NotGenuine,
    ReaderBusy,
    ReaderNotFound,
    SecureChannelError,
    TransportError,
)
from terminal.globalplatform import Aid, SecurityDomain
from terminal.keys import CardKeys

_SELECT: Final = Command(0x00, 0xA4, 0x04, 0x00, ne=256).encode()


def process(
    transport: Transport,
    job: Job,
    lane: str,
    last_try: Callable[[str], bool],
    tell: Callable[[str, str], None] = lambda step, card_number: None,
    held: HeldChip = NO_CHIP,
    body: CardBody = NO_BODY,
    unread: Callable[[], str] = str,
) -> CardReport:
    """Do everything that this card still needs. Faults of the card are reported, not raised; raises RegistryError,
    CustodyError, DossierError, LineStopped, ReaderBusy, ReaderNotFound and MachineFault, which are not the card's
    fault.

    ``last_try(serial)`` says whether a chip that fails now is to be rejected; ``tell`` is called at each step. A chip
    that no longer gives a serial must be ``held``, and its dossier is made again instead of waiting forever.
    ``body`` makes stripe and face. ``unread`` gives the serial under which a chip without one is rejected, by default
    a new one each time.
    """
    meter = ExchangeMeter(transport)
    run = _CardRun(meter, job, lane, tell, body, unread)
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
    except MachineFault as e:
        return _machine_failed(run, e, last_try, held)
    except TransportError as e:
        if e.retryable and not last_try(run.serial or held.serial):
            return run.fell_out(reason_for(e))
        return run.rejected(reason_for(e), Bin.CONTACT, held.serial)
    except (AuthenticationRefused, AuthenticationGuarded, NotGenuine) as e:
        return run.rejected(reason_for(e), Bin.KEYS, held.serial)
    except ChipUnfit as e:
        bin = Bin.BODY if isinstance(e, BodySpoiled) else Bin.DATA
        return run.rejected(reason_for(e), bin, held.serial)
    except (CardError, SecureChannelError, IntegrityError, CodecError) as e:
        # A garbled response may come from the contacts: try again from the state that the chip then shows.
        if not last_try(run.serial or held.serial):
            return run.fell_out(reason_for(e))
        return run.rejected(reason_for(e), Bin.DATA, held.serial)


def _machine_failed(run: _CardRun, fault: MachineFault, last_try: Callable[[str], bool], held: HeldChip) -> CardReport:
    """The outcome for a card whose machine failed. Raises the fault where it is not the card's: the card stays inside
    and goes on once the machine works."""
    if fault.code in OF_THE_STRIPE:
        return run.rejected(reason_for(fault), Bin.BODY, held.serial)
    if fault.code is not MachineFaultCode.CONTACTS:
        run.note(str(fault))
        raise fault
    if not last_try(run.serial or held.serial):
        return run.fell_out(reason_for(fault))
    return run.rejected(reason_for(fault), Bin.CONTACT, held.serial)


class _CardRun:
    def __init__(
        self,
        meter: ExchangeMeter,
        job: Job,
        lane: str,
        tell: Callable[[str, str], None],
        body: CardBody,
        unread: Callable[[], str],
    ) -> None:
        self._meter, self._job, self._lane, self._tell, self._body, self._unread = meter, job, lane, tell, body, unread
        self._started = job.monotonic()
        self._steps: dict[str, float] = {}
        self._step = "connect"
        self._done: list[JournalEntry] = []
        self._claim: Claim | None = None
        self._before: frozenset[Acknowledged] = frozenset()
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
            return self.report(CardOutcome.NOTHING_LEFT, nothing_left(claim))
        if isinstance(claim, ChipKnown):
            return self._known(claim, sender, domain, held)
        self._claim = claim
        at = job.now()
        dossier = open_dossier(job.custody, claim.card_number, claim.sequence, claim.sealed)
        refuse_wrong_dates(dossier, at, job.dossier_days)
        refuse_wrong_trust(job.trust, at)
        self._body.refuse_lacking(dossier)
        self._begin("authenticate")
        opened = open_chip(domain, job.custody, job.profile.line)
        state = chip_state(domain, dossier, opened)
        self._before = job.registry.line.acknowledged(claim) if claim.returning else frozenset()
        if proof := proven_lack(self._before, state, lambda: chip_state(domain, dossier, opened)):
            return self._doubled(claim.card_number, proof)
        steps = plan(dossier, state, opened.final, body=self._body.wanted)
        self._end()
        for step in steps:
            self._begin(NAMES[type(step)], intent=not isinstance(step, PrintFace))
            self._end(self._execute(step, domain, dossier, opened.final, at))
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
            return self.report(CardOutcome.ASIDE, two_chips(chip.detail))
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
        return self.report(CardOutcome.ASIDE, two_chips(number))

    def _execute(self, step: Step, domain: SecurityDomain, dossier: Dossier, final: CardKeys, at: datetime) -> str:
        """What the journal notes of the completed step."""
        match step:
            case Install(application, delete_first):
                if delete_first:
                    domain.delete(Aid(application.instance_aid))
                domain.install(
                    *(Aid(a) for a in (application.package_aid, application.module_aid, application.instance_aid))
                )
            case Personalize(application):
                domain.personalize(Aid(application.instance_aid), application.parts, acknowledged=self._acknowledged)
                return application.instance_aid.hex().upper()
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
            case WriteStripe(tracks):
                self._meter.close()
                written = any(one.step == NAMES[WriteStripe] for one in self._before)
                if self._body.write_stripe(tracks, written=written):
                    return json.dumps({"machine": self._body.name})
            case PrintFace():
                self._meter.close()
                self._print(dossier)
        return ""

    def _print(self, dossier: Dossier) -> None:
        """Print the face once: the intent is on record before the first byte, and the end of the print before anything
        else happens. Raises BodySpoiled for a card with a print of before that nobody knows to be complete."""
        claim = self._claim
        returning = claim is not None and claim.returning
        last = self._job.registry.line.last_entry(claim, NAMES[PrintFace]) if claim and returning else None
        if last is not None and last.event is JournalEvent.DONE and last.detail != UNPRINTED:
            return
        if last is not None and last.event is JournalEvent.INTENT:
            sentence = "a print was begun on this card, and nobody knows that it was completed"
            raise BodySpoiled(sentence, RejectCode.HALF_PRINTED)
        face, ribbon = self._body.face(dossier), self._body.ribbon()
        sides = 1 if face.back is None else 2
        use = {"machine": self._body.name, "ribbon": ribbon, "sides": sides}
        self._write(JournalEvent.INTENT, json.dumps(use, ensure_ascii=False))
        try:
            self._body.print_face(face)
        except MachineFault as fault:
            if fault.spoiled or fault.code in OUT_OF_SIGHT:
                raise BodySpoiled(f"the face may be half printed: {fault}", RejectCode.HALF_PRINTED) from fault
            self._finished(detail=UNPRINTED)
            self._write()
            raise
        self._finished()
        self._write()

    def _acknowledged(self, block: int, of: int) -> None:
        self._finished(block=block - 1)
        if block == of - 1:
            self._write(JournalEvent.INTENT, "the last block")
        elif block < of:
            self._write()

    def _begin(self, step: str, *, intent: bool = True) -> None:
        self._step, self._step_began = step, self._job.monotonic()
        self._tell(step, self._claim.card_number if self._claim else "")
        if intent:
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
        serial = self.serial or self._unread()
        outcome, self.serial, tray = reject_chip(self._job, self._lane, serial, reason, self._step, bin)
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
