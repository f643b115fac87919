"""A dossier in readable form: each data grouping with its name, data objects explained, secrets as check values only.

Personal data are masked. A value without data objects is shown by its length, as it may be personal too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from personalize.dossiers.dossier import DossierApplication, DossierPart
from terminal.emv.data.dictionary import Dictionary
from terminal.emv.data.explain import Explained, Explainer
from terminal.emv.data.tags import TAG_9F10_IAD
from terminal.errors import TlvError
from terminal.keys import Sealed, SealedKeys
from terminal.tlv import Tlvs, decode

NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x0D01: "the card's limits and counters",
        0x0E01: "the card's internal settings",
        0x8000: "card keys, 3DES",
        0x8010: "offline PIN",
        0x8020: "card keys, SM4",
        0x8030: "read keys",
        0x8101: "RSA private exponent",
        0x8103: "RSA modulus",
        0x8104: "SM2 private key",
        **{0x8201 + at: f"RSA key, part {at + 1} of 5" for at in range(5)},
        0x9000: "check values of the 3DES card keys",
        0x9010: "PIN tries",
        0x9020: "check values of the SM4 card keys",
        0x9030: "read key version and check values",
        0x9102: "FCI, contact",
        0x9103: "FCI, contactless",
        0x9104: "processing options",
        0x9106: "processing options, SM2",
        0x9200: "issuer application data",
    }
)
"""Names of data groupings. EMV CPS 1.1, annex A; docs/card-layout.md."""

_SHOWN: Final = frozenset({0x9000, 0x9010, 0x9020, 0x9030})
_SEALING = 28
"""Bytes that sealing adds: nonce and tag."""


@dataclass(frozen=True, slots=True)
class GroupView:
    """One data grouping. ``length`` is in bytes; None for keys that are derived at use."""

    number: int
    name: str
    length: int | None
    secret: bool
    kcvs: tuple[str, ...]
    content: tuple[Explained, ...]

    @property
    def heading(self) -> str:
        """``8000 card keys, 3DES: secret, 48 bytes, KCV 1A2B3C 4D5E6F 708192``."""
        return f"{self.number:04X} {self.name}: {', '.join(self.facts)}"

    @property
    def facts(self) -> list[str]:
        """Whether it is secret, its length, and the check values of keys."""
        facts = ["secret"] if self.secret else []
        facts += [] if self.length is None else [f"{self.length} bytes"]
        return facts + ([f"KCV {' '.join(self.kcvs)}"] if self.kcvs else [])

    def to_json(self) -> dict[str, Any]:
        return {
            "dgi": f"{self.number:04X}",
            "name": self.name,
            "length": self.length,
            "secret": self.secret,
            "kcvs": list(self.kcvs),
            "content": [item.to_json() for item in self.content],
        }


def view(application: DossierApplication, dictionary: Dictionary) -> tuple[GroupView, ...]:
    """Every grouping of an application, in the order in which they are sent to the chip. ``dictionary`` must have the
    application's own elements, since it says which are personal."""
    return tuple(_group(application, part, dictionary) for part in application.parts)


def name_of(number: int) -> str:
    if number in NAMES:
        return NAMES[number]
    if 0x0101 <= number <= 0x1EFF:
        return f"record {number & 0xFF} of file {number >> 8}"
    return "(a grouping of its own)"


def _group(application: DossierApplication, part: DossierPart, dictionary: Dictionary) -> GroupView:
    number, name = part.number, name_of(part.number)
    if isinstance(part.value, bytes):
        content = explained(application, number, part.value, dictionary)
        return GroupView(number, name, len(part.value), False, (), content)
    if isinstance(part.value, Sealed):
        return GroupView(number, name, len(part.value.blob) - _SEALING, True, (), ())
    length = len(part.value.sealed.blob) - _SEALING if isinstance(part.value, SealedKeys) else None
    return GroupView(number, name, length, True, check_values(part), ())


def check_values(part: DossierPart) -> tuple[str, ...]:
    """The check values of keys, in hex; none for other values."""
    if isinstance(part.value, bytes | Sealed):
        return ()
    return tuple(kcv.hex().upper() for kcv in part.value.kcvs)


def explained(
    application: DossierApplication, number: int, value: bytes, dictionary: Dictionary
) -> tuple[Explained, ...]:
    """The content of a plain grouping, explained."""
    if number in _SHOWN:
        return (Explained(None, "value", value.hex().upper()),)
    explainer = Explainer(application.instance_aid, dictionary=dictionary)
    if number == 0x9200 and not value.startswith(b"\x9f\x10"):  # payment applications have it as a data object
        return (explainer.element(TAG_9F10_IAD, value),)
    try:
        objects = decode(value)
    except TlvError:
        return (Explained(None, "value", f"{len(value)} bytes, no data objects"),)
    return explainer.objects(objects)


def flat(objects: Tlvs, above: str = "") -> dict[str, bytes]:
    """Every primitive value by its path, ``70/5A``; repeated tags are numbered."""
    values: dict[str, bytes] = {}
    for item in objects:
        path = f"{above}{item.tag}"
        inner = flat(item.children, f"{path}/") if item.tag.constructed else {path: item.value}
        for place, value in inner.items():
            name, count = place, 2
            while name in values:
                name, count = f"{place} ({count})", count + 1
            values[name] = value
    return values


def element_name(application: DossierApplication, tag: str, dictionary: Dictionary) -> str:
    """The name of the last tag of a path; empty when unknown."""
    known = dictionary.lookup(int(tag.partition(" ")[0], 16), application.instance_aid)
    return known.name if known is not None else ""
