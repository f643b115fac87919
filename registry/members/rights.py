"""How many people order a member's rights on issued chips: one, or two where a federation requires it.

Rights are category, cover, entitlements and validity (``UpdateKind.gives_rights``). Uses that a reversal gives back are
none: they are the member's own. One person requires two; that one suffices again needs two. The rules stay on record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.tables import rights_rules
from registry.errors import RegistryConflict

_NEWEST: Final = select(rights_rules).order_by(rights_rules.c.id.desc())


@dataclass(frozen=True, slots=True)
class RightsRule:
    """A rule in force from ``at`` on. ``second`` is empty where two people are required."""

    two_people: bool
    at: datetime
    by: str
    second: str
    reason: str


class RightsRules:
    """Repository of the rules; before the first one, one person suffices."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def put(self, two_people: bool, *, by: str, reason: str, second: str = "") -> RightsRule:
        """Set the rule. Raises RegistryConflict without a reason or a second person, or for one person as both."""
        why = reason_given(reason)
        if not two_people and not second:
            sentence = "that one person orders rights on cards again is decided by two people"
            raise RegistryConflict(sentence, reason="rights-second")
        with self._context.write() as conn:
            if second:
                sentence = "who gives up the second person does not consent to it; a second person does"
                refuse_same_person(conn, by, second, sentence)
            values = {"two_people": two_people, "at": self._context.clock(), "by": by, "reason": why}
            conn.execute(insert(rights_rules).values(**values, second=second or None))
            self._context.audit(conn, by, "card.rights-rule", "", why, two_people=two_people, second=second or None)
            return _rule(conn.execute(_NEWEST.limit(1)).one())

    def history(self, limit: int = 50) -> list[RightsRule]:
        """The rules, the one in force first."""
        with self._context.read() as conn:
            return [_rule(row) for row in conn.execute(_NEWEST.limit(limit))]


def rights_by_two(conn: Connection) -> bool:
    """Whether two people order rights now."""
    return bool(conn.execute(select(rights_rules.c.two_people).order_by(rights_rules.c.id.desc()).limit(1)).scalar())


def _rule(row: Row[Any]) -> RightsRule:
    return RightsRule(row.two_people, row.at, row.by, row.second or "", row.reason)
