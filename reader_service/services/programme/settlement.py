"""Settlement with merchants: rates, statements with their signatures and files, and disputes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, tzinfo

from personalize.errors import NoChineseFont
from programme.records.benefit_names import BenefitNames
from reader_service.errors import Conflict, Forbidden, Invalid
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.programme.changes import MerchantChange
from registry.programme.disputes import Dispute
from registry.programme.payouts import Payout, PayoutList
from registry.programme.rates import Rate, RateView
from registry.programme.statement import Month, Statement, StatementSheet, StatementState


class SettlementService:
    """Statements by merchant and month. A registrar draws them up; two people sign, in person."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry
        self._now = parts.now
        self._zone = parts.zone
        self._names = BenefitNames(parts.registry.programme_editions, parts.zone)

    def rates(self, p: Principal, merchant: str) -> Page[RateView]:
        """All rates of a merchant. Raises NotFound."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return Page(tuple(self._registry.rates.of(merchant)), None)

    def request_rate(self, p: Principal, merchant: str, rate: Rate, reason: str) -> MerchantChange:
        """Request a rate, which a second person approves. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.SETTLEMENTS_PREPARE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.rates.request(merchant, rate, by=p.name, reason=why)

    def draw_up(self, p: Principal, merchant: str, month: str, reason: str = "") -> StatementSheet:
        """Draw up a statement; a month that is closed is reopened with a reason. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.SETTLEMENTS_PREPARE)
        why = needs_reason(reason) if reason else ""
        with translate_registry_errors():
            return self._named(self._registry.settlement.draw_up(merchant, month_in(month), by=p.name, reason=why))

    def sign(self, p: Principal, number: int, digest: str) -> Statement:
        """Sign in person what was looked at. Raises Forbidden for a token, NotFound, Conflict, OwnWork."""
        p.need(Permission.SETTLEMENTS_SIGN)
        if p.token:
            raise Forbidden("a token cannot sign statements; sign in as a person for this")
        with translate_registry_errors():
            return self._registry.settlement.sign(number, digest, by=p.name)

    def discard(self, p: Principal, number: int, reason: str) -> Statement:
        """Discard a statement that is not closed. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.SETTLEMENTS_PREPARE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.settlement.discard(number, by=p.name, reason=why)

    def sheet(self, p: Principal, number: int) -> StatementSheet:
        """A statement with all its entries, and the names that its benefits had. Raises NotFound."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._named(self._registry.settlement.sheet(number))

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        merchant: str | None = None,
        month: str | None = None,
        state: StatementState | None = None,
    ) -> Page[Statement]:
        """Statements, the last drawn up first. Raises Invalid, WrongCursor."""
        p.need(Permission.REDEMPTIONS_VIEW)
        wanted = None if month is None else month_in(month)
        with translate_registry_errors():
            return self._registry.settlement.page(cursor, limit, merchant=merchant, month=wanted, state=state)

    def statement_pdf(self, p: Principal, number: int) -> bytes:
        """A statement as PDF. Raises NotFound, Conflict without a font."""
        from personalize.sheets.statement import statement_pdf

        return _printed(statement_pdf, self.sheet(p, number), self._today(), self._zone)

    def statement_xlsx(self, p: Principal, number: int) -> bytes:
        """A statement as a workbook. Raises NotFound."""
        from personalize.sheets.statement_workbook import statement_workbook

        return statement_workbook(self.sheet(p, number), self._today(), self._zone)

    def draw_up_payout(self, p: Principal, month: str) -> PayoutList:
        """List what the signed statements of a month come to and no list has had. Raises Invalid, Conflict."""
        p.need(Permission.SETTLEMENTS_PREPARE)
        wanted = month_in(month)
        with translate_registry_errors():
            return self._registry.payouts.draw_up(wanted, by=p.name)

    def payouts(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, month: str | None = None
    ) -> Page[Payout]:
        """Payout lists, the newest first. Raises Invalid, WrongCursor."""
        p.need(Permission.REDEMPTIONS_VIEW)
        wanted = None if month is None else month_in(month)
        with translate_registry_errors():
            return self._registry.payouts.page(cursor, limit, month=wanted)

    def payout(self, p: Principal, number: int) -> PayoutList:
        """A payout list with masked accounts. Raises NotFound."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.payouts.payout(number)

    def payout_xlsx(self, p: Principal, number: int) -> bytes:
        """A payout list with accounts in clear, as a workbook; audited. Raises NotFound."""
        from personalize.sheets.payout import payout_workbook

        return payout_workbook(self._opened(p, number), self._zone)

    def payout_csv(self, p: Principal, number: int) -> bytes:
        """The same as CSV. Raises NotFound."""
        from personalize.sheets.payout import payout_csv

        return payout_csv(self._opened(p, number), self._zone)

    def _opened(self, p: Principal, number: int) -> PayoutList:
        p.need(Permission.SETTLEMENTS_PREPARE)
        with translate_registry_errors():
            return self._registry.payouts.opened(number, by=p.name)

    def _named(self, sheet: StatementSheet) -> StatementSheet:
        return sheet.named(self._names.refreshed().of)

    def _today(self) -> date:
        return self._now().astimezone(self._zone).date()

    def dispute(self, p: Principal, redemption: int, reason: str) -> Dispute:
        """Dispute a redemption: a reviewer, or a merchant with a token of one of its outlets. Raises Forbidden,
        Invalid, NotFound, Conflict."""
        p.need(Permission.REDEMPTIONS_UPLOAD if p.outlet else Permission.FINDINGS_CLOSE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.disputes.raise_one(redemption, by=p.name, reason=why, outlet=p.outlet)

    def decide(self, p: Principal, number: int, decision: str, reason: str) -> Dispute:
        """Decide a dispute of another person, in person. Raises Forbidden for a token, Invalid, NotFound, Conflict,
        OwnWork."""
        p.need(Permission.FINDINGS_CLOSE)
        if p.token:
            raise Forbidden("a token cannot decide disputes; sign in as a person for this")
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.disputes.decide(number, decision, by=p.name, reason=why)

    def dispute_on_record(self, p: Principal, number: int) -> Dispute:
        """Raises NotFound."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.disputes.dispute(number)

    def disputes(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, decided: bool = False
    ) -> Page[Dispute]:
        """Open disputes or decided ones, the oldest first. Raises WrongCursor."""
        p.need(Permission.REDEMPTIONS_VIEW)
        with translate_registry_errors():
            return self._registry.disputes.page(cursor, limit, decided=decided)


def month_in(text: str) -> Month:
    """Raises Invalid."""
    try:
        return Month.parse(text)
    except ValueError:
        raise Invalid("a month is written as 2026-11", {"month": "2026-11"}) from None


def _printed(
    write: Callable[[StatementSheet, date, tzinfo], bytes], content: StatementSheet, day: date, zone: tzinfo
) -> bytes:
    try:
        return write(content, day, zone)
    except NoChineseFont as e:
        raise Conflict(str(e), reason="font-missing") from e
