"""A font of the common characters of this machine's Chinese font: documents read it in a tenth of the time.

The set-up of an installation writes it (``python -m personalize.sheets.common_font``); where it is missing, the whole
font is read. Its name depends on the file it was made of: another font, or the same one changed, has another name.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from personalize.errors import NoChineseFont
from personalize.sheets.fonts import FontFile, chinese_font, first_file, read_font
from terminal.private_files import replace

_EDITION = "1"
_RANGES = (
    (0x20, 0x7E),
    (0xA0, 0xFF),
    (0x2000, 0x206F),
    (0x2100, 0x22FF),
    (0x2460, 0x25FF),
    (0x3000, 0x303F),
    (0xFF00, 0xFFEF),
)
_UNUSED_TABLES = ("BASE", "DSIG", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx")


def common_font(directory: Path | None = None) -> FontFile | None:
    """The font with the characters of GB 2312; None where it was not written."""
    file = first_file()
    if file is None:
        return None
    path = _place(file, directory or _directory())
    return read_font(path) if path.is_file() else None


def write_common_font(directory: Path | None = None) -> Path:
    """Write it, where it is missing. Raises NoChineseFont, OSError."""
    whole = chinese_font()
    path = _place(whole.path, directory or _directory())
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, _subset(whole))
        path.chmod(0o644)  # users of the installation need not be its owner
    return path


def _directory() -> Path:
    return Path(sys.prefix) / "share" / "membercard"


def _place(font: Path, directory: Path) -> Path:
    about = font.stat()
    source = f"{_EDITION} {font} {about.st_size} {about.st_mtime_ns}"
    return directory / f"common-{hashlib.sha256(source.encode()).hexdigest()[:16]}.otf"


@cache
def _common_characters() -> frozenset[int]:
    """GB 2312, and the signs that documents use beside it."""
    signs = {code for first, last in _RANGES for code in range(first, last + 1)}
    pairs = (bytes((row, cell)) for row in range(0xA1, 0xF8) for cell in range(0xA1, 0xFF))
    return frozenset(signs.union(*(map(ord, pair.decode("gb2312", "ignore")) for pair in pairs)))


def _subset(whole: FontFile) -> bytes:
    from io import BytesIO

    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(layout_features=[], layout_closure=False, hinting=False, desubroutinize=True, name_IDs=["*"])
    options.drop_tables += _UNUSED_TABLES
    options.notdef_outline = True
    written = BytesIO()
    with TTFont(whole.path, fontNumber=whole.number, lazy=True) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=_common_characters() & whole.characters)
        subsetter.subset(font)
        font.save(written)
    return written.getvalue()


if __name__ == "__main__":
    try:
        write_common_font()
    except (NoChineseFont, OSError) as fault:
        sys.stderr.write(f"the common font was not written, so documents take longer: {fault}\n")
