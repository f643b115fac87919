"""A prepared payment application as a terminal reads it: files, options and lists. Broken data are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from personalize.dossiers.dossier import Dossier, DossierApplication, DossierPart
from personalize.errors import PrepareError
from personalize.payment.prepare import (
    CARD_DATA,
    CONTACTLESS_FCI,
    CONTACTLESS_OPTIONS,
    ECASH_OPTIONS,
    FCI,
    INTERNAL_DATA,
    ISSUER_DATA,
    OPTIONS,
    SM,
)
from personalize.profiles.payment import PaymentApplication
from terminal.crypto.rsa import RsaPublic
from terminal.emv.data.records import Afl
from terminal.emv.data.tags import (
    TAG_8C_CDOL1,
    TAG_8D_CDOL2,
    TAG_9F4D_LOG_ENTRY,
    TAG_9F4F_LOG_FORMAT,
    TAG_9F10_IAD,
    TAG_9F38_PDOL,
    TAG_9F49_DDOL,
    TAG_70_RECORD,
    TAG_82_AIP,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
    TAG_DF4D_LOAD_LOG_ENTRY,
    TAG_DF4F_LOAD_LOG_FORMAT,
)
from terminal.errors import CodecError, TlvError
from terminal.tlv import Dol, Tlv, Tlvs, decode

LOGS = (
    ("log format", TAG_9F4D_LOG_ENTRY, TAG_9F4F_LOG_FORMAT),
    ("load log format", TAG_DF4D_LOAD_LOG_ENTRY, TAG_DF4F_LOAD_LOG_FORMAT),
)
"""Logs of transactions and of e-cash loads: name of the format, tags of entry and format."""

_CARD_DATA = tuple((dgi >> 8, dgi & 0xFF) for dgi in (CARD_DATA, INTERNAL_DATA))
ANTENNA = (CONTACTLESS_OPTIONS, CONTACTLESS_OPTIONS + SM)
"""Processing options for the contactless interface alone."""

Place = tuple[int, int]
"""SFI and record number."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The CA public keys that terminals use for this card, where they are known."""

    rsa: RsaPublic | None = None
    sm: bytes | None = None


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """One answer to GET PROCESSING OPTIONS: its DGI, 82 and 94. ``sm``: its records are signed with SM2."""

    dgi: int
    objects: Tlvs
    sm: bool

    @property
    def aip(self) -> bytes:
        return self.objects.get(TAG_82_AIP) or b""

    @property
    def first(self) -> int:
        """The first byte of the AIP, 0 without one."""
        return self.aip[0] if self.aip else 0

    @property
    def afl(self) -> Afl | None:
        """None for a malformed one, which a rule of its own reports."""
        try:
            return Afl.parse(self.objects.get(TAG_94_AFL) or b"")
        except CodecError:
            return None

    def places(self) -> list[tuple[Place, bool]]:
        """The records that the AFL names, and whether each is signed."""
        return [((sfi, number), signed) for sfi, number, signed in self.afl.records()] if self.afl else []


