"""ID numbers that Excel cut to 15 digits and filled with 000: recognized by all numbers of a form together.

A column of numbers without a format for text keeps 15 digits; saved as csv or text with the format ``0``, each number
ends in 000. About one in eleven of them has the right check character by chance and would be accepted as somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from personalize.intake.codes import RowFault
from personalize.intake.rows import ReadRow

_OF_THE_NUMBER: Final = frozenset(
    (
        RowFault.ID_FORMAT,
        RowFault.ID_CHECKSUM,
        RowFault.ID_REGION,
        RowFault.ID_BIRTHDATE,
        RowFault.GENDER_MISMATCH,
        RowFault.ID_PRECISION_LOST,
    )
)


def with_cut_numbers(rows: list[tuple[str, ReadRow]]) -> list[tuple[str, ReadRow]]:
    """The rows with ID_PRECISION_LOST for numbers that were cut.

    A number that ends in 000 with a wrong check character was cut. So were those with a right one, if at least half of
    all that end in 000 are wrong (of whole numbers one in a thousand ends so), if all numbers of the form do, or if
    others lost their digits visibly.
    """
    ending = [row for _, row in rows if row.id_number.endswith("000")]
    if not ending:
        return rows
    wrong = sum(map(_is_wrong, ending))
    lost = any(RowFault.ID_PRECISION_LOST in row.faults for _, row in rows)
    whole = sum(1 for _, row in rows if row.id_number and not row.id_number.endswith("000"))
    all_cut = 2 * wrong >= len(ending) or lost or (len(ending) > 1 and not whole)
    return [(sheet, _judged(row, all_cut)) for sheet, row in rows]


def _judged(row: ReadRow, all_cut: bool) -> ReadRow:
    if not row.id_number.endswith("000") or not (all_cut or _is_wrong(row)):
        return row
    others = [fault for fault in row.faults if fault not in _OF_THE_NUMBER]
    faults = _ordered([RowFault.ID_PRECISION_LOST, *others])
    return row._replace(id_number="", person=None, faults=faults, notes=())


def _is_wrong(row: ReadRow) -> bool:
    return RowFault.ID_CHECKSUM in row.faults


def _ordered(faults: Sequence[RowFault]) -> tuple[RowFault, ...]:
    return tuple(fault for fault in RowFault if fault in faults)
