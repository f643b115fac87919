"""Proofs of a design: ten faces on sheets of A4, front beside back, with the design's digest and a place to sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Final

from PIL import Image

from personalize.face.files import DesignFolder
from personalize.face.geometry import CARD_HEIGHT, CARD_WIDTH
from personalize.face.preview import preview_sides
from personalize.machines.protocols import PrintedFace
from personalize.sheets.page import A4, MARGIN, PaperSheet, labelled

CARDS: Final = 10
_ON_PAGE: Final = 4
_ROW: Final = CARD_HEIGHT + 6.0
_TOP: Final = 28.0
_GAP: Final = A4[0] - 2 * MARGIN - 2 * CARD_WIDTH
_QUALITY: Final = 90


def proof(folder: DesignFolder, faces: Sequence[tuple[str, PrintedFace]], day: date, subject: str = "") -> bytes:
    """A PDF of faces in their real size, each with what names it. ``subject`` is a batch, if they are of one. Raises
    NoChineseFont."""
    sheet = PaperSheet(f"卡面样张 {folder.name}", day)
    pages = [faces[at : at + _ON_PAGE] for at in range(0, len(faces), _ON_PAGE)]
    for number, page in enumerate(pages, start=1):
        sheet.page()
        _head(sheet, folder, day, subject, f"{number} / {len(pages)}")
        for row, (name, face) in enumerate(page):
            _row(sheet, folder, _TOP + row * _ROW, name, face)
        if number == len(pages):
            _signatures(sheet, _TOP + len(page) * _ROW if len(page) < _ON_PAGE else None)
    return sheet.bytes()


def _head(sheet: PaperSheet, folder: DesignFolder, day: date, subject: str, page: str) -> None:
    width = A4[0] - 2 * MARGIN
    title = labelled("卡面样张", "proof of a card design")
    sheet.text(MARGIN, 8, width, 7, f"{title}: {folder.design.title}", size=14, bold=True)
    facts = [folder.name, folder.bank, subject, day.isoformat(), page]
    sheet.text(MARGIN, 15, width, 5, " · ".join(filter(None, facts)), size=9)
    sheet.text(MARGIN, 20, width, 4, f"SHA-256 {folder.digest}", size=7, grey=True)


def _row(sheet: PaperSheet, folder: DesignFolder, top: float, name: str, face: PrintedFace) -> None:
    for number, side in enumerate(preview_sides(face, folder.design)):
        paper = Image.new("RGB", side.size, "#ffffff")
        paper.paste(side, (0, 0), side)
        picture = BytesIO()
        paper.save(picture, "JPEG", quality=_QUALITY)
        sheet.pdf.image(picture, MARGIN + number * (CARD_WIDTH + _GAP), top, CARD_WIDTH, CARD_HEIGHT)
    sheet.text(MARGIN, top + CARD_HEIGHT, CARD_WIDTH, 4, name, size=7, grey=True)


def _signatures(sheet: PaperSheet, top: float | None) -> None:
    """Two places to sign, below the last face or, where the page is full, on a page of their own."""
    if top is None:
        sheet.page()
        top = MARGIN
    half = (A4[0] - 2 * MARGIN - _GAP) / 2
    for number, (chinese, english) in enumerate((("委托单位", "issuing federation"), ("制卡单位", "card station"))):
        x = MARGIN + number * (half + _GAP)
        sheet.frame(x, top + 2, half, 30)
        sheet.text(x + 3, top + 4, half - 6, 6, labelled(chinese, english), size=9, bold=True)
        sheet.text(x + 3, top + 12, half - 6, 6, "同意印制 approved for printing", size=8)
        sheet.text(x + 3, top + 24, half - 6, 6, "签字盖章 signature and seal　　　　日期 date", size=8, grey=True)
