"""The audit: it holds every change and no personal data, and tampering with it is detected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from registry.admin.audit import AuditFilter
from registry.db.audit_chain import AuditEntry
from registry.db.paging import BadCursor
from registry.db.privacy import scrub
from registry.errors import RegistryConflict, RegistryError, RegistryUnfit
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import LEASE, UNIT, SetClock, chip, claimed, custodian, prepare, ready, rows


def actions(registry: Registry) -> list[str]:
    return [row.entry.action for row in reversed(registry.audit.page(limit=500).items)]


def test_every_change_on_the_way_to_a_card_is_audited_in_its_own_transaction(
    registry: Registry, custody: MemoryCustody
) -> None:
    registry.stock.receive(3, "L-1", "库管")
    batch = registry.rosters.import_roster(UNIT, rows(2), [], source="f", digest="d", by="录入员").id
    registry.batches.approve(batch, "审核员")
    prepare(registry, custody, batch)
    first, second = claimed(registry, batch, 1), claimed(registry, batch, 2)
    card = registry.line.verified(first, {}, 1.0)
    registry.line.verified(first, {}, 1.0)  # repeated: nothing changes
    registry.line.reject(second, "readback differs", "read back", "red")
    registry.line.reject_chip(batch, "", "dead", "reset", "red", "lane 1")
    registry.cards.change(card.card_number, "packed", "包装", "装盒")
    with pytest.raises(RegistryConflict):
        registry.cards.change(card.card_number, "active", "包装", "")
    draft = registry.rosters.import_roster(UNIT, rows(1, 9), [], source="f", digest="d2", by="录入员").id
    registry.batches.discard(draft, "录入员", reason="重复")
    assert actions(registry) == [
        "stock.receive",
        "roster.import",
        "batch.approve",
        "batch.prepare",
        "card.verified",
        "chip.reject",
        "chip.reject",
        "card.packed",
        "roster.import",
        "batch.discard",
    ]
    packed = registry.audit.page(where=AuditFilter(subject=f"card:{card.card_number}-1", action="card.packed")).items
    assert [(row.entry.actor, row.entry.reason) for row in packed] == [("包装", "装盒")]
    assert registry.audit.verify().whole


def filled(registry: Registry, count: int = 12) -> None:
    for number in range(1, count + 1):
        registry.audit.note(
            AuditEntry(f"user {number % 3}", "lease.steal", f"reader:{number}", "urgent", facts={"n": number})
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody' WHERE number = 3",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET number = 2",
    ],
)
def test_the_database_itself_refuses_to_change_the_past(registry: Registry, statement: str) -> None:
    filled(registry, 4)
    with pytest.raises(RegistryConflict), registry._context.database.write() as conn:
        conn.execute(text(statement))
    assert registry.audit.verify().rows == 4


def test_a_row_is_not_replaced_by_writing_it_again(registry: Registry) -> None:
    filled(registry, 3)
    again = (
        "INTO audit SELECT number, at, 'eve', action, subject, reason, origin, facts, previous, hash, mac FROM audit"
    )
    for statement in (f"INSERT OR REPLACE {again}", f"INSERT {again}", f"REPLACE {again}"):
        with pytest.raises((RegistryConflict, RegistryError)), registry._context.database.write() as conn:
            conn.execute(text(statement))
    assert registry.audit.verify().whole


def test_a_chain_broken_throughout_is_reported_in_part(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.db.audit_chain._MOST_REPORTED", 4)
    filled(registry, 12)
    with registry._context.database.write() as conn:
        overpower(conn)
        conn.execute(text("UPDATE audit SET actor = 'nobody'"))
    report = registry.audit.verify()
    assert ([fault.number for fault in report.breaks], report.further, report.rows) == ([1, 2, 3, 4], 8, 12)
    assert not report.whole


def overpower(conn: Connection) -> None:
    """What the owner of the database can do: take the triggers away."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        conn.execute(text("ALTER TABLE audit_head DISABLE TRIGGER ALL"))
        return
    for name in ("audit_unchanged", "audit_kept", "audit_head_kept", "audit_head_grows"):
        conn.execute(text(f"DROP TRIGGER {name}"))


