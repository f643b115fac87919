"""Card data from GET DATA: card recognition data (66), key information (E0). GPC 2.3.1, H.2, H.3, 11.3.3.1."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.errors import CardMalformed, TlvError
from terminal.tlv import Tlvs, decode

_GLOBAL_PLATFORM = (1, 2, 840, 114283)

KEY_TYPES = {
    0x80: "DES",
    0x82: "3DES CBC",
    0x85: "PSK-TLS",
    0x88: "AES",
    0x90: "HMAC-SHA1",
    0xA0: "RSA public exponent",
    0xA1: "RSA public modulus",
    0xB0: "ECC public key",
    0xB1: "ECC private key",
    0xF0: "ECC parameters",
}
"""GPC 2.3.1, Table 11-16."""


@dataclass(frozen=True, slots=True)
class CardRecognition:
    """GlobalPlatform version, and each secure channel protocol with its ``i``. OIDs as dotted text. GPC 2.3.1, H.2."""

    version: str
    protocols: tuple[tuple[int, int], ...]
    identification_scheme: str = ""
    configuration: str = ""
    chip: str = ""

    @classmethod
    def parse(cls, data: bytes) -> CardRecognition:
        """From the data object 66, with or without its tag. Raises CardMalformed."""
        try:
            objects = decode(data)
            inside = objects.find(0x66, 0x73) or objects.find(0x73)
            if inside is None or _first_oid(inside.children) != (*_GLOBAL_PLATFORM, 1):
                raise TlvError("no GlobalPlatform card recognition data inside")
            oids = {tag: _oids(inside.children, tag) for tag in (0x60, 0x63, 0x64, 0x65, 0x66)}
        except TlvError as error:
            raise CardMalformed(f"card data (66): {error}") from error
        # The number of the protocol follows arc 4, the version arc 2.
        versions = [oid[5:] for oid in oids[0x60] if oid[:5] == (*_GLOBAL_PLATFORM, 2)]
        channels = [oid[5:] for oid in oids[0x64] if oid[:5] == (*_GLOBAL_PLATFORM, 4)]
        return cls(
            version=_dotted(versions[0]) if versions else "",
            protocols=tuple((scp[0], scp[1]) for scp in channels if len(scp) == 2),
            identification_scheme=_dotted(oids[0x63][0]) if oids[0x63] else "",
            configuration=_dotted(oids[0x65][0]) if oids[0x65] else "",
            chip=_dotted(oids[0x66][0]) if oids[0x66] else "",
        )


@dataclass(frozen=True, slots=True)
class KeyInformation:
    """One key of a security domain: identifier, version, and its components as (type, length in bytes)."""

    identifier: int
    version: int
    components: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        parts = ", ".join(f"{KEY_TYPES.get(kind, f'type {kind:02X}')} {size * 8}" for kind, size in self.components)
        return f"version {self.version:02X} ({self.version}), identifier {self.identifier:02X}: {parts}"


def key_information(data: bytes) -> tuple[KeyInformation, ...]:
    """The key information template E0, basic or extended form. GPC 2.3.1, 11.3.3.1. Raises CardMalformed."""
    try:
        objects = decode(data, padding="reject")
        return tuple(_key(item.value) for item in (objects.find(0xE0) or objects[0]).children.find_all(0xC0))
    except (TlvError, IndexError) as error:
        raise CardMalformed(f"key information (E0): {error}") from error


def _key(value: bytes) -> KeyInformation:
    identifier, version, at = value[0], value[1], 2
    components: list[tuple[int, int]] = []
    while at < len(value):
        if value[at] == 0xFF:
            # Extended form: a second type byte, two length bytes; usage and access follow the last component.
            components.append((value[at + 1], value[at + 2] << 8 | value[at + 3]))
            at += 4
            if at < len(value) and value[at] != 0xFF:
                break
        else:
            components.append((value[at], value[at + 1]))
            at += 2
    return KeyInformation(identifier, version, tuple(components))


def _oids(objects: Tlvs, tag: int) -> list[tuple[int, ...]]:
    """Every OID in the templates with this tag at this level."""
    return [_oid(oid.value) for item in objects.find_all(tag) for oid in item.children.find_all(0x06)]


def _first_oid(objects: Tlvs) -> tuple[int, ...]:
    first = objects.find(0x06)
    return () if first is None else _oid(first.value)


def _oid(raw: bytes) -> tuple[int, ...]:
    """An ASN.1 object identifier. ITU-T X.690, 8.19. Raises TlvError."""
    numbers: list[int] = []
    number = 0
    for byte in raw:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers or raw[-1] & 0x80:
        raise TlvError("an object identifier that is truncated")
    first = min(numbers[0] // 40, 2)
    return first, numbers[0] - 40 * first, *numbers[1:]


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
