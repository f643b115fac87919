"""CAP files, as a Java Card converter writes them and LOAD sends them.

JCVM 2.2.2 and 3.0.5, chapter 6; GPC 2.3.1, C.2.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TypeVar

from construct import (
    Byte,
    Bytes,
    Const,
    ConstructError,
    Container,
    GreedyBytes,
    Int16ub,
    Int32ub,
    Optional,
    PrefixedArray,
    Struct,
    Terminated,
    this,
)

from terminal.errors import CapError, CodecError
from terminal.globalplatform.aid import Aid
from terminal.tlv import encode_length

TAGS: Mapping[str, int] = MappingProxyType(
    {
        "Header": 1,
        "Directory": 2,
        "Import": 4,
        "Applet": 3,
        "Class": 6,
        "Method": 7,
        "StaticField": 8,
        "Export": 10,
        "ConstantPool": 5,
        "RefLocation": 9,
        "Descriptor": 11,
    }
)
"""Component tags, in the order in which components are loaded. JCVM 3.0.5, Tables 6-1 and 6-2."""

_OPTIONAL = frozenset({"Applet", "Export", "Descriptor"})
_MAX_COMPONENT = 3 + 0xFFFF
_NO_ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, ValueError)
"""Exceptions of the standard library for files that are no archive, a damaged one, or one in an unknown format."""
_LOAD_FILE_DATA_BLOCK = b"\xc4"
_INTEGERS, _EXPORTS, _APPLETS = 0x01, 0x02, 0x04

_PACKAGE = Struct("minor" / Byte, "major" / Byte, "length" / Byte, "aid" / Bytes(this.length))
_HEADER = Struct(
    "magic" / Const(0xDECAFFED, Int32ub),
    "minor" / Byte,
    "major" / Byte,
    "flags" / Byte,
    "package" / _PACKAGE,
    "name" / Optional(Struct("length" / Byte, "text" / Bytes(this.length))),
    Terminated,
)
_APPLET = Struct("length" / Byte, "aid" / Bytes(this.length), "install_method" / Int16ub)
_APPLET_LIST = Struct("applets" / PrefixedArray(Byte, _APPLET), Terminated)
_IMPORT_LIST = Struct("packages" / PrefixedArray(Byte, _PACKAGE), Terminated)
_FRAME = Struct("tag" / Byte, "size" / Int16ub, "info" / GreedyBytes)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CapPackage:
    """A package by its AID and version; ``name`` only where the file has it (format 2.2)."""

    aid: Aid
    major: int
    minor: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.aid} {self.major}.{self.minor}{f' ({self.name})' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class CapFile:
    """One package ready to be loaded: its identity, applets and imports, and its components as bytes."""

    format: tuple[int, int]
    package: CapPackage
    applets: tuple[Aid, ...]
    imports: tuple[CapPackage, ...]
    uses_integers: bool
    exports: bool
    components: Mapping[str, bytes]

    @classmethod
    def read(cls, path: Path) -> CapFile:
        """From a file. Raises CapError with one sentence, OSError when the file cannot be read."""
        return cls.parse(path.read_bytes(), path.name)

    @classmethod
    def parse(cls, archive: bytes, name: str = "the file") -> CapFile:
        """From the bytes of the ZIP archive; ``name`` is for messages. Raises CapError."""
        components = _components(archive, name)
        header = _parsed(lambda: _HEADER.parse(_info(components, "Header")), f"{name}: Header component")
        if (header.major, header.minor) > (2, 2):
            raise CapError(f"{name} has CAP format {header.major}.{header.minor}; 2.1 and 2.2 can be loaded")
        if header.flags & _APPLETS and "Applet" not in components:
            raise CapError(f"{name}: its header announces applets, but the Applet component is missing")
        applets: list[bytes] = []
        if "Applet" in components:
            listed = _parsed(lambda: _APPLET_LIST.parse(_info(components, "Applet")), f"{name}: Applet component")
            applets = [applet.aid for applet in listed.applets]
        imported = _parsed(lambda: _IMPORT_LIST.parse(_info(components, "Import")), f"{name}: Import component")
        text = header.name.text if header.name else b""
        return cls(
            format=(header.major, header.minor),
            package=_parsed(lambda: _package(header.package, text), f"{name}: Header component"),
            applets=_parsed(lambda: tuple(Aid(aid) for aid in applets), f"{name}: Applet component"),
            imports=_parsed(lambda: tuple(_package(p) for p in imported.packages), f"{name}: Import component"),
            uses_integers=bool(header.flags & _INTEGERS),
            exports=bool(header.flags & _EXPORTS),
            components=MappingProxyType(components),
        )

    def data_block(self, *, descriptor: bool = False) -> bytes:
        """The components in loading order. Cards do not need the Descriptor component, and some refuse it."""
        return b"".join(self.components[name] for name in _loaded(descriptor) if name in self.components)

    def load_file(self, *, descriptor: bool = False) -> bytes:
        """The data block in its C4 wrapper, as LOAD commands carry it. GPC 2.3.1, 11.6.2.3."""
        block = self.data_block(descriptor=descriptor)
        return _LOAD_FILE_DATA_BLOCK + encode_length(len(block)) + block

    def digest(self, algorithm: str = "sha1", *, descriptor: bool = False) -> bytes:
        """The load file data block hash for INSTALL [for load]: "sha1" (20 bytes) or "sha256" (32). GPC 2.3.1, C.2."""
        return hashlib.new(algorithm, self.data_block(descriptor=descriptor), usedforsecurity=False).digest()


def _loaded(descriptor: bool) -> list[str]:
    return [name for name in TAGS if descriptor or name != "Descriptor"]


def _components(archive: bytes, name: str) -> dict[str, bytes]:
    """Every loadable component by name, with its tag and size checked."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            entries = _component_entries(zipped, name)
            components = {part: _read(zipped, entry, name) for part, entry in entries.items()}
    except CapError:
        raise
    except _NO_ARCHIVE as error:
        raise CapError(f"{name} is not a CAP file: not a readable ZIP archive ({error})") from error
    for part, raw in components.items():
        _check_frame(part, raw, name)
    return components


