"""Redemptions at the readers in counter mode: what a torn one became, what the member can have, and the redemption.

The card of a verdict stays powered while it is in the reader, so that the redemption is in the same insertion.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Final

from programme.outcome import Refused
from programme.wording import Sentence
from reader_service.errors import Conflict, Invalid, NotFound
from reader_service.events import EventBus
from reader_service.parts import CounterPlace, ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import ReaderState
from reader_service.readers.worker import ReaderSession
from reader_service.redemptions.asking import IssuerLine
from reader_service.redemptions.counter import CounterRedemptions, PinRefused
from reader_service.redemptions.day import DaySheet
from reader_service.redemptions.day_paper import day_pdf
from reader_service.redemptions.errors import ClockSetBack, ReversalFault, ReversalRefused
from reader_service.redemptions.intents import Intent
from reader_service.redemptions.journal import FOLDER, RedemptionJournal
from reader_service.redemptions.offers import BenefitChoice, CounterOffer
from reader_service.redemptions.receiver import SENTENCES, UploadReceiver
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.registry_errors import needs_reason
from reader_service.services.redeeming.cashiers import CashierService
from reader_service.services.redeeming.lists_in_use import ListsInUse
from reader_service.services.redeeming.refusals import printed, translate_redemption_faults
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from reader_service.services.redeeming.uploads import UploadLoop
from reader_service.services.redeeming.values import CardOffers, RedemptionQueue
from terminal.apdu import Sender
from terminal.errors import MembercardError
from terminal.member.outcome import Verdict
from terminal.secret import Secret

PIN_BLOCKED: Final = Sentence(
    "卡片密码已锁定，需要密码的权益不能办理；请会员到服务窗口解锁",
    "The PIN of the card is blocked, so that nothing that needs it can be had; the member has it unblocked at a window",
)
_PIN: Final = re.compile(rb"[0-9]{4,12}")
REDEEMING: Final = 20.0
"""Seconds after which a redemption counts as hung."""


@dataclass(slots=True)
class _Insertion:
    """A card in a reader, verified. ``spent``: its verdict has been used for a redemption."""

    offers: CardOffers
    sender: Sender = field(repr=False)
    verdict: Verdict
    spent: bool = False


class RedemptionService:
    """The use-cases. Without a merchant in the settings there are none: ``enabled`` is False. ``booked`` is called when
    the office in the same installation has taken rows, and may want changes of cards.

    Events (topic: reader id): redemption.offers (data: CardOffers.to_json()) after the verdict on a card;
    redemption.result (data: CounterRecord.to_json()) after a redemption; redemption.refused (data: ``card`` as
    CardOffers.to_json(), ``sentence`` in both languages) for a choice that was not sent to the card. Topic
    ``redemptions``: redemption.queue (data: ``waiting`` rows, ``fault`` or null) after each upload that succeeded or
    failed.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        readers: ReaderManager,
        *,
        cashiers: CashierService,
        booked: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts, self._bus, self._readers, self._cashiers = parts, bus, readers, cashiers
        self._booked = booked
        self._counter: CounterRedemptions | None = None
        self._uploads: UploadLoop | None = None
        self._lock = threading.Lock()
        self._insertions: dict[str, _Insertion] = {}
        self.lists = ListsInUse()

    @property
    def enabled(self) -> bool:
        """Whether this service redeems."""
        return self._counter is not None

    @property
    def merchant(self) -> str:
        """What stands on receipts."""
        return self._parts.place.name if self._parts.place is not None else ""

    def open(self) -> None:
        """Open the journal. Raises JournalBusy where another service has it open, JournalUnavailable, JournalFull."""
        place = self._parts.place
        if place is not None:
            journal = RedemptionJournal.open(self._parts.data_dir / FOLDER, self._parts.clock())
            receiver = place.receiver or self._registry_receiver(place)
            uploads = UploadLoop(journal, receiver, self._parts.data_dir, self._parts.clock, self._queue_changed)
            self._counter = CounterRedemptions(journal, place, self._parts.zone, IssuerLine(receiver, uploads.reached))
            self._uploads = uploads
            uploads.start()

    def close(self) -> None:
        """End the upload and close the journal. Safe to call twice."""
        if self._uploads is not None:
            self._uploads.close()
        if self._counter is not None:
            self._counter.journal.close()

    # --- on the reader's thread, around a verdict --------------------------------------------------------------------

    def begins(self, reader_id: str) -> None:
        """A card is verified now: nothing is redeemed by an earlier verdict any more."""
        with self._lock:
            self._insertions.pop(reader_id, None)

    def verified(self, reader_id: str, sender: Sender, verdict: Verdict, again: Callable[[], Verdict]) -> Verdict:
        """Recover an earlier request to the card, and note what can be redeemed. Returns the verdict that counts, which
        is ``again()`` where the recovery has used up the first."""
        counter = self._counter
        if counter is None or verdict.card is None:
            return verdict
        at = self._parts.clock()
        recovered, reason, fault = None, "", ""
        offers: tuple[CounterOffer, ...] = ()
        try:
            with translate_redemption_faults():
                recovered = counter.recover(sender, verdict, at)
                if recovered is not None and recovered.outcome is not CounterOutcome.NOT_COUNTED:
                    verdict = again()
                if recovered is None or recovered.outcome is not CounterOutcome.TORN:
                    offers = counter.offers(verdict, at)
        except Conflict as refusal:
            reason, fault = str(refusal.params["reason"]), str(refusal)
        card = CardOffers(reader_id, secrets.token_hex(8), offers, verdict.accepted, recovered, reason, fault)
        with self._lock:
            self._insertions[reader_id] = _Insertion(card, sender, verdict)
        return verdict

    def announce(self, reader_id: str) -> None:
        """Publish what the member can have, after the verdict was published."""
        insertion = self._insertion(reader_id)
        if insertion is not None:
            self._bus.publish("redemption.offers", reader_id, insertion.offers.to_json())

    # --- use-cases ---------------------------------------------------------------------------------------------------

    def offers(self, p: Principal, reader_id: str) -> CardOffers:
        """REDEEM. What the member whose card is in the reader can have. Raises NotFound where no card was verified."""
        p.need(Permission.REDEEM)
        insertion = self._insertion(reader_id)
        if insertion is None or insertion.spent:
            raise NotFound("no card in this reader was verified for a redemption", reader=reader_id)
        return insertion.offers

    def redeem(
        self, p: Principal, reader_id: str, insertion: str, choice: BenefitChoice, *, pin: Secret | None = None
    ) -> CounterRecord | Refused | PinRefused:
        """REDEEM. Redeem a choice on the card of an insertion.

        Raises Conflict (``insertion-over``: the card was taken out or used for a redemption; ``no-cashier``; the faults
        of journal and edition), Invalid for what is no PIN, NotFound for an unknown benefit, LeaseLost for a reader
        that is not in counter mode, ReaderOut.
        """
        p.need(Permission.REDEEM)
        if pin is not None and not _PIN.fullmatch(pin.reveal()):
            raise Invalid("a PIN is 4 to 12 digits", {"pin": "4–12"})
        job = partial(self._redeem, p, reader_id, insertion, choice, pin)
        return self._readers.use(p, reader_id, "", job, REDEEMING, counter=True)

    def record(self, p: Principal, number: int) -> CounterRecord:
        """REDEEM. The redemption whose result is that row of the journal. Raises NotFound."""
        p.need(Permission.REDEEM)
        try:
            return self._need().record(number)
        except MembercardError as fault:
            raise NotFound(f"row {number} of the journal is no redemption") from fault

    def find(self, p: Principal, receipt: str) -> CounterRecord:
        """REDEEM. The redemption of a receipt's number. Raises Conflict for one that was not issued here."""
        p.need(Permission.REDEEM)
        with translate_redemption_faults():
            return self._need().of_receipt(receipt)

    def records_on(self, p: Principal, on: date | None = None) -> list[CounterRecord]:
        """REDEEM. What became of the requests of a day, the oldest first; of today, if none is given. Raises
        Conflict."""
        p.need(Permission.REDEEM)
        with translate_redemption_faults():
            return self._need().records_on(on or self._parts.now().date())

    def day(self, p: Principal, on: date | None = None, counted: Sequence[int | None] = ()) -> DaySheet:
        """REDEEM. The end-of-day sheet of a day; of today, if none is given. ``counted``: what the cashiers counted, in
        fen, in the order of the sheet. Raises Conflict."""
        p.need(Permission.REDEEM)
        now = self._parts.now()
        with translate_redemption_faults():
            return self._need().day_sheet(on or now.date(), now).with_counted(counted)

    def day_pdf(self, p: Principal, on: date | None = None, counted: Sequence[int | None] = ()) -> bytes:
        """REDEEM. The same as a PDF file. Raises Conflict, also without a Chinese font."""
        sheet = self.day(p, on, counted)
        with printed():
            return day_pdf(sheet)

    def queue(self, p: Principal) -> RedemptionQueue:
        """REDEEM. What waits at this counter."""
        p.need(Permission.REDEEM)
        return self.queue_now()

    def queue_now(self) -> RedemptionQueue:
        """What waits, for the service itself. Raises Conflict where nothing is redeemed."""
        journal, uploads = self._need().journal, self._uploads
        fault = uploads.fault if uploads is not None else None
        return RedemptionQueue(
            waiting=journal.waiting,
            open=len(journal.open_intents),
            damaged=len(journal.damage),
            clock_set_back=self._set_back(journal),
            waiting_since=journal.waiting_since,
            uploaded_at=journal.uploaded_at,
            fault=fault.fault if fault else None,
            fault_since=fault.since if fault else None,
            fault_sentence=SENTENCES[fault.fault] if fault else "",
            next_attempt=uploads.next_at if uploads is not None and fault else None,
        )

    def _set_back(self, journal: RedemptionJournal) -> bool:
        try:
            journal.check_clock(self._parts.clock())
        except ClockSetBack:
            return True
        return False

    def upload(self, p: Principal) -> RedemptionQueue:
        """REDEEM. Try to upload at once, in the background. Raises Conflict where nothing is redeemed."""
        p.need(Permission.REDEEM)
        queue = self.queue_now()
        if self._uploads is not None:
            self._uploads.now()
        return queue

    def open_requests(self, p: Principal) -> tuple[Intent, ...]:
        """REDEEM. Requests whose cards have to come back."""
        p.need(Permission.REDEEM)
        return self._need().journal.open_intents

    def open_records(self, p: Principal) -> list[CounterRecord]:
        """REDEEM. The same requests as records, the oldest first."""
        p.need(Permission.REDEEM)
        return self._need().open_records()

    def give_up(self, p: Principal, number: int, reason: str) -> CounterRecord:
        """REDEEM. End a request whose card does not come back: the office finds out. Raises Conflict, Invalid."""
        p.need(Permission.REDEEM)
        with translate_redemption_faults():
            return self._need().give_up(number, self._parts.clock(), by=p.name, reason=needs_reason(reason))

    def acknowledge(self, p: Principal, reason: str) -> None:
        """REDEEM. Take note of a damaged journal, or of a clock that was set back. Raises Conflict, Invalid."""
        p.need(Permission.REDEEM)
        with translate_redemption_faults():
            self._need().journal.acknowledge(self._parts.clock(), by=p.name, reason=needs_reason(reason))

    def reversible(self, p: Principal, receipt: str) -> CounterRecord:
        """REDEEM. The redemption of a receipt, if it may be taken back now. Raises Conflict."""
        p.need(Permission.REDEEM)
        with translate_redemption_faults():
            return self._need().reversible(receipt, self._parts.clock())

    def reader_of(self, p: Principal, record: CounterRecord) -> str:
        """REDEEM. The reader in counter mode that has the card of a redemption. Raises Conflict."""
        p.need(Permission.REDEEM)
        counter = self._need()
        with translate_redemption_faults():
            card = counter.card_of(record)
            with self._lock:
                cards = {reader: one.verdict.card for reader, one in self._insertions.items()}
            for reader, present in cards.items():
                is_it = present is not None and (present.card_number, present.sequence) == card
                if is_it and self._readers.view(reader).state is not ReaderState.EMPTY:
                    return reader
            raise ReversalRefused(ReversalFault.CARD)

    def take_back(self, p: Principal, reader_id: str, verdict: Verdict, receipt: str, reason: str) -> CounterRecord:
        """REDEEM. Note the reversal of a redemption whose card was just verified in a reader. Raises Conflict."""
        p.need(Permission.REDEEM)
        counter, cashier = self._need(), self._cashiers.name_for(p, reader_id)
        with translate_redemption_faults():
            return counter.reverse(verdict, receipt, self._parts.clock(), by=cashier, reason=reason)

    def booked_within(self, seconds: float) -> bool:
        """Whether the office changes cards here, and has every row of the journal within these seconds."""
        uploads, last = self._uploads, self._need().journal.last
        return uploads is not None and self._changes_cards() and uploads.delivered(last, seconds)

    def _redeem(
        self,
        p: Principal,
        reader_id: str,
        wanted: str,
        choice: BenefitChoice,
        pin: Secret | None,
        session: ReaderSession,
    ) -> CounterRecord | Refused | PinRefused:
        counter, insertion, at = self._need(), self._insertion(reader_id), self._parts.clock()
        present = session.powered_card is not None and session.wait_for_card(0)
        if (
            insertion is None
            or insertion.offers.insertion != wanted
            or insertion.spent
            or not present
            or not counter.same_day(insertion.verdict, at)
            or self.lists.outdate(insertion.verdict)
        ):
            raise Conflict(
                "this card was taken out, used for a redemption, or verified by an older list since: insert it again",
                reason="insertion-over",
            )
        cashier = self._cashiers.name_for(p, reader_id)
        with translate_redemption_faults():
            result = counter.redeem(insertion.sender, insertion.verdict, choice, at, cashier=cashier, pin=pin)
        if isinstance(result, CounterRecord):
            insertion.spent = True
            self._bus.publish("redemption.result", reader_id, result.to_json())
            return result
        data = {"card": insertion.offers.to_json(), "sentence": refusal_sentence(result)}
        self._bus.publish("redemption.refused", reader_id, data)
        return result

    def _registry_receiver(self, place: CounterPlace) -> UploadReceiver:
        parts = self._parts
        return RegistryReceiver(
            parts.registry, parts.custody, place.merchant, place.terminal, parts.zone, booked=self._booked
        )

    def _changes_cards(self) -> bool:
        place, issuer = self._parts.place, self._parts.script_issuer
        return place is not None and (place.receiver is None or issuer is not None)

    def _queue_changed(self) -> None:
        queue = self.queue_now()
        data = {"waiting": queue.waiting, "fault": queue.fault}
        self._bus.publish("redemption.queue", "redemptions", data)

    def _insertion(self, reader_id: str) -> _Insertion | None:
        with self._lock:
            return self._insertions.get(reader_id)

    def _need(self) -> CounterRedemptions:
        if self._counter is None:
            raise Conflict("nothing is redeemed here: the settings name no merchant", reason="no-merchant")
        return self._counter


def refusal_sentence(refusal: Refused | PinRefused) -> dict[str, str]:
    """A refusal in both languages."""
    if isinstance(refusal, PinRefused):
        if not (left := refusal.tries_left):
            return {"zh": PIN_BLOCKED.zh, "en": PIN_BLOCKED.en}
        return {"zh": f"密码错误，剩余 {left} 次", "en": f"The PIN is wrong; {left} tries left"}
    return {"zh": refusal.sentence.zh, "en": refusal.sentence.en}
