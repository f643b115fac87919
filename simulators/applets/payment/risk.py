"""Card risk management: which cryptogram the card returns, decided from its state and the terminal's data.

Pure: reads the state and changes nothing. JR/T 0025.5 (PBOC 3.0), card risk management and card verification
results, which are those of Visa Integrated Circuit Card Specification 1.4; EMV 4.4 Book 3, 9.3 and 10.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from simulators.applets.payment.state import Indicator, PaymentState, amount
from terminal.tlv import Tag


class RequestedCryptogram(IntEnum):
    """The kind of a cryptogram, b8-b7 of P1 and of the CID. EMV 4.4 Book 3, 6.5.5."""

    AAC = 0
    TC = 1
    ARQC = 2


class Cvr(IntFlag):
    """Bytes 2 to 4 of the card verification results; byte 1 is their length. JR/T 0025.5, annex A."""

    SECOND_TC = 0x400000
    SECOND_NOT_REQUESTED = 0x800000
    """In every first cryptogram, also an ARQC: values of 9F10 in the field start with 03A0."""
    FIRST_TC = 0x100000
    FIRST_ARQC = 0x200000
    ISSUER_AUTHENTICATION_FAILED = 0x080000
    PIN_VERIFIED = 0x040000
    """Offline PIN verification was performed, with either result."""
    PIN_FAILED = 0x020000
    UNABLE_TO_GO_ONLINE = 0x010000
    LAST_ONLINE_NOT_COMPLETED = 0x008000
    PIN_TRIES_EXCEEDED = 0x004000
    VELOCITY_EXCEEDED = 0x002000
    NEW_CARD = 0x001000
    LAST_ISSUER_AUTHENTICATION_FAILED = 0x000800
    ISSUER_AUTHENTICATION_MISSING = 0x000400
    """Not performed after an online authorization."""
    BLOCKED_BY_PIN = 0x000200
    LAST_STATIC_FAILED = 0x000100
    SCRIPT_FAILED = 0x000008
    LAST_DYNAMIC_FAILED = 0x000004
    DYNAMIC_PERFORMED = 0x000002

    @property
    def encoded(self) -> bytes:
        """Four bytes."""
        return b"\x03" + int(self).to_bytes(3, "big")


class DefaultAction(IntFlag):
    """Application default action (9F52), its first two bytes. JR/T 0025.5, annex A."""

    AUTHENTICATION_FAILED_ONLINE = 0x8000
    """Issuer authentication failed: the next transaction goes online."""
    AUTHENTICATION_FAILED_DECLINE = 0x4000
    AUTHENTICATION_MISSING_DECLINE = 0x2000
    """Mandatory and not performed."""
    DECLINED_ADVICE = 0x1000
    PIN_EXCEEDED_ADVICE = 0x0800
    AUTHENTICATION_ADVICE = 0x0400
    NEW_CARD_ONLINE = 0x0200
    NEW_CARD_DECLINE = 0x0100
    """A new card that cannot go online."""
    PIN_EXCEEDED_BLOCK = 0x0080
    """PIN try limit exceeded in this transaction."""
    PIN_WAS_EXCEEDED_DECLINE = 0x0040
    PIN_WAS_EXCEEDED_ONLINE = 0x0020
    PIN_WAS_EXCEEDED_UNABLE_DECLINE = 0x0010
    SCRIPT_FAILED_ONLINE = 0x0008
    PIN_WAS_EXCEEDED_BLOCK = 0x0004
    """Decline, and block the application."""

    @classmethod
    def of(cls, state: PaymentState) -> DefaultAction:
        return cls(int.from_bytes((state.object(0x9F52) or bytes(2))[:2], "big"))


_UNABLE: Final = (b"Y3", b"Z3")
_MANDATORY: Final = 0x80
_MOST_SCRIPTS: Final = 15
_FIRST: Final = {
    RequestedCryptogram.AAC: Cvr(0),
    RequestedCryptogram.TC: Cvr.FIRST_TC,
    RequestedCryptogram.ARQC: Cvr.FIRST_ARQC,
}
_ADVICE, _PIN_REASON, _AUTHENTICATION_REASON = 0x08, 0x02, 0x03


@dataclass(frozen=True, slots=True)
class Decision:
    """The cryptogram to return, the CVR in it, and whether the application blocks itself."""

    kind: RequestedCryptogram
    cvr: Cvr
    block: bool = False
    advice: int = 0
    """Low bits of the CID: b4 advice required, b3-b1 the reason. EMV 4.4 Book 3, 6.5.5.4."""

    @property
    def cid(self) -> int:
        return self.kind << 6 | self.advice


def decide_first(
    state: PaymentState, values: Mapping[Tag, bytes], requested: RequestedCryptogram, results: Cvr, *, tries: int | None
) -> Decision:
    """Decide the first cryptogram. ``results`` are those of this transaction so far: PIN, dynamic signature."""
    default, indicators, cvr = DefaultAction.of(state), state.indicators, results
    online = decline = block = False
    cvr |= Cvr(min(state.scripts, _MOST_SCRIPTS) << 4)
    if indicators & Indicator.ONLINE_NOT_COMPLETED:
        cvr |= Cvr.LAST_ONLINE_NOT_COMPLETED
        online = True
    if indicators & Indicator.ISSUER_AUTHENTICATION_FAILED:
        cvr |= Cvr.LAST_ISSUER_AUTHENTICATION_FAILED
        online |= bool(default & DefaultAction.AUTHENTICATION_FAILED_ONLINE)
    if indicators & Indicator.SCRIPT_FAILED:
        cvr |= Cvr.SCRIPT_FAILED
        online |= bool(default & DefaultAction.SCRIPT_FAILED_ONLINE)
    cvr |= Cvr.LAST_STATIC_FAILED if indicators & Indicator.STATIC_FAILED else Cvr(0)
    cvr |= Cvr.LAST_DYNAMIC_FAILED if indicators & Indicator.DYNAMIC_FAILED else Cvr(0)
    if exceeded(state, values):
        cvr |= Cvr.VELOCITY_EXCEEDED
        online = True
    if not state.last_online_atc:
        cvr |= Cvr.NEW_CARD
        online |= bool(default & DefaultAction.NEW_CARD_ONLINE)
    if tries == 0:
        cvr |= Cvr.PIN_TRIES_EXCEEDED
        if not results & Cvr.PIN_VERIFIED:
            block = bool(default & DefaultAction.PIN_WAS_EXCEEDED_BLOCK)
            decline = block or bool(default & DefaultAction.PIN_WAS_EXCEEDED_DECLINE)
            online |= bool(default & DefaultAction.PIN_WAS_EXCEEDED_ONLINE)
    kind = requested
    if decline or block or indicators & Indicator.BLOCKED:
        kind = RequestedCryptogram.AAC
    elif requested is RequestedCryptogram.TC and online:
        kind = RequestedCryptogram.ARQC
    cvr |= _FIRST[kind] | Cvr.SECOND_NOT_REQUESTED
    return Decision(kind, cvr, block, _advice(kind, cvr, default))


def decide_second(
    state: PaymentState,
    values: Mapping[Tag, bytes],
    requested: RequestedCryptogram,
    results: Cvr,
    *,
    authenticated: bool | None,
    refused: bool,
    authentication: bool,
) -> Decision:
    """Decide the second cryptogram. ``results`` are those of the first; ``authenticated`` the result of the ARPC, None
    without one; ``refused``: the card status update declines; ``authentication``: the card supports issuer
    authentication."""
    default, cvr = DefaultAction.of(state), results
    if unable_to_go_online(values):
        cvr |= Cvr.UNABLE_TO_GO_ONLINE
        decline = bool(cvr & Cvr.NEW_CARD and default & DefaultAction.NEW_CARD_DECLINE)
        was_exceeded = cvr & Cvr.PIN_TRIES_EXCEEDED and not cvr & Cvr.PIN_VERIFIED
        decline |= bool(was_exceeded and default & DefaultAction.PIN_WAS_EXCEEDED_UNABLE_DECLINE)
        if exceeded(state, values, upper=True):
            cvr |= Cvr.VELOCITY_EXCEEDED
            decline = True
    elif authenticated is None:
        cvr |= Cvr.ISSUER_AUTHENTICATION_MISSING if authentication else Cvr(0)
        missing = authentication and mandatory(state)
        decline = missing and bool(default & DefaultAction.AUTHENTICATION_MISSING_DECLINE)
    else:
        cvr |= Cvr(0) if authenticated else Cvr.ISSUER_AUTHENTICATION_FAILED
        decline = refused or (not authenticated and bool(default & DefaultAction.AUTHENTICATION_FAILED_DECLINE))
    kind = (
        RequestedCryptogram.TC
        if requested is RequestedCryptogram.TC and not decline and not state.indicators & Indicator.BLOCKED
        else RequestedCryptogram.AAC
    )
    cvr |= Cvr.SECOND_TC if kind is RequestedCryptogram.TC else Cvr(0)
    return Decision(kind, cvr, advice=_advice(kind, cvr, default))


def exceeded(state: PaymentState, values: Mapping[Tag, bytes], *, upper: bool = False) -> bool:
    """Whether this transaction, if approved offline, exceeds a limit: consecutive transactions, their total amount, and
    those in foreign currency or abroad. A limit that the card does not have does not apply."""
    consecutive, total = state.number(0x9F59 if upper else 0x9F58), state.number(0x9F5C if upper else 0x9F54)
    if consecutive is not None and state.offline > consecutive:
        return True
    domestic = not foreign(state, values, 0x5F2A, 0x9F51)
    if total is not None and domestic and state.offline_amount + amount(values) > total:
        return True
    if upper:
        return False
    currency, country = state.number(0x9F53), state.number(0x9F72)
    return (currency is not None and not domestic and state.offline_foreign_currency >= currency) or (
        country is not None and foreign(state, values, 0x9F1A, 0x9F57) and state.offline_foreign_country >= country
    )


def foreign(state: PaymentState, values: Mapping[Tag, bytes], terminal_tag: int, card_tag: int) -> bool:
    """Whether currency or country of the terminal differ from the card's; an unknown one is not foreign."""
    terminal_value, card_value = values.get(Tag(terminal_tag)), state.object(card_tag)
    return terminal_value is not None and card_value is not None and terminal_value != card_value


