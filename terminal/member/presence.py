"""Proof to an office that a card is in a counter's reader now, and in which state: for an office that does not rely on
the counter. docs/redemption.md, Changes at a distant counter.

The card signs the office's number with its records (INTERNAL AUTHENTICATE), and computes an AAC over it, which only
the office can check. The bytes hold what the card shows to whoever reads it: they are personal data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from terminal.apdu import OK, Command, Response, Sender, StatusWord
from terminal.emv.data.masking import masked_pan
from terminal.emv.data.tags import (
    TAG_6F_FCI,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_77_FORMAT_2,
    TAG_82_AIP,
    TAG_84_DF_NAME,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
)
from terminal.errors import CodecError, TlvError
from terminal.member import elements
from terminal.member.lists import CounterLists
from terminal.member.outcome import Verdict
from terminal.member.proven import ProvenCard
from terminal.member.reading import internal_authenticate, select, start
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.redeem import decline
from terminal.member.verdict import verify
from terminal.tlv import Dol, Tlv, decode, encode, tlv

CHALLENGE: Final = 4
"""Bytes of the office's number."""
_VERSION: Final = 1
_RECORD, _EVIDENCE = 0xC3, 0xC4
"""Tags for what has none: file, number and content of a record; the evidence of the AAC."""
_LAST: Final = (elements.DYNAMIC_SIGNATURE.tag, _EVIDENCE)
_SELECT, _OPTIONS, _READ, _AUTHENTICATE = 0xA4, 0xA8, 0xB2, 0x88
_NO_RECORD: Final = StatusWord(0x6A83)


@dataclass(frozen=True, slots=True, repr=False)
class CardPresence:
    """What a card answered: ``records`` are its answers to READ RECORD by file and number, ``signature`` that to
    INTERNAL AUTHENTICATE, ``evidence`` the AAC."""

    afl: bytes
    records: tuple[tuple[int, int, bytes], ...]
    signature: bytes
    evidence: RedemptionEvidence

    def encode(self) -> bytes:
        """For the way to the office: version 01, then data objects in a fixed order."""
        records = (tlv(_RECORD, bytes((sfi, number)) + raw) for sfi, number, raw in self.records)
        last = (self.signature, self.evidence.encode())
        ends = (tlv(tag, value) for tag, value in zip(_LAST, last, strict=True))
        return bytes((_VERSION,)) + encode([tlv(TAG_94_AFL, self.afl), *records, *ends])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What ``encode`` wrote, and nothing else. Raises CodecError; its message shows no value."""
        if data[:1] != bytes((_VERSION,)):
            raise CodecError(f"proof of a card of version {data[:1].hex() or 'none'}; version 01 is read", 0)
        try:
            items: list[Tlv] = list(decode(data[1:], padding="reject"))
        except TlvError as error:
            raise CodecError("this is no proof of a card") from error
        tags = tuple(int(item.tag) for item in items)
        middle = items[1 : -len(_LAST)]
        if tags != (TAG_94_AFL, *(_RECORD for _ in middle), *_LAST) or any(len(item.value) < 3 for item in middle):
            raise CodecError("proof of a card with other data objects, or in another order")
        presence = cls(
            afl=items[0].value,
            records=tuple((item.value[0], item.value[1], item.value[2:]) for item in middle),
            signature=items[-2].value,
            evidence=RedemptionEvidence.decode(items[-1].value),
        )
        if presence.encode() != data:
            raise CodecError("proof of a card that is encoded in another way")
        return presence

    def __repr__(self) -> str:
        return f"<CardPresence of card {masked_pan(self.evidence.card_number)}>"


def present(sender: Sender, card: ProvenCard, challenge: bytes) -> CardPresence:
    """Have a card that was just verified prove itself to the office with this number.

    Counts nothing, and a redemption in the same insertion needs a new verdict. Raises NotRedeemable, CardRefused,
    CardMalformed, TransportError.
    """
    ddol = card.card.get(elements.DDOL) or Dol.of((TAG_9F37_UNPREDICTABLE_NUMBER, CHALLENGE))
    data = ddol.fill({TAG_9F37_UNPREDICTABLE_NUMBER: challenge}, elements.FORMATS)
    return CardPresence(
        afl=card.card.options.afl.encode(),
        records=tuple((record.sfi, record.number, record.raw) for record in card.card.records),
        signature=internal_authenticate(sender, data),
        evidence=decline(sender, card, challenge),
    )


def state_now(sender: Sender, card: ProvenCard, challenge: bytes) -> RedemptionEvidence:
    """The AAC of a card after its script, over a further number of the office. Raises as ``present``."""
    start(sender, select(sender, card.card.application.name), {})
    return decline(sender, card, challenge)


def judge(presence: CardPresence, challenge: bytes, lists: CounterLists, at: datetime, aid: bytes) -> Verdict:
    """The verdict on a card that proved itself from afar: ``Verdict.card`` is there only where its chip signed this
    number with these records."""
    answers = _Answers(presence)
    return verify(
        answers,
        trust=lists.trust,
        hotlist=lists.hotlist,
        at=at,
        unpredictable=challenge,
        policy=lists.policy,
        aid=aid,
    )


class _Answers:
    """A card that answers as one did at a counter. Whether it is blocked is for the AAC to say."""

    def __init__(self, presence: CardPresence) -> None:
        self._presence = presence
        self._records = {(sfi, number): raw for sfi, number, raw in presence.records}

    def send(self, command: Command) -> Response:
        presence = self._presence
        if command.ins == _SELECT:
            name = tlv(TAG_84_DF_NAME, presence.evidence.aid)
            return _answer(TAG_6F_FCI, [name, tlv(TAG_A5_FCI_PROPRIETARY, ())])
        if command.ins == _OPTIONS:
            options = [tlv(TAG_82_AIP, presence.evidence.aip), tlv(TAG_94_AFL, presence.afl)]
            return _answer(TAG_77_FORMAT_2, options)
        if command.ins == _AUTHENTICATE:
            return _answer(TAG_77_FORMAT_2, [tlv(elements.DYNAMIC_SIGNATURE.tag, presence.signature)])
        raw = self._records.get((command.p2 >> 3, command.p1)) if command.ins == _READ else None
        return Response(b"", _NO_RECORD) if raw is None else Response(raw, OK)


def _answer(tag: int, items: Iterable[Tlv]) -> Response:
    return Response(tlv(tag, list(items)).encode(), OK)
