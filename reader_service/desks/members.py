"""Members: found, seen masked, unmasked with a reason, moved to another unit, withdrawn."""

from __future__ import annotations

from typing import Any, Protocol

from reader_service.principal import Principal
from registry.paging import Page
from registry.values import Card


class MemberDesk(Protocol):
    """Made as ``MemberDesk(parts, bus)``. ``Any`` is registry.members.MemberView, MemberEvent, Unmasked."""

    def find(self, p: Principal, text: str, cursor: str | None = None, limit: int = 50) -> Page[Any]:
        """By card number (19 digits), member number (12), ID number (18) or whole name."""
        ...

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, unit: str | None = None
    ) -> Page[Any]: ...

    def member(self, p: Principal, member_id: int) -> Any: ...

    def cards(self, p: Principal, member_id: int) -> list[Card]: ...

    def history(self, p: Principal, member_id: int) -> list[Any]: ...

    def unmask(self, p: Principal, member_id: int, reason: str) -> Any:
        """ID number, name, gender, mobile in clear; audited."""
        ...

    def transfer(self, p: Principal, member_id: int, unit: str, reason: str) -> Any: ...

    def withdraw(self, p: Principal, member_id: int, reason: str) -> Any: ...
