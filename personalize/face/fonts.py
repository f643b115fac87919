"""Fonts of a design: those in its files, those that come with the program, and the Chinese ones of the machine."""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from personalize.errors import DesignError
from personalize.sheets.fonts import FontFile, chinese_font, further_fonts

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

BUILT_IN: Final = {
    "dejavu-sans": "DejaVuSans.ttf",
    "dejavu-sans-bold": "DejaVuSans-Bold.ttf",
    "dejavu-mono": "DejaVuSansMono.ttf",
    "dejavu-mono-bold": "DejaVuSansMono-Bold.ttf",
}
"""Latin fonts that matplotlib brings: they are on every machine where this program is."""
SYSTEM: Final = "system"
_MOST_WIDTHS: Final = 50_000


class FaceFont:
    """One font at any size, from a file of the machine or the bytes of one."""

    def __init__(self, source: Path | bytes, number: int, characters: frozenset[int]) -> None:
        self._source, self._number, self.characters = source, number, characters
        self._sizes: dict[float, FreeTypeFont] = {}

    def at(self, size: float) -> FreeTypeFont:
        """The font with an em of ``size`` dots."""
        if size not in self._sizes:
            from PIL import ImageFont

            source = self._source if isinstance(self._source, Path) else io.BytesIO(self._source)
            self._sizes[size] = ImageFont.truetype(source, size, self._number)
        return self._sizes[size]


class FontChain:
    """Fonts in the order in which a character is looked for in them; those not needed are not read."""

    def __init__(self, fonts: Iterator[FaceFont]) -> None:
        self._fonts: list[FaceFont] = []
        self._coming = fonts
        self._widths: dict[tuple[str, float], float] = {}

    def lacking(self, text: str) -> list[str]:
        """Characters of the text that no font has, each once."""
        return [one for one in dict.fromkeys(text) if not one.isspace() and self._with(one) is None]

    def runs(self, text: str, size: float) -> list[tuple[FreeTypeFont, str]]:
        """The text in parts of one font each. A character that no font has is shown as the first font shows it."""
        parts: list[tuple[FaceFont, str]] = []
        for character in text:
            font = self._with(character) or self._fonts[0]
            if parts and (parts[-1][0] is font or character.isspace()):
                parts[-1] = (parts[-1][0], parts[-1][1] + character)
            else:
                parts.append((font, character))
        return [(font.at(size), part) for font, part in parts]

    def width(self, text: str, size: float) -> float:
        """Dots."""
        return sum(font.getlength(part) for font, part in self.runs(text, size))

    def part_width(self, part: str, size: float) -> float:
        """Dots of a word or a character, which are kept in memory."""
        if (known := self._widths.get((part, size))) is not None:
            return known
        if len(self._widths) >= _MOST_WIDTHS:
            self._widths.clear()
        return self._widths.setdefault((part, size), self.width(part, size))

    def _with(self, character: str) -> FaceFont | None:
        code = ord(character)
        for font in self._fonts:
            if code in font.characters:
                return font
        for font in self._coming:
            self._fonts.append(font)
            if code in font.characters:
                return font
        return None


def chains(fonts: Mapping[str, tuple[str, ...]], files: Mapping[str, bytes]) -> dict[str, FontChain]:
    """The fonts of a design by the names that it gives them. Raises DesignError; a chain raises NoChineseFont where it
    comes to the fonts of a machine that has none."""
    own = {name: _read(files[name], name) for listed in fonts.values() for name in listed if name in files}
    return {name: FontChain(_fonts(listed, own)) for name, listed in fonts.items()}


def _fonts(listed: Sequence[str], own: Mapping[str, FaceFont]) -> Iterator[FaceFont]:
    for name in listed:
        if name == SYSTEM:
            first = chinese_font()
            yield from map(_machine_font, (first, *further_fonts(first)))
        elif name in BUILT_IN:
            yield _built_in_font(name)
        else:
            yield own[name]


@cache
def _machine_font(font: FontFile) -> FaceFont:
    return FaceFont(font.path, font.number, font.characters)


@cache
def _built_in_font(name: str) -> FaceFont:
    path = _built_in(BUILT_IN[name])
    return FaceFont(path, 0, _characters(path.read_bytes(), name))


def _built_in(name: str) -> Path:
    """A font file of matplotlib, which is not imported for it."""
    places = spec.submodule_search_locations if (spec := importlib.util.find_spec("matplotlib")) else None
    path = Path(next(iter(places or ("",)))) / "mpl-data" / "fonts" / "ttf" / name
    if not path.is_file():
        raise DesignError(f"the font {name} of this program is not installed")
    return path


def _read(content: bytes, name: str) -> FaceFont:
    return FaceFont(content, 0, _characters(content, name))


def _characters(content: bytes, name: str) -> frozenset[int]:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        return frozenset(TTFont(io.BytesIO(content), fontNumber=0, lazy=True).getBestCmap() or ())
    except (TTLibError, KeyError, ValueError, AssertionError, OSError, struct.error) as e:
        raise DesignError(f"{name} is no font that can be read: TTF, OTF and TTC files are") from e
