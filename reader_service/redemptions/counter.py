"""Redemptions at a counter, between the verdict and the receipt: what became of a torn one, what the member can have,
and the redemption itself. docs/redemption.md, docs/redemption-journal.md.

The journal has every request before the card is asked, and every result before it is shown. ``sender`` speaks with the
card of the verdict, in the same insertion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from programme.outcome import Allowed, Refused
from programme.programme import Offer, Programme
from programme.sentences import title
from reader_service.parts import CounterPlace, ProgrammeInForce
from reader_service.redemptions.asking import COUNTED_ONLINE, IssuerLine, ask, offline, reach
from reader_service.redemptions.clock import CLOCK_LIMIT, REST_LIMIT
from reader_service.redemptions.day import DayCollector, DaySheet
from reader_service.redemptions.errors import (
    ClockAhead,
    ClockWrong,
    EditionMissing,
    RedemptionRepeated,
    ReversalFault,
    ReversalRefused,
    RowMisplaced,
)
from reader_service.redemptions.intents import Intent, IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.offers import BenefitChoice, CounterOffer, decided, offers_of
from reader_service.redemptions.record import CounterRecord, open_record, record_of
from terminal.apdu import Sender
from terminal.errors import CardError, CodecError, MembercardError, NotRedeemable, TransportError
from terminal.localtime import date_time
from terminal.member.journal_rows import GIVES, JournalRow, RowKind
from terminal.member.outcome import Verdict
from terminal.member.pin import PinCheck, verify_pin
from terminal.member.proven import ProvenCard
from terminal.member.redemption.recovery import recover
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.signed import ListOutdated
from terminal.secret import Secret

_DIGITS: Final = 15
"""Of a row's number on a receipt."""
_COUNTED = {RedemptionStatus.DONE: RowKind.REDEEMED, RedemptionStatus.LOGGED: RowKind.RECOVERED}


@dataclass(frozen=True, slots=True)
class PinRefused:
    """The PIN was wrong: nothing was asked of the card. ``tries_left`` is 0 for a PIN that is blocked."""

    tries_left: int


