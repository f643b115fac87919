"""The demo's card printer: members' photos, a lane over a simulated printer, and pictures of what it printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from io import BytesIO
from pathlib import Path
from typing import Final

from personalize.machines.reader import MachineReader
from registry.store import Registry

PRINTED: Final = 10
"""Cards that the printer makes; the other lanes have cards that were printed elsewhere."""
DESIGN: Final = "hebei"
BANK: Final = "sample"
_NAME: Final = "printer"
_PHOTO: Final = (360, 480)
_WALLS: Final = ("#d6e4f0", "#e6e9ee", "#dfe8dd")
_SKIN: Final = ("#e8c39e", "#f0cfae", "#dcb48c", "#eac7a6")
_HAIR: Final = ("#2b2420", "#3a2e28", "#1f1c1a", "#5a5350")
_COATS: Final = ("#2f4a6d", "#7a2e36", "#3c5b48", "#4d4d57", "#8a6d3b")
_SHOWN: Final = (506, 319)


def add_photos(registry: Registry, batch_id: str, *, by: str) -> int:
    """Store a drawn portrait for each member of an approved batch; how many."""
    members = registry.photos.members(batch_id)
    registry.photos.store(batch_id, {one.member_id: _portrait(at) for at, one in enumerate(members)}, by=by)
    return len(members)


@contextmanager
def demo_printer(stock: Path) -> Iterator[MachineReader]:
    """A simulated card printer that feeds from this stock, as the reader of a lane."""
    from personalize.machines.evolis.options import parse_rest
    from personalize.machines.evolis.printer import EvolisMachine

    (running,) = (entry.load() for entry in entry_points(group="membercard.simulators", name="evolis"))
    with running(stock, _NAME) as (address, reader):
        rest = f"{address}?flip=1"
        device, options = parse_rest(rest)
        machine = MachineReader(EvolisMachine(f"evolis:{rest}", device, options, reader=reader, antenna=None))
        try:
            yield machine
        finally:
            machine.close()


def printed_faces(stock: Path) -> list[bytes]:
    """What stands on the printed cards, front above back, as JPEG pictures."""
    from PIL import Image

    from personalize.face.files import find_design
    from personalize.face.preview import preview
    from personalize.machines.protocols import PrintedFace

    design = find_design(DESIGN, stock).design
    pictures = []
    for front in sorted((stock / "issued").glob("*.front.png")):
        with Image.open(front) as one, Image.open(front.with_name(front.name.replace(".front.", ".back."))) as other:
            shown = preview(PrintedFace(one.convert("RGB"), other.convert("RGB")), design)
        size = (_SHOWN[0], round(shown.height * _SHOWN[0] / shown.width))
        paper = Image.new("RGB", size, "white")
        small = shown.resize(size, Image.Resampling.LANCZOS)
        paper.paste(small, (0, 0), small)
        content = BytesIO()
        paper.save(content, "JPEG", quality=82)
        pictures.append(content.getvalue())
    return pictures


def _portrait(number: int) -> bytes:
    """A neutral drawing of a person, one of many; nobody's photo."""
    from PIL import Image, ImageDraw

    width, height = _PHOTO
    image = Image.new("RGB", (2 * width, 2 * height), _WALLS[number % len(_WALLS)])
    draw = ImageDraw.Draw(image)
    skin, hair = _SKIN[number % len(_SKIN)], _HAIR[number * 7 % len(_HAIR)]
    long = number % 2 == 0
    if long:
        draw.rounded_rectangle((200, 190, 520, 700), 150, fill=hair)
    draw.rounded_rectangle((40, 690, 680, 1200), 180, fill=_COATS[number * 3 % len(_COATS)])
    draw.polygon(((280, 690), (440, 690), (360, 830)), fill="#f6f6f4")
    draw.rounded_rectangle((300, 560, 420, 740), 50, fill=skin)
    draw.ellipse((225, 220, 495, 620), fill=skin)
    draw.pieslice((210, 170, 510, 520), 180, 360, fill=hair)
    if long:
        draw.pieslice((212, 250, 300, 560), 90, 270, fill=hair)
        draw.pieslice((420, 250, 508, 560), 270, 90, fill=hair)
    for eye in (300, 400):
        draw.ellipse((eye, 400, eye + 22, 418), fill="#2b2420")
    draw.arc((315, 470, 405, 540), 20, 160, fill="#a5685a", width=7)
    content = BytesIO()
    image.resize(_PHOTO, Image.Resampling.LANCZOS).save(content, "JPEG", quality=85)
    return content.getvalue()
