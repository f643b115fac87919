"""Changes on issued chips: ordered, consented to, taken back, run at a window; and with the member present the
activation and a new PIN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

from personalize.updates import UpdateReport, encoded
from reader_service.errors import Conflict, Invalid, NotSignedIn, Unavailable
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.worker import ReaderSession
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.counter.counter import CounterService, VerdictView
from reader_service.services.counter.insertion import HOTLIST, InsertionUpdates
from registry.db.paging import MOST, Page
from registry.members.wanted import UpdateKind, WantedChange
from terminal.apdu import Sender
from terminal.errors import CodecError, CustodyError
from terminal.member.outcome import Verdict, VerdictCode
from terminal.secret import Secret

SHOWN: Final = ("id-card", "passport", "residence", "officer", "other")
"""Kinds of document that identify a member who is present."""
WORKING = 30.0
"""Seconds after which an insertion with its changes counts as hung."""


class UpdateService:
    """Orders and runs changes on chips. Each raises Forbidden, NotFound, or Conflict where the record forbids it."""

    def __init__(
        self,
        parts: ServiceParts,
        readers: ReaderManager,
        counter: CounterService,
        insertions: InsertionUpdates,
        *,
        prove_token: Callable[[str], Principal],
    ) -> None:
        """``prove_token``: who a token belongs to; it raises NotSignedIn for one that is not in force."""
        self._parts, self._readers, self._counter, self._insertions = parts, readers, counter, insertions
        self._prove_token = prove_token

    def may_activate(self, p: Principal) -> bool:
        """Whether the caller may activate cards: a registrar, or a counter where the station allows it."""
        return p.may(Permission.CARDS_ACTIVATE) or (self._parts.counters_activate and p.may(Permission.VERIFY))

    def need_activate(self, p: Principal) -> None:
        """Raises Forbidden for a caller who may not activate cards."""
        if not self.may_activate(p):
            p.need(Permission.CARDS_ACTIVATE)

    def activate(self, p: Principal, reader_id: str, shown: str, *, lease: str = "", compared: str = "") -> VerdictView:
        """Activate the card in a reader that the caller leased, or that is in counter mode; ``shown`` is what
        identified its member, ``compared`` the masked number of the card that was compared with it. A torn activation
        is finished, and everything else that is wanted runs too. Raises Conflict for a card that is refused, was
        activated, or was not delivered, and for another one than was compared."""
        self.need_activate(p)
        identified = needs_reason(shown)

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            if verdict.card is None or verdict.code not in (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE):
                raise Conflict(verdict.sentence, reason="card-refused", verdict=verdict.code.value)
            if compared and (verdict.member is None or verdict.member.masked_card_number != compared):
                raise Conflict("another card is in the reader than the one that was compared", reason="another-card")
            return self._insertions.runner(p.name).activate(sender, verdict.card, identified)

        return self._visit(p, reader_id, lease, work)

    def change_pin(
        self,
        p: Principal,
        reader_id: str,
        shown: str,
        pin: Secret,
        again: Secret,
        *,
        token: str = "",
        lease: str = "",
    ) -> VerdictView:
        """Give the card in a reader a new PIN, which its member typed twice; ``shown`` is what identified the member,
        ``token`` one of a second person, needed where the PIN is blocked. Raises Invalid for two PINs, or one that is
        not 4 to 12 digits, Conflict for a card that is refused or has no PIN, OwnWork, Forbidden."""
        self.need_activate(p)
        identified = needs_reason(shown)
        if not _is_pin(pin):
            raise Invalid("this is no PIN", {"pin": "4 to 12 digits"})
        if pin != again:
            raise Invalid("these are two different PINs", {"again": "the same PIN again"})
        second = self._second(token).name if token.strip() else ""

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            if verdict.card is None or verdict.code not in (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE):
                raise Conflict(verdict.sentence, reason="card-refused", verdict=verdict.code.value)
            return self._insertions.runner(p.name).change_pin(sender, verdict.card, identified, pin, second=second)

        return self._visit(p, reader_id, lease, work)

    def run(self, p: Principal, reader_id: str, *, lease: str = "") -> VerdictView:
        """Run what is wanted of the card in a reader, as a counter does by itself; faults are raised here."""
        self.need_activate(p)

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            if verdict.card is None:
                raise Conflict(verdict.sentence, reason="card-refused", verdict=verdict.code.value)
            changes = self._insertions.changes(p.name)
            return changes.run(sender, verdict.card, only_block=verdict.check == HOTLIST)

        return self._visit(p, reader_id, lease, work)

    def want(
        self, p: Principal, number: str, changes: Mapping[UpdateKind, object], reason: str
    ) -> tuple[WantedChange, ...]:
        """CARDS_CHANGE. Order changes of a card, by kind; they run at its next insertion anywhere online. One that
        lifts a block waits for ``consent`` first, and where the federation requires it one of the member's rights."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        if not changes:
            raise Invalid("say what is to change", {"changes": "at least one"})
        if isinstance(day := changes.get(UpdateKind.LAST_DATE), date) and day > self._parts.now().date():
            raise Invalid("the last date cannot be a day to come", {"last_date": "today or an earlier day"})
        try:
            values = {kind: encoded(kind, value) for kind, value in changes.items()}
        except CodecError as fault:
            raise Invalid("a value does not fit the card", {"changes": str(fault)}) from fault
        with translate_registry_errors():
            wanted = self._parts.registry.updates.want(number, values, by=p.name, reason=why)
        self._insertions.expect()
        return wanted

    def consent(self, p: Principal, update_id: int, *, token: str = "") -> WantedChange:
        """The second person's consent to a change that waits for it: by ROSTERS_APPROVE, or at the window of a person
        with CARDS_CHANGE by a ``token`` of theirs. Raises OwnWork for the person who ordered it, Invalid for a token
        that is not in force."""
        second = p
        if token.strip():
            p.need(Permission.CARDS_CHANGE)
            second = self._second(token)
        second.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            wanted = self._parts.registry.updates.consent(update_id, by=second.name, place=self._parts.station)
        self._insertions.expect()
        return wanted

    def consent_all(self, p: Principal, update_ids: Sequence[int]) -> tuple[WantedChange, ...]:
        """ROSTERS_APPROVE. The second person's consent to up to 500 changes: to all of them or to none. Raises Invalid,
        OwnWork for the person who ordered one of them."""
        p.need(Permission.ROSTERS_APPROVE)
        if not 1 <= len(update_ids) <= MOST:
            raise Invalid("choose the changes", {"numbers": f"1 to {MOST} numbers of changes"})
        with translate_registry_errors():
            consented = self._parts.registry.updates.consent_all(update_ids, by=p.name, place=self._parts.station)
        self._insertions.expect()
        return consented

    def proposed(self, p: Principal) -> tuple[WantedChange, ...]:
        """CARDS_VIEW or ROSTERS_APPROVE. What waits for a second person, oldest first."""
        self._need_look(p)
        with translate_registry_errors():
            return self._parts.registry.updates.proposed(MOST)

    def change(self, p: Principal, update_id: int) -> WantedChange:
        """CARDS_VIEW or ROSTERS_APPROVE. Raises NotFound."""
        self._need_look(p)
        with translate_registry_errors():
            return self._parts.registry.updates.change(update_id)

    def refuse(self, p: Principal, update_id: int, reason: str) -> WantedChange:
        """ROSTERS_APPROVE. The second person refuses a change that waits for their consent: it is taken back."""
        p.need(Permission.ROSTERS_APPROVE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._parts.registry.updates.refuse_consent(update_id, by=p.name, reason=why)

    def withdraw(self, p: Principal, update_id: int, reason: str) -> WantedChange:
        """CARDS_CHANGE. Take back a change that was not sent to the card yet."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._parts.registry.updates.withdraw(update_id, by=p.name, reason=why)

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, card_number: str | None = None
    ) -> Page[WantedChange]:
        """CARDS_VIEW. Wanted changes, the newest first."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._parts.registry.updates.page(cursor, limit, card_number=card_number)

    @staticmethod
    def _need_look(p: Principal) -> None:
        if not p.may(Permission.ROSTERS_APPROVE):
            p.need(Permission.CARDS_VIEW)

    def _second(self, token: str) -> Principal:
        """The person of a token, who may consent. Raises Invalid, Forbidden."""
        try:
            second = self._prove_token(token.strip())
        except NotSignedIn as e:  # of the token; the caller is signed in
            raise Invalid("this token is not in force", {"token": "a token that is in force"}) from e
        second.need(Permission.ROSTERS_APPROVE)
        return second

    def _visit(
        self, p: Principal, reader_id: str, lease: str, work: Callable[[Sender, Verdict], UpdateReport]
    ) -> VerdictView:
        def job(session: ReaderSession) -> VerdictView:
            try:
                with translate_registry_errors():
                    return self._counter.visit(reader_id, session, work)
            except CustodyError as fault:
                raise Unavailable("this station has no keys of the issuer, so no card is changed here") from fault

        return self._readers.use(p, reader_id, lease, job, WORKING, counter=True)


def _is_pin(pin: Secret) -> bool:
    digits = pin.reveal()
    return 4 <= len(digits) <= 12 and digits.isdigit()
