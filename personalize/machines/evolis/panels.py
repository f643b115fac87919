"""Panels of a print: a face becomes the bytes of ``Db`` and ``Dbc``.

The order of dots and the packing are those of docs/machines.md ("The bytes of a card printer"), after the programming
guide A5013, revision E, pages 5 and 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from personalize.machines.evolis.separation import (
    CONTACTS,
    HEIGHT,
    STRIPE,
    WIDTH,
    Dots,
    Mask,
    PrintArea,
    resin_only,
    separate,
)
from personalize.machines.protocols import PrintedFace

BITS: Final = {2: 1, 32: 5, 64: 6, 128: 7}
"""Bits of a dot by the number of levels."""
_LINE = HEIGHT // 8
"""Bytes of a line of one bit a dot."""
_LONGEST: Final = {32: 767, 64: 511, 128: 255}
"""The longest run of a compressed dye panel by the number of levels."""


class PrinterRibbon(StrEnum):
    """The ribbons that the driver prints with; the letters are their panels."""

    K = "k"
    KO = "ko"
    YMCKO = "ymcko"
    YMCKOK = "ymckok"
    """Colour and overlay for the front, black for the back."""

    def front(self) -> str:
        return "ymcko" if self is PrinterRibbon.YMCKOK else self.value

    def back(self) -> str:
        return "k" if self is PrinterRibbon.YMCKOK else self.value


class Compression(StrEnum):
    """Which panels are sent by ``Dbc``."""

    NONE = "none"
    KO = "ko"
    ALL = "all"
    """Dye too, whose compressed form one source describes."""


class ChipSide(StrEnum):
    """The side on which nothing is printed over the chip's contacts."""

    FRONT = "front"
    BACK = "back"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """How faces become panels. ``levels`` are those of a dye panel: 32, 64 or 128. ``gamma`` above 1 gives less dye in
    the middle tones. ``stripe``: cards have one on the back, which gets no overlay. ``turn_back`` turns the back by 180
    degrees."""

    ribbon: PrinterRibbon = PrinterRibbon.YMCKO
    levels: int = 128
    compression: Compression = Compression.KO
    contacts: ChipSide = ChipSide.FRONT
    stripe: bool = True
    gamma: float = 1.0
    turn_back: bool = False


def front_commands(face: PrintedFace, settings: PanelSettings) -> list[bytes]:
    """The ``Db`` and ``Dbc`` commands of the front without ESC and CR, in the order of the ribbon."""
    clear = CONTACTS if settings.contacts is ChipSide.FRONT else None
    return list(_side(face.front, face.front_resin, settings.ribbon.front(), settings, clear, bare=clear))


def back_commands(face: PrintedFace, settings: PanelSettings) -> list[bytes]:
    """Those of the back; none where it stays as it is."""
    picture, resin = face.back, face.back_resin
    if picture is None:
        return []
    if settings.turn_back:
        # The contacts and the stripe turn with the picture: they are cleared before.
        turn = Image.Transpose.ROTATE_180
        picture, resin = picture.transpose(turn), resin.transpose(turn) if resin is not None else None
    clear = CONTACTS if settings.contacts is ChipSide.BACK else None
    bare = STRIPE if settings.stripe else clear
    if settings.turn_back:
        clear, bare = _turned(clear), _turned(bare)
    return list(_side(picture, resin, settings.ribbon.back(), settings, clear, bare=bare))


def _turned(box: PrintArea | None) -> PrintArea | None:
    return box and PrintArea(WIDTH - box.right, HEIGHT - box.bottom, WIDTH - box.left, HEIGHT - box.top)


def _side(
    picture: Image.Image,
    resin: Image.Image | None,
    colours: str,
    settings: PanelSettings,
    clear: PrintArea | None,
    *,
    bare: PrintArea | None,
) -> Iterator[bytes]:
    """``clear`` gets nothing at all, ``bare`` no overlay."""
    for image in filter(None, (picture, resin)):
        if image.size != (WIDTH, HEIGHT):
            raise ValueError(f"a face of {image.width} × {image.height} dots; it has {WIDTH} × {HEIGHT}")
    picture = picture.convert("RGB")
    resin = resin.convert("L") if resin is not None else None
    if "y" in colours:
        separated = separate(picture, resin, clear=clear)
        red, green, blue = separated.dye
        for colour, component in (("y", blue), ("m", green), ("c", red)):
            yield dye_command(colour, settings.levels, _values(component, settings), settings.compression)
        black = separated.resin
    else:
        black = resin_only(picture, resin, clear=clear)
    yield dots_command("k", black, settings.compression)
    if "o" in colours:
        overlay = np.ones((WIDTH, HEIGHT), dtype=np.bool_)
        for box in filter(None, (clear, bare)):
            box.of(overlay)[...] = False
        yield dots_command("o", overlay, settings.compression)


