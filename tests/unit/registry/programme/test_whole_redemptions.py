"""A redemption on record is whole: with everything that its card has signed, or as the union has granted it."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from registry.db.tables import redemptions
from registry.errors import RegistryConflict
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock
from tests.unit.registry.programme.test_booking import Filled, Ledger, custody, filled, keys, url
from tests.unit.registry.programme.test_grants import TWO_A_MONTH, Issuer, given, granted

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
OTHERS: dict[str, object] = {
    "benefit_class": "other", "amount": 999, "quantity": 2, "sequence": 1, "day": "2026-12-02", "clock": "00:00:00",
    "merchant": "OTHER", "terminal": "T0000009",
}  # fmt: skip


def stored(registry: Registry) -> dict[str, object]:
    with registry._context.read() as conn:
        return dict(conn.execute(select(redemptions)).mappings().one())


def refused(registry: Registry, row: dict[str, object]) -> bool:
    """Whether the database refuses a row."""
    try:
        with registry._context.write() as conn:
            conn.execute(insert(redemptions).values({**row, "id": 99}))
    except RegistryConflict:
        return True
    return False


@pytest.mark.parametrize("name", ["used", "limit", "scripts", "cryptogram", "evidence"])
def test_nothing_is_left_out_of_what_a_card_has_signed(
    registry: Registry, keys: MemoryCustody, filled: Filled, name: str
) -> None:
    ledger = Ledger(registry, keys, filled)
    ledger.redeemed(ledger.first.redeem())
    row = {**stored(registry), "atc": 77}
    assert refused(registry, {**row, name: None})
    assert not refused(registry, row)


def test_nobody_books_another_use_than_was_granted(
    registry: Registry, keys: MemoryCustody, filled: Filled, clock: SetClock
) -> None:
    issuer = Issuer(Ledger(registry, keys, filled), clock)
    issuer.ruled.publish(TWO_A_MONTH)
    first, second = granted(issuer.ask(1)), granted(issuer.ask(2))
    given(issuer, 1, first.number)
    assert issuer.ruled.book().booked == 1
    row = {**stored(registry), "grant_id": second.number}
    others = {name: value for name, value in OTHERS.items() if row[name] != value}
    assert len(others) >= len(OTHERS) - 1
    assert [name for name, value in others.items() if not refused(registry, {**row, name: value})] == []
    assert not refused(registry, row)
