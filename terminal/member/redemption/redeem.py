"""A redemption: GENERATE AC with a combined signature, in the insertion of the verdict. docs/redemption.md.

Whoever calls ``redeem`` writes the request to a journal first: where no answer comes, ``recovery.recover`` finishes the
same redemption at the next insertion. A transaction counter that a counter has seen before is the same redemption
again, and nothing is given for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from terminal.apdu import Command, Sender, check
from terminal.emv.authentication.combined import RsaSigningKey, verify_answer
from terminal.emv.authentication.rsa import Check, OdaFailed, Signed
from terminal.emv.data.tags import (
    TAG_9F4B_SIGNED_DYNAMIC_DATA,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_77_FORMAT_2,
)
from terminal.errors import CardMalformed, CodecError
from terminal.member import elements
from terminal.member.cvr import CvrFlag, RedemptionData
from terminal.member.proven import ProvenCard
from terminal.member.redemption.evidence import AAC, TC, RedemptionEvidence
from terminal.member.redemption.request import RedemptionRequest
from terminal.tlv import Tlvs, decode

_OPERATION: Final = "redeeming (GENERATE AC)"
_TC_WITH_CDA, _AAC_REQUEST = 0x50, 0x00
_SIGNED: Final = (TAG_9F27_CID, TAG_9F36_ATC, TAG_9F4B_SIGNED_DYNAMIC_DATA, TAG_9F10_IAD)
_PLAIN: Final = (TAG_9F27_CID, TAG_9F36_ATC, TAG_9F26_AC, TAG_9F10_IAD)
"""The objects of an answer in their order, with and without a signature. docs/redemption.md, The answer."""
_LENGTHS: Final = {TAG_9F27_CID: 1, TAG_9F36_ATC: 2, TAG_9F26_AC: 8}
_CONTRADICTION: Final = "issuer application data"


class RedemptionStatus(StrEnum):
    """The result of a redemption."""

    DONE = "DONE"
    """Counted by the card, and proven by its signature."""
    REFUSED = "REFUSED"
    """The card counted nothing and says why."""
    NOT_PROVEN = "NOT_PROVEN"
    """The card, or something between card and counter, answered what proves nothing: nothing is given."""
    LOGGED = "LOGGED"
    """Counted, by the log of the card alone: the office can prove it, the counter cannot."""
    UNKNOWN = "UNKNOWN"
    """Too many later redemptions: only the office finds out."""


@dataclass(frozen=True, slots=True, repr=False)
class Redemption:
    """The result of one request.

    ``evidence`` is None only for UNKNOWN. ``reasons`` are those of a refusal, the most important first; none where the
    card names none. ``check`` is the check that an answer failed which is NOT_PROVEN.
    """

    status: RedemptionStatus
    request: RedemptionRequest
    evidence: RedemptionEvidence | None
    reasons: tuple[CvrFlag, ...] = ()
    check: str | None = None

    @property
    def done(self) -> bool:
        return self.status is RedemptionStatus.DONE

    @property
    def data(self) -> RedemptionData | None:
        """What the card says of itself; only in DONE a signature covers it. None where it says nothing sound."""
        try:
            return None if self.evidence is None else self.evidence.data
        except CodecError:
            return None

    def to_json(self) -> dict[str, Any]:
        """For machines: plain values, no card number."""
        data, request = self.data, self.request
        return {
            "status": self.status.value,
            "reasons": [str(flag.name) for flag in self.reasons],
            "failed_check": self.check,
            "benefit_class": request.benefit_class,
            "quantity": request.quantity,
            "amount": request.amount,
            "at": f"{request.day.isoformat()}T{request.clock.isoformat()}",
            "merchant": request.merchant,
            "terminal": request.terminal,
            "unpredictable": request.unpredictable.hex().upper(),
            "transaction": None if self.evidence is None else self.evidence.counter,
            "used": None if data is None else data.used,
            "limit": None if data is None else data.limit,
            "period_start": None if data is None or data.start is None else data.start.isoformat(),
        }

    def __repr__(self) -> str:
        return f"<Redemption {self.status}, {self.evidence!r}>"


def redeem(sender: Sender, card: ProvenCard, request: RedemptionRequest) -> Redemption:
    """Ask the card for a redemption, once after its verdict: a second one needs a new verdict.

    Raises NotRedeemable before anything is sent; CardRefused for a status word (6985: contactless, or the second
    GENERATE AC of this selection), CardMalformed for an answer out of form, TransportError. After CardMalformed and
    TransportError the card may have counted: the log says so.
    """
    wanted = card.redemption_list
    values = request.fill(wanted)
    command = Command(0x80, 0xAE, _TC_WITH_CDA, 0x00, values, ne=256)
    objects = _objects(check(sender.send(command), _OPERATION))
    if objects.get(TAG_9F4B_SIGNED_DYNAMIC_DATA) is not None:
        return _signed(card, request, values, objects)
    evidence = _evidence(card, values, objects, objects.need(TAG_9F26_AC))
    if evidence.cid == TC:
        return Redemption(RedemptionStatus.NOT_PROVEN, request, evidence, check=_failed(Check.DATA, "no 9F4B"))
    if evidence.cid != AAC:
        raise CardMalformed(f"{_OPERATION}: cryptogram information {evidence.cid:02X} is neither TC nor AAC")
    try:
        data = evidence.data
    except CodecError as error:
        raise CardMalformed(f"{_OPERATION}: {error}") from error
    if data.approved:
        raise CardMalformed(f"{_OPERATION}: an AAC with the verification results of a TC")
    return Redemption(RedemptionStatus.REFUSED, request, evidence, data.reasons)


def decline(sender: Sender, card: ProvenCard, unpredictable: bytes) -> RedemptionEvidence:
    """An AAC that the terminal asks for, over this unpredictable number and no use of any benefit: the office proves by
    it that the card was there, and in which state. The card counts nothing.

    Once after GET PROCESSING OPTIONS, as ``redeem``, and with its faults. Raises CardMalformed for any other answer.
    """
    wanted = card.redemption_list
    values = wanted.fill({TAG_9F37_UNPREDICTABLE_NUMBER: unpredictable}, elements.FORMATS)
    command = Command(0x80, 0xAE, _AAC_REQUEST, 0x00, values, ne=256)
    objects = _objects(check(sender.send(command), _OPERATION))
    if objects.get(TAG_9F26_AC) is None or objects.need(TAG_9F27_CID)[0] != AAC:
        raise CardMalformed(f"{_OPERATION}: no AAC where one was asked for")
    return _evidence(card, values, objects, objects.need(TAG_9F26_AC))


def _signed(card: ProvenCard, request: RedemptionRequest, values: bytes, objects: Tlvs) -> Redemption:
    try:
        sent = (card.related, values)
        combined = verify_answer(RsaSigningKey(card.key), objects, sent, request.unpredictable)
    except OdaFailed as failed:
        failure = f"{failed.kind.label}: {failed.check}"
        return Redemption(RedemptionStatus.NOT_PROVEN, request, _evidence(card, values, objects, b""), check=failure)
    evidence = _evidence(card, values, objects, combined.cryptogram)
    if combined.cid != TC:
        failure = _failed(Check.CRYPTOGRAM_INFORMATION)
        return Redemption(RedemptionStatus.NOT_PROVEN, request, evidence, check=failure)
    if not _consistent(evidence, request):
        return Redemption(RedemptionStatus.NOT_PROVEN, request, evidence, check=_CONTRADICTION)
    return Redemption(RedemptionStatus.DONE, request, evidence)


def _consistent(evidence: RedemptionEvidence, request: RedemptionRequest) -> bool:
    """Whether the card's own words are those of a TC for this quantity."""
    try:
        data = evidence.data
    except CodecError:
        return False
    return data.approved and not data.reasons and request.quantity <= data.used <= data.limit


