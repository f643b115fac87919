"""`check` reads a registration form and returns its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from personalize.intake.alignment import about_fields
from personalize.intake.codes import RowFault, RowNote, RowState, in_order
from personalize.intake.files.content import Limits, load
from personalize.intake.files.sheets import Book, Sheet, read_book
from personalize.intake.header import OPTIONAL, Field, HeaderRow, find_header, missing_titles
from personalize.intake.identity import Identities
from personalize.intake.placement import (
    continued,
    has_mobile,
    has_people,
    labels_one_person,
    no_header,
    no_header_on,
    refuse_people_outside,
)
from personalize.intake.precision import with_cut_numbers
from personalize.intake.rows import ReadRow, TableReader
from personalize.intake.text import gb18030_length, masked_numbers
from personalize.intake.ticks import join_ticks
from personalize.intake.title_lines import unit_in
from personalize.intake.units import MAX_BYTES
from personalize.intake.values import RESULT, Rejected, RosterReport, RosterRow, Row, RowOnRecord, Table
from registry.person import Person
from registry.unit_names import own_name
from terminal.localtime import CHINA, time_zone

_SAMPLES = ("示例", "样表", "样例", "填写说明", "填表说明", "范例", "范本", "样本", "模板")
_UNSOUND = frozenset((RowFault.ID_CHECKSUM, RowFault.ID_REGION, RowFault.ID_BIRTHDATE))


class KnownPerson(Protocol):
    """What the registry knows of a person, such as ``registry.values.KnownMember``."""

    @property
    def unit_name(self) -> str: ...
    @property
    def living_card(self) -> bool: ...
    @property
    def person(self) -> Person | None: ...
    @property
    def batch(self) -> str: ...
    def may_register(self, unit: str, above: str) -> bool: ...


Translate = Callable[[Sheet, date], Mapping[tuple[str, int], tuple[RowFault, ...]]]
"""Translates a sheet of another federation's form in place; its faults by sheet name and row."""
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
    translate: Translate | None = None,
) -> RosterReport:
    """Read a registration form and check every row.

    ``known`` is called once with all valid ID numbers and returns who is in the registry; without it ALREADY_HAS_CARD
    and OTHER_UNIT do not occur. ``today`` sets the ages, by default the day in China. ``unit`` overrides the unit in
    the form's title. ``translate`` is that of a declared form (``personalize.forms``). Raises the leaves of IntakeError
    for a form that cannot be read; a form with only rejected rows gives a report too.
    """
    path = Path(path)
    limits = limits or Limits()
    content = load(path, limits)
    day = today or datetime.now(time_zone(CHINA)).date()
    book = read_book(path, content, limits)
    faults: dict[tuple[str, int], tuple[RowFault, ...]] = {}
    for sheet in book.visible:
        join_ticks(sheet)
    if translate is not None:
        for sheet in book.visible:
            faults |= translate(sheet, day)
    form = _collect(path, book, Identities(day), unit or "", continues=translate is None)
    if faults:
        form.rows = [(name, _with_faults(row, faults.get((name, row.sheet_row), ()))) for name, row in form.rows]
    named = unit or form.title_unit or _most_common_unit(form.rows)
    on_record = persons_on_record(form.rows, known) if known else {}
    return RosterReport(
        path=path,
        unit=named or None,
        rows=tuple(settle(form.rows, on_record, len({sheet for sheet, _ in form.rows}) > 1)),
        digest=content.digest,
        tables=tuple(form.tables),
        skipped=tuple(form.skipped),
        warnings=tuple([*form.warnings, *_long_units(form.rows)]),
    )


