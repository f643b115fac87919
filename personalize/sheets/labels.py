"""Labels for the envelopes of a box as PDF: sheets of A4 with 24 labels of 70 mm by 37 mm, without margins."""

from __future__ import annotations

from typing import Final

from personalize.sheets.page import PaperSheet, labelled
from registry.handover.values import BoxSheet, SheetLine, SheetSection
from registry.unit_names import own_name
from terminal.emv.data.masking import masked_pan

ALONG, DOWN = 3, 8
_WIDTH, _HEIGHT = 70.0, 37.0
_TOP: Final = 0.5
_INSIDE: Final = 5.0


def labels(content: BoxSheet) -> bytes:
    """One label for each card, in the order of the delivery list, and before each unit one for its divider. Raises
    NoChineseFont."""
    sheet = PaperSheet(f"信封标签 {content.box.id}", content.day)
    every: list[tuple[SheetSection, SheetLine | None]] = []
    for section in content.sections:
        every += [(section, None), *((section, line) for line in section.to_deliver)]
    for number, (section, line) in enumerate(every):
        place = number % (ALONG * DOWN)
        if place == 0:
            sheet.page()
        x, y = _WIDTH * (place % ALONG), _TOP + _HEIGHT * (place // ALONG)
        if line is None:
            _divider(sheet, x, y, content, section)
        else:
            _label(sheet, x, y, content, section, line)
    return sheet.bytes()


def _divider(sheet: PaperSheet, x: float, y: float, content: BoxSheet, section: SheetSection) -> None:
    sheet.frame(x + 2, y + 2, _WIDTH - 4, _HEIGHT - 4)
    inside = _WIDTH - 2 * _INSIDE - 20
    sheet.text(x + _INSIDE, y + 4, inside, 18, section.unit, size=12, bold=True, lines=3)
    sheet.text(x + _INSIDE, y + 23, inside, 5, f"{len(section.to_deliver)} 张 cards", size=9)
    sheet.text(x + _INSIDE, y + 28, inside + 20, 5, f"{content.box.id}　{content.box.batch_id}", size=8, grey=True)
    sheet.code(x + _WIDTH - _INSIDE - 18, y + 6, 18, content.box.id)


def _label(sheet: PaperSheet, x: float, y: float, content: BoxSheet, section: SheetSection, line: SheetLine) -> None:
    inside = _WIDTH - 2 * _INSIDE
    sheet.text(x + _INSIDE, y + 4, inside - 12, 10, line.name, size=18, bold=True, lines=2)
    sheet.text(x + _WIDTH - _INSIDE - 12, y + 4, 12, 10, str(line.place), size=14, align="R")
    sheet.text(x + _INSIDE, y + 14.5, inside, 9, own_name(section.unit), size=10, lines=2)
    sheet.text(x + _INSIDE, y + 23.5, inside, 5, labelled("卡号", masked_pan(line.card_number)), size=9)
    sheet.text(x + _INSIDE, y + 28.5, inside, 4.5, f"{line.member_number}　{content.box.id}", size=8, grey=True)
