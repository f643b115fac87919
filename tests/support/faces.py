"""A small card design with fonts that every machine has, texts of a card, and a photo: for tests of printed faces."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

DESIGN = """\
design: trial
title: trial
ribbon: ymcko
contacts: true
stripe: true
fonts:
  sans: [dejavu-sans]
  digits: [dejavu-mono-bold]
front:
  paper: "#204080"
  background: front.svg
  pictures:
    - {file: emblem.svg, box: [5, 4, 9, 9]}
    - {file: "banks/{bank}.svg", box: [62, 4, 18, 7]}
  texts:
    - {field: name, content: "{name}", box: [8, 42, 30, 5], size: 12, floor: 7, colour: k}
    - {field: unit, content: "{unit}", box: [8, 47, 40, 5], size: 7, floor: 5, colour: "#ffffff", lines: 2}
    - {field: number, content: "{card_number:4}", box: [8, 33, 72, 6], size: 14, floor: 10, font: digits,
       colour: "#e0c080", style: embossed}
    - {field: until, content: "VALID {valid_until:MM/YY}", box: [50, 42, 30, 4], size: 8, colour: "#ffffff",
       align: right}
  photo: {box: [64, 13, 15, 19], corner: 1, frame: "#ffffff"}
back:
  texts:
    - {field: member, content: "{member_number}", box: [6, 20, 40, 5], size: 10}
    - {field: account, content: "{pan:4}", box: [6, 27, 50, 5], size: 10, optional: true}
  codes:
    - {field: code, kind: qr, content: "{member_number}", box: [62, 20, 17, 17]}
    - {field: bars, kind: code128, content: "{member_number}", box: [6, 40, 46, 8]}
"""
FRONT = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1016 648" width="1016" height="648">
<rect width="1016" height="648" fill="#c02020"/><rect x="508" width="508" height="648" fill="#20a040"/></svg>"""
EMBLEM = (
    """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" fill="#ffff00"/></svg>"""
)
TEXTS = {
    "name": "Ouyang Jianguo",
    "unit": "North China Works, Branch One",
    "member_number": "130100000017",
    "card_number": "9156130000000000017",
    "pan": "",
    "valid_from": "2026-12-01",
    "valid_until": "2036-12-31",
}


def design_files(text: str = DESIGN) -> dict[str, bytes]:
    """The files of the design, with another ``design.yaml`` where one is given."""
    return {
        "design.yaml": text.encode(),
        "front.svg": FRONT.encode(),
        "emblem.svg": EMBLEM.encode(),
        "banks/north.svg": EMBLEM.replace("ffff00", "00ffff").encode(),
    }


def design_folder(folder: Path, text: str = DESIGN) -> Path:
    """The design on disk."""
    for name, content in design_files(text).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@cache
def portrait(
    size: tuple[int, int] = (480, 640), background: str = "#8fb8dd", *, shirt: str = "#20304f", kind: str = "JPEG"
) -> bytes:
    """A drawn head before a plain background."""
    width, height = size
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)

    def across(*parts: float) -> tuple[float, ...]:
        return tuple(part * (width if number % 2 == 0 else height) for number, part in enumerate(parts))

    draw.ellipse(across(0.12, 0.68, 0.88, 1.4), fill=shirt)
    draw.rectangle(across(0.43, 0.56, 0.57, 0.72), fill="#e3b493")
    draw.ellipse(across(0.31, 0.2, 0.69, 0.63), fill="#efc4a2")
    draw.pieslice(across(0.29, 0.17, 0.71, 0.52), 180, 360, fill="#241a16")
    whole = io.BytesIO()
    image.save(whole, kind, quality=90)
    return whole.getvalue()
