"""Data groupings common to the EMV applications on the card: how each is checked, and what is read from it.

EMV Card Personalization Specification 1.1, annex A; EMV 4.4 Book 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from simulators.applets.personalized import objects_of, record_of, unpadded, well_formed
from simulators.card.applet import Refuse
from terminal.crypto import kcv, rsa
from terminal.errors import TlvError
from terminal.tlv import Dol, Tlvs

FCI, PROCESSING_OPTIONS, ISSUER_APPLICATION_DATA = 0x9102, 0x9104, 0x9200
APPLICATION_KEYS, APPLICATION_KEY_CHECKS = 0x8000, 0x9000
PIN, PIN_TRIES = 0x8010, 0x9010
CRT: Final = (0x8201, 0x8202, 0x8203, 0x8204, 0x8205)

Check = Callable[[bytes], bytes]
"""From the value of a grouping to the bytes to store. Raises Refuse."""

_LONGEST_KEY: Final = 248
"""Bytes of an RSA modulus of 1984 bits, the longest that EMV allows. EMV 4.4 Book 2, D2.1."""


def record(value: bytes) -> bytes:
    """Check a whole 70 template. Raises Refuse: 6A80."""
    record_of(value)
    return value


def lists_record(value: bytes) -> bytes:
    """Check a record and the data object lists in it. Raises Refuse: 6A80."""
    for item in record_of(value):
        if item.tag in (0x8C, 0x8D, 0x9F49):
            dol(item.value)
    return value


def fci(value: bytes) -> bytes:
    """Check a whole A5 template and its PDOL. Raises Refuse: 6A80."""
    pdol = well_formed(value, 0xA5).find(0x9F38)
    if pdol:
        dol(pdol.value)
    return value


def dol(value: bytes) -> Dol:
    """A data object list. Raises Refuse: 6A80."""
    try:
        return Dol.parse(value)
    except TlvError:
        raise Refuse(0x6A80) from None


def list_in(objects: Tlvs, tag: int) -> Dol:
    """The data object list with this tag, empty without one. Raises Refuse: 6A80."""
    item = objects.find(tag)
    return dol(item.value if item else b"")


def processing_options(value: bytes) -> bytes:
    """Check AIP (82) and AFL (94) as data objects, nothing else. Raises Refuse: 6A80."""
    objects = objects_of(value)
    profile, locator = objects.find(0x82), objects.find(0x94)
    if len(objects) != 2 or not profile or not locator or len(profile.value) != 2:
        raise Refuse(0x6A80)
    file_locator(locator.value)
    return value


def file_locator(value: bytes) -> list[tuple[int, int]]:
    """SFI and record number of every record in an AFL. EMV 4.4 Book 3, 10.2. Raises Refuse: 6A80."""
    if not value or len(value) % 4:
        raise Refuse(0x6A80)
    named = []
    for at in range(0, len(value), 4):
        sfi, first, last, signed = value[at] >> 3, *value[at + 1 : at + 4]
        if value[at] & 0x07 or not 1 <= sfi <= 30 or not 1 <= first <= last or signed > last - first + 1:
            raise Refuse(0x6A80)
        named += [(sfi, number) for number in range(first, last + 1)]
    return named


def between(least: int, most: int) -> Check:
    """A check of the length, ``least`` to ``most`` bytes."""

    def check(value: bytes) -> bytes:
        if not least <= len(value) <= most:
            raise Refuse(0x6A80)
        return value

    return check


def pin_block(value: bytes) -> bytes:
    """Check a padded PIN block of format 2. Raises Refuse: 6A80."""
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


def tries(value: bytes) -> bytes:
    """Check tries left and try limit, 1 to 15. Raises Refuse: 6A80."""
    if len(value) != 2 or not 1 <= value[1] <= 15 or value[0] > value[1]:
        raise Refuse(0x6A80)
    return value


def component(value: bytes) -> bytes:
    """Check a padded component of an RSA key. Raises Refuse: 6A80."""
    return between(24, _LONGEST_KEY // 2)(unpadded(value))


def check_values(keys: bytes | None, checks: bytes | None, key_check: Callable[[bytes], bytes] = kcv.des_kcv) -> None:
    """Compare keys of 16 bytes each with their check values of three bytes each, once both are present.

    Raises Refuse: 9485. GPC 2.3.1, B.5.
    """
    if (
        keys
        and checks is not None
        and b"".join(key_check(keys[at : at + 16]) for at in range(0, len(keys), 16)) != checks
    ):
        raise Refuse(0x9485)


def rsa_key(need: Callable[[int], bytes], numbers: Sequence[int] = CRT) -> rsa.RsaPrivate:
    """The card's RSA key from its five CRT components: q^-1 mod p, d mod q-1, d mod p-1, q, p.

    Raises Refuse: 6985 when one is missing, 6A80 when they do not form one key.
    """
    parts = [need(number) for number in numbers]
    qinv, dq, dp, q, p = (int.from_bytes(part, "big") for part in parts)
    if len({len(part) for part in parts}) != 1 or not (p & q & dp & dq & 1) or min(p, q) < 3:
        raise Refuse(0x6A80)
    exponent = pow(dp, -1, p - 1) if math.gcd(dp, p - 1) == 1 else 0
    if exponent * dq % (q - 1) != 1 or qinv * q % p != 1:
        raise Refuse(0x6A80)
    return rsa.RsaPrivate(p=p, q=q, dp=dp, dq=dq, qinv=qinv, n=p * q, e=exponent)
