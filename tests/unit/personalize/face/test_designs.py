"""Card designs as files: what is refused names its line, and nothing lies on contacts, stripe or edge."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from personalize.errors import DesignError
from personalize.face.files import find_design, load_design, shipped_design, shipped_designs
from personalize.profiles.face import FaceText
from tests.support.faces import DESIGN, design_files, design_folder


@pytest.mark.parametrize("name", shipped_designs())
def test_every_shipped_design_is_sound_and_bears_its_name(name: str) -> None:
    folder = shipped_design(name)
    assert folder.name == name
    assert {FaceText.NAME, FaceText.CARD_NUMBER, FaceText.MEMBER_NUMBER} <= folder.design.uses()


def test_three_designs_are_shipped_of_which_one_needs_only_black() -> None:
    assert shipped_designs() == ("beijing", "black", "hebei")
    assert {name: shipped_design(name).design.ribbon for name in shipped_designs()} == {
        "beijing": "ymcko",
        "black": "k",
        "hebei": "ymcko",
    }


def test_a_zip_archive_and_a_folder_are_the_same_design(tmp_path: Path) -> None:
    folder = design_folder(tmp_path / "trial")
    with zipfile.ZipFile(tmp_path / "trial.zip", "w") as archive:
        for name, content in design_files().items():
            archive.writestr(f"trial/{name}", content)
        archive.writestr("__MACOSX/trial/._design.yaml", b"x")
    assert load_design(tmp_path / "trial.zip").digest == load_design(folder).digest


def test_a_design_of_the_data_directory_goes_before_a_shipped_one(tmp_path: Path) -> None:
    design_folder(tmp_path / "hebei", DESIGN.replace("design: trial", "design: hebei"))
    assert find_design("hebei", tmp_path).design.title == "trial"
    assert find_design("beijing", tmp_path) is shipped_design("beijing")
    with pytest.raises(DesignError, match="there is no card design elsewhere; shipped are beijing, black, hebei"):
        find_design("elsewhere", tmp_path)


def test_a_changed_file_is_another_digest(tmp_path: Path) -> None:
    folder = design_folder(tmp_path)
    before = load_design(folder).digest
    (folder / "emblem.svg").write_bytes((folder / "emblem.svg").read_bytes() + b"\n")
    assert load_design(folder).digest != before


@pytest.mark.parametrize(
    ("old", "new", "line", "fault"),
    [
        ("ribbon: ymcko", "ribbon: gold", 3, "ribbon: "),
        ("box: [8, 42, 30, 5]", "box: [8, 42, 30]", 16, "a box is [left, top, width, height] in millimetres"),
        ("box: [8, 42, 30, 5]", "box: [8, 42, 99, 5]", 16, "lies on the card"),
        ("size: 12, floor: 7", "size: 12, floor: 13", 16, "the floor of a text is not above its size"),
        ('content: "{unit}"', 'content: "{salary}"', 17, "names no text of a dossier"),
        ('"{card_number:4}"', '"{card_number:MM}"', 18, "a number has the size of its groups"),
        ('"{pan:4}"', '"{pan:4"', 26, "a brace of a content has no other one"),
        ("colour: k}", "colour: black}", 16, "colour: "),
        ("colour: k}", "colour: k, glitter: true}", 16, "glitter: no such field"),
        ("file: emblem.svg", "file: ../emblem.svg", 13, "by its path inside the design"),
        ("file: emblem.svg", "file: seal.svg", 13, "seal.svg: no such file in the design"),
        ("background: front.svg", "background: sky.png", 11, "sky.png: no such file in the design"),
        ("box: [8, 42, 30, 5]", "box: [0.5, 42, 30, 5]", 16, "name lies nearer than 1 mm to the edge"),
        ("field: unit", "field: name", 17, "two fields are called name"),
        ("box: [8, 42, 30, 5]", "box: [10, 27, 30, 5]", 16, "name lies on the contacts (ISO/IEC 7816-2)"),
        ("box: [6, 20, 40, 5]", "box: [6, 12, 40, 5]", 25, "member lies on the band of the stripe (ISO/IEC 7811)"),
        ("font: digits", "font: gothic", 18, "number is set in gothic, which is none of the fonts"),
        ("ribbon: ymcko", "ribbon: k", 17, "a black ribbon prints nothing but the colour k"),
        ('colour: "#e0c080", style', "colour: k, style", 18, "an embossed text is shaded, so its colour is not k"),
        ("sans: [dejavu-sans]", "sans: [gothic]", 7, "no such font; there are system, dejavu-sans"),
        ("sans: [dejavu-sans]", "sans: []", 7, "a font names at least one file"),
    ],
)
def test_a_fault_of_a_design_names_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, fault: str
) -> None:
    assert DESIGN.count(old) >= 1
    folder = design_folder(tmp_path / "trial", DESIGN.replace(old, new, 1))
    with pytest.raises(DesignError) as refused:
        load_design(folder)
    assert fault in str(refused.value)
    assert f"design.yaml:{line}:" in str(refused.value)


def test_a_card_without_chip_or_stripe_may_be_printed_there(tmp_path: Path) -> None:
    free = DESIGN.replace("contacts: true", "contacts: false").replace("stripe: true", "stripe: false")
    free = free.replace("box: [8, 42, 30, 5]", "box: [10, 24, 30, 5]").replace("[6, 20, 40, 5]", "[6, 5, 40, 5]")
    assert load_design(design_folder(tmp_path, free)).design.stripe is False


def test_marks_of_a_bank_that_the_design_has_not_are_refused(tmp_path: Path) -> None:
    folder = load_design(design_folder(tmp_path))
    assert folder.for_bank("north").bank == "north"
    with pytest.raises(DesignError, match=r"has no marks of the bank south: banks/south\.svg is not in it"):
        folder.for_bank("south")


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trial.zip").write_bytes(content)
    with pytest.raises(DesignError, match="is no folder and no readable zip archive"):
        load_design(tmp_path / "trial.zip")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "trial.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(65):
            archive.writestr(f"{number}.png", b"")
    with pytest.raises(DesignError, match="has more than 64 files or 64,000,000 bytes"):
        load_design(tmp_path / "trial.zip")
    with pytest.raises(DesignError, match=r"is no card design: it has no design\.yaml"):
        load_design(tmp_path)
