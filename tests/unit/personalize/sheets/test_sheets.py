"""Delivery lists and labels: every card once, page totals, and text that stays within its column."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pypdfium2
import pytest

from personalize.errors import NoChineseFont
from personalize.sheets import fonts
from personalize.sheets.delivery_list import ROWS, delivery_list
from personalize.sheets.delivery_workbook import delivery_workbook
from personalize.sheets.labels import ALONG, DOWN, labels
from personalize.sheets.page import rows_by_page
from registry.handover.values import Box, BoxSheet, BoxStage, SheetLine, SheetSection

UNIT = "石家庄铁道大学工会 / 后勤处"
LONG = " / ".join(["河北省教育科学文化卫生体育系统工会联合会", "石家庄铁道大学四方学院基层工会委员会"] * 3)


def content(*units: tuple[str, int], name: str = "欧阳") -> BoxSheet:
    sections, place = [], 0
    for unit, count in units:
        numbers = range(place + 1, place + count + 1)
        lines = [SheetLine(n, f"1300000{n:05d}", f"{name}{n:03d}", f"621226{n:013d}", 1) for n in numbers]
        sections.append(SheetSection(unit, tuple(lines)))
        place += count
    names = tuple(unit for unit, _ in units)
    at = datetime(2026, 11, 22, tzinfo=UTC)
    box = Box("X20261122-001", "B20261122-001", BoxStage.OPEN, names, place, 0, 0, 0, "", "", "李娜", at)
    return BoxSheet(box, 2, 3, date(2026, 11, 22), tuple(sections))


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks and line ends."""
    document = pypdfium2.PdfDocument(pdf)
    return ["".join(page.get_textpage().get_text_range().split()) for page in document]


@pytest.mark.parametrize(
    ("count", "rows"), [(0, [0]), (1, [1]), (20, [20]), (40, [20, 20]), (41, [14, 14, 13]), (44, [20, 20, 4])]
)
def test_a_list_never_ends_with_a_page_of_few_rows(count: int, rows: list[int]) -> None:
    assert rows_by_page(count, ROWS) == rows


@pytest.mark.parametrize(("count", "sheets"), [(1, 1), (40, 2), (41, 3), (500, 25)])
def test_every_card_is_on_the_list_once_with_page_totals(count: int, sheets: int) -> None:
    first, *listed = pages(delivery_list(content((UNIT, count))))
    assert "卡箱交接单" in first
    assert f"合计total{count}" in first
    assert len(listed) == sheets
    text = "".join(listed)
    for number in (1, count):
        assert text.count(f"欧阳{number:03d}") == 1
    assert text.count("621226*********") == count
    assert f"累计{count}/{count}张" in listed[-1]
    assert "退回" in listed[-1]
    assert all("X20261122-001" in page and "石家庄铁道大学工会/后勤处" in page for page in listed)
    assert "6212260000000000001" not in text, "card numbers are masked"


def test_totals_count_what_is_signed_for_and_cards_that_ended_apart() -> None:
    whole = content((UNIT, 41))
    (section,) = whole.sections
    ended = (3, 4, 41)
    lines = tuple(replace(line, ended=line.place in ended) for line in section.lines)
    listed = replace(whole, box=replace(whole.box, ended=3), sections=(replace(section, lines=lines),))
    first, *sheets = pages(delivery_list(listed))
    assert "合计total（另有已失效3张and3ended）38" in first
    assert [page.split("本页")[1].split("张Thispage")[0] for page in sheets] == [
        "12张，累计12/38",
        "14张，累计26/38",
        "12张，累计38/38",
    ]
    assert [page.split("另有已失效")[1].split("张and")[0] for page in sheets] == [
        "2张，累计2",
        "0张，累计2",
        "1张，累计3",
    ]
    assert "应发Todeliver：38张" in sheets[2]
    book = openpyxl.load_workbook(io.BytesIO(delivery_workbook(listed)))
    assert book.worksheets[0].cell(6 + 41 + 1, 1).value == "合计 total: 38 张    已失效 ended: 3 张"


def test_units_that_share_a_box_have_pages_of_their_own() -> None:
    _, first, second = pages(delivery_list(content(("后勤处", 2), ("教务处", 1))))
    assert ("后勤处" in first, "欧阳003" in first) == (True, False)
    assert ("教务处" in second, "欧阳003" in second) == (True, True)


def test_a_page_and_its_hand_overs_have_room_for_many_units() -> None:
    first, *listed = pages(delivery_list(content(*((f"第{number}分会", 1) for number in range(30)))))
    assert len(listed) == 30
    assert "另有16个单位" in first
    assert "合计total30" in first
    assert "逐级交接" in first


@pytest.mark.parametrize("name", ["阿卜杜热合曼·买买提依明江", "Alexandrina Konstantinopolskaya-Smith", "𬱖" * 12])
def test_long_names_stay_within_their_column(name: str) -> None:
    pdf = pypdfium2.PdfDocument(delivery_list(content((LONG, 3), name=name)))
    picture = pdf[1].render(scale=2, grayscale=True).to_pil()
    millimetre = picture.width / 210
    # the vertical rules of the table: nothing of a name crosses the one between name and member number
    left, top, bottom = (12 + 12 + 38) * millimetre, 63.5 * millimetre, 91 * millimetre
    beside = [picture.getpixel((int(left + 1.5 * millimetre), y)) for y in range(int(top) + 3, int(bottom) - 3)]
    assert sum(shade < 60 for shade in beside if isinstance(shade, int)) <= 6, "only the horizontal rules"


def test_a_character_that_no_font_has_is_to_be_written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    (page,) = pages(delivery_list(content((UNIT, 1), name="李\U0003ffff")))[1:]
    assert "李〓001" in page
    assert "手写" in page


def test_text_that_turns_the_line_is_shown_and_not_followed() -> None:
    (page,) = pages(delivery_list(content((UNIT, 1), name="王\u202e芳")))[1:]
    assert "\u202e" not in page


def test_labels_have_one_place_for_each_card_and_each_divider() -> None:
    sheets = pages(labels(content(("后勤处", 30), ("教务处", 20))))
    assert len(sheets) == -(-52 // (ALONG * DOWN))
    assert sum(page.count("621226*********") for page in sheets) == 50
    assert "30张" in sheets[0]
    assert "欧阳030" in "".join(sheets)


def test_the_workbook_has_a_sheet_for_each_unit_and_no_formulas() -> None:
    book = openpyxl.load_workbook(
        io.BytesIO(delivery_workbook(content(("=1+1/后勤处", 3), ("后勤处", 1), name="=HYPERLINK")))
    )
    assert [sheet.max_row for sheet in book] == [6 + 3 + 3, 6 + 1 + 3]
    first = book.worksheets[0]
    assert (first.cell(2, 3).value, first.cell(2, 3).data_type) == ("=1+1/后勤处", "s")
    assert [cell.value for cell in first[7]] == [1, "=HYPERLINK001", "130000000001", "621226*********0001", None, None]
    assert first.cell(7, 2).data_type == "s"
    assert first.cell(10, 1).value == "合计 total: 3 张"
    assert first.print_title_rows == "$1:$6"


def test_a_machine_without_chinese_letters_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_files", lambda: {})
    with pytest.raises(NoChineseFont, match="fonts-noto-cjk"):
        delivery_list(content((UNIT, 1)))
    (tmp_path / "simsun.ttc").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_files", lambda: {"simsun.ttc": tmp_path / "simsun.ttc"})
    with pytest.raises(NoChineseFont):
        labels(content((UNIT, 1)))