class CounterRedemptions:
    """The redemptions of one counter over its open journal. Safe for several readers; one card is in one of them."""

    def __init__(
        self, journal: RedemptionJournal, place: CounterPlace, zone: tzinfo, issuer: IssuerLine | None = None
    ) -> None:
        self.journal, self.place, self.zone, self._issuer = journal, place, zone, issuer

    @property
    def _online(self) -> bool:
        return self._issuer is not None and self._issuer.online()

    def recover(self, sender: Sender, verdict: Verdict, at: datetime) -> CounterRecord | None:
        """What became of an earlier request to this card that got no answer, or no proof; None where there is none.

        Comes before anything else of an insertion. After a result with another outcome than NOT_COUNTED the next
        redemption needs a new verdict. Raises JournalError. Where the card does not answer, the request stays open.
        """
        card = verdict.card
        intent = None if card is None else self.journal.open_intent(card.card_number, card.sequence)
        if card is None or intent is None:
            return None
        if intent.counted_online:
            return self._request_again(intent, at)
        try:
            outcome = recover(sender, card, RedemptionRequest.decode(intent.request))
        except (CardError, TransportError, CodecError):
            self.journal.torn(intent, at)
            return self._last(intent)
        if outcome is None:
            row = self.journal.finish(intent, IntentResult(RowKind.NOT_COUNTED), at)
            return self._record(intent, row)
        return self._ended(intent, outcome, at, counted=RowKind.RECOVERED)

    def offers(self, verdict: Verdict, at: datetime) -> tuple[CounterOffer, ...]:
        """What the member of an accepted card can have here, with the reason where not; empty for any other card.

        Raises ListOutdated for a programme edition that is not in force now, EditionMissing where none can be read,
        JournalError for a clock that is wrong.
        """
        facts = verdict.member
        if not verdict.accepted or facts is None or verdict.card is None:
            return ()
        programme = self._programme(at).programme
        earlier = self.journal.counted_of(facts.card_number, facts.sequence)
        here = at.astimezone(self.zone)
        return offers_of(programme, self.place.kinds, facts, earlier, here, online=self._online)

    def same_day(self, verdict: Verdict, at: datetime) -> bool:
        """Whether a verdict is of this local day: validity, hotlist and periods of another one are not those now."""
        return verdict.at.astimezone(self.zone).date() == at.astimezone(self.zone).date()

    def redeem(
        self,
        sender: Sender,
        verdict: Verdict,
        choice: BenefitChoice,
        at: datetime,
        *,
        cashier: str,
        pin: Secret | None = None,
    ) -> CounterRecord | Refused | PinRefused:
        """Redeem one choice, once for a verdict: a second one needs a new verdict.

        Refused: by the programme, nothing was asked of the card. Raises, before the card is asked, NotRedeemable for a
        card that cannot redeem, ListOutdated, EditionMissing, NotInProgramme, JournalError; JournalUnavailable where
        the result is not certain to be on the disk: then nothing may be given, and the request is open.
        """
        card, facts = verdict.card, verdict.member
        if not verdict.accepted or card is None or facts is None:
            raise NotRedeemable("redeeming: the verdict on this card allows no redemption")
        edition = self._programme(at)
        local = at.astimezone(self.zone)
        offer = self._offer_here(edition.programme, choice.benefit)
        earlier = self.journal.counted_of(card.card_number, card.sequence)
        decision = decided(edition.programme, choice, facts, earlier, local, online=self._issuer is not None)
        if isinstance(decision, Refused):
            return decision
        if offer.benefit.counted == "office":
            return self._ask(card, edition, offer, choice, decision, at, cashier)
        wanted = next((one for one in facts.entitlements if one.benefit_class == offer.benefit.benefit_class), None)
        request = self._request(offer, choice, decision, local)
        request.fill(card.redemption_list)  # raises before anything is written
        if wanted is not None and wanted.pin:
            checked = _pin_checked(sender, pin)
            if not checked.verified:
                return PinRefused(checked.tries_left or 0)
        details = _details(offer, choice, decision, edition)
        intent = self.journal.begin(
            card.card_number, card.sequence, request.encode(), at, cashier=cashier, details=details
        )
        return self._sent(sender, card, intent, request, at)

    def give_up(self, number: int, at: datetime, *, by: str, reason: str) -> CounterRecord:
        """End an open intent whose card does not come back, or never proves anything: the office finds out. Raises
        RowMisplaced, JournalError."""
        intent = self.journal.intent(number)
        row = self.journal.finish(intent, IntentResult(RowKind.UNKNOWN, reason=f"{by}: {reason}"), at)
        return self._record(intent, row)

    def of_receipt(self, receipt: str) -> CounterRecord:
        """The redemption of a receipt's number (``T0000001-57``). Raises ReversalRefused for one that was not issued
        here, JournalUnavailable."""
        terminal, _, digits = receipt.strip().rpartition("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
            raise ReversalRefused(ReversalFault.RECEIPT)
        try:
            row = self.journal.row(int(digits))
        except RowMisplaced:
            raise ReversalRefused(ReversalFault.RECEIPT) from None
        if row.kind not in GIVES:
            raise ReversalRefused(ReversalFault.RECEIPT)
        record = self.record(row.number)
        if terminal != record.terminal or terminal != self.place.terminal:
            raise ReversalRefused(ReversalFault.RECEIPT)
        return record

    def reversible(self, receipt: str, at: datetime) -> CounterRecord:
        """The same, if it may be taken back now: of this merchant, of today, and not taken back before. Raises
        ReversalRefused, JournalError for a clock that is wrong."""
        self._check_clock(at)
        record = self.of_receipt(receipt)
        if record.merchant != self.place.merchant:
            raise ReversalRefused(ReversalFault.MERCHANT)
        if record.reversed:
            raise ReversalRefused(ReversalFault.TWICE)
        request = RedemptionRequest.decode(Intent.of(self.journal.row(record.intent)).request)
        if request.day != at.astimezone(self.zone).date():
            raise ReversalRefused(ReversalFault.DAY)
        return record

    def reverse(self, verdict: Verdict, receipt: str, at: datetime, *, by: str, reason: str) -> CounterRecord:
        """Take back a redemption whose card was just verified, and give its record. The office gives the uses back on
        the chip. Raises ReversalRefused, JournalError: then nothing was written."""
        record, card = self.reversible(receipt, at), verdict.card
        if card is None or (card.card_number, card.sequence) != self.card_of(record):
            raise ReversalRefused(ReversalFault.CARD)
        if not verdict.accepted:
            raise ReversalRefused(ReversalFault.REFUSED_CARD)
        try:
            self.journal.reverse(record.number, at, by=by, reason=reason)
        except RowMisplaced:  # by another reader since
            raise ReversalRefused(ReversalFault.TWICE) from None
        return self.record(record.number)

    def card_of(self, record: CounterRecord) -> tuple[str, int]:
        """Number and sequence of the card of a redemption. Raises RowMisplaced, CodecError."""
        intent = Intent.of(self.journal.row(record.intent))
        return intent.card_number, intent.sequence

    def record(self, number: int) -> CounterRecord:
        """The redemption whose result is row ``number``. Raises RowMisplaced, CodecError for another row."""
        row = self.journal.row(number)
        intent = Intent.of(self.journal.row(row.amount("intent")))
        return self._record(intent, row)

    def records_on(self, day: date) -> list[CounterRecord]:
        """What became of the requests of a local day, in the order of their results. Raises JournalUnavailable."""
        intents: dict[int, Intent] = {}
        results: dict[int, JournalRow] = {}
        for row in self.journal.rows():
            if row.kind is RowKind.INTENT:
                if self._day_of(row) == day:
                    intents[row.number] = Intent.of(row)
            elif (number := row.data.get("intent")) in intents:
                results.pop(int(number), None)
                results[int(number)] = row
        return [self._record(intents[number], row) for number, row in results.items()]

    def _day_of(self, row: JournalRow) -> date:
        """The day of a request; that of its row where this version does not read it."""
        try:
            return RedemptionRequest.decode(row.octets("request")).day
        except CodecError:
            return row.at.astimezone(self.zone).date()

    def day_sheet(self, day: date, at: datetime) -> DaySheet:
        """The end-of-day sheet of a local day, as the journal has it now. Raises JournalUnavailable, CodecError."""
        collector = DayCollector(day, self.zone)
        collector.follow(self.journal.rows())
        return collector.sheet(self.place.merchant, self.place.terminal, self.place.name, at)

    def open_records(self) -> list[CounterRecord]:
        """The requests without a result, the oldest first. Raises JournalUnavailable."""
        return [open_record(intent, self.zone) for intent in self.journal.open_intents]

    def _sent(
        self, sender: Sender, card: ProvenCard, intent: Intent, request: RedemptionRequest, at: datetime
    ) -> CounterRecord:
        try:
            result = redeem(sender, card, request)
        except (CardError, TransportError, CodecError):
            self.journal.torn(intent, at)
            return self._last(intent)
        return self._ended(intent, result, at, counted=RowKind.REDEEMED)

    def _ended(self, intent: Intent, outcome: Redemption, at: datetime, *, counted: RowKind) -> CounterRecord:
        """Write down what the card answered; only a record that comes back may be shown."""
        status, evidence = outcome.status, outcome.evidence
        if status is RedemptionStatus.NOT_PROVEN:
            self.journal.not_proven(intent, at, reason=outcome.check or "")
            return self._last(intent)
        if status in _COUNTED and evidence is not None:
            result = IntentResult(counted, evidence.counter, evidence.encode())
        elif status is RedemptionStatus.UNKNOWN:
            result = IntentResult(RowKind.UNKNOWN)
        else:
            result = IntentResult(RowKind.REFUSED, reason=" ".join(str(flag.name) for flag in outcome.reasons))
        try:
            row = self.journal.finish(intent, result, at)
        except RedemptionRepeated:
            return self._last(intent)
        return self._record(intent, row)

    def _last(self, intent: Intent) -> CounterRecord:
        """The record of the row that was written last about an intent."""
        return self._record(intent, self.journal.last_of(intent))

    def _ask(
        self,
        card: ProvenCard,
        edition: ProgrammeInForce,
        offer: Offer,
        choice: BenefitChoice,
        decision: Allowed,
        at: datetime,
        cashier: str,
    ) -> CounterRecord | Refused:
        """Have the office count a use. While it is away nothing is written."""
        local, name = at.astimezone(self.zone), title(offer, offer.product(choice.request.product))
        if self._issuer is None:
            return offline(name, local)
        refusal = reach(self._issuer, self.journal, name, local)
        if refusal is not None:
            return refusal
        request = self._request(offer, choice, decision, local)
        details = {**_details(offer, choice, decision, edition), "counted": "office"}
        intent = self.journal.begin(
            card.card_number, card.sequence, request.encode(), at, cashier=cashier, details=details
        )
        answer = ask(self._issuer, self.journal, intent, at)
        return answer if isinstance(answer, Refused) else self._record(intent, answer)

    def _request_again(self, intent: Intent, at: datetime) -> CounterRecord:
        """What became of a use that the office was asked for."""
        if self._issuer is None:
            self.journal.torn(intent, at)
        else:
            ask(self._issuer, self.journal, intent, at, recovered=True)
        return self._last(intent)

    def _record(self, intent: Intent, row: JournalRow) -> CounterRecord:
        return record_of(intent, row, self.zone, reversed_since=self.journal.was_reversed(row.number))

    def _check_clock(self, at: datetime) -> None:
        """Compare the clock with the office's and with the journal. Raises ClockWrong, ClockSetBack, ClockAhead."""
        issuer, worked = self.place.issuer_clock(), self.journal.worked_at
        if issuer is not None and abs(at - issuer) > CLOCK_LIMIT:
            raise ClockWrong(
                f"the clock of this counter stands at {date_time(at, self.zone)}, and the office's at "
                f"{date_time(issuer, self.zone)}: set the clock right"
            )
        self.journal.check_clock(at)
        if issuer is None and at - worked > REST_LIMIT:
            raise ClockAhead(
                f"the clock stands at {date_time(at, self.zone)}, {(at - worked).days} days after this counter was "
                f"last used: connect to the office, set the clock right, or take note with a reason that it is right"
            )

    def _programme(self, at: datetime) -> ProgrammeInForce:
        """What is in force, at a time that may be right. Raises ListOutdated, EditionMissing, and as
        ``_check_clock``."""
        try:
            edition = self.place.edition()
        except ListOutdated:
            raise
        except (MembercardError, OSError) as fault:
            raise EditionMissing(f"nothing is redeemed without a programme edition: {fault}") from fault
        issue = edition.issue
        if not issue.current(at):
            first, last = (date_time(moment, self.zone) for moment in (issue.issued, issue.expires))
            raise ListOutdated(
                f"the programme edition {issue.version} is in force from {first} to {last}, and the clock of this "
                f"counter stands at {date_time(at, self.zone)}: get the newest edition, or set the clock right"
            )
        self._check_clock(at)
        return edition

    def _offer_here(self, programme: Programme, benefit: str) -> Offer:
        offer = programme.offer(benefit)
        if offer.benefit.counted == "none" or not set(self.place.kinds).intersection(offer.benefit.merchants):
            raise NotRedeemable(f"redeeming: benefit {benefit} is not redeemed at this counter")
        return offer

    def _request(self, offer: Offer, choice: BenefitChoice, decision: Allowed, local: datetime) -> RedemptionRequest:
        return RedemptionRequest(
            benefit_class=offer.benefit.benefit_class or COUNTED_ONLINE,
            quantity=choice.request.quantity,
            amount=decision.price,
            day=local.date(),
            clock=local.time().replace(microsecond=0, tzinfo=None),
            merchant=self.place.merchant,
            terminal=self.place.terminal,
        )


def _pin_checked(sender: Sender, pin: Secret | None) -> PinCheck:
    if pin is None:
        raise NotRedeemable("redeeming: this benefit needs the PIN of the card")
    return verify_pin(sender, pin)


def _details(
    offer: Offer, choice: BenefitChoice, decision: Allowed, edition: ProgrammeInForce
) -> Mapping[str, str | int]:
    """The counter's own values about a request, for the receipt and later decisions."""
    named = title(offer, offer.product(choice.request.product))
    details: dict[str, str | int] = {
        "benefit": choice.benefit,
        "product": choice.request.product,
        "title": named.zh,
        "title_en": named.en,
        "saved": decision.saved,
        "edition": edition.issue.version,
    }
    if decision.list_price is not None:
        details["list"] = decision.list_price
    if choice.request.event:
        details["event"] = choice.request.event
    if choice.request.place:
        details["place"] = choice.request.place
    if offer.benefit.questions:
        details["answers"] = " ".join(sorted(choice.request.answers)) or "-"
    return details
