"""CAP files: their contents, the order of loading, and the messages for files that are none."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.card.security_domain import cap as card_side
from terminal.errors import CapError
from terminal.globalplatform import CapFile
from tests.support.cards.cap_builder import FRAMEWORK, LANG, archive, cap_file, components, frame

PACKAGE = bytes.fromhex("F04D454D424552FE")
APPLETS = (bytes.fromhex("F04D454D424552FE01"), bytes.fromhex("F04D454D424552FE02"))
LOADED = ("Header", "Directory", "Import", "Applet", "Class", "Method", "StaticField", "Export", "ConstantPool")


def test_package_applets_and_imports_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "club.cap"
    path.write_bytes(archive(components(PACKAGE, APPLETS, version=(1, 4))))
    cap = CapFile.read(path)
    assert str(cap.package) == "F04D454D424552FE 1.4 (com/example/club)"
    assert cap.applets == APPLETS
    assert [(p.aid, p.major, p.minor) for p in cap.imports] == [(FRAMEWORK, 1, 3), (LANG, 1, 0)]
    assert (cap.format, cap.exports, cap.uses_integers) == ((2, 2), False, False)


def test_format_2_1_has_no_package_name() -> None:
    cap = CapFile.parse(archive(components(PACKAGE, APPLETS[:1], name=None, exports=True)))
    assert (cap.format, cap.package.name, cap.exports) == ((2, 1), "", True)


def test_a_library_has_no_applets() -> None:
    assert CapFile.parse(archive(components(PACKAGE, (), exports=True))).applets == ()


@pytest.mark.parametrize("descriptor", [False, True])
def test_components_are_loaded_in_the_order_of_the_specification(descriptor: bool) -> None:
    parts = components(PACKAGE, APPLETS, exports=True)
    cap = CapFile.parse(archive(parts))
    order = (*LOADED, "RefLocation", *(("Descriptor",) if descriptor else ()))
    block = b"".join(parts[part] for part in order)
    assert cap.data_block(descriptor=descriptor) == block
    assert cap.digest("sha1", descriptor=descriptor) == hashlib.sha1(block, usedforsecurity=False).digest()
    assert cap.digest("sha256", descriptor=descriptor) == hashlib.sha256(block).digest()


@pytest.mark.parametrize(("body", "header"), [(0, 3), (200, 4), (40000, 4)])
def test_the_wrapper_has_the_shortest_length(body: int, header: int) -> None:
    cap = CapFile.parse(cap_file(PACKAGE, APPLETS, body=body))
    load_file = cap.load_file()
    block = cap.data_block()
    assert load_file.endswith(block)
    assert load_file[0] == 0xC4
    expected = b"\x81" + bytes((len(block),)) if len(block) < 256 else b"\x82" + len(block).to_bytes(2, "big")
    assert load_file[1 : -len(block)] == expected
    assert len(expected) in (header - 1, header)


def test_the_card_reads_the_same_package_from_the_data_block() -> None:
    load_file = card_side.parse(CapFile.parse(cap_file(PACKAGE, APPLETS)).data_block())
    assert (load_file.aid, load_file.modules) == (PACKAGE, APPLETS)


def zip_of(*paths: str) -> bytes:
    return archive({}, extra=paths)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable ZIP archive"),
        (b"PK\x03\x04 but no more", "not a readable ZIP archive"),
        (b"\x89PNG\r\n\x1a\n", "not a readable ZIP archive"),
        (zip_of("com/example/Club.class"), "convert them with the Java Card converter"),
        (zip_of("com/example/club/javacard/club.exp"), "export files"),
        (zip_of("club-1.cap", "club-2.cap"), "whole .cap files"),
        (zip_of("readme.txt"), "no component"),
    ],
)
def test_files_that_are_no_cap_are_named_for_what_they_are(content: bytes, message: str) -> None:
    with pytest.raises(CapError, match=message):
        CapFile.parse(content, "thing.cap")


def test_an_empty_archive_is_named() -> None:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    with pytest.raises(CapError, match="empty"):
        CapFile.parse(buffer.getvalue())


@pytest.mark.parametrize("missing", ["Header", "Import", "Method", "ConstantPool"])
def test_an_incomplete_file_names_what_is_missing(missing: str) -> None:
    parts = components(PACKAGE, APPLETS)
    del parts[missing]
    with pytest.raises(CapError, match=f"no {missing} component"):
        CapFile.parse(archive(parts), "club.cap")


def test_announced_applets_must_be_there() -> None:
    parts = components(PACKAGE, APPLETS)
    del parts["Applet"]
    with pytest.raises(CapError, match="announces applets"):
        CapFile.parse(archive(parts))


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("Header", frame("Header", bytes(20)), "Header component is malformed"),
        ("Header", frame("Applet", bytes(20)), "tag 3 instead of 1"),
        ("Method", frame("Method", bytes(20))[:-1], "has 19 bytes, but declares 20"),
        ("Applet", frame("Applet", bytes((2, 5)) + bytes(7)), "Applet component is malformed"),
        ("Applet", frame("Applet", bytes((1, 4)) + bytes(6)), "Applet component is malformed"),
        ("Class", b"\x06", "Class component is malformed"),
        ("Header", frame("Header", bytes.fromhex("DECAFFED 03 02 04 0001 05 F04D454D42")), "CAP format 2.3"),
    ],
)
def test_broken_components_are_refused(part: str, content: bytes, message: str) -> None:
    parts = components(PACKAGE, APPLETS) | {part: content}
    with pytest.raises(CapError, match=message):
        CapFile.parse(archive(parts), "club.cap")


def test_two_packages_in_one_file_are_refused() -> None:
    buffer = io.BytesIO(archive(components(PACKAGE, APPLETS)))
    with zipfile.ZipFile(buffer, "a") as zipped:
        zipped.writestr("com/other/javacard/Header.cap", b"")
    with pytest.raises(CapError, match="several packages"):
        CapFile.parse(buffer.getvalue())


def test_an_entry_that_would_unpack_to_too_much_is_refused_unread() -> None:
    parts = components(PACKAGE, APPLETS) | {"Method": bytes(200_000)}
    with pytest.raises(CapError, match="has 200000 bytes; a component has 65538 at most"):
        CapFile.parse(archive(parts))


def test_an_encrypted_entry_is_named() -> None:
    raw = bytearray(archive(components(PACKAGE, APPLETS)))
    at = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    raw[at + 8] |= 1
    with pytest.raises(CapError, match="is encrypted"):
        CapFile.parse(bytes(raw))


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read_but_never_breaks_the_reader(at: int, byte: int) -> None:
    raw = bytearray(cap_file(PACKAGE, APPLETS))
    raw[at % len(raw)] = byte
    try:
        packages = [CapFile.parse(bytes(raw)).package]
    except CapError:
        packages = []
    assert all(package.major < 256 for package in packages)
