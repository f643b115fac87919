"""Card designs as files: a folder or a zip archive with ``design.yaml``, backgrounds, pictures and fonts."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from personalize.errors import DesignError
from personalize.face.design import BANK, CardDesign
from personalize.face.fonts import BUILT_IN, SYSTEM
from personalize.face.placement import placement_faults
from terminal.emv.transaction import yamlfile
from terminal.errors import CodecError

DESIGN: Final = "design.yaml"
_KIND: Final = "card design"
_MOST_FILES: Final = 64
_MOST_BYTES: Final = 64_000_000
"""Of a whole design: a font with all Chinese characters has 10 to 20 MB."""
_SHIPPED: Final = files("personalize") / "face" / "designs"


@dataclass(frozen=True, slots=True)
class DesignFolder:
    """A card design with its files by name. ``digest`` is SHA-256 of all of them."""

    design: CardDesign
    files: Mapping[str, bytes]
    digest: str
    bank: str = ""

    @property
    def name(self) -> str:
        return self.design.design

    def __repr__(self) -> str:
        return f"<DesignFolder {self.name} {self.digest[:16]}>"

    def for_bank(self, bank: str) -> DesignFolder:
        """The design with the marks of a bank. Raises DesignError where it has none of this bank."""
        chosen = DesignFolder(self.design, self.files, self.digest, bank)
        for name in chosen.used_files():
            if name not in self.files:
                raise DesignError(f"the design {self.name} has no marks of the bank {bank}: {name} is not in it")
        return chosen

    def used_files(self) -> Iterator[str]:
        """Files that the sides and fonts name, with the bank chosen."""
        for _, side in self.design.sides:
            if side.background is not None:
                yield side.background
            for picture in side.pictures:
                if BANK not in picture.file:
                    yield picture.file
                elif self.bank:
                    yield picture.file.replace(BANK, self.bank)
        for chain in self.design.fonts.values():
            yield from (name for name in chain if name != SYSTEM and name not in BUILT_IN)


def shipped_designs() -> tuple[str, ...]:
    """Names of the designs that come with the program."""
    return tuple(sorted(one.name for one in _SHIPPED.iterdir() if one.is_dir() and one.joinpath(DESIGN).is_file()))


@cache
def shipped_design(name: str) -> DesignFolder:
    """Raises DesignError."""
    if name not in shipped_designs():
        raise DesignError(f"there is no card design {name}; shipped are {', '.join(shipped_designs())}")
    folder = _SHIPPED / name
    return _design(dict(_contents(folder)), f"designs/{name}")


def load_design(path: Path) -> DesignFolder:
    """The design in a folder or a zip archive. Raises DesignError, one line for each fault, with file and line."""
    try:
        contents = _archived(path) if path.is_file() else dict(_contents(path))
    except OSError as e:
        raise DesignError(f"cannot read the card design {path}: {e.strerror}") from e
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as e:
        raise DesignError(f"the card design {path} is no folder and no readable zip archive") from e
    return _design(contents, str(path))


def find_design(name: str, folder: Path) -> DesignFolder:
    """The design of this name: in ``folder`` as a folder or a zip archive, or else a shipped one. Raises
    DesignError."""
    for path in (folder / name, folder / f"{name}.zip"):
        if path.exists():
            return load_design(path)
    return shipped_design(name)


def _contents(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    total = 0
    for count, (name, one) in enumerate(_walked(folder, ""), start=1):
        content = one.read_bytes()
        total += len(content)
        _refuse_large(count, total, folder)
        yield name, content


def _walked(folder: Traversable, before: str) -> Iterator[tuple[str, Traversable]]:
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir():
            yield from _walked(one, f"{before}{one.name}/")
        elif one.is_file() and not one.name.startswith("."):
            yield f"{before}{one.name}", one


def _archived(path: Path) -> dict[str, bytes]:
    """Files of an archive; those of a single folder in it as if they lay outside."""
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and _wanted(entry.filename)]
        _refuse_large(len(entries), sum(entry.file_size for entry in entries), path)
        contents = {}
        for entry in entries:
            with archive.open(entry) as stream:
                contents[entry.filename] = stream.read(entry.file_size)
    if DESIGN not in contents:
        first = {name.split("/")[0] for name in contents}
        if len(first) == 1:
            return {name.partition("/")[2]: content for name, content in contents.items()}
    return contents


def _wanted(name: str) -> bool:
    return not name.startswith("__MACOSX/") and not name.rpartition("/")[2].startswith(".")


def _refuse_large(count: int, total: int, path: object) -> None:
    if count > _MOST_FILES or total > _MOST_BYTES:
        raise DesignError(f"the card design {path} has more than {_MOST_FILES} files or {_MOST_BYTES:,} bytes")


def _design(contents: dict[str, bytes], name: str) -> DesignFolder:
    if DESIGN not in contents:
        raise DesignError(f"{name} is no card design: it has no {DESIGN}")
    try:
        text = contents[DESIGN].decode("utf-8")
        design, line = yamlfile.parse_located(CardDesign, text, f"{name}/{DESIGN}", _KIND)
    except UnicodeDecodeError:
        raise DesignError(f"the card design {name} is not UTF-8 text") from None
    except CodecError as e:
        raise DesignError(str(e)) from e
    if faults := [(line(place), ".".join(map(str, place)), fault) for place, fault in placement_faults(design)]:
        raise DesignError("\n".join(f"{name}/{DESIGN}:{at}: {field}: {fault}" for at, field, fault in faults))
    folder = DesignFolder(design, contents, _digest(contents))
    if missing := [one for one in folder.used_files() if one not in contents]:
        lines = (f"{name}/{DESIGN}:{_line_of(text, one)}: {one}: no such file in the design" for one in missing)
        raise DesignError("\n".join(dict.fromkeys(lines)))
    return folder


def _line_of(text: str, name: str) -> int:
    """The first line that names a file."""
    return next((number for number, line in enumerate(text.splitlines(), start=1) if name in line), 1)


def _digest(contents: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(f"{len(name)}:{name}:{len(contents[name])}:".encode())
        whole.update(contents[name])
    return whole.hexdigest()
