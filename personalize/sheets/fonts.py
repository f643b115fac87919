"""A font with Chinese letters on this machine, which PDF files embed as far as they use it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from personalize.errors import NoChineseFont

_NAMES: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "NotoSansSC-Regular.ttf",
    "SourceHanSansSC-Regular.otf",
    "SourceHanSans-Regular.ttc",
    "msyh.ttc",
    "simsun.ttc",
    "simhei.ttf",
    "STHeiti Light.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "uming.ttc",
)
"""Files with all characters of GB 2312 and most names, the best first."""
_FURTHER: Final = ("NotoSerifCJK-Regular.ttc", "simsunb.ttf", "HanaMinB.ttf", "HanaMinA.ttf", "NotoSerifCJK-Bold.ttc")
"""Files that may have a rare character which the first font lacks."""
_SIMPLIFIED: Final = ("SC", "YaHei", "SimSun", "Hei")


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font: its file, and which one of a collection it is."""

    path: Path
    number: int
    characters: frozenset[int]
    """Code points that it has."""


def chinese_font() -> FontFile:
    """The best font for Chinese text of this machine. Raises NoChineseFont."""
    first = next(_present(_NAMES), None)
    if first is None:
        raise NoChineseFont(
            "no font with Chinese letters on this machine: install one (Debian, Ubuntu: apt install fonts-noto-cjk), "
            "or put its file into ~/.local/share/fonts"
        )
    return first


def further_fonts(first: FontFile) -> Iterator[FontFile]:
    """Other fonts of this machine, for characters that the first one lacks."""
    return (font for font in _present(_FURTHER) if font.path != first.path)


def first_file() -> Path | None:
    """The file of the best font, unread."""
    files = _files()
    return next((files[name.casefold()] for name in _NAMES if name.casefold() in files), None)


def _present(names: tuple[str, ...]) -> Iterator[FontFile]:
    """Fonts of this machine with these file names; one that cannot be read is as good as none."""
    files = _files()
    for name in names:
        font = read_font(files[name.casefold()]) if name.casefold() in files else None
        if font is not None:
            yield font


@cache
def _files() -> dict[str, Path]:
    """Font files of this machine by name in small letters."""
    folders = [Path.home() / ".local/share/fonts", Path.home() / ".fonts", Path("/usr/local/share/fonts")]
    folders += [Path("/usr/share/fonts"), Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    if sys.platform == "win32":
        folders.append(Path("C:/Windows/Fonts"))
    by_name: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.rglob("*.[toTO][tT][cfCF]")):
                by_name.setdefault(path.name.casefold(), path)
    return by_name


@cache
def read_font(path: Path) -> FontFile | None:
    """The font of a file, the one for simplified Chinese of a collection; None for a file that is no font."""
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    try:
        with path.open("rb") as file:
            collected = file.read(4) == b"ttcf"
            file.seek(0)
            faces = TTCollection(file, lazy=True).fonts if collected else [TTFont(file, lazy=True)]
            names = [str(face["name"].getBestFamilyName() or "") for face in faces]
            number = next((n for n, name in enumerate(names) if any(mark in name for mark in _SIMPLIFIED)), 0)
            return FontFile(path, number, frozenset(faces[number].getBestCmap() or ()))
    except (OSError, TTLibError, KeyError):
        return None
