"""What the office needs to prove a redemption to itself, and its codec. docs/redemption.md, The answer.

The bytes hold the card number: whoever stores them stores personal data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from terminal.emv.data.masking import masked_pan
from terminal.emv.data.tags import (
    TAG_4F_ADF_NAME,
    TAG_5A_PAN,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8C_CDOL1,
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_82_AIP,
)
from terminal.errors import CodecError, TlvError
from terminal.member import elements
from terminal.member.cvr import RedemptionData
from terminal.member.redemption.request import RedemptionRequest
from terminal.tlv import Dol, decode, encode, tlv

TC, AAC = 0x40, 0x00
"""Cryptogram information data, tag 9F27. EMV 4.4 Book 3, 6.5.5.4."""
_VERSION: Final = 1
_RELATED, _VALUES = 0xC1, 0xC2
"""Tags for what has none: the values of PDOL and CDOL1 as they were sent."""
_LENGTHS: Final = {TAG_82_AIP: (2,), TAG_9F27_CID: (1,), TAG_9F36_ATC: (2,), TAG_9F26_AC: (0, 8)}
_ORDER: Final = (
    TAG_4F_ADF_NAME,
    TAG_5A_PAN,
    TAG_5F34_PAN_SEQUENCE,
    TAG_82_AIP,
    _RELATED,
    TAG_8C_CDOL1,
    _VALUES,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F26_AC,
    TAG_9F10_IAD,
)


@dataclass(frozen=True, slots=True, repr=False)
class RedemptionEvidence:
    """An answer to GENERATE AC with everything that its cryptogram and its signature are computed from.

    ``aid`` is the full name of the application; ``related`` are the PDOL values and ``values`` the CDOL1 values as they
    were sent, ``wanted`` is CDOL1 itself. ``cryptogram`` is the one inside the signature, or 9F26; empty where a wrong
    signature hides it. ``signature`` is empty for an AAC, and for a redemption that only the log of the card has.
    """

    aid: bytes
    card_number: str
    sequence: int
    aip: bytes
    related: bytes
    wanted: bytes
    values: bytes
    cid: int
    atc: bytes
    signature: bytes
    cryptogram: bytes
    issuer_data: bytes

    @property
    def data(self) -> RedemptionData:
        """The issuer application data. Raises CodecError where they are none of a redemption."""
        return RedemptionData.decode(self.issuer_data)

    @property
    def terminal_values(self) -> dict[int, bytes]:
        """The CDOL1 values by tag."""
        return {int(tag): value for tag, value in Dol.parse(self.wanted).split(self.values).items()}

    @property
    def request(self) -> RedemptionRequest:
        """What was asked. Raises CodecError for a list that does not ask for all of it."""
        return RedemptionRequest.of(self.terminal_values)

    @property
    def counter(self) -> int:
        """The application transaction counter as a number: with the card number it names the redemption."""
        return int.from_bytes(self.atc, "big")

    @property
    def authenticated(self) -> bytes:
        """The data that the cryptogram is computed over: CDOL1 values, AIP, ATC, 9F10. docs/redemption.md."""
        return self.values + self.aip + self.atc + self.issuer_data

    def encode(self) -> bytes:
        """For journal and upload: version 01, then data objects in a fixed order."""
        return bytes((_VERSION,)) + encode([tlv(tag, value) for tag, value in self._objects()])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What ``encode`` wrote, and nothing else. Raises CodecError; its message shows no value."""
        if data[:1] != bytes((_VERSION,)):
            raise CodecError(f"evidence of a redemption of version {data[:1].hex() or 'none'}; version 01 is read", 0)
        try:
            items = decode(data[1:], padding="reject")
        except TlvError as error:
            raise CodecError("this is not the evidence of a redemption") from error
        values = {int(item.tag): item.value for item in items}
        if tuple(int(item.tag) for item in items) != _ORDER:
            raise CodecError("evidence of a redemption with other data objects, or in another order")
        for tag, lengths in _LENGTHS.items():
            if len(values[tag]) not in lengths:
                raise CodecError(f"evidence of a redemption: {tag:02X} has {len(values[tag])} bytes")
        evidence = cls(
            aid=values[TAG_4F_ADF_NAME],
            card_number=elements.CARD_NUMBER.decode(values[TAG_5A_PAN]),
            sequence=elements.SEQUENCE.decode(values[TAG_5F34_PAN_SEQUENCE]),
            aip=values[TAG_82_AIP],
            related=values[_RELATED],
            wanted=values[TAG_8C_CDOL1],
            values=values[_VALUES],
            cid=values[TAG_9F27_CID][0],
            atc=values[TAG_9F36_ATC],
            signature=values[TAG_9F4B_SIGNED_DYNAMIC_DATA],
            cryptogram=values[TAG_9F26_AC],
            issuer_data=values[TAG_9F10_IAD],
        )
        if TAG_9F37_UNPREDICTABLE_NUMBER not in evidence.terminal_values:
            raise CodecError("evidence of a redemption without an unpredictable number")
        if evidence.encode() != data:
            raise CodecError("evidence of a redemption that is encoded in another way")
        return evidence

    def _objects(self) -> Iterator[tuple[int, bytes]]:
        yield TAG_4F_ADF_NAME, self.aid
        yield TAG_5A_PAN, elements.CARD_NUMBER.encode(self.card_number)
        yield TAG_5F34_PAN_SEQUENCE, elements.SEQUENCE.encode(self.sequence)
        yield TAG_82_AIP, self.aip
        yield _RELATED, self.related
        yield TAG_8C_CDOL1, self.wanted
        yield _VALUES, self.values
        yield TAG_9F27_CID, bytes((self.cid,))
        yield TAG_9F36_ATC, self.atc
        yield TAG_9F4B_SIGNED_DYNAMIC_DATA, self.signature
        yield TAG_9F26_AC, self.cryptogram
        yield TAG_9F10_IAD, self.issuer_data

    def __repr__(self) -> str:
        return f"<RedemptionEvidence of card {masked_pan(self.card_number)}, transaction {self.counter}>"