def _component_entries(zipped: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The archive entries of the package by component. Raises CapError, which says what the archive is instead."""
    paths = {PurePosixPath(entry.filename): entry for entry in zipped.infolist() if entry.filename[-1:] != "/"}
    caps = {path: entry for path, entry in paths.items() if path.suffix.lower() == ".cap" and path.stem in TAGS}
    if not caps:
        raise CapError(f"{name} is not a CAP file: {_instead({path.suffix.lower() for path in paths})}")
    folders = sorted({str(path.parent) for path in caps})
    if len(folders) > 1:
        raise CapError(f"{name} holds several packages ({', '.join(folders)}); a CAP file holds one")
    entries = {path.stem: entry for path, entry in caps.items()}
    missing = [part for part in TAGS if part not in entries and part not in _OPTIONAL]
    if missing:
        raise CapError(f"{name} is incomplete: no {', '.join(missing)} component")
    return entries


def _instead(kinds: set[str]) -> str:
    if not kinds:
        return "the archive is empty"
    if ".cap" in kinds:
        return "the archive holds whole .cap files; unpack it and load them one by one"
    if ".exp" in kinds:
        return "the archive holds export files (.exp) only, which others compile against; load the package's .cap"
    if ".class" in kinds:
        return "the archive holds Java classes (.class); convert them with the Java Card converter first"
    return "no component (Header.cap, Directory.cap, ...) is inside"


def _read(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    if entry.flag_bits & 0x1:
        raise CapError(f"{name}: {entry.filename} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CapError(f"{name}: {entry.filename} is compressed in a way that CAP files are not")
    # Checked before unpacking, so that a crafted archive cannot exhaust the memory.
    if entry.file_size > _MAX_COMPONENT:
        raise CapError(
            f"{name}: {entry.filename} has {entry.file_size} bytes; a component has {_MAX_COMPONENT} at most"
        )
    return zipped.read(entry)


def _check_frame(part: str, raw: bytes, name: str) -> None:
    frame = _parsed(lambda: _FRAME.parse(raw), f"{name}: {part} component")
    if frame.tag != TAGS[part]:
        raise CapError(f"{name}: the {part} component has tag {frame.tag} instead of {TAGS[part]}")
    if frame.size != len(frame.info):
        raise CapError(f"{name}: the {part} component has {len(frame.info)} bytes, but declares {frame.size}")


def _info(components: Mapping[str, bytes], part: str) -> bytes:
    return components[part][3:]


def _package(raw: Container, text: bytes = b"") -> CapPackage:
    return CapPackage(Aid(raw.aid), raw.major, raw.minor, text.decode("utf-8"))


def _parsed(parse: Callable[[], T], what: str) -> T:
    try:
        return parse()
    except (ConstructError, CodecError, UnicodeDecodeError) as error:
        raise CapError(f"{what} is malformed") from error
