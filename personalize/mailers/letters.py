"""PIN letters as PDF in memory: a letter for each PIN, under a pattern for a scratch label or inside pressure-sealed
paper.

A letter has the end of the card number only. Lengths are in millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from personalize.sheets.letters import EnvelopeWindow, LetterSender, address, letter_head, paragraph
from personalize.sheets.page import PaperSheet, labelled
from registry.handover.mailers import MailerTarget, PinKind
from terminal.secret import Secret


class LetterForm(StrEnum):
    """How the PIN is hidden."""

    SCRATCH = "scratch"
    """In grey over a pattern: a scratch label is put over it, or the paper has a tamper-evident field there."""
    SEALED = "sealed"
    """In black: the paper is folded and sealed by pressure, its inner side printed with a pattern by its maker."""


@dataclass(frozen=True, slots=True)
class PinLetter:
    """A letter and its PIN, in ASCII digits."""

    target: MailerTarget
    pin: Secret


_TITLES: Final[Mapping[PinKind, tuple[str, str]]] = MappingProxyType(
    {
        PinKind.MEMBER: ("会员应用密码", "PIN of the member card"),
        PinKind.PAYMENT: ("银行应用脱机密码", "Offline PIN of the bank's application"),
    }
)
_CHECK: Final = (
    "收到时请先检查密码区：如已刮开、揭开或破损，请勿使用此卡，并立即联系工会。",
    "Look at the field of the PIN first: where it was scratched, opened or damaged, do not use the card, and call at "
    "once.",
)
_KEEP: Final = (
    "请记住密码后销毁此函。密码不得告诉任何人，工会和银行的工作人员不会向您询问密码。连续输错后密码将被锁定，须本人到"
    "服务窗口解锁；也可在窗口改设密码。",
    "Learn the PIN, then destroy this letter. Tell it to nobody: no one of the union or the bank will ask for it. "
    "After too many wrong tries it is locked, and unlocked at a window, where you may also choose another PIN.",
)
_FIELD: Final = (25.0, 152.0, 80.0, 20.0)
"""Left, top, width and height of the field of the PIN: between the folds, inside a sealed letter."""
_STEP: Final = 1.4
_PATTERN, _RASTER = 205, 150
"""Grey of the pattern, and of the PIN over it."""


def pin_letters(
    letters: Sequence[PinLetter], sender: LetterSender, form: LetterForm, window: EnvelopeWindow, day: date
) -> bytearray:
    """A page of A4 for each letter. The caller overwrites the document after use (``overwrite``). Raises
    NoChineseFont."""
    sheet = PaperSheet("密码函", day)
    for letter in letters:
        sheet.page()
        _page(sheet, letter, sender, form, window, day)
    document: bytearray = sheet.pdf.output()
    for page in sheet.pdf.pages.values():
        if isinstance(page.contents, bytearray):
            overwrite(page.contents)
        page.contents = bytearray()
    return document


def overwrite(document: bytearray) -> None:
    """Zeros in place of the content. Copies that Python or a library has still are freed, and not overwritten."""
    document[:] = bytes(len(document))


def _page(
    sheet: PaperSheet, letter: PinLetter, sender: LetterSender, form: LetterForm, window: EnvelopeWindow, day: date
) -> None:
    target = letter.target
    letter_head(sheet, sender)
    address(sheet, window, sender, target.unit, target.name)
    place = f"{target.box_id}　{target.place}" if target.box_id else ""
    for down, mark in enumerate((place, f"No. {target.id}", day.isoformat())):
        sheet.text(135, window.top + 5 * down, 50, 5, mark, size=9, align="R", grey=True)
    sheet.text(25, 109, 160, 8, labelled(*_TITLES[target.kind]), size=15, bold=True)
    ends = labelled("卡号末四位", "Card number ends in")
    sheet.text(25, 118, 160, 7, f"{ends}  {target.card_number[-4:]}", size=11)
    paragraph(sheet, 127, 20, *_CHECK)
    _field(sheet, letter.pin, form)
    paragraph(sheet, 216, 34, *_KEEP)
    if sender.hotline:
        lost = f"咨询电话：{sender.hotline}　Questions, telephone: {sender.hotline}"
        sheet.text(25, 256, 160, 6, lost, size=11, bold=True)


def _field(sheet: PaperSheet, pin: Secret, form: LetterForm) -> None:
    x, y, width, height = _FIELD
    sheet.text(x, y - 6, width, 5, labelled("密码", "PIN"), size=9, grey=True)
    sheet.frame(x, y, width, height)
    if form is LetterForm.SCRATCH:
        sheet.pdf.set_draw_color(_PATTERN)
        for number in range(int((width + height) / _STEP)):
            along = number * _STEP - height + _STEP / 2
            start, end = max(0.0, -along), min(height, width - along)
            for upper, lower in ((y + start, y + end), (y + height - start, y + height - end)):
                sheet.line(x + along + start, upper, x + along + end, lower, width=0.25)
        sheet.pdf.set_draw_color(0)
    shade = _RASTER if form is LetterForm.SCRATCH else 0
    sheet.text(x, y, width, height, pin.reveal().decode("ascii"), size=24, align="C", shade=shade)
