"""What the member application keeps: its data groupings, how each is checked, and what the card answers from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from simulators.applet import Refuse
from simulators.personalized import objects_of, record_of, unpadded, well_formed
from terminal.crypto import kcv, rsa
from terminal.errors import TlvError
from terminal.tlv import Dol, Tlvs

IDENTITY, VALIDITY, TERMINAL_LISTS = 0x0101, 0x0102, 0x0103
ENTITLEMENTS, PROTECTED = 0x0301, 0x0501
CERTIFICATES: Final = (0x0201, 0x0202, 0x0203)
MORE_CERTIFICATES: Final = range(0x0204, 0x020A)
FCI, PROCESSING_OPTIONS, ISSUER_APPLICATION_DATA = 0x9102, 0x9104, 0x9200
APPLICATION_KEYS, APPLICATION_KEY_CHECKS = 0x8000, 0x9000
READ_KEYS, READ_KEY_CHECKS = 0x8030, 0x9030
PIN, PIN_TRIES = 0x8010, 0x9010
CRT: Final = (0x8201, 0x8202, 0x8203, 0x8204, 0x8205)

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
"""All but the PIN, which a profile may leave out."""

LOG_SFI, PROTECTED_SFI = 4, 5
LOG_FORMAT: Final = bytes.fromhex("9F3602 9A03 9F2103 9F160F DF3102 DF3201 9F2701 9F3704")
"""9F4F: ATC, date, time, merchant, benefit class, quantity, CID, unpredictable number. EMV 4.4 Book 3, Annex D4."""

_LONGEST_KEY: Final = 248
"""Bytes of an RSA modulus of 1984 bits, the longest that EMV allows. EMV 4.4 Book 2, D2.1."""


def accept(number: int, value: bytes) -> bytes:
    """The bytes to keep of one grouping, padding removed. Raises Refuse: 6A88 unknown, 6A80 malformed."""
    check = _CHECKS.get(number)
    if check is None:
        raise Refuse(0x6A88)
    return check(value)


def _record(value: bytes) -> bytes:
    record_of(value)
    return value


def _terminal_lists(value: bytes) -> bytes:
    for item in record_of(value):
        if item.tag in (0x8C, 0x8D, 0x9F49):
            _dol(item.value)
    return value


def _protected(value: bytes) -> bytes:
    return _record(unpadded(value))


def _fci(value: bytes) -> bytes:
    pdol = well_formed(value, 0xA5).find(0x9F38)
    if pdol:
        _dol(pdol.value)
    return value


def _dol(value: bytes) -> Dol:
    try:
        return Dol.parse(value)
    except TlvError:
        raise Refuse(0x6A80) from None


def _processing_options(value: bytes) -> bytes:
    objects = objects_of(value)
    profile, locator = objects.find(0x82), objects.find(0x94)
    if len(objects) != 2 or not profile or not locator or len(profile.value) != 2:
        raise Refuse(0x6A80)
    _file_locator(locator.value)
    return value


def _file_locator(value: bytes) -> list[tuple[int, int]]:
    """SFI and record number of every record an AFL names. EMV 4.4 Book 3, 10.2. Raises Refuse with 6A80."""
    if not value or len(value) % 4:
        raise Refuse(0x6A80)
    named = []
    for at in range(0, len(value), 4):
        sfi, first, last, signed = value[at] >> 3, *value[at + 1 : at + 4]
        if value[at] & 0x07 or not 1 <= sfi <= 10 or not 1 <= first <= last or signed > last - first + 1:
            raise Refuse(0x6A80)
        named += [(sfi, number) for number in range(first, last + 1)]
    return named


def _between(least: int, most: int) -> Callable[[bytes], bytes]:
    def check(value: bytes) -> bytes:
        if not least <= len(value) <= most:
            raise Refuse(0x6A80)
        return value

    return check


def _pin_block(value: bytes) -> bytes:
    block = unpadded(value)
    if not is_pin_block(block):
        raise Refuse(0x6A80)
    return block


def is_pin_block(block: bytes) -> bool:
    """A plain PIN block: 2, length 4-12, digits, filled with F. ISO 9564-1:2017, 9.3.3; EMV 4.4 Book 3, 6.5.12."""
    length = block[0] & 0x0F if len(block) == 8 else 0
    digits = block.hex()[2:]
    return (
        len(block) == 8
        and block[0] >> 4 == 2
        and 4 <= length <= 12
        and digits[:length].isdecimal()
        and set(digits[length:]) <= {"f"}
    )


def _tries(value: bytes) -> bytes:
    if len(value) != 2 or not 1 <= value[1] <= 15 or value[0] > value[1]:
        raise Refuse(0x6A80)
    return value


def _component(value: bytes) -> bytes:
    return _between(24, _LONGEST_KEY // 2)(unpadded(value))


_CHECKS: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    **dict.fromkeys((IDENTITY, VALIDITY, *CERTIFICATES, *MORE_CERTIFICATES, ENTITLEMENTS), _record),
    TERMINAL_LISTS: _terminal_lists,
    PROTECTED: _protected,
    FCI: _fci,
    PROCESSING_OPTIONS: _processing_options,
    ISSUER_APPLICATION_DATA: _between(1, 32),
    APPLICATION_KEYS: _between(48, 48),
    APPLICATION_KEY_CHECKS: _between(9, 9),
    READ_KEYS: _between(48, 48),
    READ_KEY_CHECKS: _between(10, 10),
    PIN: _pin_block,
    PIN_TRIES: _tries,
    **dict.fromkeys(CRT, _component),
}


def check_values(number: int, stored: Callable[[int], bytes | None]) -> None:
    """Keys against the check values sent with them, once both are there. Raises Refuse with 9485.

    9000: three bytes for each of three 3DES keys; 9030: the key version, then three bytes for each AES key (GPC 2.3.1,
    B.5 and Amendment D, 4.1.4: the first three bytes of an encrypted block of 00, for AES of 01).
    """
    if number == APPLICATION_KEY_CHECKS:
        keys, checks, of = stored(APPLICATION_KEYS), stored(number) or b"", kcv.des_kcv
    elif number == READ_KEY_CHECKS:
        keys, checks, of = stored(READ_KEYS), (stored(number) or b"")[1:], kcv.aes_kcv
    else:
        return
    if keys and b"".join(of(keys[at : at + 16]) for at in (0, 16, 32)) != checks:
        raise Refuse(0x9485)


@dataclass(frozen=True, slots=True)
class Contents:
    """A personalized application, parsed once into RAM; ``afl`` and ``objects`` are those of the interface in use."""

    fci: bytes
    records: Mapping[tuple[int, int], bytes]
    """SFI and record number to the whole 70 template; the protected record is not among them."""
    aip: bytes
    afl: bytes
    unsigned: tuple[tuple[int, int], ...]
    """Records the AFL names and does not count as signed, in its order, the certificates' file left out."""
    pdol: Dol
    ddol: Dol

    @classmethod
    def read(cls, need: Callable[[int], bytes], memory: Mapping[str, bytes], *, contactless: bool) -> Contents:
        """Raises Refuse: 6985 when a grouping or a record that the AFL names is missing."""
        options = objects_of(need(PROCESSING_OPTIONS))
        afl = bytes.fromhex("08020200") if contactless else options.need(0x94)
        numbers = (int(name, 16) for name in memory if name[:2] in ("01", "02", "03"))
        records = {(number >> 8, number & 0xFF): need(number) for number in numbers}
        named = _file_locator(afl)
        if any(place not in records for place in named):
            raise Refuse(0x6985)
        proprietary = well_formed(need(FCI), 0xA5)
        return cls(
            fci=need(FCI),
            records=records,
            aip=options.need(0x82),
            afl=afl,
            unsigned=tuple(place for place in named if place[0] != 2 and place not in _signed(afl)),
            pdol=_list(proprietary, 0x9F38),
            ddol=_list(record_of(need(TERMINAL_LISTS)), 0x9F49),
        )

    def element(self, tag: int) -> bytes | None:
        """The value of this tag in any record, the protected one excepted."""
        found = (record_of(record).find(tag) for record in self.records.values())
        return next((item.value for item in found if item), None)


