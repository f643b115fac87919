"""Rules of the database about changes that were ordered of chips, and of contracts."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.errors import RegistryConflict
from registry.members.wanted import UpdateKind, UpdateState
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.redeemed import park
from tests.support.registry.registrar import claimed, ready

COLUMNS = "card_number, sequence, wanted_at, wanted_by, reason, ended_at, ended_by"
SAME = f"SELECT {COLUMNS}, 'withdrawn'"
FORBIDDEN = {
    "a lifted block without a second person": (
        "UPDATE card_updates SET state = 'pending', two_people = false WHERE state = 'proposed'"
    ),
    "another person": "UPDATE card_updates SET wanted_by = 'x'",
    "another value": (
        "UPDATE card_updates SET value = wanted.value FROM card_updates wanted WHERE wanted.kind = 'block'"
    ),
    "another kind": "UPDATE card_updates SET kind = 'cover' WHERE kind = 'validity'",
    "a PIN unblocked by one person": (
        f"INSERT INTO card_updates ({COLUMNS}, state, kind, value, two_people) "
        f"{SAME}, 'pin-unblock', value, false FROM card_updates WHERE ended_at IS NOT NULL"
    ),
    "a card unblocked by one person": (
        f"INSERT INTO card_updates ({COLUMNS}, state, kind, value, two_people) "  # noqa: S608
        f"{SAME}, 'block', (SELECT value FROM card_updates WHERE kind = 'block'), false "
        "FROM card_updates WHERE ended_at IS NOT NULL"
    ),
}


def test_the_database_holds_what_was_ordered(registry: Registry, custody: MemoryCustody) -> None:
    card = registry.line.verified(claimed(registry, ready(registry, custody, 1), 1), {}, 1.0)
    (ended,) = registry.updates.want(card.card_number, {UpdateKind.VALIDITY: b"\x36\x12\x31"}, by="a", reason="x")
    registry.updates.withdraw(ended.id, by="a", reason="x")
    (lifted,) = registry.updates.want(card.card_number, {UpdateKind.BLOCK: b"\x00"}, by="a", reason="x")
    assert lifted.state is UpdateState.PROPOSED

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []
    assert registry.updates.consent(lifted.id, by="b").consented_by == "b"
    assert refused("UPDATE card_updates SET consented_by = 'c' WHERE consented_by IS NOT NULL")


def test_no_benefit_is_added_to_a_contract_by_one_person(registry: Registry) -> None:
    park(registry)
    added = "INSERT INTO merchant_benefits SELECT merchant_id, '0999' FROM merchant_benefits LIMIT 1"
    with pytest.raises(RegistryConflict), registry._context.database.write() as conn:
        conn.execute(text(added))