def run(*statements: str) -> Callable[[Connection], None]:
    def do(conn: Connection) -> None:
        for statement in statements:
            conn.execute(text(statement))

    return do


def swap(conn: Connection) -> None:
    run(
        "UPDATE audit SET number = 99 WHERE number = 5",
        "UPDATE audit SET number = 5 WHERE number = 8",
        "UPDATE audit SET number = 8 WHERE number = 99",
    )(conn)


def forge(conn: Connection) -> None:
    """A row written by one who knows the rule of the hash, but has no custody."""
    row = conn.execute(text("SELECT * FROM audit WHERE number = 12")).one()._asdict()
    hashed = [13, "2026-11-22T09:00:00.000000+00:00", "eve", "batch.approve", "batch:1", "", "", "{}", row["hash"]]
    digest = hashlib.sha256(json.dumps(hashed, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
    conn.execute(
        text(
            "INSERT INTO audit SELECT 13, at, 'eve', 'batch.approve', 'batch:1', '', '', '{}', hash, :hash, mac"
            " FROM audit WHERE number = 12"
        ),
        {"hash": digest},
    )
    conn.execute(text("UPDATE audit_head SET number = 13, hash = :hash"), {"hash": digest})


TAMPERED = {
    "nothing": (run(), []),
    "changed": (run("UPDATE audit SET actor = 'nobody' WHERE number = 3"), [(3, "changed")]),
    "a fact changed": (run("UPDATE audit SET facts = '{}' WHERE number = 12"), [(12, "changed")]),
    "a hash changed": (run("UPDATE audit SET hash = previous WHERE number = 3"), [(3, "forged")]),
    "removed": (run("DELETE FROM audit WHERE number = 4"), [(4, "missing")]),
    "two removed": (run("DELETE FROM audit WHERE number IN (4, 5)"), [(4, "missing")]),
    "the first removed": (run("DELETE FROM audit WHERE number = 1"), [(1, "missing")]),
    "the end removed": (run("DELETE FROM audit WHERE number > 10"), [(11, "missing")]),
    "all removed": (run("DELETE FROM audit"), [(1, "missing")]),
    "swapped": (swap, [(5, "moved"), (8, "moved")]),
    "put in": (forge, [(13, "forged")]),
    "the end forgotten": (run("DELETE FROM audit_head"), [(12, "cut")]),
    "the end set back": (run("UPDATE audit_head SET number = 11"), [(12, "forged")]),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_tampering_is_detected_and_named(registry: Registry, how: str) -> None:
    tamper, expected = TAMPERED[how]
    filled(registry)
    with registry._context.database.write() as conn:
        overpower(conn)
        tamper(conn)
    report = registry.audit.verify()
    assert [(fault.number, fault.kind) for fault in report.breaks] == expected
    assert report.whole is (expected == [])
    assert all(str(fault.number) in fault.sentence or fault.kind == "cut" for fault in report.breaks)


def test_a_clean_cut_is_detected_by_an_earlier_report(registry: Registry) -> None:
    filled(registry)
    noted = registry.audit.verify()
    with registry._context.database.write() as conn:
        overpower(conn)
        run(
            "DELETE FROM audit WHERE number > 10",
            "UPDATE audit_head SET number = 10, hash = (SELECT hash FROM audit WHERE number = 10)",
        )(conn)
    assert registry.audit.verify().whole  # nothing inside shows it
    filled(registry, 3)
    assert [fault.kind for fault in registry.audit.verify((noted.last_number, noted.last_hash)).breaks] == ["other"]


def test_appending_to_a_chain_without_an_end_is_refused(registry: Registry) -> None:
    with registry._context.database.write() as conn:
        overpower(conn)
        conn.execute(text("DELETE FROM audit_head"))
    with pytest.raises(RegistryUnfit, match="restore the registry from a backup"):
        registry.stock.receive(1, "L", "库管")
    assert registry.stock.accounts().received == 0


def test_another_issuers_custody_does_not_vouch(registry: Registry, url: str) -> None:
    filled(registry, 2)
    with Registry.open(url, custodian()) as stranger:
        assert [fault.kind for fault in stranger.audit.verify().breaks] == ["forged", "forged"]


def test_rivals_append_one_after_the_other(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 12)

    def lane(number: int) -> None:
        for card in range(number, 13, 4):
            claim = registry.line.claim(batch, f"lane {number}", "s", chip(card), LEASE)
            registry.line.verified(claim, {}, 1.0)  # type: ignore[arg-type]
            registry.audit.note(AuditEntry("s", "lane.note", f"lane:{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lane, range(1, 5)))
    report = registry.audit.verify()
    assert (report.whole, report.rows, report.last_number) == (True, 27, 27)


def test_pages_filters_and_cursors(registry: Registry, clock: SetClock) -> None:
    filled(registry, 7)
    clock.forward(timedelta(hours=1))
    registry.audit.note(AuditEntry("user 1", "lease.stealth", "reader:1"))
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = registry.audit.page(cursor, 3)
        seen += [row.number for row in page.items]
        if (cursor := page.next) is None:
            break
    assert seen == list(range(8, 0, -1))

    def numbers(where: AuditFilter) -> list[int]:
        return [row.number for row in registry.audit.page(where=where).items]

    assert numbers(AuditFilter(actor="user 1")) == [8, 7, 4, 1]
    assert numbers(AuditFilter(action="lease.")) == list(range(8, 0, -1))
    assert numbers(AuditFilter(action="lease.steal", subject="reader:1")) == [1]
    assert numbers(AuditFilter(since=clock.now)) == [8]
    assert numbers(AuditFilter(until=clock.now, actor="user 0")) == [6, 3]
    for bad in ("", "xx", "WzFd=", "é", "WyJhIl0", "W10", "WzEsMl0", "WzFlOTk5XQ", "W3RydWVd"):
        with pytest.raises(BadCursor, match="ask for its first page"):
            registry.audit.page(bad)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("身份证13010219800101777X挂失", "身份证****777X挂失"),
        ("电话 139 3117-7777 或 +86 13931177777", "电话 ****7777 或 ****7777"),
        ("13010219800101777X 13931177777", "****777X ****7777"),
        ("130102-19800101-7774/139 3117 7777", "****7774/****7777"),
        ("旧证 130102800101777", "旧证 ****1777"),
        ("１３９３１１７７７７７", "****７７７７"),
        ("card 6212260000000000012, member 130000000001", "card 6212260000000000012, member 130000000001"),
        ("batch B20261122-001, chip 00000000000000000007", "batch B20261122-001, chip 00000000000000000007"),
    ],
)
def test_reasons_lose_what_looks_like_a_person(written: str, stored: str) -> None:
    assert scrub(written) == stored


def test_nothing_personal_or_unprintable_gets_into_the_audit(registry: Registry) -> None:
    entry = AuditEntry("a\x00b", "x.y", "s\ud800", "ring 13931177777", facts={"told": "13010219800101777X", "n": 1})
    row = registry.audit.note(entry)
    (read,) = registry.audit.page().items
    assert read == row
    assert (read.entry.reason, read.entry.facts) == ("ring ****7777", {"told": "****777X", "n": 1})
    assert "\x00" not in read.entry.actor
    assert registry.audit.verify().whole


DAMAGE = {
    "no UTF-8": "UPDATE audit SET actor = CAST(X'FF41' AS TEXT) WHERE number = 3",
    "a hash of no UTF-8": "UPDATE audit SET hash = CAST(X'80' AS TEXT) WHERE number = 3",
    "bytes": "UPDATE audit SET mac = X'00FF' WHERE number = 3",
    "letters outside ASCII": "UPDATE audit SET mac = '王' WHERE number = 3",
    "a hash of bytes": "UPDATE audit SET hash = X'4141' WHERE number = 3",
    "no facts": "UPDATE audit SET facts = 'not json' WHERE number = 3",
    "facts that are a number": "UPDATE audit SET facts = '7' WHERE number = 3",
    "a time that is none": "UPDATE audit SET at = 'yesterday' WHERE number = 3",
    "a time of bytes": "UPDATE audit SET at = X'00' WHERE number = 3",
    "a number as time": "UPDATE audit SET at = 12.5 WHERE number = 3",
    "a huge text": "UPDATE audit SET reason = hex(zeroblob(5000000)) WHERE number = 3",
    "a zero byte": "UPDATE audit SET reason = 'a' || char(0) || 'b' WHERE number = 3",
}


def noted(registry: Registry, count: int) -> None:
    for number in range(count):
        registry.audit.note(AuditEntry("root", "session.open", f"user:{number}"))


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_named_whatever_is_in_it(tmp_path: Path, statement: str) -> None:
    with Registry.open(f"sqlite:///{tmp_path}/registry.db", custodian()) as registry:
        noted(registry, 5)
        whole = registry.audit.verify()
        with registry._context.database.write() as conn:
            overpower(conn)
            conn.execute(text(statement))
        report = registry.audit.verify((3, "0" * 64))
        assert {fault.number for fault in report.breaks} == {3}, report.breaks
        assert (report.rows, report.last_hash) == (5, whole.last_hash)


def test_nothing_at_all_in_every_column_is_named(tmp_path: Path) -> None:
    with Registry.open(f"sqlite:///{tmp_path}/registry.db", custodian()) as registry:
        noted(registry, 5)
        with registry._context.database.write() as conn:
            overpower(conn)
            conn.exec_driver_sql("CREATE TABLE loose AS SELECT * FROM audit")
            conn.exec_driver_sql("DROP TABLE audit")
            conn.exec_driver_sql("ALTER TABLE loose RENAME TO audit")
            conn.exec_driver_sql(
                "UPDATE audit SET at = NULL, actor = NULL, facts = NULL, hash = NULL, mac = NULL, previous = NULL "
                "WHERE number = 4"
            )
            conn.exec_driver_sql("INSERT INTO audit (number, actor) VALUES ('seven', 'x'), (NULL, 'y'), (X'00', 'z')")
        report = registry.audit.verify()
        assert [(fault.number, fault.kind) for fault in report.breaks] == [(0, "forged"), (4, "changed")]
        assert report.breaks[0].sentence.startswith("3 rows have no number")


def test_a_damaged_end_is_named(tmp_path: Path) -> None:
    with Registry.open(f"sqlite:///{tmp_path}/registry.db", custodian()) as registry:
        noted(registry, 3)
        with registry._context.database.write() as conn:
            overpower(conn)
            conn.exec_driver_sql("UPDATE audit SET actor = CAST(X'FF' AS TEXT) WHERE number = 3")
        assert [fault.number for fault in registry.audit.verify().breaks] == [3]
        with registry._context.database.write() as conn:
            conn.exec_driver_sql("UPDATE audit_head SET hash = CAST(X'FF' AS TEXT)")
        assert [(fault.number, fault.kind) for fault in registry.audit.verify().breaks] == [(3, "changed"), (3, "cut")]


def test_the_list_shows_a_row_with_damaged_facts(registry: Registry) -> None:
    noted(registry, 2)
    with registry._context.database.write() as conn:
        overpower(conn)
        conn.execute(text("UPDATE audit SET facts = 'not json' WHERE number = 1"))
    assert [row.number for row in registry.audit.page().items] == [2, 1]
