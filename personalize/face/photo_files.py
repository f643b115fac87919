"""Photos in a folder or a zip archive, each named by the ID number or the member number of its member."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from personalize.errors import PhotosRefused
from personalize.face.photos import MOST_BYTES, CheckedPhoto, PhotoFault, check_photo
from registry.db.privacy import mask_id
from registry.members.photos import PhotoMember
from registry.store import Registry

_MOST_FILES: Final = 500_000
_CHUNK: Final = 50
"""Photos that are stored in one transaction."""


class PhotoFile(NamedTuple):
    """A file that may be a photo. ``read`` gives its bytes, or more than ``MOST_BYTES`` of it."""

    name: str
    read: Callable[[], bytes]

    @property
    def number(self) -> str:
        """The ID number or member number that it is named by."""
        return PurePosixPath(self.name).stem.strip().upper()


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A member whose photo is missing or was not taken."""

    member: PhotoMember
    faults: tuple[PhotoFault, ...]


@dataclass(slots=True)
class PhotoReport:
    """What became of the files. ``unknown`` are names, masked, of files that name no member of the batch."""

    stored: int = 0
    refused: list[PhotoRow] = field(default_factory=list)
    missing: list[PhotoRow] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[PhotoRow]:
        """Members without a photo, by unit and number."""
        every = [*self.refused, *self.missing]
        return sorted(every, key=lambda row: (row.member.unit_name, row.member.member_number))


@contextmanager
def photo_files(path: Path) -> Iterator[list[PhotoFile]]:
    """The files of a folder and those below it, or of a zip archive. Raises PhotosRefused."""
    if path.is_dir():
        files = [PhotoFile(one.name, _reader(one)) for one in sorted(path.rglob("*")) if _wanted(one.name, one)]
        _refuse_many(len(files))
        yield files
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir() and _wanted(one.filename)]
            _refuse_many(len(entries))
            if any(entry.flag_bits & 1 for entry in entries):
                raise PhotosRefused(f"{path} is protected by a password; unpack it into a folder first")
            yield [PhotoFile(one.filename, _archived(archive, one)) for one in entries]
    except OSError as e:
        raise PhotosRefused(f"cannot read {path}: {e.strerror or 'it is damaged'}") from e
    except zipfile.BadZipFile as e:
        raise PhotosRefused(f"{path} is no folder and no readable zip archive") from e


def take_photos(
    registry: Registry,
    batch_id: str,
    files: Sequence[PhotoFile],
    *,
    by: str,
    tick: Callable[[int], None] = lambda count: None,
) -> PhotoReport:
    """Check every file and store the photos that pass, some at a time; whoever has one already gets the new one.

    ``tick`` is called with the number of files that were looked at. Raises RegistryError.
    """
    report, members = PhotoReport(), registry.photos.members(batch_id)
    numbers = _by_number(members)
    named = [(file, numbers.get(file.number)) for file in files]
    count = Counter(member.member_id for _, member in named if member is not None)
    present: set[int] = {member.member_id for member in members if member.has_photo}
    chunk: dict[int, bytes] = {}
    refused: dict[int, PhotoRow] = {}
    for file, member in named:
        tick(1)
        if member is None:
            report.unknown.append(_masked(file.name))
            continue
        twice = count[member.member_id] > 1
        checked = CheckedPhoto(faults=(PhotoFault.TWICE,)) if twice else _checked(file)
        if checked.faults:
            refused[member.member_id] = PhotoRow(member, checked.faults)
            continue
        chunk[member.member_id] = checked.picture
        if len(chunk) == _CHUNK:
            report.stored += _stored(registry, batch_id, chunk, present, by)
    report.stored += _stored(registry, batch_id, chunk, present, by)
    report.refused = list(refused.values())
    report.missing = [
        PhotoRow(member, (PhotoFault.MISSING,))
        for member in members
        if member.member_id not in present and member.member_id not in refused
    ]
    return report


def missing_photos(registry: Registry, batch_id: str) -> PhotoReport:
    """The members of a batch without a photo. Raises RegistryError."""
    members = (member for member in registry.photos.members(batch_id) if not member.has_photo)
    return PhotoReport(missing=[PhotoRow(member, (PhotoFault.MISSING,)) for member in members])


def _stored(registry: Registry, batch_id: str, chunk: dict[int, bytes], present: set[int], by: str) -> int:
    """Store a chunk and empty it; how many."""
    registry.photos.store(batch_id, chunk, by=by)
    present.update(chunk)
    count = len(chunk)
    chunk.clear()
    return count


def _checked(file: PhotoFile) -> CheckedPhoto:
    try:
        return check_photo(file.read())
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        return CheckedPhoto(faults=(PhotoFault.FORMAT,))  # a damaged entry of the archive


def _by_number(members: Sequence[PhotoMember]) -> Mapping[str, PhotoMember]:
    """Members by each number that names one of them only: two officer's cards may differ in a word alone (南字第1234号,
    北字第1234号), and a face is never guessed."""
    numbers: dict[str, dict[int, PhotoMember]] = {}
    for member in members:
        for number in (member.member_number, member.person.id_number, member.person.number_on_card):
            numbers.setdefault(number.upper(), {})[member.member_id] = member
    return {
        number: member for number, named in numbers.items() if number and len(named) == 1 for member in named.values()
    }


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)

    return read


def _archived(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        with archive.open(entry) as stream:
            return stream.read(MOST_BYTES + 1)

    return read


def _wanted(name: str, path: Path | None = None) -> bool:
    """Whether a file is one that somebody put there; not the notes of an operating system."""
    last = PurePosixPath(name).name
    system = name.startswith("__MACOSX/") or last.startswith(".") or last.lower() in ("thumbs.db", "desktop.ini")
    return not system and (path is None or path.is_file())


def _masked(name: str) -> str:
    """A file's name as it may be shown: it may be an ID number."""
    path = PurePosixPath(name)
    return f"{mask_id(path.stem)}{path.suffix[:8]}"


def _refuse_many(count: int) -> None:
    if count > _MOST_FILES:
        raise PhotosRefused(f"more than {_MOST_FILES:,} files; take photos in parts")
