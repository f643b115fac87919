"""Pictures of the shipped card designs for README and docs, with made-up members.

Run it with: .venv/bin/python -m scripts.face_pictures
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from PIL import Image

from personalize.face.files import shipped_design, shipped_designs
from personalize.face.preview import preview_sides
from personalize.face.render import FaceRenderer
from personalize.face.specimens import specimen_photo, specimen_texts

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "faces"
GAP = 20
SCALE = 0.55
SPECIMENS = {"hebei": 2, "beijing": 6, "black": 7}
"""Which of the made-up members each card is of."""
DAY = date(2026, 12, 1)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in shipped_designs():
        design = shipped_design(name)
        marks = design.for_bank("sample") if "banks/sample.svg" in design.files else design
        number = SPECIMENS[name]
        face = FaceRenderer(marks).render(specimen_texts(number, DAY), specimen_photo(), name)
        side_by_side(preview_sides(face, design.design)).save(FOLDER / f"{name}.png", optimize=True)


def side_by_side(sides: tuple[Image.Image, ...]) -> Image.Image:
    """The sides beside each other, smaller."""
    small = [
        one.resize((round(one.width * SCALE), round(one.height * SCALE)), Image.Resampling.LANCZOS) for one in sides
    ]
    whole = Image.new("RGBA", (sum(one.width for one in small) + GAP * (len(small) - 1), small[0].height))
    left = 0
    for one in small:
        whole.paste(one, (left, 0))
        left += one.width + GAP
    return whole


if __name__ == "__main__":
    main()
