"""A card design: what lies where on front and back. The model of ``design.yaml``; faults name their line.

Boxes are [left, top, width, height] in millimetres from the top left corner of the card, sizes of letters are points,
colours are "#rrggbb" or "k", the black resin of the ribbon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from personalize.face.contents import references
from personalize.face.fonts import SYSTEM
from personalize.face.geometry import BLEED, FaceArea
from personalize.profiles.face import FaceText
from personalize.profiles.fields import Section

Place = tuple[int | str, ...]
"""Where something is in ``design.yaml``: keys and numbers of list entries."""
BANK = "{bank}"
"""In the name of a picture's file: the bank that the profile names."""


def _box(value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ValueError("a box is [left, top, width, height] in millimetres")
    try:
        box = FaceArea(*(float(length) for length in value))
    except (TypeError, ValueError):
        raise ValueError("a box is [left, top, width, height] in millimetres") from None
    if not (box.width > 0 and box.height > 0 and box.inside(BLEED)):
        raise ValueError("a box has a width and a height, and lies on the card: 85.60 × 53.98 mm with bleed")
    return box


def _file(name: str) -> str:
    parts = name.split("/")
    if not all(parts) or ".." in parts or "." in parts or "\\" in name:
        raise ValueError("a file of the design is named by its path inside the design")
    return name


FaceBox = Annotated[FaceArea, BeforeValidator(_box)]
DesignFile = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_file)]
Colour = Annotated[str, Field(pattern=r"^(k|#[0-9a-fA-F]{6})$")]
Points = Annotated[float, Field(ge=4, le=60)]


class TextField(Section):
    """A line of text, or up to four. ``content`` has texts of the dossier in braces (``personalize.face.contents``).

    A text that is too wide is set in smaller letters down to ``floor``; one that is too wide then is refused.
    """

    field: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    content: str = Field(min_length=1, max_length=200)
    box: FaceBox
    size: Points = 9
    floor: Points = 6
    font: str = "sans"
    colour: Colour = "k"
    align: Literal["left", "center", "right"] = "left"
    style: Literal["flat", "embossed"] = "flat"
    spacing: float = Field(0, ge=0, le=5)
    """Millimetres between letters."""
    bold: float = Field(0, ge=0, le=0.5)
    """Width of an outline in millimetres, for fonts that come in one weight."""
    lines: int = Field(1, ge=1, le=4)
    optional: bool = False
    """Nothing is printed where the dossier has not all texts of the content; otherwise such a card is refused."""

    @field_validator("content")
    @classmethod
    def _known(cls, content: str) -> str:
        references(content)
        return content

    @model_validator(mode="after")
    def _sizes(self) -> TextField:
        if self.floor > self.size:
            raise ValueError("the floor of a text is not above its size")
        if self.style == "embossed" and self.colour == "k":
            raise ValueError("an embossed text is shaded, so its colour is not k")
        return self


class PhotoField(Section):
    """The member's photo, cut to the proportions of its box."""

    box: FaceBox
    corner: float = Field(0, ge=0, le=10)
    """Radius of its corners in millimetres."""
    frame: Colour | None = None
    required: bool = True
    """Cards of members without a photo are refused; otherwise the background shows."""


class CodeField(Section):
    """A QR code (ISO/IEC 18004, level M) or a bar code (Code 128, ISO/IEC 15417), its quiet zone inside the box."""

    field: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    kind: Literal["qr", "code128"] = "qr"
    content: str = Field(min_length=1, max_length=200)
    box: FaceBox
    colour: Colour = "k"

    @field_validator("content")
    @classmethod
    def _known(cls, content: str) -> str:
        references(content)
        return content


class PictureField(Section):
    """A picture that every card has: the emblem, a bank's mark. ``{bank}`` in its file is the bank of the profile; a
    profile without one leaves it out."""

    file: DesignFile
    box: FaceBox


class FaceSide(Section):
    """One side. The background covers the card with its bleed: 1016 × 648 dots."""

    paper: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#ffffff"
    background: DesignFile | None = None
    pictures: tuple[PictureField, ...] = Field((), max_length=20)
    texts: tuple[TextField, ...] = Field((), max_length=40)
    codes: tuple[CodeField, ...] = Field((), max_length=6)
    photo: PhotoField | None = None

    @property
    def fields(self) -> Iterator[tuple[Place, str, FaceArea]]:
        """Every field that has to be whole: its place in the file below the side, what it is called, and its box."""
        for number, text in enumerate(self.texts):
            yield ("texts", number), text.field, text.box
        for number, code in enumerate(self.codes):
            yield ("codes", number), code.field, code.box
        if self.photo is not None:
            yield ("photo",), "photo", self.photo.box

    @property
    def colours(self) -> Iterator[tuple[Place, str]]:
        """Every colour of a field with its place in the file below the side."""
        for number, text in enumerate(self.texts):
            yield ("texts", number, "colour"), text.colour
        for number, code in enumerate(self.codes):
            yield ("codes", number, "colour"), code.colour
        if self.photo is not None and self.photo.frame is not None:
            yield ("photo", "frame"), self.photo.frame


class CardDesign(Section):
    """A card design."""

    design: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1, max_length=60)
    ribbon: Literal["ymcko", "k"] = "ymcko"
    contacts: bool = True
    """Cards have a contact chip; its place is left without ink."""
    stripe: bool = False
    """Cards have a magnetic stripe; its place is left without ink."""
    fonts: dict[str, tuple[str, ...]] = Field({"sans": (SYSTEM,)}, max_length=12)
    """Lists of fonts by name; a character is taken from the first that has it. See ``personalize.face.fonts``."""
    front: FaceSide
    back: FaceSide | None = None

    @property
    def sides(self) -> tuple[tuple[str, FaceSide], ...]:
        back = () if self.back is None else (("back", self.back),)
        return (("front", self.front), *back)

    @property
    def needs_photo(self) -> bool:
        return any(side.photo is not None and side.photo.required for _, side in self.sides)

    @property
    def has_photo(self) -> bool:
        return any(side.photo is not None for _, side in self.sides)

    def uses(self) -> frozenset[FaceText]:
        """The texts of the dossier that are printed."""
        contents = [text.content for _, side in self.sides for text in side.texts]
        contents += [code.content for _, side in self.sides for code in side.codes]
        return frozenset(reference.text for content in contents for reference in references(content))
