"""Edits of a roster on record: each changed row is judged by the intake's rules before it is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import partial

from personalize.intake.check import KnownPerson, Lookup
from personalize.intake.single import RowBefore, RowCells, check_row
from personalize.intake.values import Rejected, RosterReport, Row, RowOnRecord
from personalize.rosters import known_rows, to_import
from registry.batches.editing.differences import RowDifference
from registry.batches.editing.edits import CorrectedRoster
from registry.batches.editing.rows import NewRow
from registry.batches.originals import Original
from registry.errors import RegistryConflict
from registry.store import Registry
from registry.values import AcceptedRow, KnownRow, RejectedRow

_NEEDED = ("id_number", "name", "gender", "mobile", "unit")


def edit_row(
    registry: Registry,
    batch_id: str,
    sheet_row: int | None,
    cells: RowCells,
    *,
    by: str,
    reason: str,
    today: date,
    state: int | None = None,
) -> RowDifference:
    """Give a row these values, or add one (``sheet_row`` None); its findings are renewed. ``state`` is that of the
    edits that were looked at (``BatchEdits.state``): where there is a later one, the edit is refused.

    Raises NotOnRecord, RegistryConflict as ``BatchEdits.change`` does, or for a rejected row, whose values are not on
    record, of which not all are given.
    """
    editable = registry.edits.row(batch_id, sheet_row)
    row = editable.row
    missing = [name for name in _NEEDED if name not in cells.given]
    if sheet_row is not None and row.person is None and missing:
        sentence = f"row {sheet_row} was rejected, so its values are not on record: give all of them"
        raise RegistryConflict(sentence, reason="row-values-missing", row=sheet_row)
    others = partial(registry.edits.rows_of, batch_id, besides=row.sheet_row)
    before = RowBefore(row.sheet_row, row.seq, row.person, row.unit, editable.batch_unit, row.codes)
    judged = check_row(before, cells, known=without_batch(registry, batch_id), others=others, today=today)
    return registry.edits.change(
        batch_id, _stored(judged), by=by, reason=reason, state=editable.state if state is None else state
    )


def without_batch(registry: Registry, batch_id: str) -> Lookup:
    """Who is on record, as if a draft were not there: for its corrected form."""

    def known(id_numbers: Collection[str]) -> Mapping[str, KnownPerson]:
        return registry.rosters.known_members(id_numbers, without=batch_id)

    return known


def corrected(
    report: RosterReport, source: str, *, needs_confirmation: bool, original: Original | None = None
) -> CorrectedRoster:
    """A checked form as the corrected one of a batch; it was checked with ``without_batch``."""
    accepted, rejected = to_import(report)
    known = known_rows(report)
    return CorrectedRoster(
        report.unit or "", accepted, rejected, known, report.digest, source, needs_confirmation, original
    )


def _stored(row: Row) -> NewRow:
    if isinstance(row, Rejected):
        return RejectedRow(row.sheet_row, row.seq, row.codes, row.sentence(), row.name_masked)
    if isinstance(row, RowOnRecord):
        return KnownRow(row.sheet_row, row.seq, row.person, row.unit, row.codes, row.above, row.is_change)
    return AcceptedRow(row.sheet_row, row.seq, row.person, row.unit, row.notes, row.above)