def _collect(path: Path, book: Book, identities: Identities, unit: str, *, continues: bool) -> _FormContent:
    """Read all rows with persons of all visible sheets; sheets named as samples only if nobody is on the others."""
    samples = [sheet for sheet in book.visible if any(word in sheet.name for word in _SAMPLES)]
    form = _FormContent()
    _read(path, [sheet for sheet in book.visible if sheet not in samples], identities, unit, form, continues=continues)
    if not form.rows:
        _read(path, samples, identities, unit, form, continues=continues)
    else:
        form.warnings += _left_out("样表", "sample sheet", samples)
    if not form.tables:
        raise no_header(path, book)
    form.warnings += _left_out("隐藏的工作表", "hidden sheet", book.hidden)
    if any(sheet.hidden_numbers for sheet in book.visible):
        form.warnings.append(
            (
                "合并单元格下面藏有身份证号，只认看得见的内容",
                "ID numbers are hidden under merged cells: only what is visible counts",
            )
        )
    form.rows = with_cut_numbers(form.rows)
    if not form.rows:
        form.warnings.append(("表头下面没有人员信息", "there is nobody under the header"))
    return form


def _read(
    path: Path, sheets: Sequence[Sheet], identities: Identities, unit: str, form: _FormContent, *, continues: bool
) -> None:
    """Read sheets in order. A sheet with people but without a header goes on with the columns of the sheet before; not
    where ``continues`` is false, as in a declared form, whose own columns are found by their titles.

    Raises HeaderNotFound, AmbiguousTable.
    """
    before: tuple[Sheet, HeaderRow] | None = None
    results = 0
    for sheet in sheets:
        header = find_header(sheet.rows)
        if header is None:
            tables = before is not None or any(find_header(other.rows) for other in sheets)
            if not has_people(sheet):
                if tables and any(map(has_mobile, sheet.rows)):
                    form.warnings += _without_header(sheet)
                continue
            header = continued(sheet, *before) if continues and before and not labels_one_person(sheet) else None
            if header is None and tables:
                raise no_header_on(path, sheet)
            if header is None:
                continue
        title = next((name for row in sheet.rows[: max(header.row, 0)] if (name := unit_in(row))), "")
        form.title_unit = form.title_unit or title
        results = _results_of_before(sheet, header) or (results if header.row < 0 else _free_column(sheet, header))
        _clear(sheet, header, results)
        reader = TableReader(sheet, header, identities, unit or title or form.title_unit)
        form.rows += [(sheet.name, row) for row in reader]
        refuse_people_outside(path, sheet, reader.headers)
        form.skipped += [(sheet.name, row) for row in reader.skipped]
        form.tables.append(Table(sheet.name, sheet.sheet_row(header.last) if header.last >= 0 else 0, results))
        form.warnings += _about_columns(reader.headers, unit or title or form.title_unit)
        form.warnings += about_fields(reader.doubtful)
        before = sheet, header


def _results_of_before(sheet: Sheet, header: HeaderRow) -> int:
    """The column of results in an annotated copy that is sent in again, counted from 1; 0 in other forms."""
    titles = sheet.rows[header.last] if header.last >= 0 else []
    return sheet.first_column + titles.index(RESULT) + 1 if RESULT in titles else 0


def _free_column(sheet: Sheet, header: HeaderRow) -> int:
    """The first column right of all cells, and of all merged ones beside the table, counted from 1."""
    top = sheet.first_row + header.row
    merged = [right + 1 for (_, _), (bottom, right) in sheet.merged if bottom >= top]
    return max([sheet.first_column + len(sheet.rows[0]) - 1, *merged]) + 1


def _clear(sheet: Sheet, header: HeaderRow, results: int) -> None:
    """Empty the results of an earlier annotation, so that nothing in them is read as data."""
    first = results - 1 - sheet.first_column
    for row in sheet.rows[header.last + 1 :]:
        for column in range(max(first, 0), min(first + 2, len(row))):
            row[column] = ""


def _left_out(chinese: str, english: str, sheets: Sequence[Sheet]) -> list[tuple[str, str]]:
    """Warnings about sheets with people that were not read."""
    return [
        (
            f"{chinese}“{masked_numbers(sheet.name)}”上有人员信息，没有读取",
            f"people on the {english} {masked_numbers(sheet.name)!r} were not read",
        )
        for sheet in sheets
        if has_people(sheet)
    ]


def _without_header(sheet: Sheet) -> list[tuple[str, str]]:
    name = masked_numbers(sheet.name)
    return [
        (
            f"工作表“{name}”没有表头和身份证号，没有读取；如有会员，请加上表头和身份证号",
            f"sheet {name!r} has neither a header row nor ID numbers and was not read: add them if members are on it",
        )
    ]


