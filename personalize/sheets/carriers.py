"""Carriers: the letters that cards are glued to, one for each card of a box, behind a sheet for their unit."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from personalize.sheets.letters import WINDOWS, EnvelopeWindow, LetterSender, address, letter_head, paragraph
from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, rows_by_page, table_head, table_row
from registry.handover.values import BoxSheet, SheetLine, SheetSection
from terminal.emv.data.masking import masked_pan

_CARD: Final = (85.6, 53.98)
"""Width and height of a card. ISO/IEC 7810, ID-1."""
_PLACE: Final = (25.0, 150.0)
"""Where the card is glued: between the folds."""
_CORNER: Final = 6.0
_ROWS: Final = 22
_LINES: Final = re.compile("[0-9]{1,4}(-[0-9]{1,4})?")
_COLUMNS: Final[tuple[Column, ...]] = (
    ("序号", "No.", 16, "C"),
    ("姓名", "Name", 70, "L"),
    ("卡号", "Card number", 60, "C"),
    ("已装封", "Enclosed", 40, "C"),
)
_WELCOME: Final = (
    "您的工会会员服务卡已制成，粘贴在下方。请核对姓名和卡号，取下后妥善保管，不要折弯，不要交给他人使用。",
    "Your member service card is glued below. Compare name and card number, take the card off with care, do not bend "
    "it, and lend it to nobody.",
)
_PURPOSE: Final = (
    "凭卡可在加入工会服务项目的商户享受会员优惠和服务，并证明您的会员身份。",
    "With it you have the benefits and services of the union at the merchants that take part, and prove that you are a "
    "member.",
)
_ACTIVATION: Final = (
    "使用前请本人携卡和身份证件到服务窗口激活。密码（如有）另函寄送，请勿与卡放在一起。",
    "Before its first use, bring the card and your identity document to a window, where it is activated. Its PIN, "
    "where it has one, comes in a letter of its own; never keep both together.",
)


def carriers(content: BoxSheet, sender: LetterSender, window: EnvelopeWindow = WINDOWS["gb"]) -> bytes:
    """A letter for each card that is handed out, in the order of the delivery list, and before each unit a sheet that
    lists its letters. Raises NoChineseFont."""
    sheet = PaperSheet(f"载卡函 {content.box.id}", content.day)
    for section in content.sections:
        _unit_sheet(sheet, content, section)
        for line in section.to_deliver:
            _letter(sheet, content, section, line, sender, window)
    return sheet.bytes()


def line_numbers(text: str) -> frozenset[int]:
    """Lines of a delivery list such as ``3-7,9``; none for an empty text. Raises ValueError for anything else."""
    chosen: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        if not _LINES.fullmatch(part):
            raise ValueError("lines are numbers and ranges, such as 3-7,9")
        first, _, last = part.partition("-")
        chosen.update(range(int(first), int(last or first) + 1))
    return frozenset(chosen)


def selected(content: BoxSheet, *, unit: str = "", lines: Collection[int] = ()) -> BoxSheet:
    """The content with only these lines of the delivery list, of this unit only; all where nothing is given. Sections
    without a card to hand out are left out."""
    sections = []
    for section in content.sections:
        chosen = tuple(line for line in section.to_deliver if not lines or line.place in lines)
        if chosen and unit in ("", section.unit):
            sections.append(replace(section, lines=chosen))
    return replace(content, sections=tuple(sections))


def _unit_sheet(sheet: PaperSheet, content: BoxSheet, section: SheetSection) -> None:
    """The letters of a unit, for who puts them into envelopes and hands them over."""
    cards = section.to_deliver
    pages = rows_by_page(len(cards), _ROWS)
    start = 0
    for number, count in enumerate(pages, start=1):
        sheet.page()
        width = A4[0] - 2 * MARGIN
        sheet.text(MARGIN, 12, width - 30, 9, "载卡函清单", size=18, bold=True)
        sheet.text(MARGIN, 20.5, width - 30, 5, "Carriers of a unit", size=9, grey=True)
        sheet.text(MARGIN, 27, width - 30, 11, section.unit, size=13, bold=True, lines=2)
        facts = f"{content.box.id}　{content.box.batch_id}　{content.day.isoformat()}　{len(cards)} 封 letters"
        sheet.text(MARGIN, 39, width - 30, 5, facts, size=9)
        sheet.code(A4[0] - MARGIN - 26, 12, 26, content.box.id)
        y = 48.0
        table_head(sheet, MARGIN, y, 10.5, _COLUMNS)
        y += 10.5
        for line in cards[start : start + count]:
            cells = (line.place, line.name, masked_pan(line.card_number), None)
            table_row(sheet, MARGIN, y, 9.4, _COLUMNS, cells)
            y += 9.4
        start += count
        sheet.text(
            A4[0] - MARGIN - 40, A4[1] - 12, 40, 5, f"第 {number} / {len(pages)} 页", size=8, align="R", grey=True
        )


def _letter(
    sheet: PaperSheet,
    content: BoxSheet,
    section: SheetSection,
    line: SheetLine,
    sender: LetterSender,
    window: EnvelopeWindow,
) -> None:
    sheet.page()
    letter_head(sheet, sender)
    address(sheet, window, sender, section.unit, line.name)
    mark = f"{content.box.id}　{line.place}"
    sheet.text(135, window.top, 50, 5, mark, size=9, align="R", grey=True)
    sheet.text(135, window.top + 5, 50, 5, content.day.isoformat(), size=9, align="R", grey=True)
    sheet.text(25, 109, 160, 8, labelled("工会会员服务卡", "Member service card"), size=15, bold=True)
    sheet.text(25, 118, 160, 7, f"{line.name}：", size=12)
    paragraph(sheet, 125, 21, *_WELCOME)
    _place_of_card(sheet)
    x = _PLACE[0] + _CARD[0] + 8
    for number, (label, value) in enumerate(
        (
            (("卡号末四位", "Card number ends in"), line.card_number[-4:]),
            (("会员编号", "Member number"), line.member_number),
            (("姓名", "Name"), line.name),
        )
    ):
        y = _PLACE[1] + 2 + number * 17
        sheet.text(x, y, 66, 4.5, labelled(*label), size=8, grey=True)
        sheet.text(x, y + 4.5, 66, 9, value, size=12, bold=True, lines=2)
    sheet.text(25, 213, 160, 6, labelled("卡的用途", "What it is good for"), size=11, bold=True)
    paragraph(sheet, 219, 15, *_PURPOSE, size=10)
    sheet.text(25, 235, 160, 6, labelled("激活", "Activation"), size=11, bold=True)
    paragraph(sheet, 241, 18, *_ACTIVATION, size=10)
    _service(sheet, sender)


def _place_of_card(sheet: PaperSheet) -> None:
    """The corners of the place where the card is glued, and what is to be seen before it is."""
    (x, y), (width, height) = _PLACE, _CARD
    for across, sideways in ((x, 1), (x + width, -1)):
        for down, downwards in ((y, 1), (y + height, -1)):
            sheet.line(across, down, across + sideways * _CORNER, down)
            sheet.line(across, down, across, down + downwards * _CORNER)
    sheet.text(x, y, width, height, labelled("此处贴卡", "The card is glued here"), size=9, align="C", grey=True)


def _service(sheet: PaperSheet, sender: LetterSender) -> None:
    """Whom to call when the card is lost, and where the windows are, as far as the programme names them."""
    lost = (
        ("卡片丢失请立即挂失", "A lost card is reported at once")
        if not sender.hotline
        else (f"挂失和咨询电话：{sender.hotline}", f"Lost cards and questions, telephone: {sender.hotline}")
    )
    sheet.text(25, 260, 160, 6, labelled(*lost), size=11, bold=True)
    for number, place in enumerate(sender.windows[:4]):
        sheet.text(25, 267 + number * 5, 160, 5, place, size=9)
