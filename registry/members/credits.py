"""Uses that a card gets back, as a change that is wanted of its chip: ordered where a redemption is taken back."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, insert

from registry.db.context import RegistryContext
from registry.db.tables import card_updates
from registry.members.views import without_names
from registry.members.wanted import UpdateKind, UpdateState
from terminal.member import elements
from terminal.member.values import Entitlement, Period


def credit_of(benefit_class: str, uses: int, start: date) -> bytes:
    """The value of a credit: DF28 with one entitlement, which has the uses to give back as used, in the period that
    begins on ``start``. Raises CodecError."""
    return elements.ENTITLEMENTS.encode((Entitlement(benefit_class, uses, uses, Period.ONCE, start),))


def order_credit(
    conn: Connection, context: RegistryContext, card: tuple[str, int], value: bytes, *, by: str, reason: str
) -> None:
    """Order within a transaction that a card gets uses back. The caller has the card on record, and writes the
    audit."""
    wanted = {
        "card_number": card[0],
        "sequence": card[1],
        "kind": UpdateKind.CREDIT.value,
        "value": value,
        "wanted_at": context.clock(),
        "wanted_by": by,
        "reason": without_names(conn, context.personal, [card], reason),
        "state": UpdateState.PENDING.value,
        "two_people": False,
    }
    conn.execute(insert(card_updates).values(wanted))
