"""Merchants with their outlets and terminals: recorded whole or not at all, and never deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registry.admin.audit import AuditFilter
from registry.db.tables import merchants
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.changes import ChangeState, MerchantChangeKind
from registry.programme.merchants import NewOutlet, faults_of
from registry.store import Registry
from tests.support.registry.redeemed import PARK, approve_all, close_outlet, end_park, park
from tests.support.registry.registrar import SetClock, audit_entries


def test_a_merchant_is_on_record_with_its_outlets(registry: Registry) -> None:
    (merchant,) = registry.merchants.put(PARK, by="li")
    assert (merchant.number, merchant.name, merchant.name_en) == ("PARK-EAST", "东城公园", "East Park")
    assert (merchant.contract_from, merchant.contract_until) == (date(2026, 1, 1), date(2027, 12, 31))
    assert merchant.benefits == ("0101", "0102")
    assert [(one.name, one.address, one.terminals) for one in merchant.outlets] == [
        ("east gate", "1 Park Road", ("T0000001", "T0000002")),
        ("west gate", "", ("T0000003",)),
    ]
    assert registry.merchants.merchant("PARK-EAST") == merchant
    assert (merchant.account, len(merchant.waiting)) == ("", 1), "its account waits for a second person"
    assert audit_entries(registry, "merchant.put") == [("li", "merchant:PARK-EAST", "")]


def test_its_account_is_sealed_shown_masked_and_opened_with_a_reason(registry: Registry) -> None:
    park(registry)
    assert registry.merchants.merchant("PARK-EAST").account == "************1234"
    assert "6222000000001234" not in repr(PARK)
    with registry._context.database.read() as conn:
        stored = [value for row in conn.execute(select(merchants)) for value in row]
    assert not any(b"6222000000001234" in bytes(str(value), "utf-8") for value in stored)
    assert registry.merchants.account("PARK-EAST", by="li", reason="payout of November") == "6222000000001234"
    assert audit_entries(registry, "merchant.account") == [("li", "merchant:PARK-EAST", "payout of November")]
    registry.merchants.put(replace(PARK, number="GYM", account="", outlets=()), by="li")
    with pytest.raises(NotOnRecord, match="no account on record"):
        registry.merchants.account("GYM", by="li", reason="payout")


def test_a_change_adds_outlets_and_terminals_and_leaves_the_rest(registry: Registry) -> None:
    east, west = park(registry)
    more = replace(
        PARK,
        name="东城区公园",
        account="",
        benefits=("0103",),
        outlets=(NewOutlet("east gate", "2 Park Road", ("T0000004",)), NewOutlet("north gate")),
    )
    registry.merchants.put(more, by="li")
    approve_all(registry)
    changed = registry.merchants.merchant("PARK-EAST")
    assert (changed.name, changed.account, changed.benefits) == ("东城区公园", "************1234", ("0103",))
    assert [(one.id, one.address) for one in changed.outlets][:2] == [(east, "2 Park Road"), (west, "")]
    assert changed.outlets[0].terminals == ("T0000001", "T0000002", "T0000004")
    assert changed.outlets[2].name == "north gate"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"number": ""}, "merchant-number"),
        ({"number": "X" * 16}, "merchant-number"),
        ({"number": "公园"}, "merchant-number"),
        ({"number": " P"}, "merchant-number"),
        ({"name": " "}, "merchant-name"),
        ({"name_en": "a\u200bb\u0000"}, "merchant-name"),
        ({"contract_until": date(2025, 1, 1)}, "merchant-contract"),
        ({"benefits": ()}, "merchant-benefit"),
        ({"benefits": ("101",)}, "merchant-benefit"),
        ({"account": "12"}, "merchant-account"),
        ({"outlets": (NewOutlet("a"), NewOutlet("a"))}, "outlet-name"),
        ({"outlets": (NewOutlet("a", "x" * 101),)}, "outlet-address"),
        ({"outlets": (NewOutlet("a", "", ("T1",)),)}, "terminal-number"),
        ({"outlets": (NewOutlet("a", "", ("T0000009",)), NewOutlet("b", "", ("T0000009",)))}, "terminal-number"),
    ],
)
def test_what_is_not_sound_is_refused_with_its_rule(registry: Registry, change: dict[str, Any], reason: str) -> None:
    bad = replace(PARK, **change)
    assert list(faults_of(bad)) == [reason]
    with pytest.raises(RegistryConflict) as refused:
        registry.merchants.put(replace(PARK, number="GYM", outlets=()), bad, by="li")
    assert refused.value.reason == reason
    assert registry.merchants.page().items == ()


def test_two_of_one_number_and_a_terminal_of_another_outlet_are_refused_whole(registry: Registry) -> None:
    with pytest.raises(RegistryConflict, match="one number"):
        registry.merchants.put(PARK, PARK, by="li")
    registry.merchants.put(PARK, by="li")
    gym = replace(PARK, number="GYM", outlets=(NewOutlet("hall", "", ("T0000003",)),))
    with pytest.raises(RegistryConflict) as taken:
        registry.merchants.put(replace(gym, number="POOL", outlets=()), gym, by="li")
    assert (taken.value.reason, taken.value.params) == ("terminal-taken", {"terminal": "T0000003"})
    assert [one.number for one in registry.merchants.page().items] == ["PARK-EAST"]
    assert registry.merchants.put(by="li") == []


def test_a_merchant_ends_and_goes_on(registry: Registry, clock: SetClock) -> None:
    park(registry)
    end_park(registry)
    clock.forward(timedelta(days=1))
    with pytest.raises(RegistryConflict, match="has ended already"):
        registry.merchants.end("PARK-EAST", by="li", reason="again")
    assert registry.merchants.put(PARK, by="li")[0].ended_at is not None
    approve_all(registry)
    assert registry.merchants.merchant("PARK-EAST").ended_at is None
    with pytest.raises(NotOnRecord, match="there is no merchant GYM"):
        registry.merchants.end("GYM", by="li", reason="x")


def test_a_closed_outlet_retires_its_terminals_until_it_opens_again(registry: Registry) -> None:
    east, _ = park(registry)
    close_outlet(registry, east)
    merchant = registry.merchants.merchant("PARK-EAST")
    assert merchant.outlets[0].terminals == ()
    assert merchant.outlets[0].closed_at is not None
    with pytest.raises(RegistryConflict, match="is closed"):
        registry.merchants.close_outlet(east, by="li", reason="again")
    opens = replace(PARK, outlets=(NewOutlet("east gate", "1 Park Road", ("T0000001", "T0000009")),))
    requested = registry.merchants.put(opens, by="li")[0]
    assert requested.outlets[0] == merchant.outlets[0], "nothing opens yet"
    (waiting,) = registry.merchant_changes.page(state=ChangeState.WAITING).items
    assert waiting.kind is MerchantChangeKind.OUTLET_OPEN
    assert waiting.facts == {"outlet": east, "name": "east gate", "terminals": "T0000001 T0000009"}
    assert registry.merchants.put(opens, by="li")[0].waiting == (waiting.number,), "the same request once"
    with pytest.raises(RegistryConflict, match="second person"):
        registry.merchant_changes.approve(waiting.number, by="li")
    registry.merchant_changes.approve(waiting.number, by="wang")
    again = registry.merchants.merchant("PARK-EAST")
    assert (again.outlets[0].closed_at, again.outlets[0].terminals) == (None, ("T0000001", "T0000009"))
    with pytest.raises(NotOnRecord, match="there is no outlet 77"):
        registry.merchants.close_outlet(77, by="li", reason="x")


def test_merchants_are_listed_by_number_and_text(registry: Registry) -> None:
    registry.merchants.put(
        *(replace(PARK, number=number, name=f"商户{number}", outlets=()) for number in ("C", "A", "B_1")), by="li"
    )
    first = registry.merchants.page(limit=2)
    assert [one.number for one in first.items] == ["A", "B_1"]
    assert [one.number for one in registry.merchants.page(first.next, 2).items] == ["C"]
    assert [one.number for one in registry.merchants.page(text="_").items] == ["B_1"]
    assert [one.number for one in registry.merchants.page(text="商户C").items] == ["C"]


def test_the_audit_says_whether_an_account_is_another_one(registry: Registry) -> None:
    for account in ("6222000000001234", "", "6222000000001234", "6222000000005678"):
        registry.merchants.put(replace(PARK, account=account), by="li")
        approve_all(registry)
    rows = registry.audit.page(where=AuditFilter(action="merchant.put")).items
    assert [row.entry.facts["accounts"] for row in rows] == [1, 0, 0, 1], "the newest first"
