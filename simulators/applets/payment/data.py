"""Data of the payment application: its groupings, how each is checked, and what a transaction reads from them.

Numbers are those of EMV Card Personalization Specification 1.1, annex A, as PBOC cards use them (JR/T 0025.10). For
want of public numbers this program defines its own: processing options of the Chinese algorithms (number of the
international ones + 2), 8020/9020, 8104 and 9201.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from simulators.applets import emv_data
from simulators.applets.emv_data import (
    APPLICATION_KEY_CHECKS,
    APPLICATION_KEYS,
    CRT,
    FCI,
    ISSUER_APPLICATION_DATA,
    PIN,
    PIN_TRIES,
    PROCESSING_OPTIONS,
    Check,
    between,
)
from simulators.applets.personalized import objects_of, record_of, unpadded, well_formed
from simulators.card.applet import Refuse
from terminal.crypto import kcv, sm2
from terminal.errors import CryptoError
from terminal.tlv import Dol, Tlvs, decode, tlv

CONTACTLESS_FCI: Final = 0x9103
ECASH_OPTIONS, CONTACTLESS_OPTIONS = 0x9203, 0x9207
SM_OFFSET: Final = 2
"""Offset from processing options to those for the Chinese algorithms: 9106, 9205, 9209."""
_INTERNATIONAL: Final = (PROCESSING_OPTIONS, ECASH_OPTIONS, CONTACTLESS_OPTIONS)
_CHINESE: Final = tuple(number + SM_OFFSET for number in _INTERNATIONAL)
OPTIONS: Final = _INTERNATIONAL + _CHINESE
SCHEME: Final = 0x9201
ISSUER_DATA_TAG: Final = 0x9F10
SM4_KEYS, SM4_KEY_CHECKS = 0x8020, 0x9020
SM2_KEY: Final = 0x8104
PIN_CRT: Final = (0x8301, 0x8302, 0x8303, 0x8304, 0x8305)
GET_DATA_OBJECTS: Final = 0x0D01
INTERNAL: Final = (GET_DATA_OBJECTS, 0x0E01)
"""Data objects of card risk management, which are no records: EMV CPS 1.1 leaves SFI 11 to 30 to the scheme. GET DATA
returns those of the first; those of the second are internal to the card, as in personalization data of the field."""
MAX_SFI: Final = 30

LOG_FORMAT: Final = bytes.fromhex("9A03 9F2103 9F0206 9F0306 9F1A02 5F2A02 9F4E14 9C01 9F3602")
"""9F4F without one in the data: date, time, amounts, country, currency, merchant, type, ATC. PBOC 3.0."""
LOAD_FORMAT: Final = bytes.fromhex("9A03 9F2103 9F1A02 9F4E14 9F3602")
"""DF4F likewise; a load record starts with P1, P2 of its PUT DATA, the old and the new value of 9F79. PBOC 3.0."""

_LENGTHS: Final[Mapping[int, tuple[int, int]]] = {
    0x9F14: (1, 1),
    0x9F23: (1, 1),
    0x9F51: (2, 2),
    0x9F52: (2, 6),
    0x9F53: (1, 1),
    0x9F54: (6, 6),
    0x9F56: (1, 1),
    0x9F57: (2, 2),
    0x9F58: (1, 1),
    0x9F59: (1, 1),
    0x9F5C: (6, 6),
    0x9F6D: (6, 6),
    0x9F72: (1, 1),
    0x9F77: (6, 6),
    0x9F78: (6, 6),
    0x9F79: (6, 6),
}
"""Bytes of the data objects that card risk management reads. JR/T 0025.5, annex A."""
AMOUNTS: Final = frozenset((0x9F54, 0x9F5C, 0x9F6D, 0x9F77, 0x9F78, 0x9F79))
_COMPUTED: Final = frozenset((0x9F36, 0x9F13, 0x9F17, 0x82, 0x94))
_LONGEST_OBJECT: Final = 64


def accept(number: int, value: bytes) -> bytes:
    """The bytes to store of one grouping, padding removed. Raises Refuse: 6A88 unknown, 6A80 malformed."""
    check = _CHECKS.get(number)
    if check is None:
        if not (1 <= number >> 8 <= MAX_SFI and 1 <= number & 0xFF <= 0xFE):
            raise Refuse(0x6A88)
        check = emv_data.lists_record
    return check(value)


def check_values(number: int, stored: Callable[[int], bytes | None]) -> None:
    """Compare keys with their check values, once both are present. Raises Refuse: 9485."""
    if number == APPLICATION_KEY_CHECKS:
        emv_data.check_values(stored(APPLICATION_KEYS), stored(number))
    elif number == SM4_KEY_CHECKS:
        emv_data.check_values(stored(SM4_KEYS), stored(number), kcv.sm4_kcv)


def is_valid_object(tag: int, value: bytes) -> bool:
    """Whether a data object of the card may have this value: its length, and decimal digits if it is an amount."""
    least, most = _LENGTHS.get(tag, (1, _LONGEST_OBJECT))
    return least <= len(value) <= most and (tag not in AMOUNTS or value.hex().isdecimal())


def options(value: bytes) -> tuple[int, bytes, bytes]:
    """Template (80 or 77), AIP and AFL of processing options: bare 82 and 94, which 9F10 may follow, or a whole 77 or
    80 template. EMV 4.4 Book 3, 6.5.8.4. Raises Refuse: 6A80."""
    if value[:1] == b"\x80":
        objects = objects_of(value)
        plain = objects[0].value
        if len(objects) != 1 or len(plain) < 6 or objects.encode() != objects[0].encode():
            raise Refuse(0x6A80)
        emv_data.file_locator(plain[2:])
        return 0x80, plain[:2], plain[2:]
    if value[:1] == b"\x77":
        bare = well_formed(value, 0x77)
    else:
        bare = Tlvs(item for item in objects_of(value) if item.tag != ISSUER_DATA_TAG)
        if (data := _own_issuer_data(value)) is not None:
            _issuer_data(data)
    objects = objects_of(emv_data.processing_options(bare.encode()))
    return 0x77, objects.need(0x82), objects.need(0x94)


def _options(value: bytes) -> bytes:
    options(value)
    return value


def _own_issuer_data(value: bytes) -> bytes | None:
    """9F10 among the objects of processing options."""
    return None if value[:1] in (b"\x80", b"\x77") else objects_of(value).get(ISSUER_DATA_TAG)


def internal_objects(value: bytes) -> Tlvs:
    """The data objects of card risk management, bare or in a 70 template. Raises Refuse: 6A80."""
    return record_of(value) if value[:1] == b"\x70" else objects_of(value)


def _internal(value: bytes) -> bytes:
    for item in internal_objects(value):
        if (
            (int(item.tag) in _COMPUTED and any(item.value))
            or item.tag.constructed
            or not is_valid_object(int(item.tag), item.value)
        ):
            raise Refuse(0x6A80)
        if item.tag in (0x9F4F, 0xDF4F):
            emv_data.dol(item.value)
    return value


def _issuer_data_object(value: bytes) -> bytes:
    """9F10 as a data object, as in personalization data of the field, or bare. Raises Refuse: 6A80."""
    objects = objects_of(value) if value[:2] == b"\x9f\x10" else Tlvs()
    if len(objects) > 1:
        raise Refuse(0x6A80)
    return _issuer_data(objects.need(ISSUER_DATA_TAG) if objects else value)


def _issuer_data(value: bytes) -> bytes:
    """Check 9F10: length, key index, version, place of a CVR of four bytes, in PBOC the algorithm, then issuer data; or
    32 bytes of Visa's format 2: 1F, version, key index, CVR of five bytes. JR/T 0025.5, 9F10; Visa Integrated Circuit
    Card Specification 1.5. Raises Refuse: 6A80."""
    if not (len(value) == 32 and value[0] == 0x1F) and not (len(value) <= 32 and value[:1] in (b"\x06", b"\x07")):
        raise Refuse(0x6A80)
    if len(value) < value[0] + 1:
        raise Refuse(0x6A80)
    return value


def _scheme(value: bytes) -> bytes:
    """Check 9201: cryptogram version, fold of SM4 (00 XOR, 01 left half), length of a script MAC (4 to 8)."""
    if len(value) != 3 or value[1] > 1 or not 4 <= value[2] <= 8:
        raise Refuse(0x6A80)
    return value


def _sm2_key(value: bytes) -> bytes:
    number = unpadded(value)
    try:
        sm2.Sm2Private.decode(number)
    except CryptoError:
        raise Refuse(0x6A80) from None
    return number


_CHECKS: Final[Mapping[int, Check]] = {
    **dict.fromkeys(INTERNAL, _internal),
    **dict.fromkeys((FCI, CONTACTLESS_FCI), emv_data.fci),
    **dict.fromkeys(OPTIONS, _options),
    ISSUER_APPLICATION_DATA: _issuer_data_object,
    SCHEME: _scheme,
    **dict.fromkeys((APPLICATION_KEYS, SM4_KEYS), between(48, 48)),
    **dict.fromkeys((APPLICATION_KEY_CHECKS, SM4_KEY_CHECKS), between(9, 9)),
    PIN: emv_data.pin_block,
    PIN_TRIES: emv_data.tries,
    **dict.fromkeys((*CRT, *PIN_CRT), emv_data.component),
    SM2_KEY: _sm2_key,
}


def check_complete(need: Callable[[int], bytes], stored: Callable[[int], bytes | None]) -> None:
    """Check at the last STORE DATA that the options have their data. Raises Refuse: 6985 missing, 6A80 inconsistent."""
    need(FCI)
    need(ISSUER_APPLICATION_DATA)
    present = [number for number in OPTIONS if stored(number) is not None]
    if not {PROCESSING_OPTIONS, PROCESSING_OPTIONS + SM_OFFSET} & set(present):
        raise Refuse(0x6985)
    if stored(APPLICATION_KEYS) is None and stored(SM4_KEYS) is None:
        raise Refuse(0x6985)
    for keys, checks in ((APPLICATION_KEYS, APPLICATION_KEY_CHECKS), (SM4_KEYS, SM4_KEY_CHECKS), (PIN, PIN_TRIES)):
        if (stored(keys) is None) != (stored(checks) is None):
            raise Refuse(0x6985)
        check_values(checks, stored)
    for numbers in (CRT, PIN_CRT):
        if any(stored(number) is not None for number in numbers):
            emv_data.rsa_key(need, numbers)
    for number in present:
        chosen = PaymentOptions.read(number, need, stored)
        if chosen.signs:
            need(SM2_KEY if chosen.chinese else CRT[0])
        if chosen.combines and not chosen.chinese and not _fits(need):
            raise Refuse(0x6A80)
        antenna = number in (CONTACTLESS_OPTIONS, CONTACTLESS_OPTIONS + SM_OFFSET)
        if not antenna and not (chosen.cdol1.length and chosen.cdol2.length):
            raise Refuse(0x6985)


def _fits(need: Callable[[int], bytes]) -> bool:
    """Whether a combined signature fits one response of 256 bytes with CID, ATC and issuer application data, each with
    tag and length, in a template. EMV 4.4 Book 2, D1.2."""
    return 3 + 4 + 5 + (4 + 2 * len(need(CRT[4]))) + 3 + len(need(ISSUER_APPLICATION_DATA)) <= 256


@dataclass(frozen=True, slots=True)
class PaymentOptions:
    """One set of processing options and the data object lists in its records."""

    template: int
    aip: bytes
    afl: bytes
    chinese: bool
    """SM2 and SM4 instead of RSA and triple DES."""
    ecash: bool
    cdol1: Dol
    cdol2: Dol
    ddol: Dol
    issuer_data: bytes | None = None
    """9F10 of these options, which replaces that of the card."""

    @classmethod
    def read(cls, number: int, need: Callable[[int], bytes], stored: Callable[[int], bytes | None]) -> PaymentOptions:
        """The options of grouping ``number``; on a card with SM2 and no RSA key all options are for SM2.

        Raises Refuse: 6985 when a record of the AFL is missing.
        """
        template, aip, afl = options(need(number))
        objects = decode(b"".join(record_of(need(sfi << 8 | at)).encode() for sfi, at in emv_data.file_locator(afl)))
        return cls(
            template,
            aip,
            afl,
            chinese=number in _CHINESE or (stored(SM2_KEY) is not None and stored(CRT[0]) is None),
            ecash=number in (ECASH_OPTIONS, ECASH_OPTIONS + SM_OFFSET),
            cdol1=emv_data.list_in(objects, 0x8C),
            cdol2=emv_data.list_in(objects, 0x8D),
            ddol=emv_data.list_in(objects, 0x9F49),
            issuer_data=_own_issuer_data(need(number)),
        )

    @property
    def response(self) -> bytes:
        """AIP and AFL in the response to GET PROCESSING OPTIONS, without the template."""
        if self.template == 0x80:
            return self.aip + self.afl
        return tlv(0x82, self.aip).encode() + tlv(0x94, self.afl).encode()

    @property
    def signs(self) -> bool:
        """Whether the AIP offers a dynamic signature, DDA or CDA. EMV 4.4 Book 3, annex C1."""
        return bool(self.aip[0] & 0x21)

    @property
    def combines(self) -> bool:
        """Whether the AIP offers CDA."""
        return bool(self.aip[0] & 0x01)

    @property
    def issuer_authentication(self) -> bool:
        """Whether the ARPC comes by EXTERNAL AUTHENTICATE."""
        return bool(self.aip[0] & 0x04)
