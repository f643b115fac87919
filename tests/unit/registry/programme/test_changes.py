"""Changes of a merchant that move money: a second person approves them, and the database lets none happen without."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select, text

from registry.db.tables import merchant_changes
from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict
from registry.programme.changes import ChangeState, MerchantChange, MerchantChangeKind
from registry.programme.rates import Rate
from registry.store import Registry
from tests.support.registry.redeemed import PARK, close_outlet, park
from tests.support.registry.registrar import audit_entries

OTHER = "6222000000005678"


def waiting(registry: Registry) -> list[MerchantChange]:
    return list(registry.merchant_changes.page(state=ChangeState.WAITING).items)


def test_another_account_is_in_force_once_a_second_person_approves(registry: Registry) -> None:
    park(registry)
    registry.merchants.put(replace(PARK, account=OTHER), by="li", reason="new bank")
    (change,) = waiting(registry)
    assert (change.kind, change.facts["was"], change.account, change.reason) == (
        MerchantChangeKind.ACCOUNT, "************1234", "************5678", "new bank",
    )  # fmt: skip
    assert registry.merchants.account("PARK-EAST", by="li", reason="x") == PARK.account
    for same in ("li", "LI", "li (command line)"):
        with pytest.raises(RegistryConflict) as refused:
            registry.merchant_changes.approve(change.number, by=same)
        assert refused.value.reason == OWN_WORK
    assert registry.merchant_changes.look(change.number, by="wang") == (PARK.account, OTHER)
    assert audit_entries(registry, "merchant.change-look") == [("wang", "merchant:PARK-EAST", "")]
    done = registry.merchant_changes.approve(change.number, by="wang")
    assert (done.state, done.decided_by) == (ChangeState.APPROVED, "wang")
    assert (done.facts["was"], done.account) == ("************1234", "************5678"), "also once it is in force"
    assert registry.merchants.account("PARK-EAST", by="li", reason="x") == OTHER
    assert audit_entries(registry, "merchant.change-approve")[0] == ("wang", "merchant:PARK-EAST", "new bank")
    with pytest.raises(RegistryConflict, match="decided already"):
        registry.merchant_changes.approve(change.number, by="wang")


def test_a_requested_account_is_sealed(registry: Registry) -> None:
    registry.merchants.put(PARK, by="li")
    with registry._context.database.read() as conn:
        stored = [bytes(str(value), "utf-8") for row in conn.execute(select(merchant_changes)) for value in row]
    assert stored
    assert not any(PARK.account.encode() in value for value in stored)
    assert PARK.account not in repr(waiting(registry))


def test_what_is_refused_or_cancelled_changes_nothing(registry: Registry) -> None:
    park(registry)
    before = registry.merchants.merchant("PARK-EAST")
    refused = registry.merchants.end("PARK-EAST", by="li", reason="moved")
    with pytest.raises(RegistryConflict) as own:
        registry.merchant_changes.refuse(refused.number, by="li", reason="no")
    assert own.value.reason == OWN_WORK
    done = registry.merchant_changes.refuse(refused.number, by="wang", reason="not moved")
    assert (done.state, done.decided_reason) == (ChangeState.REFUSED, "not moved")
    cancelled = registry.merchants.end("PARK-EAST", by="li", reason="moved")
    assert registry.merchant_changes.cancel(cancelled.number, by="li", reason="mistake").state is ChangeState.CANCELLED
    assert registry.merchants.merchant("PARK-EAST") == before
    with pytest.raises(NotOnRecord):
        registry.merchant_changes.change(99)
    with pytest.raises(NotOnRecord, match="has no account"):
        registry.merchant_changes.look(registry.merchants.end("PARK-EAST", by="li", reason="x").number, by="wang")


def test_the_same_request_waits_once_and_a_later_one_takes_its_place(registry: Registry) -> None:
    park(registry)
    longer, longest = (replace(PARK, contract_until=date(year, 12, 31)) for year in (2028, 2029))
    first = registry.merchants.put(longer, by="li")[0].waiting
    assert registry.merchants.put(longer, by="li")[0].waiting == first
    (second,) = registry.merchants.put(longest, by="li")[0].waiting
    assert registry.merchant_changes.change(first[0]).state is ChangeState.REPLACED
    shown = registry.merchant_changes.approve(second, by="wang")
    assert (shown.facts["was_until"], shown.facts["until"]) == ("2027-12-31", "2029-12-31")
    assert registry.merchants.merchant("PARK-EAST").contract_until == date(2029, 12, 31)
    assert registry.merchants.merchant("PARK-EAST").waiting == ()


def test_rates_of_two_days_wait_beside_each_other(registry: Registry) -> None:
    park(registry)
    for day in (date(2026, 1, 1), date(2026, 2, 1)):
        registry.rates.request("PARK-EAST", Rate("0101", day, 100), by="li", reason="contract")
    assert registry.rates.of("PARK-EAST") == []
    for change in waiting(registry):
        registry.merchant_changes.approve(change.number, by="wang")
    assert [(view.rate.valid_from.month, view.by, view.approved_by) for view in registry.rates.of("PARK-EAST")] == [
        (1, "li", "wang"),
        (2, "li", "wang"),
    ]


FORBIDDEN = {
    "a merchant that is born with an account": (
        "INSERT INTO merchants (number, name, name_en, account_masked, sealed, seal_key, contract_from, "
        "contract_until, created_at) SELECT 'X', name, name_en, account_masked, sealed, seal_key, contract_from, "
        "contract_until, created_at FROM merchants"
    ),
    "another account": "UPDATE merchants SET account_masked = '1', sealed = NULL, seal_key = NULL",
    "another end of the contract": "UPDATE merchants SET contract_until = '2099-12-31'",
    "an end": "UPDATE merchants SET ended_at = CURRENT_TIMESTAMP",
    "a benefit taken away": "DELETE FROM merchant_benefits",
    "another benefit": "UPDATE merchant_benefits SET benefit_class = 'gym' WHERE benefit_class = '0101'",
    "an outlet of another merchant": (
        "UPDATE outlets SET merchant_id = (SELECT id FROM merchants WHERE number = 'HALL')"
    ),
    "a closed outlet": "UPDATE outlets SET closed_at = CURRENT_TIMESTAMP",
    "a rate of one person": (
        'INSERT INTO settlement_rates (merchant_id, benefit_class, valid_from, per_unit, share, at, "by", reason) '
        "SELECT id, '0101', '2026-01-01', 1, 0, CURRENT_TIMESTAMP, 'x', 'x' FROM merchants"
    ),
    "a rate without a request": (
        'INSERT INTO settlement_rates (merchant_id, benefit_class, valid_from, per_unit, share, at, "by", reason, '
        "approved_by) SELECT id, '0101', '2026-01-01', 1, 0, CURRENT_TIMESTAMP, 'x', 'x', 'y' FROM merchants"
    ),
    "approved by the one who asked": (
        "UPDATE merchant_changes SET state = 'approved', decided_at = CURRENT_TIMESTAMP, decided_by = \"by\" "
        "WHERE state = 'waiting'"
    ),
    "an approved one once more": "UPDATE merchant_changes SET applied = false WHERE applied",
    "another content": "UPDATE merchant_changes SET facts = '{}'",
    "born approved": (
        'INSERT INTO merchant_changes (merchant_id, kind, facts, account_masked, at, "by", reason, state, decided_at, '
        "decided_by, applied) SELECT id, 'end', '', '', CURRENT_TIMESTAMP, 'x', '', 'approved', "
        "CURRENT_TIMESTAMP, 'y', false "
        "FROM merchants"
    ),
    "deleted": "DELETE FROM merchant_changes",
}


REOPENED = (
    "UPDATE outlets SET closed_at = NULL",
    "UPDATE terminals SET retired_at = NULL",
    "UPDATE terminals SET outlet_id = (SELECT id FROM outlets WHERE closed_at IS NOT NULL) WHERE retired_at IS NULL",
    "UPDATE terminals SET terminal = 'T0000009' WHERE retired_at IS NULL",
    "INSERT INTO terminals (terminal, outlet_id) SELECT 'T0000009', id FROM outlets WHERE closed_at IS NOT NULL",
)


def test_the_database_lets_no_closed_outlet_open_without_two_people(registry: Registry) -> None:
    east, _ = park(registry)
    close_outlet(registry, east)

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [statement for statement in REOPENED if not refused(statement)] == []


def test_the_database_lets_no_money_of_a_merchant_move_without_two_people(registry: Registry) -> None:
    park(registry)
    registry.merchants.end("PARK-EAST", by="li", reason="moved")
    registry.merchants.put(replace(PARK, number="HALL", account="", outlets=()), by="li")

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []


def test_a_merchant_is_not_replaced_and_its_tables_are_not_emptied(registry: Registry) -> None:
    park(registry)
    database = registry._context.database
    columns = "id, number, name, name_en, account_masked, contract_from, contract_until, created_at"
    statements = {
        "sqlite": [
            f"INSERT OR REPLACE INTO merchants ({columns}) SELECT id, number, name, name_en, '', '2000-01-01', "  # noqa: S608
            "'2099-01-01', created_at FROM merchants",
            "INSERT OR REPLACE INTO outlets (id, merchant_id, name, address, closed_at) "
            "SELECT id, merchant_id, name, address, CURRENT_TIMESTAMP FROM outlets",
        ],
        "postgresql": [f"TRUNCATE {name} CASCADE" for name in ("merchant_benefits", "merchant_changes", "payouts")],
    }
    with database.read() as conn:
        dialect = conn.dialect.name
    for statement in statements[dialect]:
        with pytest.raises(RegistryConflict), database.write() as conn:
            conn.execute(text(statement))
