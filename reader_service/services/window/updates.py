"""Changes on issued chips: ordered, taken back, run at a window; and the activation with the member present."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from personalize.updates import UpdateReport, encoded
from reader_service.errors import Conflict, Invalid, Unavailable
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.worker import ReaderSession
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.counter.counter import CounterService, VerdictView
from reader_service.services.counter.insertion import HOTLIST, InsertionUpdates
from registry.db.paging import Page
from registry.members.updates import UpdateKind, WantedChange
from terminal.apdu import Sender
from terminal.errors import CodecError, CustodyError
from terminal.member.outcome import Verdict, VerdictCode

WORKING = 30.0
"""Seconds after which an insertion with its changes counts as hung."""


class UpdateService:
    """Orders and runs changes on chips. Each raises Forbidden, NotFound, or Conflict where the record forbids it."""

    def __init__(
        self, parts: ServiceParts, readers: ReaderManager, counter: CounterService, insertions: InsertionUpdates
    ) -> None:
        self._parts, self._readers, self._counter, self._insertions = parts, readers, counter, insertions

    def may_activate(self, p: Principal) -> bool:
        """Whether the caller may activate cards: a registrar, or a counter where the station allows it."""
        return p.may(Permission.CARDS_ACTIVATE) or (self._parts.counters_activate and p.may(Permission.VERIFY))

    def need_activate(self, p: Principal) -> None:
        """Raises Forbidden for a caller who may not activate cards."""
        if not self.may_activate(p):
            p.need(Permission.CARDS_ACTIVATE)

    def activate(self, p: Principal, reader_id: str, shown: str, *, lease: str = "") -> VerdictView:
        """Activate the card in a reader that the caller leased, or that is in counter mode; ``shown`` is what
        identified its member. A torn activation is finished, and everything else that is wanted runs too. Raises
        Conflict for a card that is refused, was activated, or was not delivered."""
        self.need_activate(p)
        identified = needs_reason(shown)

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            if verdict.card is None or verdict.code not in (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE):
                raise Conflict(verdict.sentence, reason="card-refused", verdict=verdict.code.value)
            return self._insertions.runner(p.name).activate(sender, verdict.card, identified)

        return self._visit(p, reader_id, lease, work)

    def run(self, p: Principal, reader_id: str, *, lease: str = "") -> VerdictView:
        """Run what is wanted of the card in a reader, as a counter does by itself; faults are raised here."""
        self.need_activate(p)

        def work(sender: Sender, verdict: Verdict) -> UpdateReport:
            if verdict.card is None:
                raise Conflict(verdict.sentence, reason="card-refused", verdict=verdict.code.value)
            runner = self._insertions.runner(p.name)
            return runner.run(sender, verdict.card, only_block=verdict.check == HOTLIST)

        return self._visit(p, reader_id, lease, work)

    def want(
        self, p: Principal, number: str, changes: Mapping[UpdateKind, object], reason: str
    ) -> tuple[WantedChange, ...]:
        """CARDS_CHANGE. Order changes of a card, by kind; they run at its next insertion anywhere online."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        if not changes:
            raise Invalid("say what is to change", {"changes": "at least one"})
        try:
            values = {kind: encoded(kind, value) for kind, value in changes.items()}
        except CodecError as fault:
            raise Invalid("a value does not fit the card", {"changes": str(fault)}) from fault
        with translate_registry_errors():
            wanted = self._parts.registry.updates.want(number, values, by=p.name, reason=why)
        self._insertions.expect()
        return wanted

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