def _signed(afl: bytes) -> set[tuple[int, int]]:
    entries = [afl[at : at + 4] for at in range(0, len(afl), 4)]
    return {(sfi >> 3, number) for sfi, first, _, count in entries for number in range(first, first + count)}


def _list(objects: Tlvs, tag: int) -> Dol:
    found = objects.find(tag)
    return Dol.parse(found.value if found else b"")


def signing_key(need: Callable[[int], bytes]) -> rsa.RsaPrivate:
    """The card's RSA key from its five CRT components: q^-1 mod p, d mod q-1, d mod p-1, q, p.

    Raises Refuse: 6985 when one is missing, 6A80 when they are not the components of one key.
    """
    parts = [need(number) for number in CRT]
    qinv, dq, dp, q, p = (int.from_bytes(part, "big") for part in parts)
    if len({len(part) for part in parts}) != 1 or not (p & q & dp & dq & 1) or min(p, q) < 3:
        raise Refuse(0x6A80)
    exponent = pow(dp, -1, p - 1) if math.gcd(dp, p - 1) == 1 else 0
    if exponent * dq % (q - 1) != 1 or qinv * q % p != 1:
        raise Refuse(0x6A80)
    return rsa.RsaPrivate(p=p, q=q, dp=dp, dq=dq, qinv=qinv, n=p * q, e=exponent)
