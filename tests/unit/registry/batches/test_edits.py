"""A returned roster is edited in place, or by a corrected form; the history is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from threading import Barrier, Thread

import pytest
from sqlalchemy import func, select, text

from personalize.intake.single import RowCells
from personalize.roster_edits import edit_row, without_batch
from registry.batches.confirmations import ConfirmedCounts
from registry.batches.editing.differences import RowChange, RowDifference
from registry.batches.editing.edits import CorrectedRoster
from registry.batches.row_reviews import RowMark
from registry.db.tables import edit_undos
from registry.errors import NotOnRecord, RegistryConflict
from registry.store import Registry
from registry.values import AcceptedRow, BatchState, KnownRow, RejectedRow
from terminal.keys.memory import MemoryCustody
from terminal.member.values import Sex
from tests.support.forms import id_number
from tests.support.registry.registrar import UNIT, carded, row

TODAY = date(2026, 11, 22)
REJECTED = RejectedRow(99, 9, ("PHONE_FORMAT",), "手机号不符", "司***")


def even(number: int) -> AcceptedRow:
    """A woman's row without faults: the 17th digit of her number is even."""
    given = row(number, name="欧阳" + "甲乙丙丁戊己庚辛"[number - 1])
    person = replace(given.person, id_number=id_number(serial=2 * number), sex=Sex.FEMALE)
    return replace(given, person=person)


def people(count: int) -> list[AcceptedRow]:
    return [even(number) for number in range(1, count + 1)]


def draft(registry: Registry, accepted: Sequence[AcceptedRow], *, needs_confirmation: bool = False) -> str:
    """A draft of these rows and the rejected one."""
    return registry.rosters.import_roster(
        UNIT, accepted, [REJECTED], source="f.xlsx", digest="d", by="张", needs_confirmation=needs_confirmation
    ).id


def edit(registry: Registry, batch: str, sheet_row: int | None, cells: RowCells, by: str = "张") -> RowDifference:
    return edit_row(registry, batch, sheet_row, cells, by=by, reason="按退回意见", today=TODAY)


def form(*accepted: AcceptedRow, unit: str = UNIT, rejected: Sequence[RejectedRow] = (REJECTED,)) -> CorrectedRoster:
    return CorrectedRoster(unit, accepted, rejected, (), "d2", "g.xlsx")


def whole(number: int, **other: str) -> RowCells:
    """All cells of a row."""
    person = even(number).person
    cells = {"id_number": person.id_number, "name": person.name, "gender": "女", "mobile": person.mobile, "unit": UNIT}
    return RowCells(**(cells | other))