def _failed(check: Check, detail: str = "") -> str:
    return f"{Signed.DYNAMIC.label}: {check}{f' ({detail})' if detail else ''}"


def _evidence(card: ProvenCard, values: bytes, objects: Tlvs, cryptogram: bytes) -> RedemptionEvidence:
    return RedemptionEvidence(
        aid=card.card.application.name,
        card_number=card.card_number,
        sequence=card.sequence,
        aip=card.aip,
        related=card.related,
        wanted=card.redemption_list.encode(),
        values=values,
        cid=objects.need(TAG_9F27_CID)[0],
        atc=objects.need(TAG_9F36_ATC),
        signature=objects.get(TAG_9F4B_SIGNED_DYNAMIC_DATA) or b"",
        cryptogram=cryptogram,
        issuer_data=objects.need(TAG_9F10_IAD),
    )


def _objects(data: bytes) -> Tlvs:
    """The objects of an answer, in the one form that there is. Raises CardMalformed."""
    try:
        template = decode(data, padding="reject").only(TAG_77_FORMAT_2)
    except CodecError as error:
        raise CardMalformed(f"{_OPERATION}: {error}") from error
    if template is None:
        raise CardMalformed(f"{_OPERATION}: the answer is not one template 77")
    objects = template.children
    if tuple(int(item.tag) for item in objects) not in (_SIGNED, _PLAIN):
        raise CardMalformed(f"{_OPERATION}: the answer has other data objects, or in another order")
    for item in objects:
        if len(item.value) != _LENGTHS.get(item.tag, len(item.value)):
            raise CardMalformed(f"{_OPERATION}: {item.tag} has {len(item.value)} bytes")
    return objects
