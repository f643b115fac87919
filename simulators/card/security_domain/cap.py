"""What the registry needs of a Java Card CAP file: package AID, version and applet AIDs.

The Load File Data Block is the concatenation of the components in order of installation.
Java Card 3.0.5 Virtual Machine Specification, 6; GPC 2.3.1, C.
"""

from __future__ import annotations

from simulators.card.content import LoadFile

_HEADER, _APPLET, _LAST = 1, 3, 15
_MAGIC = bytes.fromhex("DECAFFED")


class LoadFileError(ValueError):
    """The load file data block is not a CAP file."""


def parse(block: bytes) -> LoadFile:
    """The load file that the components describe. Raises LoadFileError."""
    parts = _components(block)
    if _HEADER not in parts:
        raise LoadFileError("no header component")
    header = parts[_HEADER]
    if header[:4] != _MAGIC or len(header) < 10:
        raise LoadFileError("no CAP header")
    aid = header[10 : 10 + header[9]]
    modules = _applets(parts[_APPLET]) if _APPLET in parts else ()
    if not 5 <= len(aid) <= 16 or len(aid) != header[9]:
        raise LoadFileError("no package AID")
    return LoadFile(aid, modules, version=bytes((header[8], header[7])))


def _components(block: bytes) -> dict[int, bytes]:
    parts: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        tag, size = block[at], int.from_bytes(block[at + 1 : at + 3], "big")
        info = block[at + 3 : at + 3 + size]
        if not 1 <= tag <= _LAST or tag in parts or len(block) < at + 3 + size:
            raise LoadFileError(f"no component at byte {at}")
        if not parts and tag != _HEADER:
            raise LoadFileError("the first component is not the header")
        parts[tag] = info
        at += 3 + size
    return parts


def _applets(info: bytes) -> tuple[bytes, ...]:
    if not info:
        raise LoadFileError("an empty applet component")
    aids, at = [], 1
    for _ in range(info[0]):
        length = info[at] if at < len(info) else 0
        aid = info[at + 1 : at + 1 + length]
        at += 1 + length + 2  # the offset of the install method
        if not 5 <= length <= 16 or at > len(info):
            raise LoadFileError("a truncated applet component")
        aids.append(aid)
    if at != len(info):
        raise LoadFileError("an overlong applet component")
    return tuple(aids)
