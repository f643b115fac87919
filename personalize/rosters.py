"""Between intake and the registry: a checked form becomes a roster to import, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from personalize.intake.codes import RowFault, RowNote, RowState
from personalize.intake.values import Rejected, RosterReport, Row, RowOnRecord
from registry.values import AcceptedRow, KnownRow, RejectedRow, RosterLine


def numbered(report: RosterReport) -> Iterator[tuple[int, Row]]:
    """The report's rows with the row numbers of the registry, which do not repeat over several sheets.

    The rows of a further sheet continue from the last row of the sheet before.
    """
    starts: dict[str, int] = {}
    last: dict[str, int] = {}
    for row in report.rows:
        start = starts.setdefault(row.sheet, sum(last.values()))
        last[row.sheet] = row.sheet_row
        yield start + row.sheet_row, row


def to_import(report: RosterReport) -> tuple[list[AcceptedRow], list[RejectedRow]]:
    """The report's rows as the registry imports them. With several sheets, the sentence of a rejected row names its
    sheet."""
    accepted, rejected = [], []
    several_sheets = report.several_sheets
    for number, row in numbered(report):
        if isinstance(row, Rejected):
            place = f"工作表“{row.sheet}”第{row.sheet_row}行：" if several_sheets else ""
            rejected.append(RejectedRow(number, row.seq, row.codes, place + row.sentence(), row.name_masked))
        elif not isinstance(row, RowOnRecord):
            accepted.append(AcceptedRow(number, row.seq, row.person, row.unit, row.notes, row.above))
    return accepted, rejected


def known_rows(report: RosterReport) -> list[KnownRow]:
    """The rows of persons who have a card or are in a batch, as the registry imports them."""
    return [
        KnownRow(number, row.seq, row.person, row.unit, row.codes, row.above, row.is_change)
        for number, row in numbered(report)
        if isinstance(row, RowOnRecord)
    ]


def as_imported(report: RosterReport, lines: Iterable[RosterLine], *, edited: bool = False) -> RosterReport:
    """The report of a form that was read again, with the results of its import: by now, the registry also knows the
    persons of the roster itself. Of a roster that was ``edited``, rows that were left out, and rejected ones that are
    sound by now, have no result: the form does not show why."""
    stored = {line.sheet_row: line for line in lines}
    rows = [
        _with_result_of_import(row, stored.get(number))
        for number, row in numbered(report)
        if not edited or _shows_result(row, stored.get(number))
    ]
    return replace(report, rows=tuple(rows))


def _shows_result(row: Row, line: RosterLine | None) -> bool:
    return line is not None and not (isinstance(row, Rejected) and line.verdict != "rejected")


def _with_result_of_import(row: Row, line: RosterLine | None) -> Row:
    if line is None or line.accepted:
        return row
    if line.verdict in ("unchanged", "change") and not isinstance(row, Rejected):
        codes = tuple(RowState(code) if code in RowState.__members__ else RowNote(code) for code in line.codes)
        batch = row.batch if isinstance(row, RowOnRecord) else ""
        return RowOnRecord(row.sheet_row, row.seq, row.person, row.unit, codes, row.sheet, row.above, batch)
    faults = tuple(RowFault(code) for code in line.codes)
    if isinstance(row, Rejected):
        return replace(row, codes=faults)
    return Rejected(row.sheet_row, row.seq, faults, row.person.name, "", row.sheet)