def test_a_field_is_replaced_and_the_findings_renewed_at_once(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    changed = edit(registry, batch, first.sheet_row, RowCells(mobile=" 137-0000-0000 "))
    assert (changed.change, changed.fields, changed.sheet_row) == (RowChange.CHANGED, ("mobile",), first.sheet_row)
    assert changed.before is not None
    assert changed.after is not None
    assert (changed.before.mobile_masked, changed.after.mobile_masked) == ("*" * 7 + "0001", "*" * 7 + "0000")
    assert changed.after.codes == ("PHONE_NORMALIZED",)
    shown = registry.row_reviews.look(batch, by="王", reason="核对").rows
    assert [one.person.mobile for one in shown if one.person] == ["13700000000", second.person.mobile]
    rejected = edit(registry, batch, first.sheet_row, RowCells(mobile="0311-85000000"))
    assert rejected.after is not None
    assert (rejected.after.verdict, rejected.after.codes) == ("rejected", ("PHONE_FORMAT",))
    assert (registry.batches.batch(batch).accepted, registry.batches.batch(batch).rejected) == (1, 2)
    assert registry.rosters.known_members([first.person.id_number]) == {}, "only the draft had named the person"


def test_a_rejected_row_needs_all_its_values(registry: Registry) -> None:
    batch = draft(registry, people(1))
    with pytest.raises(RegistryConflict, match="row 99 was rejected"):
        edit(registry, batch, 99, RowCells(mobile="13700000000"))
    mended = edit(registry, batch, 99, whole(5))
    assert mended.after is not None
    assert (mended.after.verdict, mended.fields) == ("accepted", ("name", "verdict"))
    assert registry.batches.batch(batch).accepted == 2


def test_rows_are_added_and_left_out(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    added = edit(registry, batch, None, whole(7, seq="10"))
    assert (added.change, added.sheet_row, added.before) == (RowChange.ADDED, 100, None)
    gone = registry.edits.leave_out(batch, first.sheet_row, by="张", reason="已退休 13931177777")
    assert (gone.change, gone.sheet_row, gone.after) == (RowChange.LEFT_OUT, first.sheet_row, None)
    assert [line.sheet_row for line in registry.rosters.rows(batch)] == [second.sheet_row, 99, 100]
    assert registry.rosters.known_members([first.person.id_number]) == {}
    with pytest.raises(NotOnRecord, match="no row 3"):
        registry.edits.leave_out(batch, first.sheet_row, by="张", reason="x")
    registry.edits.leave_out(batch, second.sheet_row, by="张", reason="x")
    with pytest.raises(RegistryConflict, match="discard it instead"):
        registry.edits.leave_out(batch, 100, by="张", reason="x")
    newest, *_, oldest = registry.edits.history(batch).items
    assert (newest.difference.sheet_row, oldest.difference) == (second.sheet_row, added)
    assert registry.edits.history(batch).items[1].reason == "已退休 ****7777"
    assert registry.edits.history(batch, limit=1).next is not None
    assert registry.audit.page(None, 1).items[0].entry.action == "batch.edit"
    assert first.person.id_number not in str(registry.edits.history(batch))
    assert first.person.name not in str(registry.edits.history(batch))


def test_a_person_of_another_row_stands_twice(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    twice = edit(registry, batch, second.sheet_row, RowCells(id_number=first.person.id_number))
    assert twice.after is not None
    assert twice.after.codes == ("DUPLICATE_IN_FILE",)


def test_a_row_of_a_person_with_a_card_changes_nothing(registry: Registry, custody: MemoryCustody) -> None:
    carded(registry, custody)
    holder = row(1)
    batch = draft(registry, people(2)[1:])
    known = without_batch(registry, batch)([holder.person.id_number])
    assert known[holder.person.id_number].living_card
    known_row = KnownRow(50, 1, holder.person, UNIT, ("UNCHANGED",), "", change=False)
    state = registry.edits.row(batch).state
    done = registry.edits.change(batch, known_row, by="张", reason="x", state=state)
    assert done.after is not None
    assert done.after.verdict == "unchanged"
    assert registry.batches.batch(batch).unchanged == 1
    with pytest.raises(RegistryConflict, match="edited meanwhile"):
        registry.edits.change(batch, known_row, by="张", reason="x", state=state)
    with pytest.raises(RegistryConflict, match="has these values already"):
        registry.edits.change(batch, known_row, by="张", reason="x", state=registry.edits.row(batch).state)


def test_an_edit_of_what_was_not_seen_is_refused(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    assert registry.edits.state(batch) == 0
    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"))
    seen = registry.edits.history(batch).items[0].number
    assert registry.edits.state(batch) == seen > 0
    with pytest.raises(RegistryConflict, match="edited meanwhile"):
        registry.edits.leave_out(batch, second.sheet_row, by="张", reason="x", state=0)
    assert registry.edits.leave_out(batch, second.sheet_row, by="张", reason="x", state=seen).after is None


def at_once(*attempts: Callable[[], object]) -> list[str]:
    """The reasons of those of these attempts that were refused."""
    start, refused = Barrier(len(attempts)), list[str]()

    def attempt(one: Callable[[], object]) -> None:
        start.wait(timeout=60)
        try:
            one()
        except RegistryConflict as error:
            refused.append(error.reason)

    threads = [Thread(target=attempt, args=(one,)) for one in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused


def test_of_two_edits_at_once_the_later_one_is_refused(registry: Registry) -> None:
    (first,) = people(1)
    batch = draft(registry, [first])

    def change(mobile: str) -> None:
        cells = RowCells(mobile=mobile)
        edit_row(registry, batch, first.sheet_row, cells, by="张", reason="x", today=TODAY, state=0)

    assert at_once(lambda: change("13700000001"), lambda: change("13700000002")) == ["batch-edited"]
    assert len(registry.edits.history(batch).items) == 1


def test_an_edit_and_an_approval_at_once_are_one_after_the_other(registry: Registry) -> None:
    (first,) = people(1)
    batch = draft(registry, [first])
    refused = at_once(
        lambda: edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"), by="王"),
        lambda: registry.batches.approve(batch, "王"),
    )
    edited = bool(registry.edits.history(batch).items)
    approved = registry.batches.batch(batch).state is BatchState.APPROVED
    assert (edited, approved, len(refused)) in ((True, False, 1), (False, True, 1))


def test_a_person_named_by_another_draft_gets_the_card_there(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    named = KnownRow(3, 1, first.person, UNIT, ("UNCHANGED",), "", change=False)
    other = registry.rosters.import_roster(UNIT, [even(8)], [], source="o", digest="o", by="张", known=[named]).id
    changed = edit(registry, batch, first.sheet_row, RowCells(name="欧阳新"))
    assert changed.fields == ("name",)
    assert registry.batches.batch(other).accepted == 1, "the draft that is edited still makes the card"
    registry.edits.leave_out(batch, first.sheet_row, by="张", reason="x")
    assert registry.batches.batch(other).accepted == 2


def test_marks_of_a_changed_row_and_the_confirmation_of_another_number_fall_away(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second], needs_confirmation=True)
    paper = ConfirmedCounts(3, 3, "李娜", "0311-85000000", seal=True)
    for one in (first, second):
        registry.row_reviews.mark(batch, one.sheet_row, RowMark.RIGHT, by="王")
    registry.confirmations.confirm(batch, paper, by="王")
    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"))
    assert registry.row_reviews.progress(batch).right == 1
    assert registry.confirmations.of(batch) is not None, "the number is the same"
    edit(registry, batch, None, whole(7))
    assert registry.confirmations.of(batch) is None
    registry.edits.leave_out(batch, first.sheet_row, by="张", reason="x")
    with pytest.raises(RegistryConflict, match="annex 3"):
        registry.batches.approve(batch, "王")


def contents(registry: Registry, batch: str) -> list[tuple[object, ...]]:
    """The rows of a batch, as they are masked, with persons and units in clear."""
    look = registry.edits.row
    rows = [look(batch, line.sheet_row).row for line in registry.rosters.rows(batch)]
    return [(row.sheet_row, row.seq, row.verdict, row.codes, row.person, row.unit, row.message) for row in rows]


def test_edits_are_undone_one_after_the_other(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    before = contents(registry, batch)
    assert not registry.edits.undoable(batch)
    edit(registry, batch, first.sheet_row, RowCells(mobile="0311-85000000"))
    edit(registry, batch, None, whole(7))
    edit(registry, batch, 99, whole(5))
    registry.edits.leave_out(batch, second.sheet_row, by="张", reason="x")
    seen = registry.edits.state(batch)
    with pytest.raises(RegistryConflict, match="edited meanwhile"):
        registry.edits.undo(batch, by="李", state=seen - 1)
    changes = [registry.edits.undo(batch, by="李", state=seen)]
    while registry.edits.undoable(batch):
        changes.append(registry.edits.undo(batch, by="张"))
    assert [[(one.change, one.sheet_row) for one in shown] for shown in changes] == [
        [(RowChange.ADDED, second.sheet_row)],
        [(RowChange.CHANGED, 99)],
        [(RowChange.LEFT_OUT, 100)],
        [(RowChange.CHANGED, first.sheet_row)],
    ]
    assert contents(registry, batch) == before
    assert registry.rosters.known_members([even(7).person.id_number]) == {}
    assert len(registry.edits.history(batch).items) == 8
    assert registry.edits.history(batch).items[0].reason == "撤销 undone"
    with pytest.raises(RegistryConflict, match="left to undo"):
        registry.edits.undo(batch, by="张")
    with pytest.raises(RegistryConflict, match="second person"):
        registry.batches.approve(batch, "李")


def test_a_corrected_form_is_undone_as_a_whole(registry: Registry) -> None:
    first, second, third = people(3)
    batch = draft(registry, [first, second, third])
    before, source = contents(registry, batch), registry.batches.batch(batch)
    moved = replace(second, sheet_row=3)
    corrected = form(moved, even(6), rejected=())
    registry.edits.correct(
        batch, corrected, by="张", reason="x", seen=registry.edits.corrections(batch, corrected).seen
    )
    kinds = {one.change for one in registry.edits.undo(batch, by="张")}
    assert kinds == {RowChange.ADDED, RowChange.LEFT_OUT}
    assert (contents(registry, batch), registry.batches.batch(batch)) == (before, source)
    with pytest.raises(RegistryConflict, match="imported before"):
        registry.rosters.import_roster(UNIT, [even(8)], [], source="f.xlsx", digest="d", by="张")
    registry.rosters.import_roster(UNIT, [even(8)], [], source="g.xlsx", digest="d2", by="张")


def test_nothing_is_undone_once_the_batch_is_submitted_and_its_data_are_gone(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])

    def left() -> int:
        with registry._context.read() as conn:
            return conn.execute(select(func.count()).select_from(edit_undos)).scalar_one()

    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"))
    assert left() == 1
    registry.reviews.submit(batch, by="张")
    assert left() == 0
    with pytest.raises(RegistryConflict, match="with the reviewers"):
        registry.edits.undo(batch, by="张")
    registry.reviews.give_back(batch, by="王", reason="x")
    with pytest.raises(RegistryConflict, match="left to undo"):
        registry.edits.undo(batch, by="张")
    registry.edits.leave_out(batch, first.sheet_row, by="张", reason="x")
    registry.batches.discard(batch, by="张", reason="x")
    assert left() == 0


def test_a_person_who_is_in_another_batch_by_now_does_not_come_back(registry: Registry) -> None:
    first, second = people(2)
    batch = draft(registry, [first, second])
    registry.edits.leave_out(batch, first.sheet_row, by="张", reason="x")
    registry.rosters.import_roster(UNIT, [first], [], source="o", digest="o", by="张")
    with pytest.raises(RegistryConflict):
        registry.edits.undo(batch, by="张")
    assert registry.edits.undoable(batch), "nothing was changed"


def test_who_edits_neither_reviews_nor_approves(registry: Registry) -> None:
    (first,) = people(1)
    batch = draft(registry, [first])
    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"), by="李 (unproven)")
    assert registry.batches.imported_by_person(batch, "李")
    for attempt in (
        lambda: registry.row_reviews.look(batch, by="李", reason="x"),
        lambda: registry.batches.approve(batch, "李"),
    ):
        with pytest.raises(RegistryConflict, match="second person"):
            attempt()
    assert registry.batches.approve(batch, "王").state is BatchState.APPROVED
    with pytest.raises(RegistryConflict, match="no draft"):
        edit(registry, batch, first.sheet_row, RowCells(mobile="13700000001"))


def test_a_batch_with_the_reviewers_is_not_edited(registry: Registry) -> None:
    (first,) = people(1)
    batch = draft(registry, [first])
    registry.reviews.submit(batch, by="张")
    with pytest.raises(RegistryConflict, match="with the reviewers"):
        edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"))
    registry.reviews.give_back(batch, by="王", reason="电话不符")
    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"))


def test_a_corrected_form_shows_its_differences_before_it_is_accepted(registry: Registry) -> None:
    first, second, third = people(3)
    batch = draft(registry, [first, second, third], needs_confirmation=True)
    registry.row_reviews.mark(batch, second.sheet_row, RowMark.RIGHT, by="王")
    registry.row_reviews.mark(batch, third.sheet_row, RowMark.DOUBT, "电话", by="王")
    moved = replace(second, sheet_row=3)
    phoned = replace(third, sheet_row=4, person=replace(third.person, mobile="13700000000"))
    mended = replace(even(5), sheet_row=99, seq=9, person=replace(even(5).person, name="司马相如"))
    corrected = form(moved, phoned, mended, even(6), rejected=())
    shown = registry.edits.corrections(batch, corrected)
    kinds = [(one.change, one.sheet_row, one.fields) for one in shown.rows]
    assert kinds == [
        (RowChange.CHANGED, 4, ("mobile",)),
        (RowChange.ADDED, 8, ()),
        (RowChange.CHANGED, 99, ("verdict",)),
        (RowChange.LEFT_OUT, first.sheet_row, ()),
    ]
    assert shown.unchanged == 1
    assert registry.batches.batch(batch).accepted == 3, "nothing is stored yet"
    with pytest.raises(RegistryConflict, match="others than those shown"):
        registry.edits.correct(batch, corrected, by="张", reason="x", seen="0" * 64)
    done = registry.edits.correct(batch, corrected, by="赵", reason="按退回意见", seen=shown.seen)
    assert done.counts == {"added": 1, "left-out": 1, "changed": 2}
    now = registry.batches.batch(batch)
    assert (now.accepted, now.rejected, now.source, now.imported_by) == (4, 0, "g.xlsx", "张")
    progress = registry.row_reviews.progress(batch)
    assert (progress.right, progress.doubts) == (1, 0), "the mark of the row that only moved stays"
    assert {one.difference for one in registry.edits.history(batch).items} == set(shown.rows)
    assert all(one.corrected for one in registry.edits.history(batch).items)
    assert registry.rosters.known_members([first.person.id_number]) == {}
    with pytest.raises(RegistryConflict, match="imported before"):
        registry.edits.corrections(batch, corrected)
    with pytest.raises(RegistryConflict, match="does not differ"):
        registry.edits.corrections(batch, replace(corrected, digest="d3"))
    with pytest.raises(RegistryConflict, match="of another union, and batch"):
        registry.edits.corrections(batch, replace(corrected, digest="d3", unit="another union"))
    with pytest.raises(RegistryConflict, match="second person"):
        registry.row_reviews.look(batch, by="赵", reason="x")


def test_the_database_itself_holds_the_rules_of_edits(registry: Registry) -> None:
    (first,) = people(1)
    batch = draft(registry, [first])
    edit(registry, batch, first.sheet_row, RowCells(mobile="13700000000"), by="李")

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict as error:
            return "contradicts" in str(error)
        return False

    again = (
        'INSERT INTO row_edits (batch_id, sheet_row, at, "by", reason, change, fields, "before", "after", corrected) '
        'SELECT batch_id, sheet_row, at, "by", reason, change, fields, "before", "after", corrected FROM row_edits'
    )
    assert refused("UPDATE row_edits SET \"by\" = '王'")
    assert refused("DELETE FROM row_edits")
    assert refused("UPDATE batches SET stage = 'approved', approved_by = '李'")
    assert not refused(again)
    registry.reviews.submit(batch, by="张")
    assert refused(again)
    assert not refused("UPDATE batches SET stage = 'approved', approved_by = '王'")