def _values(component: Dots, settings: PanelSettings) -> Dots:
    """How much dye each dot gets: (255 − component) with ``levels`` levels. No gamma changes none and all."""
    shift = 8 - BITS[settings.levels]
    dye = np.arange(255, -1, -1, dtype=np.float64)
    table = np.rint(255 * (dye / 255) ** settings.gamma).astype(np.uint8) >> shift
    return np.take(table, component)


def dots_command(colour: str, dots: Mask, compression: Compression) -> bytes:
    """The command of a panel of resin or overlay: 1016 lines of 648 dots."""
    rows = np.packbits(dots, axis=1)
    if compression is Compression.NONE:
        return b"Db;%s;2;" % colour.encode() + rows.tobytes()
    data = compressed_dots(rows)
    return b"Dbc;%s;2;%d;" % (colour.encode(), len(data)) + data


def dye_command(colour: str, levels: int, values: Dots, compression: Compression) -> bytes:
    """The command of a panel of dye: 1016 lines of 648 values below ``levels``."""
    if compression is not Compression.ALL:
        return b"Db;%s;%d;" % (colour.encode(), levels) + packed(values, BITS[levels])
    data = compressed_dye(values, levels)
    return b"Dbc;%s;%d;%d;" % (colour.encode(), levels, len(data)) + data


def packed(values: Dots, bits: int) -> bytes:
    """Values of ``bits`` bits each, one after the other without a gap, the most significant bit first."""
    gap = 8 - bits
    words = np.ascontiguousarray(values).reshape(-1, 8).view(">u8").astype(np.uint64)
    # Eight values of eight bits each, closed up in pairs, then in fours, then to one number.
    for shift, upper in ((gap, 0xFF00FF00FF00FF00), (2 * gap, 0xFFFF0000FFFF0000), (4 * gap, 0xFFFFFFFF00000000)):
        high, low = np.uint64(upper), np.uint64(upper ^ 0xFFFFFFFFFFFFFFFF)
        words = ((words & high) >> np.uint64(shift)) | (words & low)
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, gap:].tobytes()


def compressed_dots(rows: npt.NDArray[np.uint8]) -> bytes:
    """A line without ink is 00, a full one FF, any other the number of its bytes up to the last with ink, and these."""
    used = np.where(rows.any(axis=1), _LINE - np.argmax(rows[:, ::-1] != 0, axis=1), 0)
    full = (rows == 0xFF).all(axis=1)
    lines = (
        b"\xff" if whole else bytes((count,)) + row[:count].tobytes()
        for row, count, whole in zip(rows, used.tolist(), full.tolist(), strict=True)
    )
    return b"".join(lines)


def compressed_dye(values: Dots, levels: int) -> bytes:
    """Runs of dots with the same value: the value alone for one dot, 80 + value and the number for more.

    The upper bits that a value does not use add 256 each to the number. The rest of a line without dye is 80 00.
    """
    flat = values.ravel()
    begins = np.empty(flat.size, dtype=np.bool_)
    begins[0] = True
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::HEIGHT] = True
    starts = np.flatnonzero(begins)
    starts, lengths = _divided(starts, np.diff(starts, append=flat.size), _LONGEST[levels], flat)
    value = flat[starts]
    last = (starts + lengths) % HEIGHT == 0
    rest = last & (value == 0)
    single = (lengths == 1) & ~rest
    offsets = np.cumsum(2 - single) - (2 - single)
    number = np.where(rest, 0, lengths)
    data = np.zeros(int(offsets[-1]) + 2 - int(single[-1]), dtype=np.uint8)
    hundreds = np.minimum(number >> 8, 2) if levels < 128 else np.zeros_like(number)
    extra = np.where(hundreds >= 1, 0x40, 0) | np.where(hundreds == 2, 0x20, 0)
    data[offsets] = np.where(single, value, 0x80 | extra | value).astype(np.uint8)
    longer = ~single
    data[offsets[longer] + 1] = (number - 256 * hundreds)[longer].astype(np.uint8)
    return data.tobytes()


def _divided(
    starts: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp], longest: int, flat: Dots
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Runs that are longer than a number can say, in parts; a line's rest without dye needs no number."""
    parts = np.where((flat[starts] == 0) & ((starts + lengths) % HEIGHT == 0), 1, -(-lengths // longest))
    if parts.max() == 1:
        return starts, lengths
    run = np.repeat(np.arange(starts.size), parts)
    index = np.arange(run.size) - np.repeat(np.cumsum(parts) - parts, parts)
    divided = starts[run] + index * longest
    ends = np.where(index == parts[run] - 1, starts[run] + lengths[run], divided + longest)
    return divided, ends - divided
