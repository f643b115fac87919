"""Between intake and the registry: a checked form becomes a roster to import, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from personalize.intake.codes import RowFault
from personalize.intake.values import Rejected, RosterReport, RosterRow
from registry.values import AcceptedRow, RejectedRow, RosterLine


def numbered(report: RosterReport) -> Iterator[tuple[int, RosterRow | Rejected]]:
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
    for number, row in numbered(report):
        if isinstance(row, Rejected):
            place = f"工作表“{row.sheet}”第{row.sheet_row}行：" if report.several_sheets else ""
            rejected.append(RejectedRow(number, row.seq, row.codes, place + row.sentence()))
        else:
            accepted.append(AcceptedRow(number, row.seq, row.person, row.unit, row.notes, row.above))
    return accepted, rejected


def as_imported(report: RosterReport, lines: Iterable[RosterLine]) -> RosterReport:
    """The report of a form that was read again, with the results of its import: by now, the registry also knows the
    persons of the roster itself."""
    refused = {line.sheet_row: line.codes for line in lines if not line.accepted}
    rows = [_with_result_of_import(row, refused.get(number)) for number, row in numbered(report)]
    return replace(report, rows=tuple(rows))


def _with_result_of_import(row: RosterRow | Rejected, codes: tuple[str, ...] | None) -> RosterRow | Rejected:
    if codes is None:
        return row
    faults = tuple(RowFault(code) for code in codes)
    if isinstance(row, Rejected):
        return replace(row, codes=faults)
    return Rejected(row.sheet_row, row.seq, faults, row.person.name, "", row.sheet)
