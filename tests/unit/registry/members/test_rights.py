"""A federation may require two people for a member's rights on chips; the database holds it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from registry.errors import RegistryConflict
from registry.members.wanted import UpdateKind, UpdateState
from registry.store import Registry
from registry.values import Card
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import audit_entries, claimed, ready

DAY, LATER = b"\x36\x12\x31", b"\x37\x12\x31"
RIGHTS = {
    UpdateKind.VALIDITY: DAY,
    UpdateKind.COVER: DAY,
    UpdateKind.CATEGORY: b"\x01",
    UpdateKind.ENTITLEMENTS: bytes.fromhex("0101000100260101"),
}
COLUMNS = "card_number, sequence, wanted_at, wanted_by, reason"
BY_ONE = (
    f"INSERT INTO card_updates ({COLUMNS}, state, kind, value, two_people) "  # noqa: S608
    f"SELECT {COLUMNS}, 'pending', 'cover', value, false FROM card_updates WHERE kind = 'validity'"
)
ONE_PERSON = (
    "INSERT INTO rights_rules (at, \"by\", reason, two_people) VALUES (CURRENT_TIMESTAMP, 'a', 'x', false)",
    "UPDATE rights_rules SET two_people = false, second = 'b'",
    "DELETE FROM rights_rules",
)


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> Card:
    return registry.line.verified(claimed(registry, ready(registry, custody, 1), 1), {}, 1.0)


def states(registry: Registry, card: Card) -> list[tuple[str, str]]:
    return [(one.kind.value, one.state.value) for one in registry.updates.of_card(card.card_number, 1)]


def refused(registry: Registry, statement: str) -> bool:
    try:
        with registry._context.database.write() as conn:
            conn.execute(text(statement))
    except RegistryConflict:
        return True
    return False


def test_one_person_orders_rights_until_the_federation_requires_two(registry: Registry, card: Card) -> None:
    (first,) = registry.updates.want(card.card_number, {UpdateKind.VALIDITY: DAY}, by="a", reason="x")
    assert (first.state, registry.rights.history()) == (UpdateState.PENDING, [])
    rule = registry.rights.put(True, by="chief", reason="resolution 7")
    assert (rule.two_people, rule.by, rule.second) == (True, "chief", "")
    assert audit_entries(registry, "card.rights-rule")[0][0] == "chief"
    ordered = registry.updates.want(card.card_number, RIGHTS, by="a", reason="renewed")
    assert {one.state for one in ordered} == {UpdateState.PROPOSED}
    assert registry.updates.pending(card.card_number, 1) == (first,), "the earlier order stays until the consent"
    (blocked,) = registry.updates.want(card.card_number, {UpdateKind.BLOCK: b"\x01"}, by="a", reason="x")
    assert blocked.state is UpdateState.PENDING
    with pytest.raises(RegistryConflict, match="two people"):
        registry.rights.put(False, by="chief", reason="x")
    with pytest.raises(RegistryConflict, match="a second person does"):
        registry.rights.put(False, by="chief", second="Chief (unproven)", reason="x")
    registry.rights.put(False, by="chief", second="second", reason="resolution 8")
    (again,) = registry.updates.want(card.card_number, {UpdateKind.COVER: LATER}, by="a", reason="x")
    assert again.state is UpdateState.PENDING
    assert [one.two_people for one in registry.rights.history()] == [False, True]


def test_a_second_person_consents_to_many_at_once_or_to_none(registry: Registry, card: Card) -> None:
    registry.rights.put(True, by="chief", reason="x")
    ordered = registry.updates.want(card.card_number, RIGHTS, by="a", reason="renewed")
    ids = [one.id for one in ordered]
    for wrong, sentence in ((ids, "a second person does"), ([*ids, 999], "no wanted change 999")):
        by = "a" if wrong is ids else "b"
        with pytest.raises(Exception, match=sentence):
            registry.updates.consent_all(wrong, by=by)
        assert {state for _, state in states(registry, card)} == {"proposed"}
    consented = registry.updates.consent_all([*ids, ids[0]], by="b", place="office 1")
    assert [(one.id, one.state, one.consented_by) for one in consented] == [
        (number, UpdateState.PENDING, "b") for number in ids
    ]
    assert len(audit_entries(registry, "card.consent")) == len(ids)


def test_the_database_demands_the_second_person_for_rights(registry: Registry, card: Card) -> None:
    registry.updates.want(card.card_number, {UpdateKind.VALIDITY: DAY}, by="a", reason="x")
    registry.rights.put(True, by="chief", reason="x")
    assert refused(registry, BY_ONE)
    assert [statement for statement in ONE_PERSON if not refused(registry, statement)] == []
    registry.rights.put(False, by="chief", second="second", reason="x")
    assert not refused(registry, BY_ONE)
