"""Reading a member card: SELECT, GET PROCESSING OPTIONS, READ RECORD. EMV 4.4 Book 1, 12; Book 3, 10.1-10.2.

Raises CardRefused (a status word), CardMalformed (data out of form) and TransportError; each names the command.
Raw records stay with the card, because offline data authentication is over their exact bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from types import MappingProxyType
from typing import Final, TypeVar

from terminal.apdu import Command, Sender, check
from terminal.emv.data.elements.element import Element
from terminal.emv.data.records import Afl, Record, read_record
from terminal.emv.data.tags import (
    TAG_6F_FCI,
    TAG_9F4D_LOG_ENTRY,
    TAG_77_FORMAT_2,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
    TAG_83_COMMAND_TEMPLATE,
    TAG_84_DF_NAME,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.errors import CardMalformed, CodecError, TlvError
from terminal.member import elements
from terminal.member.elements import MEMBER_AID
from terminal.member.values import IdType
from terminal.secret import Secret
from terminal.tlv import Dol, Tlvs, decode, tlv

T = TypeVar("T")

CERTIFICATE_SFI: Final = 2
PROTECTED_SFI: Final = 5
LOG: Final = (4, 10)
"""File and records of the redemption log. docs/redemption.md, The log."""
APPLICATION_BLOCKED: Final = 0x6283
MOST_RECORDS: Final = 64
"""Far more than a member card has; a card that lists thousands must not block a counter."""

_CERTIFICATES: Final = frozenset(
    element.tag
    for element in (
        elements.CA_KEY_INDEX,
        elements.ISSUER_CERTIFICATE,
        elements.ISSUER_REMAINDER,
        elements.ISSUER_EXPONENT,
        elements.STATIC_SIGNATURE,
        elements.ICC_CERTIFICATE,
        elements.ICC_EXPONENT,
        elements.ICC_REMAINDER,
        elements.STATIC_TAG_LIST,
    )
)


class Aip(IntFlag):
    """Application interchange profile, tag 82: two bytes, big-endian. EMV 4.4 Book 3, C1."""

    SDA = 0x4000
    DDA = 0x2000
    CARDHOLDER_VERIFICATION = 0x1000
    RISK_MANAGEMENT = 0x0800
    ISSUER_AUTHENTICATION = 0x0400
    CDA = 0x0100


@dataclass(frozen=True, slots=True)
class SelectedApplication:
    """A selected application: its name (tag 84), the rest of its FCI, and whether it is blocked (6283)."""

    name: bytes
    fci: Tlvs
    blocked: bool

    @property
    def rid(self) -> bytes:
        """The registered provider: it selects the scheme's CA keys."""
        return self.name[:5]

    @property
    def pdol(self) -> Dol:
        """What the card asks for in GET PROCESSING OPTIONS; empty where it has no PDOL. Raises TlvError."""
        return Dol.parse(self.fci.get(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, elements.PDOL.tag) or b"")

    @property
    def log(self) -> tuple[int, int]:
        """File and number of records of the redemption log, ``LOG`` without a log entry (9F4D). EMV 4.4 Book 3, D2."""
        path = (TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_BF0C_FCI_DISCRETIONARY, TAG_9F4D_LOG_ENTRY)
        entry = self.fci.present(*path) or b""
        return (entry[0], entry[1]) if len(entry) == 2 and 1 <= entry[0] <= 30 and entry[1] else LOG


@dataclass(frozen=True, slots=True)
class ProcessingOptions:
    """The answer to GET PROCESSING OPTIONS: what the card can do, and where its records are.

    ``related`` are the values of the PDOL as they were sent: a CDA signature covers them.
    """

    aip: bytes
    afl: Afl
    related: bytes

    @property
    def can(self) -> Aip:
        return Aip(int.from_bytes(self.aip, "big"))


@dataclass(frozen=True, slots=True, repr=False)
class MemberCard:
    """The data read from a card, not yet authenticated.

    ``records`` are in AFL order. An element is taken only from a record that a signature or the dynamic data hash
    covers; a record of the certificate file (SFI 2) that is not signed gives certificates and nothing else, so that
    nobody between card and terminal can insert a date.
    """

    application: SelectedApplication
    options: ProcessingOptions
    records: tuple[Record, ...]
    values: Mapping[int, bytes]

    @classmethod
    def of(cls, application: SelectedApplication, options: ProcessingOptions, records: Iterable[Record]) -> MemberCard:
        """Raises CardMalformed when an object occurs twice. EMV 4.4 Book 3, 10.2."""
        all_records = tuple(records)
        values: dict[int, bytes] = {}
        for record in all_records:
            certificates_only = record.sfi == CERTIFICATE_SFI and not record.signed
            for item in record.objects:
                if certificates_only and item.tag not in _CERTIFICATES:
                    continue
                if item.tag in values:
                    raise CardMalformed(f"reading SFI {record.sfi}, record {record.number}: {item.tag} occurs twice")
                values[item.tag] = item.value
        return cls(application, options, all_records, MappingProxyType(values))

    def get(self, element: Element[T]) -> T | None:
        """The decoded element, or None where the card has none. Raises CardMalformed."""
        raw = self.values.get(element.tag)
        if raw is None:
            return None
        try:
            return element.decode(raw)
        except CodecError as error:
            raise CardMalformed(f"reading the card: {error}") from error

    def has(self, element: Element[T]) -> bool:
        """Whether the card has the element, whatever its value."""
        return element.tag in self.values

    def need(self, element: Element[T]) -> T:
        """The decoded element. Raises CardMalformed where the card has none."""
        value = self.get(element)
        if value is None:
            raise CardMalformed(f"reading the card: it has no {element.name} ({element.tag})")
        return value

    @property
    def unsigned(self) -> bytes:
        """The content of every record that only the dynamic data hash covers, in AFL order."""
        return b"".join([r.content for r in self.records if not r.signed and r.sfi != CERTIFICATE_SFI])

    def __repr__(self) -> str:
        return f"<MemberCard {self.application.name.hex().upper()}, {len(self.records)} records>"


