"""Faces as pictures: what a design shows of one dossier. Backgrounds are drawn once and kept in memory."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageColor, ImageDraw, ImageOps, UnidentifiedImageError

from personalize.dossiers.dossier import Dossier
from personalize.errors import FaceRefused
from personalize.face.codes import code_fits, code_mask
from personalize.face.contents import filled, references
from personalize.face.design import BANK, CodeField, FaceSide, PhotoField, TextField
from personalize.face.files import DesignFolder
from personalize.face.findings import FaceFinding, FindingCode
from personalize.face.fonts import chains
from personalize.face.geometry import CONTACTS, HEIGHT, STRIPE, WIDTH, FaceArea
from personalize.face.pictures import background, picture
from personalize.face.text import fit, mask_of, paint, paint_resin
from personalize.machines.protocols import PrintedFace

_FREETYPE: Final = threading.Lock()
"""FreeType's fonts are for one thread at a time, and machine fonts are shared by all designs."""
_SIZE: Final = (WIDTH, HEIGHT)
_MOST_PHOTO_DOTS: Final = 4_000_000
"""Of a stored photo, which its check made small (``personalize.face.photos``)."""


@dataclass(frozen=True, slots=True)
class _Side:
    """A side without what differs from card to card."""

    name: str
    side: FaceSide
    texts: tuple[TextField, ...]
    """Those that differ."""
    base: Image.Image
    resin: Image.Image


class FaceRenderer:
    """Renders the faces of one design. Usable from many threads; those of one design share its drawn backgrounds.

    Raises DesignError for files of the design that cannot be used, NoChineseFont.
    """

    def __init__(self, folder: DesignFolder) -> None:
        self.folder = folder
        self._chains = chains(folder.design.fonts, folder.files)
        self._fixed: list[FaceFinding] = []
        self._sides = [self._drawn(name, side) for name, side in folder.design.sides]

    def findings(self, texts: Mapping[str, str], photo: bool = True) -> list[FaceFinding]:
        """What keeps a face with these texts from being printed; ``photo``: whether the member has one."""
        listed = list(self._fixed)
        with _FREETYPE:
            for drawn in self._sides:
                for text in drawn.texts:
                    listed += self._of_text(drawn.name, text, texts)
                for code in drawn.side.codes:
                    listed += _of_code(drawn.name, code, texts)
                if drawn.side.photo is not None and drawn.side.photo.required and not photo:
                    listed.append(FaceFinding(drawn.name, "photo", FindingCode.NO_PHOTO))
        return listed

    def render(self, texts: Mapping[str, str], photo: bytes | None, subject: str) -> PrintedFace:
        """The face with these texts and this photo (JPEG or PNG). ``subject`` names the card in an error.

        Raises FaceRefused for what ``findings`` lists, and for a photo that cannot be read.
        """
        if listed := self.findings(texts, photo is not None):
            raise FaceRefused.of(subject, listed)
        pictures = [self._printed(one, texts, photo, subject) for one in self._sides]
        (front, front_resin), (back, back_resin) = pictures[0], pictures[1] if len(pictures) > 1 else (None, None)
        return PrintedFace(front, back, front_resin, back_resin)

    def _printed(
        self, drawn: _Side, texts: Mapping[str, str], photo: bytes | None, subject: str
    ) -> tuple[Image.Image, Image.Image]:
        image, resin, side = drawn.base.copy(), drawn.resin.copy(), drawn.side
        black = self.folder.design.ribbon == "k"
        if side.photo is not None and photo is not None:
            try:
                _paint_photo(image, resin, side.photo, photo, black)
            except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as e:
                raise FaceRefused.of(subject, [FaceFinding(drawn.name, "photo", FindingCode.BAD_PHOTO)]) from e
        for code in side.codes:
            if content := filled(code.content, texts):
                _paint_code(image, resin, code, content)
        with _FREETYPE:
            for text in drawn.texts:
                self._paint_text(image, resin, text, texts)
        return image, resin

    def _paint_text(self, image: Image.Image, resin: Image.Image, field: TextField, texts: Mapping[str, str]) -> None:
        content, chain = filled(field.content, texts), self._chains[field.font]
        fitted = fit(field, chain, content) if content else None
        if fitted is not None:
            paint(image, resin, field, mask_of(field, chain, fitted))

    def _of_text(self, side: str, field: TextField, texts: Mapping[str, str]) -> Iterator[FaceFinding]:
        content = filled(field.content, texts)
        if content is None:
            if not field.optional:
                yield FaceFinding(side, field.field, FindingCode.NO_TEXT)
            return
        if lacking := self._chains[field.font].lacking(content):
            yield FaceFinding(side, field.field, FindingCode.NO_GLYPH, " ".join(f"U+{ord(one):04X}" for one in lacking))
        elif fit(field, self._chains[field.font], content) is None:
            yield FaceFinding(side, field.field, FindingCode.TOO_LONG, f"{field.floor:g}")

    def _drawn(self, name: str, side: FaceSide) -> _Side:
        folder = self.folder
        image = Image.new("RGB", _SIZE, side.paper)
        if side.background is not None:
            drawn = background(folder.files[side.background], side.background, _SIZE)
            image.paste(drawn, (0, 0), drawn)
        for one in side.pictures:
            if BANK in one.file and not folder.bank:
                continue
            file = one.file.replace(BANK, folder.bank)
            left, top, right, bottom = one.box.dots
            drawn = picture(folder.files[file], file, (right - left, bottom - top))
            image.paste(drawn, (left, top), drawn)
        resin = Image.new("L", _SIZE)
        if folder.design.ribbon == "k":
            image, resin = _black(image)
        for clear in _clear(folder, name):
            image.paste((255, 255, 255), clear.dots)
            resin.paste(0, clear.dots)
        with _FREETYPE:
            for text in side.texts:
                if not references(text.content):
                    self._fixed += self._of_text(name, text, {})
                    self._paint_text(image, resin, text, {})
        return _Side(name, side, tuple(text for text in side.texts if references(text.content)), image, resin)


