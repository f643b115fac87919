"""What intake gives back: rows, accepted or rejected, and the report over a form. Nothing here prints a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personalize.intake.codes import Language, RowFault, RowNote, sentence
from personalize.intake.text import masked_name


@dataclass(frozen=True, slots=True)
class RosterRow:
    """An accepted row, tidied. ``sheet_row`` counts from 1 as the spreadsheet does; ``notes`` say what was mended;
    ``gender`` is 男 or 女."""

    sheet_row: int
    seq: int | str | None
    id_number: str = field(repr=False)
    name: str = field(repr=False)
    gender: str = field(repr=False)
    mobile: str = field(repr=False)
    unit: str
    notes: tuple[RowNote, ...] = ()
    sheet: str = ""

    @property
    def codes(self) -> tuple[RowNote, ...]:
        return self.notes

    def sentence(self, language: Language = "zh") -> str:
        """What was mended, for the clerk; empty for a row that needed nothing."""
        return sentence(self.notes, language=language)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row with all its faults, in the order of Fault. ``duplicate_of`` names the accepted row that it
    repeats, where it does; ``name`` is there to be shown masked."""

    sheet_row: int
    seq: int | str | None
    codes: tuple[RowFault, ...]
    name: str = field(default="", repr=False)
    duplicate_of: str = ""
    sheet: str = ""

    @property
    def name_masked(self) -> str:
        return masked_name(self.name)

    def sentence(self, language: Language = "zh") -> str:
        """Why, for the clerk. It holds no personal data."""
        return sentence(self.codes, self.duplicate_of, language)


@dataclass(frozen=True, slots=True)
class Table:
    """Where a table of the form lies, for annotation: its header's sheet row and last column, both counted from 1."""

    sheet: str
    header_row: int
    last_column: int


@dataclass(frozen=True, slots=True)
class RosterReport:
    """One form, checked. ``unit`` is the one its title names, else the one most of its rows name; ``digest`` is the
    SHA-256 of the file, hex; ``skipped`` are (sheet, sheet row) of filled rows that are no person's: titles, repeated
    headers, totals, footers; ``warnings`` are sentences (Chinese, English) about the form as a whole."""

    path: Path
    unit: str | None
    rows: tuple[RosterRow | Rejected, ...] = field(repr=False)
    digest: str
    tables: tuple[Table, ...] = ()
    skipped: tuple[tuple[str, int], ...] = field(default=(), repr=False)
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def accepted(self) -> list[RosterRow]:
        return [row for row in self.rows if isinstance(row, RosterRow)]

    @property
    def rejected(self) -> list[Rejected]:
        return [row for row in self.rows if isinstance(row, Rejected)]

    @property
    def counts(self) -> Counter[str]:
        """How many rows carry each code, faults and notes alike."""
        return Counter(str(code) for row in self.rows for code in row.codes)

    @property
    def several_sheets(self) -> bool:
        """Whether a row number alone does not say where a row is."""
        return len(self.tables) > 1

    def to_json(self) -> dict[str, Any]:
        """The report as plain values. Accepted rows carry the whole record, so the output is as secret as the form.

        Rows name their sheet only where the form has tables on several sheets.
        """
        rows = [_row_json(row) | ({"sheet": row.sheet} if self.several_sheets else {}) for row in self.rows]
        accepted = sum(isinstance(row, RosterRow) for row in self.rows)
        return {
            "file": str(self.path),
            "unit": self.unit,
            "accepted": accepted,
            "rejected": len(rows) - accepted,
            "rows": rows,
        }


def _row_json(row: RosterRow | Rejected) -> dict[str, Any]:
    known = {"sheet_row": row.sheet_row, "seq": row.seq}
    if isinstance(row, Rejected):
        return known | {"verdict": "reject", "codes": list(row.codes)}
    record = {name: getattr(row, name) for name in ("id_number", "name", "gender", "mobile", "unit")}
    return known | {"verdict": "accept", "codes": list(row.notes), "record": record}