class CardImage:
    """The input of the rules. Raises PrepareError for a dossier or profile without a payment application."""

    def __init__(self, profile: PaymentApplication | None, dossier: Dossier, authorities: Authorities) -> None:
        if profile is None or dossier.payment is None:
            raise PrepareError("there is no payment application to check")
        self.profile, self.application, self.directories = profile, dossier.payment, dossier.directories
        self.card_number, self.stripe, self.face = dossier.card_number, dossier.stripe, dossier.face
        self.authorities = authorities
        self.records = self.application.records()
        self.card_data = card_objects(self.records)
        for place in _CARD_DATA:
            self.records.pop(place, None)

    def part(self, dgi: int) -> DossierPart | None:
        return next((part for part in self.application.parts if part.number == dgi), None)

    def plain(self, dgi: int) -> bytes:
        """The clear value of a data grouping, empty where there is none."""
        part = self.part(dgi)
        return part.value if part and isinstance(part.value, bytes) else b""

    @cached_property
    def fci(self) -> Tlvs:
        """The content of A5; empty where that is no template."""
        return inside(self.plain(FCI), TAG_A5_FCI_PROPRIETARY)

    @cached_property
    def contactless_fci(self) -> Tlvs:
        """The same for the contactless FCI; empty where the card has one FCI for both interfaces."""
        return inside(self.plain(CONTACTLESS_FCI), TAG_A5_FCI_PROPRIETARY)

    @cached_property
    def options(self) -> tuple[ImageOptions, ...]:
        """Options for debit, e-cash and contactless, each followed by those for SM2."""
        only_sm = not self.profile.rsa
        usual = (OPTIONS, ECASH_OPTIONS, CONTACTLESS_OPTIONS)
        numbers = [(number + offset, only_sm or offset > 0) for number in usual for offset in (0, SM)]
        return tuple(ImageOptions(dgi, objects(self.plain(dgi)), sm) for dgi, sm in numbers if self.part(dgi))

    @property
    def issuer_data(self) -> bytes:
        """The initial 9F10, stored as a data object or bare."""
        plain = self.plain(ISSUER_DATA)
        return objects(plain).get(TAG_9F10_IAD) or plain

    def content(self, place: Place) -> Tlvs:
        """The content of a record; empty where there is none."""
        return inside(self.records.get(place, b""), TAG_70_RECORD)

    def elements(self, options: ImageOptions) -> dict[int, bytes]:
        """Elements by tag after reading: the first of each, in AFL order."""
        elements: dict[int, bytes] = {}
        for item in chain.from_iterable(self.content(place) for place, _ in options.places()):
            elements.setdefault(int(item.tag), item.value)
        return elements

    def value(self, tag: int) -> bytes | None:
        """An element of any record, or None."""
        for place in self.records:
            if (value := self.content(place).get(tag)) is not None:
                return value
        return None

    def lists(self) -> Iterator[tuple[str, Dol]]:
        """The data object lists that can be read, by name."""
        for name, value in self.raw_lists():
            if (dol := parsed(value)) is not None:
                yield name, dol

    def raw_lists(self) -> Iterator[tuple[str, bytes]]:
        """The encoded data object lists, by name."""
        records = (("CDOL1", TAG_8C_CDOL1), ("CDOL2", TAG_8D_CDOL2), ("DDOL", TAG_9F49_DDOL))
        sources = (
            ("PDOL", self.fci.get(TAG_9F38_PDOL)),
            ("contactless PDOL", self.contactless_fci.get(TAG_9F38_PDOL)),
            *((name, self.value(tag)) for name, tag in records),
            *((name, self.card_data.get(form)) for name, _, form in LOGS),
        )
        yield from ((name, value) for name, value in sources if value is not None)

    def asks(self, name: str, tag: int) -> bool | None:
        """Whether a list asks for a tag; None where there is no such list, or it cannot be read."""
        dol = dict(self.lists()).get(name)
        return None if dol is None else any(entry.tag == tag for entry in dol.entries)

    def offers(self, bits: int) -> bool:
        """Whether the AIP of any options has one of these bits in its first byte."""
        return any(options.first & bits for options in self.options)

    def directory(self, name: bytes) -> DossierApplication | None:
        return next((one for one in self.directories if one.instance_aid == name), None)


def card_objects(records: Mapping[Place, bytes]) -> Tlvs:
    """Data of card risk management, DGIs 0D01 and 0E01: bare as banks store them, or in a 70 template."""
    items: list[Tlv] = []
    for raw in filter(None, map(records.get, _CARD_DATA)):
        items += inside(raw, TAG_70_RECORD) if raw[:1] == b"\x70" else objects(raw)
    return Tlvs(items)


def objects(data: bytes) -> Tlvs:
    """Data objects in a row; none where they do not parse."""
    try:
        return decode(data, padding="reject")
    except TlvError:
        return Tlvs()


def inside(data: bytes, template: int) -> Tlvs:
    """The content of the single template that ``data`` should be."""
    tlvs = objects(data)
    if len(tlvs) != 1 or tlvs[0].tag != template:
        return Tlvs()
    try:
        return tlvs[0].children
    except TlvError:
        return Tlvs()


def parsed(value: bytes) -> Dol | None:
    """A data object list, or None."""
    try:
        return Dol.parse(value)
    except TlvError:
        return None
