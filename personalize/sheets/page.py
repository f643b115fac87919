"""A PDF document with Chinese text: fonts embedded as far as they are used, texts fitted into boxes, and QR codes.

Lengths are in millimetres, sizes of letters in points.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from personalize.sheets.common_font import common_font
from personalize.sheets.fonts import FontFile, chinese_font, further_fonts
from terminal.visible import visible

if TYPE_CHECKING:
    from fpdf import FPDF

A4: Final = (210.0, 297.0)
MARGIN: Final = 12.0
_FAMILY: Final = "chinese"
_LEAST_SIZE: Final = 6.0
_POINT: Final = 25.4 / 72
_LEAST_BOLD: Final = 8.5
_LEADING: Final = 1.3 * _POINT
_GETA: Final = "〓"
"""Stands for a character that no font has. JIS X 0213; so called in typesetting."""
_BOLD: Final = 0.28
"""Width of the outline that makes letters bold, as the fonts come in one weight."""


class PaperSheet:
    """A document that is being written. ``lacking`` are characters that no font of the machine has."""

    def __init__(self, title: str, day: date) -> None:
        from fpdf import FPDF  # slow to import; only sheets need it

        self.lacking: set[str] = set()
        self._fonts = [common_font() or chinese_font()]
        self._further: list[FontFile] | None = None
        self._advances: dict[str, float] = {}
        self.pdf: FPDF = FPDF(format="A4")
        self.pdf.set_auto_page_break(False)
        self.pdf.set_margin(0)
        self.pdf.c_margin = 0
        self.pdf.set_title(title)
        self.pdf.set_lang("zh-CN")
        self.pdf.set_creator("membercard")
        self.pdf.set_creation_date(datetime.combine(day, time(), UTC))
        self._added: dict[int, str] = {}
        self._use(0, 10)

    def page(self, size: tuple[float, float] = A4) -> None:
        """Begin a page of this width and height."""
        self.pdf.add_page(format=size)

    def bytes(self) -> bytes:
        return bytes(self.pdf.output())

    def text(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str,
        *,
        size: float = 10,
        align: str = "L",
        bold: bool = False,
        grey: bool = False,
        shade: int = 0,
        lines: int = 1,
    ) -> None:
        """Write a text into a box, in the middle of its height: on up to ``lines`` lines, in smaller letters where it
        is too long, and cut off with an ellipsis where these would be too small. It is black, in the usual grey, or in
        a ``shade`` of grey up to 255."""
        plain = self._printable(text)
        while (parts := self._wrapped(plain, width, size)) and size > _LEAST_SIZE:
            if len(parts) <= lines and (len(parts) == 1 or len(parts) * size * _LEADING <= height):
                break
            size = max(_LEAST_SIZE, size - 0.5)
        if len(parts) > lines:
            parts = [*parts[: lines - 1], self._cut(" ".join(parts[lines - 1 :]), width, size)]
        leading = size * _LEADING
        top = y + (height - leading * len(parts)) / 2
        self.pdf.set_text_color(110 if grey else shade)
        for number, part in enumerate(parts):
            own = self._width(part, size)
            left = x + {"L": 0.0, "C": (width - own) / 2, "R": width - own}[align]
            self._write(left, top + leading * number + leading * 0.78, part, size, bold and size >= _LEAST_BOLD)
        self.pdf.set_text_color(0)

    def line(self, x: float, y: float, to_x: float, to_y: float, *, width: float = 0.2) -> None:
        self.pdf.set_line_width(width)
        self.pdf.line(x, y, to_x, to_y)

    def frame(self, x: float, y: float, width: float, height: float, *, shade: bool = False) -> None:
        self.pdf.set_line_width(0.2)
        self.pdf.set_fill_color(236)
        self.pdf.rect(x, y, width, height, style="DF" if shade else "D")

    def code(self, x: float, y: float, size: float, content: str) -> None:
        """A QR code of this size, without its quiet zone; ISO/IEC 18004, error correction level M."""
        import segno

        rows = [list(row) for row in segno.make(content, error="m", micro=False, boost_error=False).matrix]
        module = size / len(rows)
        self.pdf.set_fill_color(0)
        for down, row in enumerate(rows):
            for along, dark in enumerate(row):
                if dark:
                    self.pdf.rect(x + along * module, y + down * module, module * 1.02, module * 1.02, style="F")

    def _printable(self, text: str) -> str:
        plain = " ".join(visible(text).split())
        return "".join(self._replaced(character) for character in plain)

    def _replaced(self, character: str) -> str:
        if self._font_of(character) is not None:
            return character
        self.lacking.add(character)
        return _GETA

    def _font_of(self, character: str) -> int | None:
        """The first font that has the character. Further ones are read when a character asks for them."""
        code = ord(character)
        if code not in self._fonts[0].characters and self._further is None:
            whole = chinese_font()
            self._further = [font for font in (whole, *further_fonts(whole)) if font not in self._fonts]
            self._fonts += self._further
        return next((number for number, font in enumerate(self._fonts) if code in font.characters), None)

    def _runs(self, text: str) -> list[tuple[int, str]]:
        """The text in parts of one font each."""
        runs: list[tuple[int, str]] = []
        for character in text:
            number = self._font_of(character) or 0
            if runs and runs[-1][0] == number:
                runs[-1] = (number, runs[-1][1] + character)
            else:
                runs.append((number, character))
        return runs

    def _use(self, number: int, size: float) -> None:
        font: FontFile = self._fonts[number]
        if number not in self._added:
            family = f"{_FAMILY}{number}"
            self.pdf.add_font(family, "", font.path, collection_font_number=font.number)
            self._added[number] = family
        self.pdf.set_font(self._added[number], size=size)

    def _width(self, text: str, size: float) -> float:
        """Width of a text; the fonts are not kerned."""
        return sum(map(self._advance, text)) * size

    def _advance(self, character: str) -> float:
        """Width of a character per point of size."""
        if character not in self._advances:
            self._use(self._font_of(character) or 0, 100)
            self._advances[character] = self.pdf.get_string_width(character) / 100
        return self._advances[character]

    def _write(self, x: float, y: float, text: str, size: float, bold: bool) -> None:
        for number, part in self._runs(text):
            self._use(number, size)
            if bold:
                self._outlined(lambda part=part, x=x: self.pdf.text(x, y, part))  # type: ignore[misc]
            else:
                self.pdf.text(x, y, part)
            x += self._width(part, size)

    def _outlined(self, write: Callable[[], None]) -> None:
        from fpdf.enums import TextMode

        with self.pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=_BOLD * _POINT, draw_color=0):
            write()

    def _wrapped(self, text: str, width: float, size: float) -> list[str]:
        """Lines that fit; Chinese text breaks anywhere, other text preferably at blanks."""
        parts: list[str] = []
        rest = text
        while rest:
            end = self._fitting(rest, width, size)
            blank = rest.rfind(" ", 0, end + 1)
            if end < len(rest) and blank > 0 and rest[end - 1].isascii():
                end = blank
            parts.append(rest[:end].strip())
            rest = rest[end:].strip()
        return parts

    def _fitting(self, text: str, width: float, size: float) -> int:
        """How many characters of the text fit into the width; at least one."""
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._width(text[:middle], size) <= width else (low, middle - 1)
        return low

    def _cut(self, text: str, width: float, size: float) -> str:
        if self._width(text, size) <= width:
            return text
        return text[: max(1, self._fitting(text, width - self._width("…", size), size))] + "…"


def rows_by_page(count: int, most: int, least: int = 4) -> list[int]:
    """Rows of each page: full pages, or even ones where the last would have fewer than ``least``."""
    if count == 0:
        return [0]
    pages = -(-count // most)
    if pages > 1 and 0 < count % most < least:
        size, larger = divmod(count, pages)
        return [size + (number < larger) for number in range(pages)]
    return [min(most, count - start) for start in range(0, count, most)]


def labelled(chinese: str, english: str) -> str:
    """A label in both languages."""
    return f"{chinese} {english}"


Column = tuple[str, str, float, str]
"""A column: its title in Chinese and English, its width, and how its text stands (L, C, R)."""


def table_head(sheet: PaperSheet, x: float, y: float, height: float, columns: tuple[Column, ...]) -> None:
    """The titles of columns, one language below the other."""
    for chinese, english, width, _ in columns:
        sheet.frame(x, y, width, height, shade=True)
        sheet.text(x + 1, y + 0.3, width - 2, height / 2 + 0.6, chinese, size=9.5, align="C", bold=True)
        sheet.text(x + 1, y + height / 2, width - 2, height / 2, english, size=7, align="C", grey=True)
        x += width


def table_row(
    sheet: PaperSheet, x: float, y: float, height: float, columns: tuple[Column, ...], cells: tuple[Any, ...]
) -> None:
    """One row; a cell of None stays free for a signature."""
    for (_, _, width, align), cell in zip(columns, cells, strict=True):
        sheet.frame(x, y, width, height)
        if cell is not None:
            sheet.text(x + 1.2, y, width - 2.4, height, str(cell), size=11, align=align, lines=2 if align == "L" else 1)
        x += width
