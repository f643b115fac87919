"""Verification of an e-card at a counter, without a network: two signatures, two clocks and two lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from terminal.crypto import sm2
from terminal.ecard.code import SIGNATURE, Delegation, ShownCode, step_at
from terminal.ecard.lists import EcardList
from terminal.errors import CodecError
from terminal.member.hotlist import Hotlist
from terminal.member.signed import SKEW

SKEW_STEPS: Final = 1
"""By how many steps the clocks of telephone and counter may differ."""
_CURVE: Final = SECP256R1()
_ALGORITHM: Final = ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class EcardRefusal:
    """Why an e-card is refused, in both languages."""

    code: str
    zh: str
    en: str


NOT_AN_ECARD: Final = EcardRefusal("not-an-e-card", "这不是电子会员卡的二维码", "This is not the code of an e-card")
UNKNOWN_ISSUER: Final = EcardRefusal(
    "unknown-issuer", "发卡工会不在本终端的信任名单中", "This counter does not know the federation of this e-card"
)
NOT_GENUINE: Final = EcardRefusal("not-genuine", "电子会员卡系伪造或已被改动", "This e-card is forged or was altered")
OUT_OF_DATE: Final = EcardRefusal(
    "lists-out-of-date",
    "本终端的名单已过期，无法判断；请更新名单",
    "The lists of this counter are out of date, so it cannot tell; update them",
)
CODE_OLD: Final = EcardRefusal(
    "code-old", "二维码已过期，请会员刷新后重新出示", "This code is too old; the member shows the present one"
)
CODE_EARLY: Final = EcardRefusal(
    "code-early",
    "二维码时间超前，请核对手机与终端的时间",
    "This code is of a later time; compare the clocks of the telephone and this counter",
)
NOT_RENEWED: Final = EcardRefusal(
    "not-renewed",
    "电子会员卡授权不在有效期内，请会员联网打开一次",
    "The e-card is outside its days; the member opens it once with a network",
)
ENDED: Final = EcardRefusal(
    "ended", "此电子会员卡已停用，请会员重新登录", "This e-card has ended; the member signs in again"
)
SHOWN_BEFORE: Final = EcardRefusal(
    "shown-before", "此二维码已在本终端使用过", "This code was shown at this counter before"
)
_HOTLISTED: Final = {
    "lost": ("会员卡已挂失", "The card was reported lost"),
    "stolen": ("会员卡已被盗挂失", "The card was reported stolen"),
    "damaged": ("会员卡已损坏停用", "The card has ended: it is damaged"),
    "replaced": ("会员卡已换新卡", "The card was replaced"),
    "withdrawn": ("会员卡已注销", "The card was withdrawn"),
    "rejected": ("会员卡制卡时已作废", "The card was rejected in production"),
    "suspended": ("会员卡已暂停使用", "The card is suspended"),
}


class SeenCodes(Protocol):
    """What a counter has accepted in the last steps."""

    def take(self, step: int, digest: str, now: int) -> bool:
        """Remember a code of ``step``, at step ``now``; False where it was taken before."""
        ...


@dataclass(frozen=True, slots=True)
class AcceptedEcard:
    """A genuine e-card of a card that this counter knows nothing against. ``list_version`` is that of the hotlist."""

    delegation: Delegation
    step: int
    list_version: int


@dataclass(frozen=True, slots=True)
class EcardLists:
    """The signed lists that a counter verifies e-cards with; None where it has no hotlist."""

    ecards: EcardList
    hotlist: Hotlist | None


def verify(code: str, lists: EcardLists, at: datetime, seen: SeenCodes) -> AcceptedEcard | EcardRefusal:
    """The verdict on a scanned code at an aware time. Raises only what ``seen`` raises."""
    try:
        shown = ShownCode.read(code)
    except CodecError:
        return NOT_AN_ECARD
    refusal = _forged(shown, lists.ecards, at) or _untimely(shown, at) or _listed(shown.delegation, lists, at)
    if refusal is not None:
        return refusal
    one = shown.delegation
    digest = f"{one.card_number}-{one.sequence}-{one.generation}-{shown.nonce.hex()}"
    if not seen.take(shown.step, digest, step_at(at)):
        return SHOWN_BEFORE
    hotlist = lists.hotlist
    return AcceptedEcard(one, shown.step, 0 if hotlist is None else hotlist.version)


def _forged(shown: ShownCode, ecards: EcardList, at: datetime) -> EcardRefusal | None:
    key = ecards.keys.get((shown.delegation.federation, shown.delegation.key))
    if key is None or at > key.expires:
        return UNKNOWN_ISSUER
    if not sm2.verify(key.point, shown.issuer_message, shown.issuer_signature):
        return NOT_GENUINE
    half = SIGNATURE // 2
    signature = shown.device_signature
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    try:
        device = EllipticCurvePublicKey.from_encoded_point(_CURVE, shown.delegation.device_key)
        device.verify(encode_dss_signature(r, s), shown.device_message, _ALGORITHM)
    except (ValueError, InvalidSignature):
        return NOT_GENUINE
    return None


def _untimely(shown: ShownCode, at: datetime) -> EcardRefusal | None:
    ahead = shown.step - step_at(at)
    if ahead > SKEW_STEPS:
        return CODE_EARLY
    if ahead < -SKEW_STEPS:
        return CODE_OLD
    one = shown.delegation
    return None if one.starts - SKEW <= at < one.ends else NOT_RENEWED


def _listed(one: Delegation, lists: EcardLists, at: datetime) -> EcardRefusal | None:
    hotlist = lists.hotlist
    if hotlist is None or not hotlist.issue.current(at) or not lists.ecards.issue.current(at):
        return OUT_OF_DATE
    hot = hotlist.find(one.card_number, one.sequence)
    if hot is not None:
        return EcardRefusal(hot.reason.value, *_HOTLISTED[hot.reason.value])
    return ENDED if one.generation <= lists.ecards.ended.get((one.card_number, one.sequence), 0) else None
