"""Processing restrictions: whether the application may be used for this transaction. Sets TVR bits only.

EMV 4.4 Book 3, 10.4.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from terminal.emv.data.bits import AUC, TVR, AdditionalCapabilities
from terminal.emv.data.tags import (
    TAG_5F24_EXPIRATION_DATE,
    TAG_5F25_EFFECTIVE_DATE,
    TAG_5F28_ISSUER_COUNTRY,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F07_USAGE_CONTROL,
    TAG_9F08_CARD_VERSION,
    TAG_9F09_TERMINAL_VERSION,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F35_TERMINAL_TYPE,
    TAG_9F40_ADDITIONAL_CAPABILITIES,
)
from terminal.emv.transaction.exchange import FAULTY_ICC
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.step import KernelStage

_STAGE: Final = KernelStage.RESTRICTIONS
_CASH: Final = (0x01, 0x17)
"""Transaction types (9C) that give out cash. ISO 8583:1987, field 3."""
_PURCHASE, _CASHBACK = 0x00, 0x09
_AT_HOME: Final = AUC.DOMESTIC_GOODS | AUC.DOMESTIC_SERVICES
_ABROAD: Final = AUC.INTERNATIONAL_GOODS | AUC.INTERNATIONAL_SERVICES


def check_restrictions(state: TransactionState, today: date) -> None:
    """Compare versions, usage control and dates; each comparison is a step. ``today`` is the transaction date.

    Raises Stop when a date or the usage control of the card is out of form. EMV 4.4 Book 3, 10.4, 7.5.
    """
    _versions(state)
    _usage(state)
    _dates(state, today)


def is_atm(state: TransactionState) -> bool:
    """Whether the terminal is an ATM: type 14, 15 or 16 that gives out cash. EMV 4.4 Book 4, Annex A1."""
    gives_cash = AdditionalCapabilities.CASH.set_in(state.terminal.get(TAG_9F40_ADDITIONAL_CAPABILITIES, b""))
    return gives_cash and state.terminal.get(TAG_9F35_TERMINAL_TYPE, b"") in (b"\x14", b"\x15", b"\x16")


def day(value: bytes) -> date | None:
    """A date of the form YYMMDD (n6), years 50 to 99 of the last century; None for no date. EMV 4.4 Book 4, 6.7.3."""
    text = value.hex()
    if len(text) != 6 or not text.isdigit():
        return None
    year = int(text[:2])
    try:
        return date(year + (2000 if year < 50 else 1900), int(text[2:4]), int(text[4:]))
    except ValueError:
        return None


def _versions(state: TransactionState) -> None:
    """Application version number. EMV 4.4 Book 3, 10.4.1."""
    source = "EMV 4.4 Book 3, 10.4.1"
    card, terminal = state.card.get(TAG_9F08_CARD_VERSION), state.terminal.get(TAG_9F09_TERMINAL_VERSION)
    if card is None or terminal is None:
        state.note(_STAGE, "no application version on both sides: they are taken to agree", source)
    elif card == terminal:
        state.note(_STAGE, f"card and terminal have application version {card.hex().upper()}", source)
    else:
        text = f"the card has application version {card.hex().upper()}, the terminal {terminal.hex().upper()}"
        state.note(_STAGE, text, source, tvr=TVR.VERSIONS_DIFFER)


def _usage(state: TransactionState) -> None:
    """Application usage control. EMV 4.4 Book 3, 10.4.2, table 36."""
    source = "EMV 4.4 Book 3, 10.4.2"
    raw = state.card.get(TAG_9F07_USAGE_CONTROL)
    if raw is None:
        state.note(_STAGE, "the card has no usage control: everything is allowed", source)
        return
    if len(raw) != AUC.size():
        state.stop(_STAGE, f"the usage control of the card has {len(raw)} bytes", FAULTY_ICC)
    usage = int.from_bytes(raw, "big")
    missing = [flags for flags in _required_flags(state) if not usage & int(flags)]
    if missing:
        needed = "; ".join(" or ".join(flag.text for flag in required) for required in missing)
        state.note(_STAGE, f"the card does not have: {needed}", source, tvr=TVR.SERVICE_NOT_ALLOWED)
    else:
        state.note(_STAGE, "the usage control of the card allows this transaction here", source)


def _required_flags(state: TransactionState) -> list[AUC]:
    """What the card must allow; of each entry one bit is enough. Without an issuer country only the kind of terminal
    counts."""
    required = [AUC.AT_ATMS if is_atm(state) else AUC.AT_OTHER_TERMINALS]
    country = state.card.get(TAG_5F28_ISSUER_COUNTRY)
    if country is None:
        return required
    domestic = country == state.terminal.get(TAG_9F1A_TERMINAL_COUNTRY)
    kind = int.from_bytes(state.terminal.get(TAG_9C_TRANSACTION_TYPE, b"\x00"), "big")
    if kind in _CASH:
        required.append(AUC.DOMESTIC_CASH if domestic else AUC.INTERNATIONAL_CASH)
    if kind in (_PURCHASE, _CASHBACK):
        required.append(_AT_HOME if domestic else _ABROAD)
    if kind == _CASHBACK or any(state.terminal.get(TAG_9F03_AMOUNT_OTHER, b"")):
        required.append(AUC.DOMESTIC_CASHBACK if domestic else AUC.INTERNATIONAL_CASHBACK)
    return required


def _dates(state: TransactionState, today: date) -> None:
    """Effective and expiry date. EMV 4.4 Book 3, 10.4.3."""
    source = "EMV 4.4 Book 3, 10.4.3"
    effective = _card_day(state, TAG_5F25_EFFECTIVE_DATE, "effective date")
    expires = _card_day(state, TAG_5F24_EXPIRATION_DATE, "expiry date")
    if effective is not None and today < effective:
        state.note(_STAGE, f"the application is effective from {effective}", source, tvr=TVR.NOT_YET_EFFECTIVE)
    if expires is not None and today > expires:
        state.note(_STAGE, f"the application expired on {expires}", source, tvr=TVR.EXPIRED)
    elif effective is None or today >= effective:
        state.note(_STAGE, f"the application is in time, until {expires}", source)


def _card_day(state: TransactionState, tag: int, name: str) -> date | None:
    raw = state.card.get(tag)
    if raw is None:
        return None
    value = day(raw)
    if value is None:
        state.stop(_STAGE, f"the {name} of the card is no date", FAULTY_ICC)
    return value
