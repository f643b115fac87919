"""Rows of a draft in clear, as they are compared, and as they are stored again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from registry.batches.editing.differences import ComparedRow
from registry.batches.persons import changed_person, open_person, open_row
from registry.batches.stored_rows import unit_name_of
from registry.batches.units import UnitsOnRecord
from registry.db.privacy import PersonalData
from registry.db.tables import members, roster_rows, units
from registry.errors import NotOnRecord
from registry.values import AcceptedRow, KnownRow, RejectedRow

NewRow = AcceptedRow | RejectedRow | KnownRow


def rows_on_record(
    conn: Connection, personal: PersonalData, batch_id: str, sheet_row: int | None = None, *, missing: bool = False
) -> list[ComparedRow]:
    """The rows of a batch in clear, or one of them. Raises NotOnRecord for one that is not there, or with ``missing``
    gives none."""
    named = units.alias()
    chosen = (
        select(roster_rows.c.sheet_row, roster_rows.c.verdict, roster_rows.c.codes)
        .add_columns(roster_rows.c.sealed.label("row_sealed"), roster_rows.c.seal_key.label("row_key"))
        .add_columns(members.c.id, members.c.sealed, members.c.seal_key)
        .add_columns(func.coalesce(named.c.name, units.c.name, "").label("unit"))
        .join_from(roster_rows, members, members.c.id == roster_rows.c.member_id, isouter=True)
        .join(units, units.c.id == members.c.unit_id, isouter=True)
        .join(named, named.c.id == roster_rows.c.unit_id, isouter=True)
        .where(roster_rows.c.batch_id == batch_id)
        .order_by(roster_rows.c.sheet_row)
    )
    if sheet_row is not None:
        chosen = chosen.where(roster_rows.c.sheet_row == sheet_row)
    rows = [_of_record(personal, batch_id, row) for row in conn.execute(chosen)]
    if sheet_row is not None and not rows and not missing:
        sentence = f"batch {batch_id} has no row {sheet_row}"
        raise NotOnRecord(sentence, reason="row", batch=batch_id, row=sheet_row)
    return rows


def _of_record(personal: PersonalData, batch_id: str, row: Row[*tuple[Any, ...]]) -> ComparedRow:
    fields = open_row(personal, batch_id, row.sheet_row, row.row_key, row.row_sealed, row.verdict)
    person = None if row.id is None else changed_person(fields) or open_person(personal, row)
    name = fields.get("name_masked", "") if person is None else person.name_masked
    return ComparedRow(
        row.sheet_row,
        fields["seq"],
        row.verdict,
        tuple(row.codes.split()),
        person,
        name,
        row.unit,
        str(fields.get("message", "")),
    )


def row_of_form(conn: Connection, batch_unit: str, row: NewRow, known: UnitsOnRecord | None = None) -> ComparedRow:
    codes = tuple(map(str, row.codes))
    if isinstance(row, RejectedRow):
        return ComparedRow(row.sheet_row, row.seq, "rejected", codes, None, row.name_masked, "")
    verdict = "accepted"
    if isinstance(row, KnownRow):
        verdict = "change" if row.change else "unchanged"
    unit = unit_name_of(known or UnitsOnRecord(conn), row, batch_unit)
    return ComparedRow(row.sheet_row, row.seq, verdict, codes, row.person, row.person.name_masked, unit)


def row_to_store(row: ComparedRow) -> NewRow:
    """A row that was on record, as it is stored again."""
    if row.person is None:
        return RejectedRow(row.sheet_row, row.seq, row.codes, row.message, row.name_masked)
    if row.verdict == "accepted":
        return AcceptedRow(row.sheet_row, row.seq, row.person, row.unit, row.codes)
    return KnownRow(row.sheet_row, row.seq, row.person, row.unit, row.codes, "", row.verdict == "change")
