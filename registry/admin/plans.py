"""The schedule of issue (附件6): which unit gets how many cards until when, and in which group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, insert, select

from registry.batches import rosters
from registry.db.context import RegistryContext
from registry.db.tables import plans, units
from registry.errors import NotOnRecord, RegistryConflict


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """The planned number of cards of a unit, the due day, and the unit's group in the schedule."""

    unit: str
    group: str
    planned: int
    due: date


class Plans:
    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def put(self, schedule: Sequence[UnitPlan], *, by: str) -> None:
        """All of them or none; a unit that had another plan has this one. Units may still be unknown.

        Raises RegistryConflict for a plan without cards or a unit without a name.
        """
        wanted = {plan.unit.strip(): plan for plan in schedule}
        if not all(name and name.isprintable() and plan.planned > 0 for name, plan in wanted.items()):
            raise RegistryConflict("a plan names a unit and at least one card", reason="plan")
        if not wanted:
            return
        with self._context.write() as conn:
            ids = rosters.unit_ids_of(conn, set(wanted))
            for name, plan in wanted.items():
                conn.execute(delete(plans).where(plans.c.unit_id == ids[name]))
                values = {"group": plan.group, "planned": plan.planned, "due": plan.due.isoformat()}
                conn.execute(insert(plans).values(unit_id=ids[name], **values))
            subject = f"unit:{next(iter(wanted))}" if len(wanted) == 1 else "schedule"
            total = sum(plan.planned for plan in wanted.values())
            self._context.audit(conn, by, "plan.set", subject, units=len(wanted), planned=total)

    def all(self) -> list[UnitPlan]:
        """By due date, then by unit."""
        chosen = select(units.c.name, plans.c.group, plans.c.planned, plans.c.due).join(plans)
        with self._context.read() as conn:
            rows = conn.execute(chosen.order_by(plans.c.due, units.c.name)).all()
        return [UnitPlan(name, group, planned, date.fromisoformat(due)) for name, group, planned, due in rows]

    def remove(self, unit: str, *, by: str) -> None:
        """Raises NotOnRecord where there is no plan for that unit."""
        with self._context.write() as conn:
            mine = select(units.c.id).where(units.c.name == unit.strip()).scalar_subquery()
            if not conn.execute(delete(plans).where(plans.c.unit_id == mine)).rowcount:
                raise NotOnRecord(f"there is no plan for {unit}", reason="plan", unit=unit)
            self._context.audit(conn, by, "plan.remove", f"unit:{unit.strip()}")
