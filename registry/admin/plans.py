"""The issuing schedule (附件6): the number of cards of each unit, the due day, and the unit's group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import bindparam, delete, insert, select

from registry.batches.units import unit_id_of, unit_ids_of
from registry.db.context import RegistryContext
from registry.db.tables import plans, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.unit_names import BETWEEN, levels
from terminal.names import all_visible


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """The planned number of cards of a unit, the due day, and the unit's group in the schedule."""

    unit: str
    group: str
    planned: int
    due: date


class Plans:
    """Repository of the issuing schedule."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def put(self, schedule: Sequence[UnitPlan], *, by: str) -> None:
        """Store these plans, all of them or none; each replaces the earlier plan of its unit. Units may be new.

        Raises RegistryConflict for a plan without cards, a unit without a name, or two plans of one unit.
        """
        plans_by_unit = {BETWEEN.join(levels(plan.unit)): plan for plan in schedule}
        if not all(all_visible(name) and plan.planned > 0 for name, plan in plans_by_unit.items()):
            raise RegistryConflict("a plan names a unit and at least one card", reason="plan")
        if not plans_by_unit:
            return
        with self._context.write() as conn:
            ids = unit_ids_of(conn, set(plans_by_unit))
            if len(set(ids.values())) < len(ids):
                raise RegistryConflict("two plans of the schedule are of one unit", reason="plan-twice")
            conn.execute(
                delete(plans).where(plans.c.unit_id == bindparam("unit")), [{"unit": one} for one in ids.values()]
            )
            rows = [
                {"unit_id": ids[name], "group": plan.group, "planned": plan.planned, "due": plan.due.isoformat()}
                for name, plan in plans_by_unit.items()
            ]
            conn.execute(insert(plans), rows)
            subject = f"unit:{next(iter(plans_by_unit))}" if len(plans_by_unit) == 1 else "schedule"
            total = sum(plan.planned for plan in plans_by_unit.values())
            self._context.audit(conn, by, "plan.set", subject, units=len(plans_by_unit), planned=total)

    def all(self) -> list[UnitPlan]:
        """All plans, by due day, then by unit."""
        chosen = select(units.c.name, plans.c.group, plans.c.planned, plans.c.due).join(plans)
        with self._context.read() as conn:
            rows = conn.execute(chosen.order_by(plans.c.due, units.c.name)).all()
        return [UnitPlan(name, group, planned, date.fromisoformat(due)) for name, group, planned, due in rows]

    def remove(self, unit: str, *, by: str) -> None:
        """Delete the plan of a unit. Raises NotOnRecord where it has none."""
        with self._context.write() as conn:
            mine = unit_id_of(conn, unit.strip())
            if mine is None or not conn.execute(delete(plans).where(plans.c.unit_id == mine)).rowcount:
                raise NotOnRecord(f"there is no plan for {unit}", reason="plan", unit=unit)
            self._context.audit(conn, by, "plan.remove", f"unit:{unit.strip()}")
