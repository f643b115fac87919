"""Data of the member application: its groupings, how each is checked, and the parsed contents. docs/card-layout.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
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
from terminal.crypto import kcv
from terminal.tlv import Dol, tlv

IDENTITY, VALIDITY, TERMINAL_LISTS = 0x0101, 0x0102, 0x0103
ENTITLEMENTS, PROTECTED = 0x0301, 0x0501
CERTIFICATES: Final = (0x0201, 0x0202, 0x0203)
MORE_CERTIFICATES: Final = range(0x0204, 0x020A)
READ_KEYS, READ_KEY_CHECKS = 0x8030, 0x9030

RECORDS: Final = (IDENTITY, VALIDITY, TERMINAL_LISTS, *CERTIFICATES, ENTITLEMENTS, PROTECTED)
MANDATORY: Final = (
    *RECORDS,
    FCI,
    PROCESSING_OPTIONS,
    ISSUER_APPLICATION_DATA,
    APPLICATION_KEYS,
    APPLICATION_KEY_CHECKS,
    READ_KEYS,
    READ_KEY_CHECKS,
    *CRT,
)
"""All but the PIN, which a card profile may omit."""

LOG_SFI, PROTECTED_SFI = 4, 5
LOG_RECORDS: Final = 10
LOG_FORMAT: Final = bytes.fromhex("9F3602 9A03 9F2103 9F160F DF3102 DF3201 9F2701 9F3704 9F2608 9F100E")
"""9F4F: ATC, date, time, merchant, benefit class, quantity, CID, unpredictable number, cryptogram, issuer application
data. EMV 4.4 Book 3, Annex D4."""
_UPDATABLE: Final = (VALIDITY, ENTITLEMENTS)
"""The records with elements that change after issue, where the AFL does not have them signed."""


def accept(number: int, value: bytes) -> bytes:
    """The bytes to store of one grouping, padding removed. Raises Refuse: 6A88 unknown, 6A80 malformed."""
    check = _CHECKS.get(number)
    if check is None:
        raise Refuse(0x6A88)
    return check(value)


def _protected(value: bytes) -> bytes:
    return emv_data.record(unpadded(value))


_CHECKS: Final[Mapping[int, Check]] = {
    **dict.fromkeys((IDENTITY, VALIDITY, *CERTIFICATES, *MORE_CERTIFICATES, ENTITLEMENTS), emv_data.record),
    TERMINAL_LISTS: emv_data.lists_record,
    PROTECTED: _protected,
    FCI: emv_data.fci,
    PROCESSING_OPTIONS: emv_data.processing_options,
    ISSUER_APPLICATION_DATA: between(1, 32),
    APPLICATION_KEYS: between(48, 48),
    APPLICATION_KEY_CHECKS: between(9, 9),
    READ_KEYS: between(48, 48),
    READ_KEY_CHECKS: between(10, 10),
    PIN: emv_data.pin_block,
    PIN_TRIES: emv_data.tries,
    **dict.fromkeys(CRT, emv_data.component),
}


def check_values(number: int, stored: Callable[[int], bytes | None]) -> None:
    """Compare keys with their check values, once both are present. Raises Refuse: 9485.

    9000: three bytes for each of three 3DES keys; 9030: the key version, then three bytes for each AES key (GPC 2.3.1,
    B.5 and Amendment D, 4.1.4: the first three bytes of an encrypted block of 00, for AES of 01).
    """
    if number == APPLICATION_KEY_CHECKS:
        emv_data.check_values(stored(APPLICATION_KEYS), stored(number) or b"")
    elif number == READ_KEY_CHECKS:
        emv_data.check_values(stored(READ_KEYS), (stored(number) or b"")[1:], kcv.aes_kcv)


@dataclass(frozen=True, slots=True)
class MemberContents:
    """The data of a personalized application, parsed once into RAM; ``afl`` is that of the interface in use."""

    fci: bytes
    records: Mapping[tuple[int, int], bytes]
    """By SFI and record number the whole 70 template, without the protected record."""
    aip: bytes
    afl: bytes
    unsigned: tuple[tuple[int, int], ...]
    """The unsigned records of the AFL in its order, without the file of certificates."""
    signed: frozenset[tuple[int, int]]
    """The records of the AFL that the static signature covers."""
    pdol: Dol
    ddol: Dol
    cdol1: Dol

    @classmethod
    def read(cls, need: Callable[[int], bytes], memory: Mapping[str, bytes], *, contactless: bool) -> MemberContents:
        """Parse what is stored. Raises Refuse: 6985 when a grouping or a record of the AFL is missing."""
        options = objects_of(need(PROCESSING_OPTIONS))
        afl = bytes.fromhex("08020200") if contactless else options.need(0x94)
        numbers = (int(name, 16) for name in memory if name[:2] in ("01", "02", "03"))
        records = {_at(number): need(number) for number in numbers}
        named = emv_data.file_locator(afl)
        if any(place not in records for place in named):
            raise Refuse(0x6985)
        proprietary, lists = well_formed(need(FCI), 0xA5), record_of(need(TERMINAL_LISTS))
        signed = _signed(afl)
        return cls(
            fci=need(FCI),
            records=records,
            aip=options.need(0x82),
            afl=afl,
            unsigned=tuple(place for place in named if place[0] != 2 and place not in signed),
            signed=signed,
            pdol=emv_data.list_in(proprietary, 0x9F38),
            ddol=emv_data.list_in(lists, 0x9F49),
            cdol1=emv_data.list_in(lists, 0x8C),
        )

    def element(self, tag: int) -> bytes | None:
        """The value of a tag in any record but the protected one."""
        items = (record_of(record).find(tag) for record in self.records.values())
        return next((item.value for item in items if item), None)

    def updatable(self, tag: int) -> bytes | None:
        """The value of a tag in the first updatable record; None without one, or if a signed record has the tag too."""
        number = self._place(tag)
        return None if number is None else record_of(self.records[_at(number)]).get(tag)

    def put(self, memory: MutableMapping[str, bytes], tag: int, value: bytes) -> None:
        """Store another value of an updatable tag. Raises Refuse: 6A88 without one, 6A80 for a record too long.

        These contents are out of date afterwards.
        """
        number = self._place(tag)
        if number is None:
            raise Refuse(0x6A88)
        items = [tlv(tag, value) if item.tag == tag else item for item in record_of(self.records[_at(number)])]
        memory[f"{number:04X}"] = emv_data.record(tlv(0x70, items).encode())

    def _place(self, tag: int) -> int | None:
        places = [place for place, record in self.records.items() if record_of(record).find(tag)]
        if any(place in self.signed for place in places):
            return None
        return next((number for number in _UPDATABLE if _at(number) in places), None)


def _at(number: int) -> tuple[int, int]:
    """SFI and record number of a grouping that is a record."""
    return number >> 8, number & 0xFF


def _signed(afl: bytes) -> frozenset[tuple[int, int]]:
    entries = [afl[at : at + 4] for at in range(0, len(afl), 4)]
    return frozenset((sfi >> 3, number) for sfi, first, _, count in entries for number in range(first, first + count))
