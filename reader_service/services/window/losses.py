"""Losses: the card on the hotlist at once, its replacement with a second person's consent, and the bank's reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from reader_service.access.accounts import AccountService
from reader_service.errors import Conflict, Invalid, NotSignedIn, ServiceError
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.counter.lists import ListService
from registry.db.paging import Page
from registry.members.bank_reports import BankLine, BankReport
from registry.members.hotlist import Edition
from registry.members.identity import Caller
from registry.members.losses import CollectionPoint, Loss
from registry.values import Batch, BatchState
from terminal.errors import MembercardError
from terminal.names import all_visible

LONGEST_PLACE: Final = 100
LONGEST_WAIT: Final = timedelta(days=366)
"""How far ahead a day of collection may be."""
COLLECTED_AFTER: Final = timedelta(days=7)
"""The proposed wait for a new card."""
FileFormat = Literal["xlsx", "csv"]


@dataclass(frozen=True, slots=True)
class ListedLoss:
    """A change of the hotlist. ``edition`` is the version that tells the counters; None where it could not be signed,
    so that somebody publishes one by hand."""

    loss: Loss
    edition: int | None


@dataclass(frozen=True, slots=True)
class BankFile:
    """A report for the bank as a file, with account numbers in clear."""

    filename: str
    content: bytes


class LossService:
    """Every change raises Invalid without a reason, NotFound, or Conflict where the record forbids it.

    ``on_hotlist`` is called when a card enters or leaves the hotlist. Event: batch.changed for a replacement.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        lists: ListService,
        accounts: AccountService,
        *,
        on_hotlist: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._lists = lists
        self._accounts = accounts
        self._on_hotlist = on_hotlist

    def report(
        self,
        p: Principal,
        card_number: str,
        reason: str,
        *,
        caller: Caller | None = None,
        collection: CollectionPoint | None = None,
    ) -> ListedLoss:
        """The card is on the hotlist at once, with an edition that the counters fetch. ``caller``: of the hotline, who
        has to give the right answers. ``collection``: a replacement is ordered, for a second person's consent."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        self._check(collection)
        with translate_registry_errors():
            loss = self._registry.losses.report(
                card_number, by=p.name, reason=why, place=self._parts.station, caller=caller, collection=collection
            )
        return self._listed(p, loss)

    def order(self, p: Principal, number: int, collection: CollectionPoint, reason: str) -> Loss:
        """Order the replacement of a card that was reported lost before."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        self._check(collection)
        with translate_registry_errors():
            loss = self._registry.losses.order(number, collection, by=p.name, reason=why)
        self._announce(loss)
        return loss

    def consent(self, p: Principal, number: int, token: str) -> Batch:
        """The second person approves the replacement at this window, by a token of theirs.

        Raises Invalid for a token that is not in force, Forbidden for one that may not approve, OwnWork for one of the
        person who ordered the replacement.
        """
        p.need(Permission.CARDS_CHANGE)
        loss = self.loss(p, number)
        if loss.batch is None or loss.batch_state is not BatchState.DRAFT:
            sentence = f"loss {number} has no replacement that waits for a second person"
            raise Conflict(sentence, reason="loss-not-waiting", number=number)
        second = self._proven(token)
        second.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            batch = self._registry.batches.approve(
                loss.batch,
                second.name,
                scheme=self._parts.scheme,
                member_prefix=self._parts.member_prefix,
                sent=True,
                ranges=self._parts.serial_ranges(),
            )
        self._bus.publish("batch.changed", batch.id, {"state": batch.state.value, "review": None})
        return batch

    def unlist(self, p: Principal, number: int, reason: str, token: str = "") -> ListedLoss:
        """The card was found, and is there. The first person notes it, a second one unlists it: on their own screen, or
        at this window by a ``token`` of theirs. It leaves the hotlist with the next edition; a replacement that no chip
        was taken for is given up, and after that it is too late.

        Raises Invalid for a token that is not in force, Forbidden for one that may not, OwnWork for one person twice.
        """
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        second = self._second(token) if token.strip() else None
        registry, place = self._registry.losses, self._parts.station
        with translate_registry_errors():
            loss = registry.loss(number)
            if loss.returned_by is None or second is None:
                loss = registry.unlist(number, by=p.name, reason=why, place=place)
            if loss.listed and second is not None:
                loss = registry.unlist(number, by=second.name, reason=why, place=place)
        return ListedLoss(loss, None) if loss.listed else self._listed(p, loss)

    def still_lost(self, p: Principal, number: int, reason: str) -> Loss:
        """Take back that a card was found, before a second person unlists it."""
        p.need(Permission.CARDS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.losses.still_lost(number, by=p.name, reason=why)

    def loss(self, p: Principal, number: int) -> Loss:
        """Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.losses.loss(number)

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        listed: bool | None = None,
        member_id: int | None = None,
    ) -> Page[Loss]:
        """Losses, newest first; those still listed, or those that were unlisted."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.losses.page(cursor, limit, listed=listed, member_id=member_id)

    def proposed_day(self) -> date:
        """From when a new card is likely to be there."""
        return (self._parts.now() + COLLECTED_AFTER).date()

    def new_for_bank(self, p: Principal) -> int:
        """How many losses and unlistings the next report would have."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.bank_reports.new()

    def make_report(self, p: Principal) -> BankReport:
        """A numbered report of what is new since the last. Raises Conflict where nothing is."""
        p.need(Permission.MEMBERS_UNMASK)
        with translate_registry_errors():
            return self._registry.bank_reports.make(by=p.name)

    def reports(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[BankReport]:
        """Reports for the bank, newest first."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.bank_reports.page(cursor, limit)

    def report_file(self, p: Principal, number: int, kind: FileFormat) -> BankFile:
        """A report as a file with account numbers in clear; audited. Raises NotFound."""
        p.need(Permission.MEMBERS_UNMASK)
        with translate_registry_errors():
            lines = self._registry.bank_reports.lines(number, by=p.name)
        return self._file(f"losses-{number:04d}.{kind}", lines, kind)

    def file_since(self, p: Principal, since: date, kind: FileFormat) -> BankFile:
        """Every loss and unlisting from that day on, whether a report had it or not; audited."""
        p.need(Permission.MEMBERS_UNMASK)
        at = datetime.combine(since, time(), self._parts.zone)
        with translate_registry_errors():
            lines = self._registry.bank_reports.since(at, by=p.name)
        return self._file(f"losses-since-{since:%Y%m%d}.{kind}", lines, kind)

    def _file(self, filename: str, lines: Sequence[BankLine], kind: FileFormat) -> BankFile:
        from reader_service.services.window.bank_sheet import written  # openpyxl takes long to load

        return BankFile(filename, written(lines, self._parts.zone, kind))

    def _proven(self, token: str) -> Principal:
        """The person behind a token. Raises Invalid."""
        try:
            return self._accounts.prove_token(token.strip())
        except NotSignedIn as e:  # of the token; the caller is signed in
            raise Invalid("this token is not in force", {"token": "a token that is in force"}) from e

    def _second(self, token: str) -> Principal:
        """The second person who unlists: a registrar or a reviewer. Raises Invalid, Forbidden."""
        second = self._proven(token)
        if not second.may(Permission.CARDS_CHANGE):
            second.need(Permission.ROSTERS_APPROVE)
        return second

    def _check(self, collection: CollectionPoint | None) -> None:
        """Raises Invalid for a place without a name, or a day that is over or far ahead."""
        if collection is None:
            return
        today, fields = self._parts.now().date(), {}
        if not all_visible(collection.at.strip()) or len(collection.at) > LONGEST_PLACE:
            fields["collect_at"] = f"1 to {LONGEST_PLACE} printable characters"
        if not today <= collection.on <= today + LONGEST_WAIT:
            fields["collect_on"] = "from today to a year ahead"
        if fields:
            raise Invalid("say where and from which day the new card is collected", fields)

    def _listed(self, p: Principal, loss: Loss) -> ListedLoss:
        self._on_hotlist()
        self._announce(loss)
        edition: Edition | None = None
        try:
            edition = self._lists.publish(p)
        except (ServiceError, MembercardError):
            return ListedLoss(loss, None)
        return ListedLoss(loss, edition.version)

    def _announce(self, loss: Loss) -> None:
        if loss.batch is not None and loss.batch_state is not None:
            self._bus.publish("batch.changed", loss.batch, {"state": loss.batch_state.value, "review": None})