def render(dossier: Dossier, renderer: FaceRenderer, photo: bytes | None) -> PrintedFace:
    """The face of a card. Raises FaceRefused, which names the card by its number."""
    return renderer.render(dossier.face, photo, dossier.card_number)


def _clear(folder: DesignFolder, side: str) -> list[FaceArea]:
    """Places without ink."""
    if side == "front":
        return [CONTACTS] if folder.design.contacts else []
    return [STRIPE] if folder.design.stripe else []


def _of_code(side: str, field: CodeField, texts: Mapping[str, str]) -> Iterator[FaceFinding]:
    content = filled(field.content, texts)
    if content is None:
        yield FaceFinding(side, field.field, FindingCode.NO_TEXT)
    elif not (code_fits(field, len(content)) if content.isdecimal() else code_mask(field, content)):
        yield FaceFinding(side, field.field, FindingCode.CODE)


def _paint_code(image: Image.Image, resin: Image.Image, field: CodeField, content: str) -> None:
    mask = code_mask(field, content)
    if mask is None:
        return
    left, top, right, bottom = field.box.dots
    image.paste((255, 255, 255), (left, top, right, bottom))
    resin.paste(0, (left, top, right, bottom))
    if field.colour == "k":
        paint_resin(image, resin, mask, (left, top))
    else:
        image.paste(ImageColor.getrgb(field.colour), (left, top), mask)


def _paint_photo(image: Image.Image, resin: Image.Image, field: PhotoField, photo: bytes, black: bool) -> None:
    left, top, right, bottom = field.box.dots
    size = right - left, bottom - top
    with Image.open(io.BytesIO(photo), formats=("JPEG", "PNG")) as opened:
        if opened.width * opened.height > _MOST_PHOTO_DOTS:
            raise ValueError("a photo of too many dots")
        fitted = ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS, centering=(0.5, 0.35))
    radius = round(field.corner * 300 / 25.4)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, fill=255)
    if black:
        fitted, ink = _black(fitted)
        resin.paste(ink, (left, top), mask)
    image.paste(fitted, (left, top), mask)
    if field.frame is not None:
        outline = Image.new("L", size)
        ImageDraw.Draw(outline).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, outline=255, width=4)
        if field.frame == "k":
            paint_resin(image, resin, outline, (left, top))
        else:
            image.paste(ImageColor.getrgb(field.frame), (left, top), outline)


def _black(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture as a ribbon of black resin prints it, dots on white, and its resin."""
    dotted = image.convert("1")  # Floyd and Steinberg's dithering
    return dotted.convert("RGB"), ImageOps.invert(dotted.convert("L"))
