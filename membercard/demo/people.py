"""Made-up people and their registration forms, for demos.

The ID numbers have the right form and check character (GB 11643); birth dates and serials are counted up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from personalize.intake.identity import check_character

_FAMILY: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉文建国志宏海"
_FIRST_BIRTHDAY: Final = date(1965, 3, 7)
_HEAD: Final = ("序号", "身份证号", "姓名", "性别", "手机号码", "所属单位")


@dataclass(frozen=True, slots=True)
class FormRow:
    """One row of a form, as a clerk types it."""

    id_number: str = field(repr=False)
    name: str = field(repr=False)
    gender: str = field(repr=False)
    mobile: str = field(repr=False)


def person(number: int) -> FormRow:
    """A made-up person for a number from 1 on; the same number gives the same person."""
    born = _FIRST_BIRTHDAY + timedelta(days=number * 137 % 14_000)
    body = f"130104{born:%Y%m%d}{number % 1000:03d}"
    given = _GIVEN[number * 7 % len(_GIVEN)] + (_GIVEN[number * 11 % len(_GIVEN)] if number % 3 else "")
    return FormRow(
        body + check_character(body),
        _FAMILY[number % len(_FAMILY)] + given,
        "男" if number % 2 else "女",
        f"13{number % 10}{number * 7919 % 100_000_000:08d}",
    )


def people(count: int, start: int) -> list[FormRow]:
    return [person(number) for number in range(start, start + count)]


def write_form(path: Path, unit: str, rows: Sequence[FormRow]) -> Path:
    """Write a registration form as units send them: title, unit, header, one row per person."""
    book = Workbook()
    sheet = book.active
    for line in (("工会会员卡信息登记表",), (f"基层工会名称：{unit}",), _HEAD):
        sheet.append(line)
    for number, row in enumerate(rows, 1):
        sheet.append((number, row.id_number, row.name, row.gender, row.mobile, unit))
    for column, width in zip("ABCDEF", (6, 22, 12, 6, 16, 30), strict=True):
        sheet.column_dimensions[column].width = width
    book.save(path)
    return path


def with_faults(rows: Sequence[FormRow]) -> list[FormRow]:
    """The same rows with typical faults: a wrong digit, one person twice, a phone number cut short, a gender that
    contradicts the ID number, an ID number rounded by a spreadsheet. Needs five rows."""
    first, second, third, fourth, fifth, *rest = rows
    wrong = first.id_number[:-1] + ("0" if first.id_number[-1] != "0" else "1")
    other = "女" if third.gender == "男" else "男"
    return [
        FormRow(wrong, first.name, first.gender, first.mobile),
        FormRow(second.id_number, second.name, second.gender, second.mobile[:9]),
        FormRow(third.id_number, third.name, other, third.mobile),
        FormRow(f"{float(fourth.id_number[:17]):.5E}", fourth.name, fourth.gender, fourth.mobile),
        fifth,
        fifth,
        *rest,
    ]
