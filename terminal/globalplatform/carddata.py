"""Card data from GET DATA: card recognition data (66), key information (E0). GPC 2.3.1, H.2, H.3, 11.3.3.1."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.errors import CardMalformed
from terminal.globalplatform.tolerant import Note, Objects, ignore, objects, values

_GLOBAL_PLATFORM = ((1, 2, 840, 114283), (1, 2, 156, 114283))
"""The arc of GlobalPlatform, and the same number under China's arc, which cards of the country name."""
_DEEPEST = 4
_SCP02 = 2

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
    def parse(cls, data: bytes, note: Note = ignore) -> CardRecognition:
        """From the data object 66, with or without its tag. ``note`` gets what could not be read.

        Raises CardMalformed where nothing of GlobalPlatform is in it.
        """
        faults: list[str] = []
        inside = _recognition_level(data, faults.append)
        first = _oids_of(inside, faults.append)
        oids = {tag: _oids(inside, tag, faults.append) for tag in (0x60, 0x63, 0x64, 0x65, 0x66)}
        # The number of the protocol follows arc 4, the version arc 2.
        versions = [oid[5:] for oid in oids[0x60] if _ours(oid, 2)]
        channels = [oid[5:] for oid in oids[0x64] if _ours(oid, 4)]
        if not versions and not channels and not any(_ours(oid, 1) for oid in first):
            why = "; ".join(faults) or "no GlobalPlatform card recognition data inside"
            raise CardMalformed(f"card data (66): {why}")
        for fault in faults:
            note(f"card data (66): {fault}")
        return cls(
            version=_dotted(versions[0]) if versions else "",
            protocols=tuple((scp[0], scp[1]) for scp in channels if len(scp) == 2),
            identification_scheme=_dotted(oids[0x63][0]) if oids[0x63] else "",
            configuration=_dotted(oids[0x65][0]) if oids[0x65] else _raw(inside, 0x65),
            chip=_dotted(oids[0x66][0]) if oids[0x66] else _raw(inside, 0x66),
        )

    def option(self, scp: int) -> int | None:
        """The parameter ``i`` that the card names for a protocol, None where it names none. Of several the first with
        three keys and explicit initiation (x5), the only ones of SCP02 that a host here speaks."""
        named = [i for number, i in self.protocols if number == scp]
        return next((i for i in named if scp != _SCP02 or i & 0x0F == 0x05), next(iter(named), None))


@dataclass(frozen=True, slots=True)
class KeyInformation:
    """One key of a security domain: identifier, version, and its components as (type, length in bytes)."""

    identifier: int
    version: int
    components: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        parts = ", ".join(f"{KEY_TYPES.get(kind, f'type {kind:02X}')} {size * 8}" for kind, size in self.components)
        return f"version {self.version:02X} ({self.version}), identifier {self.identifier:02X}: {parts}"


def key_information(data: bytes, note: Note = ignore) -> tuple[KeyInformation, ...]:
    """The key information template E0, basic or extended form. ``note`` gets what could not be read.

    GPC 2.3.1, 11.3.3.1. Raises CardMalformed where no key can be read.
    """
    faults: list[str] = []
    level = objects(data, faults.append)
    inside = values(level, 0xE0)
    entries = [entry for value in inside for entry in values(objects(value, faults.append), 0xC0)]
    keys: list[KeyInformation] = []
    for entry in entries or values(level, 0xC0):
        try:
            keys.append(_key(entry))
        except IndexError:
            faults.append(f"an entry of {len(entry)} bytes is truncated")
    if not keys and (faults or not inside):
        raise CardMalformed(f"key information (E0): {'; '.join(faults) or 'no template E0'}")
    for fault in faults:
        note(f"key information (E0): {fault}")
    return tuple(keys)


def _key(value: bytes) -> KeyInformation:
    """Raises IndexError for an entry that is truncated."""
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


def _recognition_level(data: bytes, note: Note) -> Objects:
    """The objects in the innermost 73, which some cards wrap in 66 twice, or write its tag twice."""
    if data[:2] == b"\x66\x66" and len(data) - 2 < data[1]:
        data = data[1:]
    level: Objects = objects(data, note)
    for _ in range(_DEEPEST):
        # Inside 73 the tag 66 holds the details of the chip.
        outside = not {0x06, 0x60, 0x64} & {tag for tag, _ in level}
        inner = values(level, 0x73) or (values(level, 0x66) if outside else [])
        if not inner:
            break
        level = objects(inner[0], note)
    return level


def _oids(level: Objects, tag: int, note: Note) -> list[tuple[int, ...]]:
    """Every OID in the templates with this tag at this level."""
    oids = []
    for value in values(level, tag):
        inside = values(objects(value), 0x06)
        if value and not inside:
            note(f"{tag:02X} holds no object identifier")
        oids += [oid for raw in inside if (oid := _oid(raw, note))]
    return oids


def _oids_of(level: Objects, note: Note) -> list[tuple[int, ...]]:
    return [oid for raw in values(level, 0x06) if (oid := _oid(raw, note))]


def _raw(level: Objects, tag: int) -> str:
    """The bytes of an object that holds no object identifier, in hex."""
    return next((value.hex().upper() for value in values(level, tag)), "")


def _ours(oid: tuple[int, ...], arc: int) -> bool:
    return oid[:4] in _GLOBAL_PLATFORM and oid[4:5] == (arc,)


def _oid(raw: bytes, note: Note) -> tuple[int, ...]:
    """An ASN.1 object identifier; empty for one that is truncated. ITU-T X.690, 8.19."""
    numbers: list[int] = []
    number = 0
    for byte in raw:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    if not numbers or raw[-1] & 0x80:
        note("an object identifier that is truncated")
        return ()
    first = min(numbers[0] // 40, 2)
    return first, numbers[0] - 40 * first, *numbers[1:]


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
