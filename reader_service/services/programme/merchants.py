"""Merchants: recorded one by one or from a sheet, ended, and their outlets closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from reader_service.services.programme.merchant_sheet import MerchantFinding, read_merchants
from reader_service.services.uploads import Uploads
from registry.db.paging import Page
from registry.programme.merchants import MerchantView, NewMerchant


@dataclass(frozen=True, slots=True)
class MerchantImport:
    """The result of a sheet of merchants: where a row has a finding, nothing was stored. ``merchants`` counts those of
    the sheet."""

    stored: bool
    merchants: int
    outlets: int
    findings: tuple[MerchantFinding, ...]


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

    def put(self, p: Principal, merchant: NewMerchant) -> MerchantView:
        """Record a merchant or change it. Raises Conflict with the rule that it breaks."""
        p.need(Permission.MERCHANTS_CHANGE)
        with translate_registry_errors():
            return self._registry.merchants.put(merchant, by=p.name)[0]

    def end(self, p: Principal, number: str, reason: str) -> MerchantView:
        """End a merchant now. Raises Invalid, NotFound."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchants.end(number, by=p.name, reason=why)

    def close_outlet(self, p: Principal, outlet: int, reason: str) -> MerchantView:
        """Close an outlet and retire its terminals. Raises Invalid, NotFound."""
        p.need(Permission.MERCHANTS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.merchants.close_outlet(outlet, by=p.name, reason=why)

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
        if stored:
            with translate_registry_errors():
                self._registry.merchants.put(*merchants, by=p.name)
        return MerchantImport(stored, len(merchants), sum(len(one.outlets) for one in merchants), tuple(findings))
