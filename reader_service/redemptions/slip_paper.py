"""Slips on paper of 80 mm: as a PDF file, and as bytes for an ESC/POS printer with Chinese characters.

The number of a receipt stands under it as a QR code, which a counter scans to open the redemption again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from personalize.sheets.page import PaperSheet
from reader_service.redemptions.printer import printers
from reader_service.redemptions.receipt import COLUMNS, LineStyle, ReceiptLine, columns, folded, slip_text
from terminal.visible import visible

WIDTH: Final = 80.0
"""Of the paper, in millimetres; ISO 216 has no such size, the printers do."""
_MARGIN, _LINE, _HEAD, _RULE, _CODE = 4.0, 4.4, 6.6, 3.0, 22.0
_ROOM: Final = WIDTH - 2 * _MARGIN
_CHINESE: Final = "gb18030"
_GETA: Final = "〓"
"""Stands for a character that the printer's fonts do not have."""
_KANJI_ON: Final = b"\x1c\x26"
"""FS &: two-byte characters, GB 18030 on printers for China."""
_SCAN: Final = "*"
"""What the pages of a counter wait for: behind it comes the code that was scanned."""
_MODULE: Final = 6
"""Dots of a module of the QR code."""


def slip_pdf(title: str, day: date, lines: Iterable[ReceiptLine], code: str = "") -> bytes:
    """Lines of a slip as a PDF file of one page as long as they are. Raises NoChineseFont."""
    parts = [part for line in lines for part in _parts(line)]
    heights = [_height(part) for part in parts]
    whole = sum(heights) + 2 * _MARGIN + (_CODE + 8 if code else 0)
    sheet = PaperSheet(title, day)
    sheet.page((WIDTH, whole))
    y = _MARGIN
    for part, height in zip(parts, heights, strict=True):
        if part.style is LineStyle.RULE:
            sheet.line(_MARGIN, y + height / 2, WIDTH - _MARGIN, y + height / 2)
        elif part.style is LineStyle.PAIR:
            sheet.text(_MARGIN, y, _ROOM, height, part.text, size=8.5)
            sheet.text(_MARGIN, y, _ROOM, height, part.value, size=8.5, align="R")
        else:
            large = part.style is LineStyle.HEAD
            sheet.text(_MARGIN, y, _ROOM, height, part.text, size=13 if large else 8.5, align="C", bold=large)
        y += height
    if code:
        sheet.code((WIDTH - _CODE) / 2, y + 3, _CODE, _SCAN + code)
        sheet.text(_MARGIN, y + 3 + _CODE, _ROOM, 4, code, size=7, align="C")
    return sheet.bytes()


def slip_code(code: str) -> tuple[int, str]:
    """The QR code of a slip for a page: its side in modules, and the dark ones as an SVG path."""
    import segno

    rows = [list(row) for row in segno.make(_SCAN + code, error="m", micro=False).matrix]
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    return len(rows), "".join(dark)


def slip_bytes(lines: Iterable[ReceiptLine], code: str = "") -> bytes:
    """Lines of a slip for an ESC/POS printer of 48 columns: text in GB 18030, the code as the printer's own QR code,
    and a cut at the end. Epson, ESC/POS application programming guide."""
    printer = printers().Dummy()
    printer.hw("INIT")
    printer._raw(_KANJI_ON)
    for line in lines:
        large = line.style is LineStyle.HEAD
        if large:
            printer.set(align="center", bold=True, custom_size=True, width=2, height=2)
        else:
            printer.set(align="left", bold=False, normal_textsize=True)
        for text in _texts(line):
            # The library's own choice among code pages has no Chinese one before every character.
            printer._raw(_encoded(text) + b"\n")
    if code:
        printer.set(align="center", bold=False, normal_textsize=True)
        printer.qr(_SCAN + code, size=_MODULE, native=True)
        printer._raw(_encoded(code) + b"\n")
    printer.cut()
    return bytes(printer.output)


def _texts(line: ReceiptLine) -> Iterator[str]:
    """The lines of text of one line; large letters take twice the columns, and the printer sets them in the middle."""
    if line.style is LineStyle.HEAD:
        yield from folded(line.text, COLUMNS // 2)
    else:
        yield from slip_text([line]).splitlines()


def _parts(line: ReceiptLine) -> Iterator[ReceiptLine]:
    """The line in parts that fit the paper."""
    if line.style is LineStyle.RULE:
        yield line
    elif line.style is LineStyle.PAIR:
        values = list(folded(line.value, max(1, COLUMNS - columns(line.text) - 1))) or [""]
        for number, value in enumerate(values):
            yield ReceiptLine(line.style, line.text if number == 0 else "", value)
    else:
        room = COLUMNS * 2 // 3 if line.style is LineStyle.HEAD else COLUMNS
        for text in folded(line.text, room):
            yield ReceiptLine(line.style, text)


def _height(part: ReceiptLine) -> float:
    return {LineStyle.HEAD: _HEAD, LineStyle.RULE: _RULE}.get(part.style, _LINE)


def _encoded(text: str) -> bytes:
    """Text in GB 18030, without what would be a command or what printers have no letter for: characters of four bytes,
    and controls."""
    return b"".join(_letter(letter) for letter in visible(text))


def _letter(letter: str) -> bytes:
    encoded = letter.encode(_CHINESE, errors="replace")
    return encoded if len(encoded) <= 2 and encoded >= b" " else _GETA.encode(_CHINESE)
