"""Photos of members: checked as a clerk would look at them, and made small before they are stored.

The checks need no model of faces. The colour of the background is the median of a strip along the top and the upper
sides; what is far from that colour is the person. A photo passes whose strip is nearly all of that colour, and whose
person stands in the middle with a head of a usual size. They cannot tell whose face it is, or whether it is one.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MOST_BYTES: Final = 12_000_000
_MOST_DOTS: Final = 40_000_000
_LEAST: Final = (240, 320)
_STORED: Final = (480, 640)
"""Twice the dots of the largest photo that a card has at 300 dpi."""
_QUALITY: Final = 88
_PROPORTIONS: Final = (0.66, 0.86)
"""Width to height: 25 × 35 mm is 0.71, 3 × 4 is 0.75, 358 × 441 dots are 0.81."""
_LOOK: Final = (96, 128)
"""Dots of the reduced photo that is looked at."""
_STRIP_TOP, _STRIP_SIDE, _STRIP_DEPTH = 0.08, 0.09, 0.35
_NEAR, _FAR = 40.0, 44.0
"""Distance of colours, 0 to 441: of the background, and of the person from it."""
_UNIFORM: Final = 0.88
_HEAD: Final = (0.26, 0.74)
"""Width of the head to that of the photo."""
_HEAD_ROWS: Final = (0.28, 0.5)
_MIDDLE: Final = 0.1
_BRIGHT: Final = (55.0, 225.0)
_DARKEST: Final = 33.0
"""Light of the person, 0 to 255."""
_CONTRAST: Final = 16.0


class PhotoFault(StrEnum):
    """Why a photo is not taken."""

    LARGE = "large"
    FORMAT = "format"
    PROPORTIONS = "proportions"
    SMALL = "small"
    DARK = "dark"
    BRIGHT = "bright"
    FLAT = "flat"
    BACKGROUND = "background"
    HEAD = "head"
    PLACE = "place"
    TWICE = "twice"
    MISSING = "missing"


PHOTO_FAULTS: Final = {
    PhotoFault.LARGE: ("文件过大（超过 12 MB 或 4000 万像素）", "the file is too large (12 MB, 40 million dots)"),
    PhotoFault.FORMAT: ("不是可读取的 JPEG 或 PNG 图片", "it is no JPEG or PNG picture that can be read"),
    PhotoFault.PROPORTIONS: ("宽高比不是证件照", "it has not the proportions of an ID photo"),
    PhotoFault.SMALL: ("像素不足 240 × 320", "it has fewer dots than 240 × 320"),
    PhotoFault.DARK: ("过暗", "it is too dark"),
    PhotoFault.BRIGHT: ("过亮", "it is too bright"),
    PhotoFault.FLAT: ("反差不足", "it has too little contrast"),
    PhotoFault.BACKGROUND: ("背景不纯净", "the background is not of one colour"),
    PhotoFault.HEAD: ("头部大小不合适", "the head is too small or too large"),
    PhotoFault.PLACE: ("人像不在中间", "the person is not in the middle"),
    PhotoFault.TWICE: ("同一会员有多张照片", "there are several photos of this member"),
    PhotoFault.MISSING: ("没有照片", "there is no photo"),
}
"""In Chinese and English."""


@dataclass(frozen=True, slots=True)
class CheckedPhoto:
    """A photo as it may be stored (JPEG without metadata), or what is wrong with it."""

    picture: bytes = field(default=b"", repr=False)
    faults: tuple[PhotoFault, ...] = ()


def check_photo(content: bytes) -> CheckedPhoto:
    """Look at a photo, at most some milliseconds long. Dots are unpacked only when the header's size is a photo's."""
    if len(content) > MOST_BYTES:
        return CheckedPhoto(faults=(PhotoFault.LARGE,))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that are refused here, and of damaged notes of cameras
            photo, size = _opened(content)
    except Image.DecompressionBombError:
        return CheckedPhoto(faults=(PhotoFault.LARGE,))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        return CheckedPhoto(faults=(PhotoFault.FORMAT,))
    faults = tuple(_faults(photo, size))
    if faults:
        return CheckedPhoto(faults=faults)
    photo.thumbnail(_STORED, Image.Resampling.LANCZOS)
    stored = io.BytesIO()
    photo.save(stored, "JPEG", quality=_QUALITY)
    return CheckedPhoto(stored.getvalue())


def _opened(content: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """The photo upright, reduced as far as its format allows while it is read, and its size before that. Raises
    DecompressionBombError before dots are unpacked, and what Pillow raises for what is no picture."""
    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as opened:
        size = opened.size
        if size[0] * size[1] > _MOST_DOTS:
            raise Image.DecompressionBombError
        opened.draft("RGB", _STORED)
        return ImageOps.exif_transpose(opened).convert("RGB"), size


def _faults(photo: Image.Image, size: tuple[int, int]) -> list[PhotoFault]:
    if min(size) < _LEAST[0] or max(size) < _LEAST[1]:
        return [PhotoFault.SMALL]
    if not _PROPORTIONS[0] <= photo.width / photo.height <= _PROPORTIONS[1]:
        return [PhotoFault.PROPORTIONS]
    dots = np.asarray(photo.resize(_LOOK, Image.Resampling.BOX), dtype=np.float64)
    light = dots @ np.array((0.299, 0.587, 0.114))
    if light.mean() < _BRIGHT[0]:
        return [PhotoFault.DARK]
    listed = [PhotoFault.FLAT] if light.std() < _CONTRAST else []
    distance, strip = _from_background(dots)
    if (strip > _NEAR).mean() > 1 - _UNIFORM:
        return [*listed, PhotoFault.BACKGROUND]
    person = distance > _FAR
    if listed or not person.any():
        return listed or [PhotoFault.HEAD]
    brightness = float(light[person].mean()) if person.mean() > 0.05 else float(light.mean())
    if brightness < _DARKEST:
        return [PhotoFault.DARK]
    return [PhotoFault.BRIGHT] if brightness > _BRIGHT[1] else _of_head(person)


def _from_background(dots: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The distance of each dot from the background's colour, and of those of the strip that shows it."""
    height, width = dots.shape[:2]
    top, side, depth = round(height * _STRIP_TOP), round(width * _STRIP_SIDE), round(height * _STRIP_DEPTH)
    shows = np.zeros((height, width), dtype=bool)
    shows[:top] = shows[:depth, :side] = shows[:depth, width - side :] = True
    colour = np.median(dots[shows], axis=0)
    distance = np.linalg.norm(dots - colour, axis=2)
    return distance, distance[shows]


def _of_head(person: NDArray[np.bool_]) -> list[PhotoFault]:
    height, width = person.shape
    rows = person[round(height * _HEAD_ROWS[0]) : round(height * _HEAD_ROWS[1])]
    widths = rows.sum(axis=1) / width
    if not _HEAD[0] <= float(np.median(widths)) <= _HEAD[1]:
        return [PhotoFault.HEAD]
    middle = float((rows * np.arange(width)).sum() / max(1, rows.sum()) / (width - 1))
    return [] if abs(middle - 0.5) <= _MIDDLE else [PhotoFault.PLACE]