def covers(state: PaymentState, values: Mapping[Tag, bytes]) -> bool:
    """Whether e-cash covers this amount: balance, limit of one transaction, card's currency. JR/T 0025.13."""
    price, balance, limit = amount(values), state.number(0x9F79), state.number(0x9F78)
    currency = values.get(Tag(0x5F2A))
    return (
        values.get(Tag(0x9F02), b"").hex().isdecimal()
        and balance is not None
        and price <= balance
        and (limit is None or price <= limit)
        and currency is not None
        and currency == state.object(0x9F51)
    )


def mandatory(state: PaymentState) -> bool:
    """Whether issuer authentication is mandatory (9F56)."""
    return bool((state.number(0x9F56) or 0) & _MANDATORY)


def unable_to_go_online(values: Mapping[Tag, bytes]) -> bool:
    """Whether the terminal set the response code because it could not go online. EMV 4.4 Book 4, annex A6."""
    return values.get(Tag(0x8A)) in _UNABLE


def _advice(kind: RequestedCryptogram, cvr: Cvr, default: DefaultAction) -> int:
    """The advice bits of the CID of a decline."""
    if kind is not RequestedCryptogram.AAC:
        return 0
    if cvr & Cvr.PIN_TRIES_EXCEEDED:
        return _PIN_REASON | (_ADVICE if default & DefaultAction.PIN_EXCEEDED_ADVICE else 0)
    if cvr & (Cvr.ISSUER_AUTHENTICATION_FAILED | Cvr.ISSUER_AUTHENTICATION_MISSING):
        return _AUTHENTICATION_REASON | (_ADVICE if default & DefaultAction.AUTHENTICATION_ADVICE else 0)
    return _ADVICE if default & DefaultAction.DECLINED_ADVICE and not cvr & Cvr.FIRST_ARQC else 0
