"""Units: listed, and placed below other units, whose plan then counts them."""

from __future__ import annotations

from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.admin.units import PlacedUnit, UnitView
from registry.db.paging import Page


class UnitService:
    """Units by their whole name, such as 石家庄铁道大学工会 / 后勤处."""

    def __init__(self, parts: ServiceParts) -> None:
        self._registry = parts.registry

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50, *, text: str = "") -> Page[UnitView]:
        """All units, or those with this text in their name. Raises WrongCursor."""
        p.need(Permission.STATISTICS)
        with translate_registry_errors():
            return self._registry.units.page(cursor, limit, text=text)

    def place(self, p: Principal, unit: str, above: str, reason: str, *, new: bool = False) -> PlacedUnit:
        """Put a unit below another one, or at the highest level where ``above`` is empty. ``new`` records a unit
        ``above`` that is not on record. Raises Invalid, NotFound, Conflict."""
        p.need(Permission.PLANS_SET)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.units.place(unit, above, by=p.name, reason=why, new=new)
