"""Faces as pictures: fields where the design puts them, no ink on contacts and stripe, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import segno
from PIL import Image, ImageChops, ImageStat

from personalize.errors import DesignError, FaceRefused
from personalize.face.contents import filled
from personalize.face.design import CardDesign
from personalize.face.files import DesignFolder, load_design
from personalize.face.findings import FaceFinding, FindingCode
from personalize.face.fonts import chains
from personalize.face.geometry import CONTACTS, STRIPE, FaceArea
from personalize.face.preview import preview
from personalize.face.render import FaceRenderer
from personalize.face.text import fit
from personalize.machines.protocols import PrintedFace
from terminal.emv.transaction import yamlfile
from tests.support.faces import DESIGN, TEXTS, design_folder, portrait

NAME, UNIT = FaceArea(8, 42, 30, 5), FaceArea(8, 47, 40, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DesignFolder:
    return load_design(design_folder(tmp_path_factory.mktemp("trial")))


@pytest.fixture(scope="module")
def renderer(folder: DesignFolder) -> FaceRenderer:
    return FaceRenderer(folder)


@pytest.fixture(scope="module")
def face(renderer: FaceRenderer) -> PrintedFace:
    return renderer.render(TEXTS, portrait(), "card")


def changed(folder: DesignFolder, old: str, new: str, texts: Mapping[str, str] = TEXTS) -> PrintedFace:
    """The face of a design with one change."""
    assert DESIGN.count(old) == 1
    return FaceRenderer(variant(folder, old, new)).render(texts, portrait(), "card")


def variant(folder: DesignFolder, old: str, new: str) -> DesignFolder:
    design = yamlfile.parse_model(CardDesign, DESIGN.replace(old, new), "trial", "card design")
    return replace(folder, design=design)


def ink(image: Image.Image | None, box: FaceArea) -> int:
    """Dots of a resin mask with ink in a box."""
    assert image is not None
    return sum(image.crop(box.dots).histogram()[128:])


def differ(one: Image.Image, other: Image.Image, box: FaceArea) -> float:
    """How much two pictures differ in a box, on average over its dots; 0 to 255."""
    between = ImageChops.difference(one.crop(box.dots).convert("L"), other.crop(box.dots).convert("L"))
    return float(ImageStat.Stat(between).mean[0])


def test_both_sides_have_the_size_of_a_printer_and_no_alpha(face: PrintedFace) -> None:
    assert face.back is not None
    assert {(one.size, one.mode) for one in (face.front, face.back)} == {((1016, 648), "RGB")}
    assert face.front_resin is not None
    assert (face.front_resin.size, face.front_resin.mode) == ((1016, 648), "L")


def test_the_background_covers_the_bleed(face: PrintedFace) -> None:
    assert [face.front.getpixel(at) for at in ((0, 0), (0, 647), (1015, 0), (1015, 647))] == [
        (192, 32, 32),
        (192, 32, 32),
        (32, 160, 64),
        (32, 160, 64),
    ]


def test_no_ink_is_on_the_contacts_and_on_the_stripe(face: PrintedFace) -> None:
    assert face.back is not None
    assert face.front.crop(CONTACTS.dots).getextrema() == ((255, 255),) * 3
    assert face.back.crop(STRIPE.dots).getextrema() == ((255, 255),) * 3
    assert ink(face.front_resin, CONTACTS) == ink(face.back_resin, STRIPE) == 0


def test_what_lies_on_each_place_is_what_the_design_names(folder: DesignFolder, face: PrintedFace) -> None:
    emblem = FaceArea(5, 4, 9, 9).dots
    assert face.front.getpixel(((emblem[0] + emblem[2]) // 2, (emblem[1] + emblem[3]) // 2)) == (255, 255, 0)
    mark = FaceArea(62, 4, 18, 7).dots
    middle = (mark[0] + mark[2]) // 2, (mark[1] + mark[3]) // 2
    assert face.front.getpixel(middle) == (32, 160, 64)  # no bank is chosen
    with_bank = FaceRenderer(folder.for_bank("north")).render(TEXTS, portrait(), "card")
    assert with_bank.front.getpixel(middle) == (0, 255, 255)


def test_black_text_is_resin_and_coloured_text_is_not(face: PrintedFace) -> None:
    assert ink(face.front_resin, NAME) > 500
    assert ink(face.front_resin, UNIT) == ink(face.front_resin, FaceArea(8, 33, 72, 6)) == 0
    assert ink(face.back_resin, FaceArea(6, 20, 40, 5)) > 500
    assert face.front_resin is not None
    assert set(face.front_resin.tobytes()) == {0, 255}
    black = face.front.crop(NAME.dots).getcolors(100_000)
    assert black is not None
    assert sum(count for count, colour in black if colour == (0, 0, 0)) == ink(face.front_resin, NAME)


def test_another_text_changes_only_its_own_box(renderer: FaceRenderer, face: PrintedFace) -> None:
    other = renderer.render({**TEXTS, "name": "Li Na"}, portrait(), "card").front
    assert differ(face.front, other, NAME) > 3
    assert ImageChops.difference(face.front, other).getbbox() is not None
    left, top, right, bottom = ImageChops.difference(face.front, other).getbbox() or (0, 0, 0, 0)
    box = NAME.dots
    assert box[0] <= left
    assert box[1] <= top
    assert right <= box[2]
    assert bottom <= box[3]


def test_embossed_figures_have_light_above_and_shadow_below(folder: DesignFolder, face: PrintedFace) -> None:
    flat = changed(folder, 'colour: "#e0c080", style: embossed', 'colour: "#e0c080", style: flat').front
    left, top, right, bottom = FaceArea(8, 33, 72, 6).dots
    raised, plain = (one.crop((left, top, right, bottom)).convert("L") for one in (face.front, flat))
    assert raised.getextrema()[0] < plain.getextrema()[0] - 20  # the shadow
    assert raised.getextrema()[1] > plain.getextrema()[1] + 20  # the light
    assert 2 < differ(face.front, flat, FaceArea(8, 33, 72, 6)) < 60


def test_the_photo_fills_its_box_and_no_more(renderer: FaceRenderer, face: PrintedFace) -> None:
    box = FaceArea(64, 13, 15, 19)
    other = renderer.render(TEXTS, portrait(background="#ffffff"), "card").front
    left, top, right, bottom = ImageChops.difference(face.front, other).getbbox() or (0, 0, 0, 0)
    frame = box.dots
    assert (left - frame[0], top - frame[1], frame[2] - right, frame[3] - bottom) == pytest.approx((4, 4, 4, 4), abs=3)
    assert face.front.getpixel((frame[0] + 20, frame[1] + 20)) == pytest.approx((143, 184, 221), abs=6)


def test_a_long_text_becomes_smaller_and_is_refused_below_its_floor(renderer: FaceRenderer) -> None:
    long = {**TEXTS, "name": "Ouyang Jianguo Wei"}
    assert renderer.findings(long) == []
    small = renderer.render(long, portrait(), "card")
    assert ink(small.front_resin, NAME) > 0
    longer = {**TEXTS, "name": "Ouyang Jianguo of the Mountains beyond the River"}
    assert renderer.findings(longer) == [FaceFinding("front", "name", FindingCode.TOO_LONG, "7")]


def test_a_text_of_two_lines_is_divided_between_words(folder: DesignFolder, renderer: FaceRenderer) -> None:
    field = next(text for text in folder.design.front.texts if text.field == "unit")
    fitted = fit(
        field, chains(folder.design.fonts, folder.files)["sans"], "Unit of the Great Works, the Second Branch, Hebei"
    )
    assert fitted is not None
    assert fitted.lines == ("Unit of the Great Works, the Second", "Branch, Hebei")


def test_a_character_without_a_glyph_is_named_by_its_number_and_the_card_by_its_own(renderer: FaceRenderer) -> None:
    rare = {**TEXTS, "name": "Wang \U00020bb7\u4e01"}
    assert renderer.findings(rare) == [FaceFinding("front", "name", FindingCode.NO_GLYPH, "U+20BB7 U+4E01")]
    with pytest.raises(FaceRefused) as refused:
        renderer.render(rare, portrait(), "9156130000000000017")
    assert str(refused.value) == "9156130000000000017: front name: no font of the design has U+20BB7 U+4E01"
    assert "Wang" not in str(refused.value)


def test_a_missing_photo_and_one_that_cannot_be_read_are_refused(renderer: FaceRenderer, folder: DesignFolder) -> None:
    for photo, code in ((None, FindingCode.NO_PHOTO), (b"\xff\xd8 no photo", FindingCode.BAD_PHOTO)):
        with pytest.raises(FaceRefused) as refused:
            renderer.render(TEXTS, photo, "card")
        assert refused.value.findings == (FaceFinding("front", "photo", code),)
    optional = variant(folder, 'frame: "#ffffff"}', 'frame: "#ffffff", required: false}')
    empty = FaceRenderer(optional).render(TEXTS, None, "card").front
    assert empty.getpixel(FaceArea(70, 20, 1, 1).dots[:2]) == (32, 160, 64)


def test_a_text_that_the_dossier_lacks_is_refused_unless_the_design_allows_it(renderer: FaceRenderer) -> None:
    assert renderer.findings({**TEXTS, "pan": ""}) == []
    assert renderer.findings({**TEXTS, "unit": ""}) == [FaceFinding("front", "unit", FindingCode.NO_TEXT)]


def test_dates_and_numbers_are_written_as_the_design_says() -> None:
    assert filled("VALID {valid_until:MM/YY}", TEXTS) == "VALID 12/36"
    assert filled("{valid_until:YYYY.MM.DD}", TEXTS) == "2036.12.31"
    assert filled("{card_number:4}", TEXTS) == "9156 1300 0000 0000 017"
    assert filled("{member_number}", TEXTS) == "130100000017"
    assert filled("{pan:4}", TEXTS) is None


def test_a_qr_code_has_the_modules_of_its_text(face: PrintedFace) -> None:
    assert face.back is not None
    rows = [list(row) for row in segno.make(TEXTS["member_number"], error="m", micro=False, boost_error=False).matrix]
    left, top, right, bottom = FaceArea(62, 20, 17, 17).dots
    module = (right - left) // (len(rows) + 8)
    at = (right - left - module * len(rows)) // 2
    picture = face.back.crop((left, top, right, bottom)).convert("L")
    read = [
        [int(picture.getpixel((at + module * x + module // 2, at + module * y + module // 2)) == 0) for x in range(21)]
        for y in range(21)
    ]
    assert read == rows


def test_a_bar_code_has_whole_dots_and_its_quiet_zone(face: PrintedFace) -> None:
    assert face.back is not None
    left, top, right, bottom = FaceArea(6, 40, 46, 8).dots
    row = face.back.crop((left, (top + bottom) // 2, right, (top + bottom) // 2 + 1)).convert("L").tobytes()
    dark = [number for number, value in enumerate(row) if value == 0]
    bars = row[dark[0] : dark[-1] + 1]
    module = math.gcd(*(len(bar) for bar in bars.split(b"\xff") if bar))
    assert module == 4
    assert len(bars) == module * (11 * 8 + 13)  # start, 6 pairs of digits in set C, check and stop: ISO/IEC 15417
    assert min(dark[0], len(row) - dark[-1] - 1) >= 10 * module


def test_a_box_too_small_for_its_code_is_a_finding(folder: DesignFolder) -> None:
    small = FaceRenderer(variant(folder, "box: [62, 20, 17, 17]", "box: [62, 20, 8, 8]"))
    assert small.findings(TEXTS) == [FaceFinding("back", "code", FindingCode.CODE)]


def test_a_black_ribbon_prints_nothing_but_black_dots(folder: DesignFolder) -> None:
    black = "\n".join(
        line for line in DESIGN.replace("ribbon: ymcko", "ribbon: k").splitlines() if "field: number" not in line
    )
    black = black.replace('       colour: "#e0c080", style: embossed}\n', "").replace('colour: "#ffffff"', "colour: k")
    black = black.replace('frame: "#ffffff"', "frame: k")
    design = yamlfile.parse_model(CardDesign, black, "trial", "card design")
    face = FaceRenderer(replace(folder, design=design)).render(TEXTS, portrait(), "card")
    assert {colour for _, colour in face.front.getcolors() or []} == {(0, 0, 0), (255, 255, 255)}
    assert face.front_resin is not None
    inverted = ImageChops.invert(face.front.convert("L"))
    assert ImageChops.difference(inverted, face.front_resin).getbbox() is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"<svg", "is no SVG picture that can be drawn"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "has entities or scripts"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>', "refers to something outside"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><text>a</text></svg>', "has text, which machines draw differently"),
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M0 0h1v1z"/></svg>',
            "has other proportions than the card with its bleed",
        ),
    ],
)
def test_a_background_that_cannot_be_drawn_alike_everywhere_is_refused(
    folder: DesignFolder, content: bytes, fault: str
) -> None:
    with pytest.raises(DesignError, match=fault):
        FaceRenderer(replace(folder, files={**folder.files, "front.svg": content}))


def test_a_picture_of_too_many_dots_is_refused_before_it_is_unpacked(folder: DesignFolder, tmp_path: Path) -> None:
    Image.new("1", (8000, 5103)).save(tmp_path / "front.png")
    design = folder.design.model_copy(
        update={"front": folder.design.front.model_copy(update={"background": "front.png"})}
    )
    files = {**folder.files, "front.png": (tmp_path / "front.png").read_bytes()}
    with pytest.raises(DesignError, match=r"front\.png has more than 30,000,000 dots"):
        FaceRenderer(replace(folder, design=design, files=files))


def test_a_preview_shows_chip_and_stripe_within_the_corners_of_a_card(folder: DesignFolder, face: PrintedFace) -> None:
    shown = preview(face, folder.design)
    assert shown.mode == "RGBA"
    assert shown.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert shown.getpixel((500, 3))[3] == 255  # type: ignore[index]
    gold = shown.getpixel((120, 230))
    assert isinstance(gold, tuple)
    assert gold[0] > gold[2] + 60
