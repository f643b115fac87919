"""QR codes and bar codes in the dots of a face, with whole dots for each module."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PIL import Image

from personalize.face.design import CodeField

_QUIET_QR: Final = 4
_QUIET_BARS: Final = 10
_LEAST_QR: Final = 4
"""Dots of a module: 0.34 mm, which telephones read at arm's length."""
_LEAST_BARS: Final = 2
"""Dots of a module: 0.17 mm."""


@lru_cache(maxsize=4096)
def code_fits(field: CodeField, length: int) -> bool:
    """Whether a number of so many digits fits: all of them are equally large."""
    return code_mask(field, "0" * length) is not None


def code_mask(field: CodeField, content: str) -> Image.Image | None:
    """The code in the middle of the field's box: L, 255 where ink is. None where the box is too small for it, or the
    code cannot hold the content."""
    left, top, right, bottom = field.box.dots
    size = right - left, bottom - top
    modules = _qr(content) if field.kind == "qr" else _bars(content)
    if modules is None:
        return None
    quiet = _QUIET_QR if field.kind == "qr" else _QUIET_BARS
    along = size[0] // (modules.width + 2 * quiet)
    if field.kind == "qr":
        along = down = min(along, size[1] // (modules.height + 2 * quiet))
    else:
        down = size[1]
    if along < (_LEAST_QR if field.kind == "qr" else _LEAST_BARS):
        return None
    drawn = modules.resize((modules.width * along, modules.height * down), Image.Resampling.NEAREST)
    mask = Image.new("L", size)
    mask.paste(drawn, ((size[0] - drawn.width) // 2, (size[1] - drawn.height) // 2))
    return mask


def _qr(content: str) -> Image.Image | None:
    import segno

    try:
        code = segno.make(content, error="m", micro=False, boost_error=False)
    except segno.DataOverflowError:
        return None
    rows = [bytes(255 if module else 0 for module in row) for row in code.matrix]
    return Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))


def _bars(content: str) -> Image.Image | None:
    """Code 128 as one row of modules."""
    from barcode.codex import Code128
    from barcode.errors import BarcodeError

    try:
        bits = "".join(Code128(content).build())
    except (BarcodeError, KeyError, ValueError):
        return None
    return Image.frombytes("L", (len(bits), 1), bytes(255 if bit == "1" else 0 for bit in bits))
