"""`check` reads a registration form and returns its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

from personalize.errors import HeaderNotFound
from personalize.intake.codes import RowFault
from personalize.intake.files import Limits, digest, load
from personalize.intake.header import (
    NEEDED,
    OPTIONAL,
    TITLES,
    HeaderRow,
    field_of,
    find_header,
    missing_titles,
    nearest,
    unit_in,
)
from personalize.intake.identity import Identities
from personalize.intake.rows import ReadRow, TableReader
from personalize.intake.sheets import Book, Sheet, read_book
from personalize.intake.text import gb18030_length
from personalize.intake.values import Rejected, RosterReport, RosterRow, Table

MAX_UNIT_BYTES = 60  # DF23 on the card
_SAMPLES = ("示例", "样表", "样例", "填写说明", "填表说明", "范例")
_UNSOUND = frozenset((RowFault.ID_CHECKSUM, RowFault.ID_REGION, RowFault.ID_BIRTHDATE))


class KnownPerson(Protocol):
    """What the registry knows of a person, such as ``registry.values.KnownMember``."""

    @property
    def unit_name(self) -> str: ...
    @property
    def living_card(self) -> bool: ...
    def may_register(self, unit: str, above: str) -> bool: ...


Lookup = Callable[[Collection[str]], Mapping[str, KnownPerson]]


@dataclass(slots=True)
class _FormContent:
    """Content of all sheets, before rows are compared with each other and with the registry."""

    rows: list[tuple[str, ReadRow]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    title_unit: str = ""


def check(
    path: Path | str,
    *,
    known: Lookup | None = None,
    today: date | None = None,
    unit: str | None = None,
    limits: Limits | None = None,
) -> RosterReport:
    """Read a registration form and check every row.

    ``known`` is called once with all valid ID numbers and returns who is in the registry; without it ALREADY_HAS_CARD
    and OTHER_UNIT do not occur. ``today`` sets the ages, by default the system's date. ``unit`` overrides the unit in
    the form's title. Raises the leaves of IntakeError for a form that cannot be read; a form with only rejected rows
    gives a report too.
    """
    path = Path(path)
    limits = limits or Limits()
    content = load(path, limits)
    form = _collect(path, read_book(path, content, limits), Identities(today or date.today()), unit or "")
    named = unit or form.title_unit or _most_common_unit(form.rows)
    on_record = _on_record(form.rows, known) if known else {}
    return RosterReport(
        path=path,
        unit=named or None,
        rows=tuple(_settle(form.rows, on_record, len(form.tables) > 1)),
        digest=digest(content.data),
        tables=tuple(form.tables),
        skipped=tuple(form.skipped),
        warnings=tuple([*form.warnings, *_long_units(form.rows)]),
    )


def _collect(path: Path, book: Book, identities: Identities, unit: str) -> _FormContent:
    """Read all rows with persons of all visible sheets with a header; sheets named as samples only if there are no
    others."""
    headed = [(sheet, header) for sheet in book.visible if (header := find_header(sheet.rows))]
    headed = [pair for pair in headed if not any(word in pair[0].name for word in _SAMPLES)] or headed
    if not headed:
        raise _no_header(path, book)
    form = _FormContent()
    for sheet, header in headed:
        title = next((name for row in sheet.rows[: header.row] if (name := unit_in(row))), "")
        form.title_unit = form.title_unit or title
        reader = TableReader(sheet, header, identities, unit or title or form.title_unit)
        form.rows += [(sheet.name, row) for row in reader]
        form.skipped += [(sheet.name, row) for row in reader.skipped]
        width = sheet.first_column + len(sheet.rows[header.row]) - 1
        form.tables.append(Table(sheet.name, sheet.sheet_row(header.last), width))
        form.warnings += _about_columns(sheet, header, unit or title or form.title_unit)
    if not form.rows:
        form.warnings.append(("表头下面没有人员信息", "there is nobody under the header"))
    return form


def _about_columns(sheet: Sheet, header: HeaderRow, unit: str) -> list[tuple[str, str]]:
    """Warnings about columns that a header lacks, or has twice, as two tables side by side do."""
    warnings = []
    if absent := [name for name in header.missing if name not in OPTIONAL and not (name == "unit" and unit)]:
        titles = missing_titles(absent)
        warnings.append((f"表中没有“{titles}”列", f"the table has no column {titles}"))
    named = [field_of(cell) for cell in sheet.rows[header.row]]
    if len({known for known in named if known and named.count(known) > 1}) >= len(NEEDED):
        warnings.append(
            ("一张表中并排有两份名单，只读取了左边一份", "two tables stand side by side: only the left one was read")
        )
    return warnings


def _no_header(path: Path, book: Book) -> HeaderNotFound:
    """The fault of a form without a header. It names the nearest candidate by column titles only, as cells may hold
    personal data."""
    sheets = [*book.visible, *book.hidden]
    if not any(cell != "" for sheet in sheets for row in sheet.rows for cell in row):
        return HeaderNotFound(
            f"{path.name} is an empty workbook: fill in the registration form", "工作簿是空的，请填写登记表"
        )
    if hidden := next((sheet for sheet in book.hidden if find_header(sheet.rows)), None):
        return HeaderNotFound(
            f"{path.name}: only the hidden sheet {hidden.name!r} has a header row: unhide it",
            f"只有隐藏的工作表“{hidden.name}”有表头，请取消隐藏",
        )
    english = f"{path.name}: no header row found; it must name at least {' and '.join(TITLES[name] for name in NEEDED)}"
    chinese = f"没有找到表头，表头中至少应有“{missing_titles(NEEDED)}”"
    candidates = [nearest(sheet.name, sheet.sheet_row(0), sheet.rows) for sheet in book.visible]
    best = max(candidates, key=lambda candidate: len(candidate.fields), default=None)
    if best and best.fields:
        place = f"row {best.sheet_row}" + (f" of sheet {best.sheet!r}" if best.sheet else "")
        english += f"; {place} comes nearest, with {missing_titles(best.fields)}"
        chinese += f"；最接近的是第{best.sheet_row}行，只有“{missing_titles(best.fields)}”"
    return HeaderNotFound(english, chinese)


def _most_common_unit(rows: list[tuple[str, ReadRow]]) -> str:
    counts = Counter(row.unit for _, row in rows if row.unit)
    return counts.most_common(1)[0][0] if counts else ""


def _on_record(rows: list[tuple[str, ReadRow]], known: Lookup) -> Mapping[str, KnownPerson]:
    numbers = {row.id_number: None for _, row in rows if row.id_number and not _UNSOUND.intersection(row.faults)}
    return known(list(numbers))


def _settle(
    rows: list[tuple[str, ReadRow]], on_record: Mapping[str, KnownPerson], several: bool
) -> list[RosterRow | Rejected]:
    """Accept or reject each row, in order: only a row after an accepted one with the same ID number is a duplicate."""
    settled: list[RosterRow | Rejected] = []
    accepted: dict[str, str] = {}
    for sheet, row in rows:
        number, faults = row.id_number, row.faults
        earlier = accepted.get(number, "")
        if earlier:
            faults += (RowFault.DUPLICATE_IN_FILE,)
        if person := on_record.get(number):
            faults += _registered(person, row)
        if faults or row.person is None:
            settled.append(Rejected(row.sheet_row, row.seq, faults, row.name, earlier, sheet))
        else:
            accepted[number] = f"{sheet} {row.sheet_row}" if several else str(row.sheet_row)
            settled.append(RosterRow(row.sheet_row, row.seq, row.person, row.unit, row.notes, sheet, row.above))
    return settled


def _registered(person: KnownPerson, row: ReadRow) -> tuple[RowFault, ...]:
    """Faults of a person who is in the registry. The unit of the row counts, below that of the title."""
    faults = (RowFault.ALREADY_HAS_CARD,) if person.living_card else ()
    return faults if person.may_register(row.unit, row.above) else (*faults, RowFault.OTHER_UNIT)


def _long_units(rows: list[tuple[str, ReadRow]]) -> list[tuple[str, str]]:
    units = {row.unit for _, row in rows}
    return [
        (
            f"单位名称超过{MAX_UNIT_BYTES}个字节，无法写入卡内，请使用简称：{unit}",
            f"the unit's name does not fit on a card; use a short form: {unit}",
        )
        for unit in sorted(units)
        if gb18030_length(unit) > MAX_UNIT_BYTES
    ]
