"""The data objects of one transaction for the issuer, as in field 55 of an authorization request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

from simulators.cryptograms.schemes import AC_TAGS, IadFormat, IssuerScheme
from terminal.errors import CodecError
from terminal.tlv import Tlvs, decode

_LENGTHS = {0x9F02: 6, 0x9F03: 6, 0x9F1A: 2, 0x95: 5, 0x5F2A: 2, 0x9A: 3, 0x9C: 1, 0x9F37: 4, 0x82: 2, 0x9F36: 2}


class CryptogramKind(IntEnum):
    """The kind of the cryptogram: bits 8 and 7 of the cryptogram information data. EMV 4.4 Book 3, 6.5.5.4."""

    AAC = 0x00
    TC = 0x40
    ARQC = 0x80


@dataclass(frozen=True, slots=True)
class IssuerRequest:
    """One request; presence and length of its fields are checked."""

    pan: str = field(repr=False)
    sequence: int
    kind: CryptogramKind
    cryptogram: bytes
    issuer_data: IadFormat
    values: dict[int, bytes] = field(repr=False)
    pin_block: bytes | None = field(repr=False)
    script_results: bytes

    @classmethod
    def parse(cls, data: bytes) -> IssuerRequest:
        """Raises CodecError, which names the tag that is missing, duplicate or of a wrong length."""
        objects = decode(data, padding="reject")
        tags = [item.tag for item in objects]
        duplicate = next((tag for tag in tags if tags.count(tag) > 1), None)
        if duplicate is not None:
            raise CodecError(f"{duplicate} is in the request twice")
        number = objects.get(0x5A) or _from_track(objects)
        if number is None:
            raise CodecError("the request has neither a card number (5A) nor track 2 data (57)")
        sequence = objects.get(0x5F34) or b"\x00"
        kind = _required(objects, 0x9F27, 1)[0] & 0xC0
        if kind not in list(CryptogramKind):
            raise CodecError("the cryptogram information data (9F27) name no kind of cryptogram")
        if len(sequence) != 1 or not sequence.hex().isdigit():
            raise CodecError("the sequence number (5F34) is not two digits")
        return cls(
            _digits(number),
            int(sequence.hex()),
            CryptogramKind(kind),
            _required(objects, 0x9F26, 8),
            IadFormat.parse(objects.get(0x9F10) or b""),
            {tag: _required(objects, tag, _LENGTHS[tag]) for tag in AC_TAGS},
            objects.get(0x99),
            objects.get(0x9F5B) or objects.get(0xDF31) or b"",
        )

    @property
    def atc(self) -> bytes:
        return self.values[0x9F36]

    @property
    def counter(self) -> int:
        return int.from_bytes(self.atc, "big")

    @property
    def pin_entered(self) -> bool:
        """Whether the cardholder entered a PIN for online verification: TVR byte 3, bit 3."""
        return bool(self.values[0x95][2] & 0x04)

    @property
    def amount(self) -> int:
        """The debit to the account in the smallest unit; negative for a refund. Amount, authorized includes cash back.
        ISO 8583:1987, processing codes: below 20 debits, 20 to 29 credits. Raises CodecError."""
        digits = self.values[0x9F02].hex()
        kind = self.values[0x9C].hex()
        if not digits.isdigit() or not kind.isdigit():
            raise CodecError("amount (9F02) and transaction type (9C) are decimal digits")
        return {0: int(digits), 1: int(digits), 2: -int(digits)}.get(int(kind[0]), 0)

    def covered(self, scheme: IssuerScheme) -> bytes:
        """The data that the cryptogram covers. EMV 4.4 Book 2, 8.1.1."""
        return b"".join(self.values[tag] for tag in scheme.tags) + self.issuer_data.covered(scheme)


def _required(objects: Tlvs, tag: int, length: int) -> bytes:
    value = objects.get(tag)
    if value is None:
        raise CodecError(f"the request has no {tag:02X}")
    if len(value) != length:
        raise CodecError(f"{tag:02X} is {len(value)} bytes long, not {length}")
    return value


def _from_track(objects: Tlvs) -> bytes | None:
    track = objects.get(0x57)
    if track is None:
        return None
    number = track.hex().upper().partition("D")[0]
    return bytes.fromhex(number + "F" * (len(number) % 2))


def _digits(number: bytes) -> str:
    match = re.fullmatch("([0-9]{8,19})F*", number.hex().upper())
    if match is None:
        raise CodecError("the card number is not 8 to 19 digits")
    return match[1]