def _about_columns(headers: Sequence[HeaderRow], unit: str) -> list[tuple[str, str]]:
    """Warnings about columns that the headers of a sheet lack."""
    absent = {missing_titles(_missing(header, unit)): None for header in headers}
    return [(f"表中没有“{titles}”列", f"the table has no column {titles}") for titles in absent if titles]


def _missing(header: HeaderRow, unit: str) -> list[Field]:
    return [name for name in header.missing if name not in OPTIONAL and not (name == "unit" and unit)]


def _most_common_unit(rows: list[tuple[str, ReadRow]]) -> str:
    counts = Counter(row.unit for _, row in rows if row.unit)
    return counts.most_common(1)[0][0] if counts else ""


def _with_faults(row: ReadRow, faults: tuple[RowFault, ...]) -> ReadRow:
    if not faults:
        return row
    return row._replace(faults=in_order({*row.faults, *faults}), person=None, notes=())


def persons_on_record(rows: list[tuple[str, ReadRow]], known: Lookup) -> Mapping[str, KnownPerson]:
    """Those of the persons of these rows who are on record, by ID number."""
    numbers = {row.id_number: None for _, row in rows if row.id_number and not _UNSOUND.intersection(row.faults)}
    return known(list(numbers))


def settle(
    rows: list[tuple[str, ReadRow]],
    on_record: Mapping[str, KnownPerson],
    several: bool,
    others: Mapping[str, str] | None = None,
) -> list[Row]:
    """Accept or reject each row, in order: only a row after an accepted one with the same ID number is a duplicate.
    ``others`` are accepted rows of the form beside these, by ID number.

    A sound row of a person of its unit who has a card is neither: it changes nothing, or asks for a change.
    """
    settled: list[Row] = []
    accepted = dict(others or {})
    for sheet, row in rows:
        number, faults = row.id_number, row.faults
        earlier = accepted.get(number, "")
        if earlier:
            faults += (RowFault.DUPLICATE_IN_FILE,)
        known = on_record.get(number)
        its_own = known is not None and known.may_register(row.unit, row.above)
        if known and (faults or not its_own):
            faults += _registered(known, its_own)
        if faults or row.person is None:
            settled.append(Rejected(row.sheet_row, row.seq, faults, row.name, earlier, sheet))
            continue
        accepted[number] = f"{sheet} {row.sheet_row}" if several else str(row.sheet_row)
        if known and known.living_card:
            codes: tuple[RowState | RowNote, ...] = _differences(known.person or row.person, row.person)
            place = (row.sheet_row, row.seq, row.person, row.unit)
            settled.append(RowOnRecord(*place, codes + row.notes, sheet, row.above, known.batch))
        else:
            settled.append(RosterRow(row.sheet_row, row.seq, row.person, row.unit, row.notes, sheet, row.above))
    return settled


def _registered(person: KnownPerson, its_own: bool) -> tuple[RowFault, ...]:
    """What makes a row of a person on record worse. ``its_own``: its unit registered the person."""
    faults = (RowFault.ALREADY_HAS_CARD,) if person.living_card else ()
    return faults if its_own else (*faults, RowFault.OTHER_UNIT)


def _differences(before: Person, after: Person) -> tuple[RowState, ...]:
    compared = (
        (RowState.NAME_CHANGED, before.name, after.name),
        (RowState.GENDER_CHANGED, before.gender, after.gender),
        (RowState.PHONE_CHANGED, before.mobile, after.mobile),
    )
    return tuple(state for state, one, other in compared if one != other) or (RowState.UNCHANGED,)


def _long_units(rows: list[tuple[str, ReadRow]]) -> list[tuple[str, str]]:
    units = {masked_numbers(row.unit) for _, row in rows if gb18030_length(own_name(row.unit)) > MAX_BYTES}
    return [
        (
            f"单位名称超过{MAX_BYTES}个字节，无法写入卡内，请使用简称：{unit}",
            f"the unit's name does not fit on a card; use a short form: {unit}",
        )
        for unit in sorted(units)
    ]
