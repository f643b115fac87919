"""Photos: checked by size, proportions, light, background and head; named by number; missing ones listed."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from PIL import Image, ImageDraw

from personalize.errors import PhotosRefused
from personalize.face.photo_files import PhotoReport, _by_number, missing_photos, photo_files, take_photos
from personalize.face.photo_list import photo_csv, photo_workbook
from personalize.face.photos import PHOTO_FAULTS, PhotoFault, check_photo
from personalize.face.specimens import specimen_photo
from registry.members.photos import PhotoMember
from registry.person import Person
from registry.store import Registry
from terminal.member.values import IdType, Sex
from tests.support import issuer
from tests.support.faces import portrait


def drawn(
    background: str = "#8fb8dd", *, size: tuple[int, int] = (480, 640), head: float = 0.19, x: float = 0.5
) -> bytes:
    """A head of this half width at this place before a background."""
    image = Image.new("RGB", size, background)
    width, height = size
    draw = ImageDraw.Draw(image)
    draw.ellipse(((x - 0.36) * width, 0.7 * height, (x + 0.36) * width, 1.4 * height), fill="#20304f")
    draw.ellipse(((x - head) * width, 0.18 * height, (x + head) * width, 0.66 * height), fill="#d8a888")
    return saved(image)


def saved(image: Image.Image, kind: str = "JPEG") -> bytes:
    whole = io.BytesIO()
    image.save(whole, kind)
    return whole.getvalue()


def shaded(left: str, right: str) -> bytes:
    """A head before a background of two colours."""
    image = Image.open(io.BytesIO(drawn(left)))
    image.paste(right, (360, 0, 480, 300))
    return saved(image)


def darkened(level: float) -> bytes:
    return saved(Image.open(io.BytesIO(drawn())).point(lambda value: round(value * level)))


@pytest.mark.parametrize("background", ["#8fb8dd", "#ffffff", "#c8463c", "#438edb"])
def test_a_usual_photo_passes_before_each_usual_background(background: str) -> None:
    assert check_photo(drawn(background)).faults == ()
    assert check_photo(portrait(background=background)).faults == ()
    assert check_photo(specimen_photo()).faults == ()
    assert check_photo(saved(Image.open(io.BytesIO(drawn("#ffffff"))).convert("L"))).faults == ()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (drawn(size=(180, 240)), PhotoFault.SMALL),
        (drawn(size=(600, 600)), PhotoFault.PROPORTIONS),
        (drawn(size=(400, 800)), PhotoFault.PROPORTIONS),
        (shaded("#8fb8dd", "#30603c"), PhotoFault.BACKGROUND),
        (drawn(head=0.08), PhotoFault.HEAD),
        (drawn(head=0.45), PhotoFault.HEAD),
        (drawn(x=0.3), PhotoFault.PLACE),
        (darkened(0.25), PhotoFault.DARK),
        (saved(Image.new("RGB", (480, 640), "#cccccc")), PhotoFault.FLAT),
        (b"no picture", PhotoFault.FORMAT),
        (b"", PhotoFault.FORMAT),
        (drawn()[:3000], PhotoFault.FORMAT),
        (saved(Image.new("RGB", (480, 640)), "GIF"), PhotoFault.FORMAT),
        (saved(Image.new("1", (8000, 6000)), "PNG"), PhotoFault.LARGE),
        (saved(Image.new("1", (12000, 8000)), "PNG"), PhotoFault.LARGE),
        (bytes(12_000_001), PhotoFault.LARGE),
    ],
)
def test_what_is_wrong_with_a_photo_is_named(content: bytes, fault: PhotoFault) -> None:
    checked = check_photo(content)
    assert fault in checked.faults
    assert checked.picture == b""


def test_a_photo_is_stored_small_and_without_what_its_camera_wrote() -> None:
    image = Image.open(io.BytesIO(drawn(size=(1500, 2000))))
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    whole = io.BytesIO()
    image.save(whole, "JPEG", exif=exif)
    stored = Image.open(io.BytesIO(check_photo(whole.getvalue()).picture))
    assert (stored.format, stored.size, dict(stored.getexif())) == ("JPEG", (480, 640), {})


def test_a_photo_that_a_camera_turned_stands_upright() -> None:
    image = Image.open(io.BytesIO(drawn())).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = io.BytesIO()
    image.save(whole, "JPEG", exif=exif, quality=95)
    checked = check_photo(whole.getvalue())
    assert checked.faults == ()
    assert Image.open(io.BytesIO(checked.picture)).size == (480, 640)


def test_damaged_notes_of_a_camera_do_not_matter() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    whole = io.BytesIO()
    Image.open(io.BytesIO(drawn())).save(whole, "JPEG", exif=exif)
    content = whole.getvalue()
    at = content.index(b"Exif") + 14  # how many notes there are
    damaged = content[:at] + b"\x00\x09" + content[at + 2 :]
    assert check_photo(damaged).faults == ()


@pytest.mark.parametrize("at", range(20, 3000, 331))
def test_a_photo_with_any_byte_changed_passes_or_is_refused(at: int) -> None:
    content = bytearray(drawn())
    content[at] ^= 0xFF
    checked = check_photo(bytes(content))
    assert bool(checked.picture) != bool(checked.faults)


def test_every_fault_has_both_languages() -> None:
    assert set(PHOTO_FAULTS) == set(PhotoFault)


@pytest.fixture
def store(tmp_path: Path) -> Registry:
    return issuer.registry(f"sqlite:///{tmp_path}/registry.sqlite")


def taken(store: Registry, batch: str, path: Path) -> PhotoReport:
    with photo_files(path) as files:
        return take_photos(store, batch, files, by="clerk")


def test_photos_are_taken_by_id_number_and_by_member_number(store: Registry, tmp_path: Path) -> None:
    batch = issuer.batch(store, 6)
    one, two, three, four, five, six = store.photos.members(batch)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr(f"unit/{one.person.id_number.lower()}.jpg", drawn())
        archive.writestr(f"{two.member_number}.PNG", saved(Image.open(io.BytesIO(drawn())), "PNG"))
        archive.writestr(f"{three.member_number}.jpg", drawn())
        archive.writestr(f"{three.person.id_number}.jpg", drawn("#ffffff"))
        archive.writestr(f"{four.member_number}.jpg", b"none")
        archive.writestr("110101199001011234.jpg", drawn())
        archive.writestr("Thumbs.db", b"")
    report = taken(store, batch, tmp_path / "photos.zip")
    assert report.stored == 2
    assert [(row.member.member_id, row.faults) for row in report.rows] == [
        (three.member_id, (PhotoFault.TWICE,)),
        (four.member_id, (PhotoFault.FORMAT,)),
        (five.member_id, (PhotoFault.MISSING,)),
        (six.member_id, (PhotoFault.MISSING,)),
    ]
    assert report.unknown == ["**************1234.jpg"]
    assert [member.has_photo for member in store.photos.members(batch)] == [True, True, False, False, False, False]
    again = missing_photos(store, batch)
    assert len(again.rows) == 4


def test_a_number_that_names_two_members_names_none() -> None:
    people = [
        Person(number, "Zhang San", Sex.MALE, "", IdType.OFFICER) for number in ("南字第1234号", "北字第1234号", "军")
    ]
    members = [
        PhotoMember(place, person, "unit", f"13000000000{place}", has_photo=False, waits=True)
        for place, person in enumerate(people)
    ]
    numbers = _by_number(members)
    assert ("1234" in numbers, "" in numbers) == (False, False)
    assert [numbers[person.id_number].member_id for person in people] == [0, 1, 2]
    assert numbers["130000000001"] is members[1]


def test_photos_of_a_folder_come_in_parts(store: Registry, tmp_path: Path) -> None:
    batch = issuer.batch(store, 2)
    one, two = store.photos.members(batch)
    folder = tmp_path / "photos"
    (folder / "unit").mkdir(parents=True)
    (folder / "unit" / f"{one.member_number}.jpg").write_bytes(drawn())
    first = taken(store, batch, folder)
    assert (first.stored, len(first.missing)) == (1, 1)
    (folder / "unit" / f"{one.member_number}.jpg").unlink()
    (folder / f"{two.member_number}.jpg").write_bytes(drawn())
    second = taken(store, batch, folder)
    assert (second.stored, second.rows) == (1, [])


def test_an_entry_that_unpacks_to_too_much_is_read_no_further(store: Registry, tmp_path: Path) -> None:
    batch = issuer.batch(store, 1)
    (member,) = store.photos.members(batch)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{member.member_number}.jpg", bytes(30_000_000))
    report = taken(store, batch, tmp_path / "photos.zip")
    assert [row.faults for row in report.refused] == [(PhotoFault.LARGE,)]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"none")
    with (
        pytest.raises(PhotosRefused, match="is no folder and no readable zip archive"),
        photo_files(tmp_path / "photos.zip"),
    ):
        pass
    with pytest.raises(PhotosRefused, match="cannot read"), photo_files(tmp_path / "nowhere.zip"):
        pass


def test_missing_photos_go_back_to_the_unit_masked(store: Registry) -> None:
    batch = issuer.batch(store, 2)
    rows = missing_photos(store, batch).rows
    (sheet,) = openpyxl.load_workbook(io.BytesIO(photo_workbook(rows))).worksheets
    shown = list(sheet.iter_rows(values_only=True))
    person = rows[0].member.person
    assert sheet.title == "1 测试工会"
    assert shown[1] == (
        "测试工会",
        rows[0].member.member_number,
        person.name_masked,
        person.id_masked,
        "没有照片 there is no photo",
    )
    listed = list(csv.reader(io.StringIO(photo_csv(rows).decode("utf-8-sig"))))
    assert listed[1] == list(shown[1])
    assert person.name not in photo_csv(rows).decode()
    assert person.id_number not in photo_csv(rows).decode()
