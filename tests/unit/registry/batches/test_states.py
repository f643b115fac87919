"""Batches counted and filtered by state, and the rows of one with the rejected ones first, by the database."""

from __future__ import annotations

from registry.store import Registry
from registry.values import RejectedRow
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, approved, carded, claimed, ready, rows


def test_batches_are_counted_and_filtered_by_state(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody, 2)
    ready(registry, custody, 1, "d2", 10)
    claimed(registry, ready(registry, custody, 2, "d3", 20), 20)
    approved(registry, rows(1, 30), "d4")
    drafts = [
        registry.rosters.import_roster(UNIT, rows(1, n), [], source="f", digest=f"{n}", by="张") for n in (41, 42)
    ]
    registry.reviews.submit(drafts[0].id, by="张")
    expected = {"draft": 1, "submitted": 1, "approved": 1, "prepared": 1, "running": 1, "done": 1}
    assert registry.batches.state_counts() == expected
    for state in expected:
        (batch,) = registry.batches.page(state=state).items
        assert batch.state.value == ("draft" if state == "submitted" else state)
    registry.reviews.give_back(drafts[0].id, by="李", reason="缺照片")
    assert registry.batches.state_counts()["returned"] == 1
    assert registry.batches.page(state="closed").items == ()


def test_rejected_rows_come_first_page_by_page(registry: Registry) -> None:
    bad = [RejectedRow(number, number, ("PHONE_MISSING",), "没有填写手机号码。") for number in (7, 8)]
    batch = registry.rosters.import_roster(UNIT, rows(3), bad, source="f", digest="d", by="张").id
    first = registry.rosters.page(batch, None, 3, rejected_first=True)
    further = registry.rosters.page(batch, first.next, 3, rejected_first=True)
    assert [line.sheet_row for line in (*first.items, *further.items)] == [7, 8, 3, 4, 5]
    assert registry.rosters.row_counts(batch) == {"rejected": 2, "accepted": 3, "change": 0, "unchanged": 0, "noted": 0}
