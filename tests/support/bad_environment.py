"""Bad surroundings for commands: forms that are none, directories that may not be written, disks that are full."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook

# SQLite's own side files come and go with every opening; what counts is in the database. An empty lock file holds
# nothing and may stay, so that whoever waits for it waits for the same one.
_PASSING = ("-wal", "-shm", ".lock")


def listing(*places: Path) -> dict[str, str]:
    """Every file below with a digest of what is in it."""
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file()]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.endswith(_PASSING) and path.suffix != ".db"
    }


def unwritable(words: list[str]) -> list[str]:
    """The command without root's right to ignore file permissions; for anybody else as it is."""
    if os.geteuid() != 0:
        return words
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", *words]


@contextlib.contextmanager
def small_disk(place: Path, size_kib: int) -> Iterator[bool]:
    """A file system of its own at ``place``; False where this machine lets nobody mount one."""
    place.mkdir(exist_ok=True)
    options = ["-o", f"size={size_kib}k", "tmpfs", str(place)]
    mounted = subprocess.run(["mount", "-t", "tmpfs", *options], capture_output=True, check=False)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


class Disk:
    """A disk to be filled up. Where nobody may mount one, a limit on the size of files stands in for a full disk."""

    def __init__(self, place: Path, mounted: bool) -> None:
        self._ballast = place / "ballast"
        self._mounted = mounted
        self.limit: dict[str, Any] = {}

    def fill(self) -> None:
        """Leave no room; again after something was deleted."""
        if not self._mounted:
            self.limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))}
            return
        with open(self._ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def make_room(self) -> None:
        self.limit = {}
        self._ballast.unlink(missing_ok=True)


def zip_bomb(path: Path, megabytes: int = 110) -> Path:
    """A workbook of a few hundred kilobytes whose only sheet unpacks to this much."""
    row = b"<row><c><v>1</v></c></row>" + bytes([0x20]) * 6
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(megabytes):
                sheet.write(row * ((1 << 20) // len(row)))
    return path


def bad_forms(place: Path) -> dict[str, Path]:
    """Files that are no registration form, by what is wrong with them."""
    place.mkdir(exist_ok=True)
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    contents = {
        "a picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "a document.pdf": b"%PDF-1.7\n",
        "a document.docx": b"PK\x03\x04",
        "garbage.xlsx": bytes(range(1, 255)) * 9,
        "a picture under another name.csv": b"\xff\xd8\xff\xe0" + bytes(64),
        "encrypted.xlsx": ole + "EncryptedPackage".encode("utf-16-le") + bytes(900),
        "empty.xlsx": b"",
        "empty.csv": b"",
        "no header.csv": "甲,乙,丙\n1,2,3\n".encode(),
        "binary.csv": b"a\0b\0c" * 50,
        "cut off.xlsx": b"PK\x03\x04" + bytes(30),
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    Workbook().save(place / "empty workbook.xlsx")
    zip_bomb(place / "bomb.xlsx")
    with open(place / "100 MB.csv", "wb") as large:
        large.truncate(100 << 20)
    return {path.name: path for path in sorted(place.iterdir())} | {
        "a directory": place,
        "missing.xlsx": place / "missing.xlsx",
    }
