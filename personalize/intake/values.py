"""Results of intake: accepted and rejected rows, and the report on a form. No ``repr`` shows personal data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from personalize.intake.codes import Language, RowFault, RowNote, RowState, sentence
from registry.db.privacy import mask_name
from registry.person import Person
from terminal.member.values import IdType

RESULT, REASON = "审核结果", "审核说明"
"""Titles of the columns that an annotated copy has beside the table."""
_MOST_MASKED = 9
"""Characters of a masked name: what stands in the column of a rejected row may be of any length."""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """An accepted row. ``sheet_row`` counts from 1 as the spreadsheet does; ``notes`` say what was normalized.
    ``above`` is the unit that the title names, where the row's unit is its own cell."""

    sheet_row: int
    seq: int | str | None
    person: Person
    unit: str
    notes: tuple[RowNote, ...] = ()
    sheet: str = ""
    above: str = ""

    @property
    def codes(self) -> tuple[RowNote, ...]:
        return self.notes

    def sentence(self, language: Language = "zh") -> str:
        """What was normalized, for the clerk; empty when nothing was."""
        return sentence(self.notes, language=language)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row with all its faults, in the order of RowFault. ``duplicate_of`` names the accepted row that it
    repeats, if any; ``name`` is only to be shown masked."""

    sheet_row: int
    seq: int | str | None
    codes: tuple[RowFault, ...]
    name: str = field(default="", repr=False)
    duplicate_of: str = ""
    sheet: str = ""

    @property
    def name_masked(self) -> str:
        return mask_name(self.name[:_MOST_MASKED]) if self.name else ""

    def sentence(self, language: Language = "zh") -> str:
        """The reasons, for the clerk, without personal data."""
        return sentence(self.codes, self.duplicate_of, language)


@dataclass(frozen=True, slots=True)
class RowOnRecord:
    """A sound row of a person who has a card, or is in a batch that will make one (``batch``, else empty). ``codes``
    say which data differ from the record, if any, and what was normalized."""

    sheet_row: int
    seq: int | str | None
    person: Person
    unit: str
    codes: tuple[RowState | RowNote, ...]
    sheet: str = ""
    above: str = ""
    batch: str = ""

    @property
    def name_masked(self) -> str:
        return self.person.name_masked

    @property
    def is_change(self) -> bool:
        """Whether the row asks for a change of the record."""
        return RowState.UNCHANGED not in self.codes

    def sentence(self, language: Language = "zh") -> str:
        """What is known, and what differs, without personal data."""
        chinese = language == "zh"
        if self.batch:
            where = f"已在批次{self.batch}中" if chinese else f"in batch {self.batch} already"
        else:
            where = "已有会员卡" if chinese else "has a member card already"
        return where + ("；" if chinese else "; ") + sentence(self.codes, language=language)


Row = RosterRow | Rejected | RowOnRecord


@dataclass(frozen=True, slots=True)
class Table:
    """Place of a table in the form, for annotation: sheet row of the header, 0 for a sheet that goes on without one,
    and the first of the two columns for results, both counted from 1."""

    sheet: str
    header_row: int
    result_column: int


@dataclass(frozen=True, slots=True)
class RosterReport:
    """The result of checking a form. ``unit`` is the one in its title, else the most common one of its rows; ``digest``
    is the SHA-256 of the file, hex; ``skipped`` are (sheet, sheet row) of filled rows without a person: titles,
    repeated headers, totals, footers; ``warnings`` are sentences (Chinese, English) about the form as a whole."""

    path: Path
    unit: str | None
    rows: tuple[Row, ...] = field(repr=False)
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
    def known(self) -> list[RowOnRecord]:
        return [row for row in self.rows if isinstance(row, RowOnRecord)]

    @property
    def unchanged(self) -> list[RowOnRecord]:
        return [row for row in self.known if not row.is_change]

    @property
    def changes(self) -> list[RowOnRecord]:
        return [row for row in self.known if row.is_change]

    @property
    def counts(self) -> Counter[str]:
        """Number of rows with each code, faults and notes alike."""
        return Counter(str(code) for row in self.rows for code in row.codes)

    @property
    def several_sheets(self) -> bool:
        """Whether people stand on several sheets, so that a row number alone is ambiguous."""
        return len({row.sheet for row in self.rows}) > 1

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values. Accepted rows have all personal data: the output is as confidential as the form.

        Rows name their sheet only where people stand on several sheets; warnings are named where there are any.
        """
        several_sheets = self.several_sheets
        rows = [_row_json(row) | ({"sheet": row.sheet} if several_sheets else {}) for row in self.rows]
        known = {"unchanged": len(self.unchanged), "changes": len(self.changes)} if self.known else {}
        return {
            "file": str(self.path),
            "unit": self.unit,
            "accepted": len(self.accepted),
            "rejected": len(self.rejected),
            **known,
            **({"warnings": [{"zh": zh, "en": en} for zh, en in self.warnings]} if self.warnings else {}),
            "rows": rows,
        }


def _row_json(row: Row) -> dict[str, Any]:
    known = {"sheet_row": row.sheet_row, "seq": row.seq}
    if isinstance(row, Rejected):
        return known | {"verdict": "reject", "codes": list(row.codes)}
    record = {name: getattr(row.person, name) for name in ("id_number", "name", "gender", "mobile")} | {
        "unit": row.unit
    }
    if row.person.document_type is not IdType.RESIDENT_ID:
        record["document_type"] = row.person.document_type.name.lower()
    if isinstance(row, RowOnRecord):
        verdict = "change" if row.is_change else "unchanged"
        return known | {"verdict": verdict, "codes": list(row.codes), "batch": row.batch or None, "record": record}
    return known | {"verdict": "accept", "codes": list(row.notes), "record": record}
