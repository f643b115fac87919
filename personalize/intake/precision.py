"""ID numbers that Excel cut to 15 digits and filled with 000: recognized by all numbers of a form together.

A column of numbers without a format for text keeps 15 digits; saved as csv or text with the format ``0``, each number
ends in 000. About one in eleven of them has the right check character by chance and would be accepted as somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from personalize.intake.codes import RowFault, in_order
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

_ENOUGH: Final = 4
"""Numbers of a form before their common factor says anything."""


def with_cut_numbers(rows: list[tuple[str, ReadRow]]) -> list[tuple[str, ReadRow]]:
    """The rows with ID_PRECISION_LOST for numbers that were cut, or rounded as doubles are."""
    numbers = [row for _, row in rows if row.id_number.isdecimal()]
    suspects = [row for row in numbers if row.id_number.endswith("000")]
    all_cut = bool(suspects) and _all_cut(suspects, numbers, rows)
    cut = {id(row) for row in suspects if all_cut or _is_wrong(row)}
    if _rounded(numbers):
        cut |= {id(row) for row in numbers}
    return [(sheet, _as_lost(row) if id(row) in cut else row) for sheet, row in rows] if cut else rows


def _all_cut(suspects: Sequence[ReadRow], numbers: Sequence[ReadRow], rows: Sequence[tuple[str, ReadRow]]) -> bool:
    """Whether all numbers that end in 000 were cut, those with a right check character too: at least half of them are
    wrong (of whole numbers one in a thousand ends so), all numbers of the form end so, or others lost their digits
    visibly."""
    wrong = sum(map(_is_wrong, suspects))
    lost = any(RowFault.ID_PRECISION_LOST in row.faults for _, row in rows)
    return 2 * wrong >= len(suspects) or lost or len(suspects) == len(numbers) > 1


def _rounded(numbers: Sequence[ReadRow]) -> bool:
    """Whether all numbers are multiples of 16, the step of doubles between 2^56 and 2^57 (7.2E16 to 1.4E17; above it is
    larger), and most of them wrong."""
    return (
        len(numbers) >= _ENOUGH
        and all(int(row.id_number) % 16 == 0 for row in numbers)
        and 2 * sum(map(_is_wrong, numbers)) >= len(numbers)
    )


def _as_lost(row: ReadRow) -> ReadRow:
    faults = in_order({*row.faults} - _OF_THE_NUMBER | {RowFault.ID_PRECISION_LOST})
    return row._replace(id_number="", person=None, faults=faults, notes=())


def _is_wrong(row: ReadRow) -> bool:
    return RowFault.ID_CHECKSUM in row.faults
