"""Drafts between clerk and reviewer: submitted, returned, and what approval would change."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from registry.admin.audit import AuditFilter
from registry.batches.reviews import ChangeKind, ReviewStep
from registry.db.paging import BadCursor
from registry.db.tables import roster_rows
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import RejectedRow
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, carded, row, rows


def draft(registry: Registry, digest: str = "d") -> str:
    return registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest=digest, by="张").id


def test_a_draft_goes_to_the_reviewer_and_back(registry: Registry) -> None:
    batch, other = draft(registry), registry.rosters.import_roster(UNIT, [], [], source="f", digest="d2", by="张").id
    with pytest.raises(RegistryConflict, match="is not sent"):
        registry.reviews.give_back(batch, by="李", reason="x")
    registry.reviews.submit(batch, by="张")
    with pytest.raises(RegistryConflict, match="with the reviewers already"):
        registry.reviews.submit(batch, by="张")
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.reviews.give_back(batch, by="李", reason="")
    registry.reviews.give_back(batch, by="李", reason="第 3 行电话 13903110003 不对")
    registry.reviews.submit(batch, by="张")
    assert [(event.step, event.by, event.reason) for event in registry.reviews.of(batch)] == [
        (ReviewStep.SUBMITTED, "张", ""),
        (ReviewStep.RETURNED, "李", "第 3 行电话 ****0003 不对"),
        (ReviewStep.SUBMITTED, "张", ""),
    ]
    standing = registry.reviews.standing([batch, other])
    assert {name: event.step for name, event in standing.items()} == {batch: ReviewStep.SUBMITTED}
    registry.batches.approve(batch, "李")
    with pytest.raises(RegistryConflict, match="only a draft is reviewed"):
        registry.reviews.give_back(batch, by="李", reason="x")
    entries = [row.entry.action for row in registry.audit.page(where=AuditFilter(subject=f"batch:{batch}")).items]
    assert entries == ["batch.approve", "batch.submit", "batch.return", "batch.submit", "roster.import"]
    with pytest.raises(NotOnRecord):
        registry.reviews.of("B0")


def test_a_reviewer_sees_what_changes(registry: Registry, custody: MemoryCustody) -> None:
    (card, *_) = carded(registry, custody, 2)
    for number in (1, 2):
        registry.cards.change(registry.cards.of_member(number)[0].card_number, "lost", "前台", "挂失")
    coming = [row(1), row(2, mobile="13999990002", name="欧阳新"), row(3)]
    rejected = [RejectedRow(9, 9, ("X",), "x")]
    batch = registry.rosters.import_roster(UNIT, coming, rejected, source="f", digest="d2", by="张").id
    changes = registry.reviews.changes(batch).items
    assert [(change.kind, change.fields) for change in changes] == [
        (ChangeKind.SAME, ()),
        (ChangeKind.CHANGED, ("name", "mobile")),
        (ChangeKind.NEW, ()),
    ]
    assert (changes[1].name_before, changes[1].name_after) == ("欧****", "欧**")
    assert (changes[1].mobile_before, changes[1].mobile_after) == ("*******0002", "*******0002")
    assert (changes[2].name_before, changes[2].name_after) == ("", "欧****")
    counts = registry.reviews.change_counts(batch)
    assert counts == {ChangeKind.NEW: 1, ChangeKind.CHANGED: 1, ChangeKind.SAME: 1}
    for ask in (registry.reviews.changes, registry.reviews.change_counts):
        with pytest.raises(NotOnRecord):
            ask("B0")
    assert card.member_id == 1


def test_changes_come_in_pages_by_kind(registry: Registry, monkeypatch: Any) -> None:
    monkeypatch.setattr("registry.batches.reviews._CHUNK", 3)
    known = registry.rosters.import_roster(UNIT, rows(6), [], source="f", digest="d1", by="张").id
    registry.batches.approve(known, "李")
    with registry._context.database.write() as conn:
        conn.execute(update(roster_rows).values(open=False))
    coming = [row(number, name="" if number % 2 == 0 else f"改{number}") for number in range(1, 10)]
    batch = registry.rosters.import_roster(UNIT, coming, [], source="f", digest="d2", by="张").id
    seen: list[tuple[int, ChangeKind]] = []
    cursor = None
    while True:
        page = registry.reviews.changes(batch, cursor, 2, kinds={ChangeKind.CHANGED, ChangeKind.NEW})
        assert len(page.items) <= 2
        seen += [(change.sheet_row, change.kind) for change in page.items]
        if (cursor := page.next) is None:
            break
    changes, new = ChangeKind.CHANGED, ChangeKind.NEW
    assert seen == [(3, changes), (5, changes), (7, changes), (9, new), (10, new), (11, new)]
    assert registry.reviews.change_counts(batch) == {new: 3, changes: 3, ChangeKind.SAME: 3}
    assert registry.reviews.changes(batch, kinds={ChangeKind.BACK}).items == ()
    with pytest.raises(BadCursor):
        registry.reviews.changes(batch, "nonsense")
