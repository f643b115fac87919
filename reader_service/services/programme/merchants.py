"""Merchants: recorded one by one or from a sheet; what moves money is requested, and decided by a second person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reader_service.errors import Forbidden
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.programme.merchant_sheet import MerchantFinding, read_merchants
from reader_service.services.uploads import Uploads
from registry.db.paging import Page
from registry.programme.changes import ChangeState, MerchantChange
from registry.programme.merchants import MerchantView, NewMerchant


@dataclass(frozen=True, slots=True)
class MerchantImport:
    """The result of a sheet of merchants: where a row has a finding, nothing was stored. ``merchants`` counts those of
    the sheet, ``waiting`` the changes of them that wait for a second person."""

    stored: bool
    merchants: int
    outlets: int
    findings: tuple[MerchantFinding, ...]
    waiting: int = 0


class MerchantService:
    """Merchants by their merchant identifier (tag 9F16)."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry
        self._uploads = Uploads()

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50, *, text: str = "") -> Page[MerchantView]:
        """All merchants, or those with this text in number or name. Raises WrongCursor."""
        p.need(Permission.MERCHANTS_VIEW)
        with translate_registry_errors():
            return self._registry.merchants.page(cursor, limit, text=text)

    def merchant(self, p: Principal, number: str) -> MerchantView:
        """Raises NotFound."""
        p.need(Permission.MERCHANTS_VIEW)
        with translate_registry_errors():
            return self._registry.merchants.merchant(number)

    def put(self, p: Principal, merchant: NewMerchant, reason: str = "") -> MerchantView:
        """Record a merchant or change it; what moves money waits for a second person. Raises Conflict with the rule
        that it breaks."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason) if reason else ""
        with translate_registry_errors():
            return self._registry.merchants.put(merchant, by=p.name, reason=why)[0]

    def end(self, p: Principal, number: str, reason: str) -> MerchantChange:
        """Request that a merchant ends. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchants.end(number, by=p.name, reason=why)

    def close_outlet(self, p: Principal, outlet: int, reason: str) -> MerchantChange:
        """Request that an outlet closes and its terminals retire. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchants.close_outlet(outlet, by=p.name, reason=why)

    def changes(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        state: ChangeState | None = None,
        merchant: str | None = None,
    ) -> Page[MerchantChange]:
        """Changes that move money, the newest first. Raises WrongCursor."""
        p.need(Permission.MERCHANTS_VIEW)
        with translate_registry_errors():
            return self._registry.merchant_changes.page(cursor, limit, state=state, merchant=merchant)

    def change(self, p: Principal, number: int) -> MerchantChange:
        """Raises NotFound."""
        p.need(Permission.MERCHANTS_VIEW)
        with translate_registry_errors():
            return self._registry.merchant_changes.change(number)

    def approve(self, p: Principal, number: int) -> MerchantChange:
        """Approve the request of another person, in person. Raises Forbidden for a token, NotFound, Conflict,
        OwnWork."""
        _in_person(p)
        with translate_registry_errors():
            return self._registry.merchant_changes.approve(number, by=p.name)

    def refuse(self, p: Principal, number: int, reason: str) -> MerchantChange:
        """Refuse the request of another person, in person. Raises Forbidden for a token, Invalid, NotFound, Conflict,
        OwnWork."""
        _in_person(p)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchant_changes.refuse(number, by=p.name, reason=why)

    def cancel(self, p: Principal, number: int, reason: str) -> MerchantChange:
        """Give up a request that waits. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchant_changes.cancel(number, by=p.name, reason=why)

    def look(self, p: Principal, number: int) -> tuple[str, str]:
        """The account on record and the requested one in clear, for whoever decides; audited. Raises Forbidden for a
        token, NotFound, Conflict."""
        _in_person(p)
        with translate_registry_errors():
            return self._registry.merchant_changes.look(number, by=p.name)

    def account(self, p: Principal, number: str, reason: str) -> str:
        """The account in clear; each look is audited. Raises Invalid, NotFound."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchants.account(number, by=p.name, reason=why)

    def import_sheet(
        self, p: Principal, filename: str, stream: Iterable[bytes], *, check: bool = False
    ) -> MerchantImport:
        """Merchants from xlsx, xls or csv, all of them or none; ``check`` stores nothing. Raises Invalid for a sheet
        without the columns, UnreadableForm, RequestTooLarge, Conflict for a terminal of another outlet."""
        p.need(Permission.MERCHANTS_CHANGE)
        with self._uploads.file(filename, stream) as path:
            merchants, findings = read_merchants(path, self._uploads.limits)
        stored = bool(merchants) and not findings and not check
        waiting = 0
        if stored:
            with translate_registry_errors():
                views = self._registry.merchants.put(*merchants, by=p.name)
            waiting = sum(len(view.waiting) for view in views)
        outlets = sum(len(one.outlets) for one in merchants)
        return MerchantImport(stored, len(merchants), outlets, tuple(findings), waiting)


def _in_person(p: Principal) -> None:
    """Raises Forbidden."""
    p.need(Permission.MERCHANTS_APPROVE)
    if p.token:
        raise Forbidden("a token cannot decide on a merchant's money; sign in as a person for this")
