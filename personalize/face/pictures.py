"""Pictures of a design, SVG, PNG or JPEG, in dots of the printed face."""

from __future__ import annotations

import io
import re
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

from personalize.errors import DesignError

_MOST_DOTS: Final = 30_000_000
_FORMATS: Final = ("PNG", "JPEG")
_FOREIGN: Final = re.compile(
    rb"<!ENTITY|<!DOCTYPE|<script|<foreignObject|href\s*=\s*[\"'](?!#|data:image/(?:png|jpeg))", re.I
)
_TEXT: Final = re.compile(rb"<(?:\w+:)?text[\s>]", re.I)


def picture(content: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    """The picture in RGBA at this size; one of other proportions is centred in it, whole. Raises DesignError."""
    drawn = _svg(content, name, size) if name.lower().endswith(".svg") else _bitmap(content, name)
    if drawn.size != size:
        fitted = _fitted(drawn, size)
        whole = Image.new("RGBA", size)
        whole.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
        return whole
    return drawn


def background(content: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    """The picture in RGBA, exactly as large as this. Raises DesignError for one of other proportions."""
    drawn = _svg(content, name, size) if name.lower().endswith(".svg") else _bitmap(content, name)
    if abs(drawn.width / drawn.height - size[0] / size[1]) > 0.01:
        raise DesignError(f"the background {name} has other proportions than the card with its bleed, 1016 × 648")
    return drawn if drawn.size == size else drawn.resize(size, Image.Resampling.LANCZOS)


def _svg(content: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    import resvg_py

    if _FOREIGN.search(content):
        raise DesignError(f"{name} refers to something outside it, has entities or scripts; it holds shapes alone")
    if _TEXT.search(content):
        raise DesignError(f"{name} has text, which machines draw differently; make it paths, or a field")
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=content.decode("utf-8"), width=size[0], height=size[1], skip_system_fonts=True
        )
    except ValueError as e:  # UnicodeDecodeError is one
        raise DesignError(f"{name} is no SVG picture that can be drawn") from e
    return Image.open(io.BytesIO(drawn)).convert("RGBA")


def _bitmap(content: bytes, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is compared below
            opened = Image.open(io.BytesIO(content), formats=_FORMATS)
        with opened:
            if opened.width * opened.height > _MOST_DOTS:
                raise DesignError(f"{name} has more than {_MOST_DOTS:,} dots")
            return opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise DesignError(f"{name} is no picture that can be read: SVG, PNG and JPEG are") from e


def _fitted(drawn: Image.Image, size: tuple[int, int]) -> Image.Image:
    scale = min(size[0] / drawn.width, size[1] / drawn.height)
    wanted = max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))
    return drawn if drawn.size == wanted else drawn.resize(wanted, Image.Resampling.LANCZOS)
