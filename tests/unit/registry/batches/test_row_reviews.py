"""The review of a draft in clear, and the unit's confirmation (annex 3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from registry.batches.confirmations import ConfirmedCounts
from registry.batches.row_reviews import ReviewProgress, RowMark
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import BatchState, RejectedRow
from tests.support.registry.registrar import UNIT, rows

PAPER = ConfirmedCounts(4, 4, "李娜", "0311-85000000", seal=True)


def draft(registry: Registry, *, needs_confirmation: bool = False) -> str:
    """Three accepted rows and a rejected one."""
    rejected = [RejectedRow(99, 4, ("ID_CHECKSUM",), "校验位不符", "司***")]
    batch = registry.rosters.import_roster(
        UNIT, rows(3), rejected, source="f.xlsx", digest="d", by="张", needs_confirmation=needs_confirmation
    )
    return batch.id


def test_rows_are_shown_in_clear_with_their_copy_and_the_look_is_audited(registry: Registry) -> None:
    batch = draft(registry)
    first = registry.row_reviews.look(batch, by="王", reason="附件5核对", limit=2)
    people = [row.person for row in rows(3)]
    assert [row.person for row in first.rows] == people[:2]
    assert [row.copy for row in first.rows] == [row.seq for row in rows(3)][:2]
    assert first.rows[0].unit == UNIT
    assert people[0].name not in repr(first)
    entry = registry.audit.page(None, 1).items[0].entry
    assert (entry.actor, entry.action, entry.reason) == ("王", "batch.look", "附件5核对")
    assert entry.subject == f"batch:{batch}"
    assert entry.facts == {"count": 2, "row_from": first.rows[0].sheet_row, "row_to": first.rows[1].sheet_row}
    assert first.next is not None
    rest = registry.row_reviews.look(batch, by="王", reason="附件5核对", after=first.next, printed=True)
    assert [row.person for row in rest.rows] == [people[2], None]
    assert (rest.rows[1].name_masked, rest.rows[1].copy, rest.next) == ("司***", 4, None)
    assert registry.audit.page(None, 1).items[0].entry.facts["printed"] is True


def test_who_imported_a_draft_does_not_review_it(registry: Registry) -> None:
    batch = draft(registry)
    for by in ("张", " 张 (unproven)"):
        with pytest.raises(RegistryConflict, match="second person"):
            registry.row_reviews.look(batch, by=by, reason="x")
        with pytest.raises(RegistryConflict, match="second person"):
            registry.row_reviews.mark(batch, 99, RowMark.RIGHT, by=by)
        with pytest.raises(RegistryConflict, match="second person"):
            registry.confirmations.confirm(batch, PAPER, by=by)
    with pytest.raises(RegistryConflict, match="not sent"):
        registry.row_reviews.look(batch, by="王", reason="x", sent=True)
    with pytest.raises(RegistryConflict, match="reason"):
        registry.row_reviews.look(batch, by="王", reason=" ")


def test_marks_are_stored_and_the_review_goes_on_where_it_was(registry: Registry) -> None:
    batch = draft(registry)
    first, second, third = (row.sheet_row for row in rows(3))
    assert registry.row_reviews.progress(batch) == ReviewProgress(4, 0, 0, first - 1)
    registry.row_reviews.mark(batch, first, RowMark.RIGHT, by="王")
    progress = registry.row_reviews.mark(batch, second, RowMark.DOUBT, "复印件为 13931177777", by="王")
    assert (progress.right, progress.doubts, progress.open, progress.resume_after) == (1, 1, 2, third - 1)
    (doubt,) = registry.row_reviews.doubts(batch)
    assert (doubt.sheet_row, doubt.note, doubt.by) == (second, "复印件为 ****7777", "王")
    with pytest.raises(RegistryConflict, match="1 rows in doubt"):
        registry.batches.approve(batch, "王")
    with pytest.raises(RegistryConflict, match="in a few words"):
        registry.row_reviews.mark(batch, third, RowMark.DOUBT, " ", by="王")
    with pytest.raises(NotOnRecord, match="no row 77"):
        registry.row_reviews.mark(batch, 77, RowMark.RIGHT, by="王")
    assert registry.row_reviews.mark(batch, second, None, by="王").doubts == 0
    assert registry.batches.approve(batch, "王").state is BatchState.APPROVED
    with pytest.raises(RegistryConflict, match="only a draft"):
        registry.row_reviews.look(batch, by="王", reason="x")


def test_counts_that_differ_are_refused_or_explained(registry: Registry) -> None:
    batch = draft(registry)
    for counts, sentence in (
        (replace(PAPER, members=5), "5 members and 4 ID copies, and .* has 4 rows"),
        (replace(PAPER, copies=3), "4 members and 3 ID copies"),
        (replace(PAPER, seal=False), "no seal"),
    ):
        with pytest.raises(RegistryConflict, match=sentence):
            registry.confirmations.confirm(batch, counts, by="王")
        done = registry.confirmations.confirm(batch, replace(counts, explanation="一人已调出 13931177777"), by="王")
        assert (done.members, done.copies, done.seal) == (counts.members, counts.copies, counts.seal)
        assert done.explanation == "一人已调出 ****7777"
    last = registry.confirmations.confirm(batch, PAPER, by="王")
    assert registry.confirmations.of(batch) == last
    assert (last.people, last.contact_masked, last.phone_masked, last.current) == (4, "李*", "*********0000", True)
    assert "李娜" not in repr(registry.confirmations.sheet(batch, by="王"))
    assert registry.audit.page(None, 1).items[0].entry.action == "batch.cover"


def test_a_form_with_annex_3_is_approved_only_with_it(registry: Registry) -> None:
    batch = draft(registry, needs_confirmation=True)
    assert registry.batches.batch(batch).needs_confirmation
    with pytest.raises(RegistryConflict, match="annex 3"):
        registry.batches.approve(batch, "王")
    registry.confirmations.confirm(batch, PAPER, by="王")
    assert registry.batches.approve(batch, "王").state is BatchState.APPROVED


def test_the_database_itself_holds_the_rules_of_a_review(registry: Registry) -> None:
    batch = draft(registry, needs_confirmation=True)
    approve = "UPDATE batches SET stage = 'approved', approved_by = '王'"

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict as error:
            return "contradicts" in str(error)
        return False

    assert refused(approve)
    assert refused("UPDATE batches SET needs_confirmation = false")
    registry.confirmations.confirm(batch, PAPER, by="王")
    assert refused("UPDATE confirmations SET \"by\" = '张'")
    assert refused("UPDATE confirmations SET members = 5")
    registry.row_reviews.mark(batch, 99, RowMark.DOUBT, "看不清", by="王")
    assert refused("UPDATE row_reviews SET note = ''")
    assert refused(approve)
    registry.row_reviews.mark(batch, 99, RowMark.RIGHT, by="王")
    assert not refused(approve)


def test_a_discarded_draft_leaves_no_marks_and_no_contact(registry: Registry) -> None:
    batch = draft(registry)
    registry.row_reviews.mark(batch, 99, RowMark.DOUBT, "看不清", by="王")
    registry.confirmations.confirm(batch, PAPER, by="王")
    registry.batches.discard(batch, "张", reason="x")
    assert registry.row_reviews.doubts(batch) == []
    assert registry.confirmations.of(batch) is None
