"""Carriers: a letter for each card behind the sheet of its unit, chosen by line and unit, inside window and folds."""

from __future__ import annotations

from dataclasses import replace

import pypdfium2
import pytest

from personalize.sheets.carriers import carriers, line_numbers, selected
from personalize.sheets.letters import WINDOWS, LetterSender
from tests.unit.personalize.sheets.test_sheets import LONG, content, pages

SENDER = LetterSender(
    "石家庄市总工会", "Shijiazhuang Federation of Trade Unions", "12351", ("市职工服务中心 City window",)
)


def test_each_card_has_one_letter_behind_the_sheet_of_its_unit() -> None:
    listed, first, second, other, third = pages(carriers(content(("后勤处", 2), ("教务处", 1)), SENDER))
    assert ("后勤处" in listed, "欧阳001" in listed, "欧阳002" in listed, "欧阳003" in listed) == (
        True,
        True,
        True,
        False,
    )
    assert ("教务处" in other, "欧阳003" in other) == (True, True)
    for number, letter in enumerate((first, second, third), start=1):
        assert f"欧阳{number:03d}收" in letter
        assert f"Cardnumberendsin{number:04d}" in letter
        assert "12351" in letter
        assert "市职工服务中心" in letter
        assert "身份证件到服务窗口激活" in letter
        assert f"621226{number:013d}" not in letter, "the number is not on the letter, only its end"


def test_a_card_that_ended_has_no_letter() -> None:
    whole = content(("后勤处", 3))
    (section,) = whole.sections
    lines = tuple(replace(line, ended=line.place == 2) for line in section.lines)
    text = "".join(pages(carriers(replace(whole, sections=(replace(section, lines=lines),)), SENDER)))
    assert [f"欧阳{number:03d}收" in text for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize(
    ("lines", "unit", "expected"),
    [
        ("", "", [1, 2, 3, 4, 5]),
        ("2-4", "", [2, 3, 4]),
        ("5", "", [5]),
        ("1,4-9", "", [1, 4, 5]),
        ("", "教务处", [4, 5]),
        ("1-4", "教务处", [4]),
        ("9", "", []),
        ("", "another", []),
    ],
)
def test_letters_are_printed_again_by_line_and_by_unit(lines: str, unit: str, expected: list[int]) -> None:
    chosen = selected(content(("后勤处", 3), ("教务处", 2)), unit=unit, lines=line_numbers(lines))
    assert [line.place for section in chosen.sections for line in section.lines] == expected


@pytest.mark.parametrize("wrong", ["a", "1-", "-2", "1;2", "12345", "1--2", "１"])
def test_lines_are_numbers_and_ranges(wrong: str) -> None:
    with pytest.raises(ValueError, match="numbers and ranges"):
        line_numbers(wrong)


@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_the_address_stays_inside_the_window_also_where_the_letter_slips(window: str) -> None:
    name = "阿卜杜热合曼·买买提依明江·阿卜杜热合曼·买买提依明江·𬱖𬱖𬱖"
    page = pypdfium2.PdfDocument(carriers(content((LONG, 1), name=name), SENDER, WINDOWS[window]))[1]
    text = page.get_textpage()
    place, point = WINDOWS[window], 72 / 25.4
    inside = text.get_text_bounded(
        left=place.left * point,
        right=(place.left + place.width) * point,
        top=(297 - place.top) * point,
        bottom=(297 - place.top - 30) * point,
    )
    assert f"{name}001收" in "".join(inside.split())
    assert "石家庄铁道大学四方学院基层工会委员会" in "".join(inside.split())


def test_two_hundred_letters_are_in_the_order_of_the_delivery_list() -> None:
    text = pages(carriers(content(("后勤处", 120), ("教务处", 80)), LetterSender()))
    letters = [page for page in text if "此处贴卡" in page]
    assert [f"欧阳{number:03d}收" in page for number, page in enumerate(letters, start=1)] == [True] * 200
    assert len(text) - len(letters) == 6 + 4, "sheets of 22 lines at most"