@dataclass(frozen=True, slots=True)
class ProtectedData:
    """Data for a federation's own counters only: full ID number and phone number, as values that do not print."""

    id_number: Secret
    id_type: IdType
    mobile: Secret


def select(sender: Sender, aid: bytes = MEMBER_AID) -> SelectedApplication:
    """SELECT by name. A blocked application answers 6283 with its FCI and is returned. EMV 4.4 Book 1, 11.3."""
    operation = f"selecting the application {aid.hex().upper()}"
    response = sender.send(Command(0x00, 0xA4, 0x04, 0x00, aid, ne=256))
    data = check(response, operation, allow=(APPLICATION_BLOCKED,))
    blocked = response.sw == APPLICATION_BLOCKED
    if blocked and not data:
        return SelectedApplication(aid, decode(b""), blocked)
    fci = _decoded(data, operation)
    name = fci.get(TAG_6F_FCI, TAG_84_DF_NAME)
    if name is None or not name.startswith(aid):
        raise CardMalformed(f"{operation}: the answer does not name it")
    return SelectedApplication(name, fci, blocked)


def start(sender: Sender, application: SelectedApplication, terminal: Mapping[int, bytes]) -> ProcessingOptions:
    """GET PROCESSING OPTIONS with the card's PDOL filled from ``terminal`` (values by tag).

    Reads both answers, format 1 (tag 80) and format 2 (tag 77). EMV 4.4 Book 3, 6.5.8.
    """
    operation = "getting processing options"
    try:
        related = application.pdol.fill(terminal, elements.FORMATS)
    except TlvError as error:
        raise CardMalformed(f"{operation}: PDOL: {error}") from error
    template = tlv(TAG_83_COMMAND_TEMPLATE, related).encode()
    answer = _decoded(check(sender.send(Command(0x80, 0xA8, data=template, ne=256)), operation), operation)
    joined = answer.get(TAG_80_FORMAT_1)
    aip, afl = (
        (joined[:2], joined[2:])
        if joined is not None
        else (answer.get(TAG_77_FORMAT_2, TAG_82_AIP), answer.get(TAG_77_FORMAT_2, TAG_94_AFL))
    )
    if aip is None or afl is None or len(aip) != 2:
        raise CardMalformed(f"{operation}: the answer has no AIP or no AFL")
    try:
        options = ProcessingOptions(aip, Afl.parse(afl), related)
    except CodecError as error:
        raise CardMalformed(f"{operation}: {error}") from error
    if (count := len(list(options.afl.records()))) > MOST_RECORDS:
        raise CardMalformed(f"{operation}: the card lists {count} records; {MOST_RECORDS} are the most that are read")
    return options


def read_records(sender: Sender, places: Iterable[tuple[int, int, bool]]) -> list[Record]:
    """READ RECORD for SFI, number, signed, as ``Afl.records`` gives them."""
    return [read_record(sender, sfi, number, signed=signed) for sfi, number, signed in places]


def read_card(sender: Sender, terminal: Mapping[int, bytes], aid: bytes = MEMBER_AID) -> MemberCard:
    """Read every public record, without verification."""
    application = select(sender, aid)
    options = start(sender, application, terminal)
    return MemberCard.of(application, options, read_records(sender, options.afl.records()))


def read_protected(secured: Sender) -> ProtectedData:
    """The protected record, SFI 5. ``secured`` is an SCP03 session on the selected member application, opened with the
    read key set at security level 33; any other sender gets CardRefused with 6982."""
    record = read_record(secured, PROTECTED_SFI, 1)
    return ProtectedData(
        id_number=_protected(record, elements.ID_NUMBER),
        id_type=_protected(record, elements.ID_TYPE),
        mobile=_protected(record, elements.MOBILE),
    )


def _protected(record: Record, element: Element[T]) -> T:
    raw = record.objects.get(element.tag)
    if raw is None:
        raise CardMalformed(f"reading the protected record: it has no {element.name} ({element.tag})")
    try:
        return element.decode(raw)
    except CodecError as error:
        raise CardMalformed(f"reading the protected record: {error}") from error


def internal_authenticate(sender: Sender, data: bytes) -> bytes:
    """The signed dynamic application data over ``data``, in either format. EMV 4.4 Book 3, 6.5.9."""
    operation = "authenticating the card (INTERNAL AUTHENTICATE)"
    answer = _decoded(check(sender.send(Command(0x00, 0x88, data=data, ne=256)), operation), operation)
    signature = answer.get(TAG_80_FORMAT_1) or answer.get(TAG_77_FORMAT_2, elements.DYNAMIC_SIGNATURE.tag)
    if signature is None:
        raise CardMalformed(f"{operation}: the answer has no signature (9F4B)")
    return signature


def _decoded(data: bytes, operation: str) -> Tlvs:
    try:
        return decode(data, lengths="any")
    except TlvError as error:
        raise CardMalformed(f"{operation}: {error}") from error
