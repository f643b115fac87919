"""Rules for keys, cryptogram data and the card's own limits."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.payment.elements import VERSIONS, version_in
from personalize.payment.image import LOGS, CardImage
from personalize.payment.prepare import CARD_DATA, INTERNAL_DATA, KEY_CHECKS, KEYS
from personalize.payment.rules.rule import Rule
from terminal.emv.data.tags import (
    TAG_5F28_ISSUER_COUNTRY,
    TAG_9F5C_CUMULATIVE_UPPER_LIMIT,
    TAG_9F6D_ECASH_RESET_THRESHOLD,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_9F51_CARD_RISK_CURRENCY,
    TAG_9F52_DEFAULT_ACTION,
    TAG_9F54_CUMULATIVE_LIMIT,
    TAG_9F57_CARD_RISK_COUNTRY,
    TAG_9F58_CARD_LOWER_OFFLINE_LIMIT,
    TAG_9F59_CARD_UPPER_OFFLINE_LIMIT,
    TAG_9F77_ECASH_BALANCE_LIMIT,
    TAG_9F78_ECASH_TRANSACTION_LIMIT,
    TAG_9F79_ECASH_BALANCE,
    TAG_BF0C_FCI_DISCRETIONARY,
)
from terminal.keys import ApplicationKeys, SealedKeys

_LOG_FILES = range(11, 31)
_DEFAULT_ACTION = (2, 4, 6)
_PBOC = 0x07
"""Length byte of the issuer application data that name the algorithm."""


def _keys(image: CardImage) -> Iterator[str]:
    for name, secret, _ in _key_groupings(image):
        if image.part(secret) is None:
            yield f"the {name} keys ({secret:04X}) are missing"


def _checks(image: CardImage) -> Iterator[str]:
    for name, secret, checks in _key_groupings(image):
        part = image.part(secret)
        if not part or not isinstance(part.value, ApplicationKeys | SealedKeys):
            continue
        if image.plain(checks) != b"".join(part.value.kcvs):
            yield f"the check values ({checks:04X}) are not those of the {name} keys"


def _key_groupings(image: CardImage) -> Iterator[tuple[str, int, int]]:
    keys = image.profile.keys
    if image.profile.rsa:
        yield "3DES", KEYS, KEY_CHECKS
    if image.profile.sm:
        yield "SM4", int(keys.sm4_dgi, 16), int(keys.sm4_check_dgi, 16)


def _issuer_data(image: CardImage) -> Iterator[str]:
    data = image.issuer_data
    if not 1 <= len(data) <= 32:
        yield f"the issuer application data (9200) are {len(data)} bytes, not 1 to 32"
    elif data[0] in (0x06, 0x07, 0x0F, 0x1F) and len(data) < data[0] + 1:
        yield "the issuer application data (9200) are shorter than their length byte says"


def _version(image: CardImage) -> Iterator[str]:
    profile, wanted = image.profile, VERSIONS[image.profile.cryptogram]
    key_scheme = image.plain(int(profile.keys.scheme_dgi, 16))
    version = key_scheme[0] if key_scheme else version_in(image.issuer_data)
    if version is not None and version != wanted:
        yield f"the cryptogram version that the card goes by (9200 or 9201) is not that of {profile.cryptogram}"


def _algorithm(image: CardImage) -> Iterator[str]:
    data = image.issuer_data
    if image.profile.sm and data and (data[0] != _PBOC or len(data) < 1 + _PBOC):
        yield "a card with SM4 has issuer application data (9200) without PBOC's algorithm byte: no issuer can tell"


def _fold(image: CardImage) -> Iterator[str]:
    key_scheme = image.plain(int(image.profile.keys.scheme_dgi, 16))
    if image.profile.sm and image.profile.sm4_fold == "left" and key_scheme[1:2] != b"\x01":
        yield "the profile folds SM4 cryptograms to their left half, but the chip is not told (payment.keys.scheme_dgi)"


def _log(image: CardImage) -> Iterator[str]:
    seen: set[int] = set()
    for _, tag, _ in LOGS:
        entry = image.fci.get(TAG_BF0C_FCI_DISCRETIONARY, tag)
        if entry is None:
            continue
        if len(entry) != 2 or entry[0] not in _LOG_FILES or not entry[1]:
            yield f"the log entry ({tag:04X}) is not a file from 11 to 30 and at least one record"
        elif any(place[0] == entry[0] for options in image.options for place, _ in options.places()):
            yield f"the AFL names the log file ({tag:04X})"
        elif entry[0] in seen or entry[0] in (CARD_DATA >> 8, INTERNAL_DATA >> 8):
            yield f"the log file ({tag:04X}) is used for something else too"
        else:
            seen.add(entry[0])


def _limits(image: CardImage) -> Iterator[str]:
    for lower, upper, name in (
        (TAG_9F58_CARD_LOWER_OFFLINE_LIMIT, TAG_9F59_CARD_UPPER_OFFLINE_LIMIT, "consecutive offline"),
        (TAG_9F54_CUMULATIVE_LIMIT, TAG_9F5C_CUMULATIVE_UPPER_LIMIT, "cumulative amount"),
    ):
        low, high = image.card_data.get(lower), image.card_data.get(upper)
        if low and high and low > high:
            yield f"the lower {name} limit ({lower:04X}) is above the upper one ({upper:04X})"


def _default_action(image: CardImage) -> Iterator[str]:
    action = image.card_data.get(TAG_9F52_DEFAULT_ACTION)
    if action is not None and len(action) not in _DEFAULT_ACTION:
        yield f"the application default action (9F52) has {len(action)} bytes, not 2 (PBOC), 4 or 6 (Visa)"


def _home(image: CardImage) -> Iterator[str]:
    for own, shown, name in (
        (TAG_9F57_CARD_RISK_COUNTRY, TAG_5F28_ISSUER_COUNTRY, "country"),
        (TAG_9F51_CARD_RISK_CURRENCY, TAG_9F42_APPLICATION_CURRENCY, "currency"),
    ):
        card, record = image.card_data.get(own), image.value(shown)
        if card is None:
            yield f"the card does not know its own {name} ({own:04X})"
        elif record is not None and card != record:
            yield f"the card's own {name} ({own:04X}) is not the one in its records ({shown:04X})"


def _purse(image: CardImage) -> Iterator[str]:
    purse = [
        image.card_data.get(tag)
        for tag in (
            TAG_9F77_ECASH_BALANCE_LIMIT,
            TAG_9F78_ECASH_TRANSACTION_LIMIT,
            TAG_9F6D_ECASH_RESET_THRESHOLD,
            TAG_9F79_ECASH_BALANCE,
        )
    ]
    limit, most, threshold, _ = purse
    if any(purse) and not all(purse):
        yield "an e-cash purse needs 9F77, 9F78, 9F6D and 9F79 together"
    elif limit and most and threshold and max(most, threshold) > limit:
        yield "a limit of the e-cash purse (9F78, 9F6D) is above the most it may hold (9F77)"


RULES = (
    Rule("keys", "EMV CPS 1.1, annex A; the profile: payment.keys", _keys),
    Rule("key-check-values", "EMV CPS 1.1, annex A", _checks),
    Rule("issuer-data", "EMV 4.4 Book 3, annex A1 (9F10); JR/T 0025.5", _issuer_data),
    Rule("cryptogram-version", "JR/T 0025.5, 9F10; VIS 1.5, D", _version),
    Rule("sm-algorithm", "JR/T 0025.5, 9F10; JR/T 0025.17", _algorithm),
    Rule("sm4-fold", "the profile: payment.sm4_fold", _fold),
    Rule("log-entry", "EMV 4.4 Book 3, annex D", _log),
    Rule("card-limits", "JR/T 0025.5, card risk management", _limits),
    Rule("default-action", "JR/T 0025.5, 9F52; VIS 1.5, annex A", _default_action),
    Rule("home", "JR/T 0025.5, 9F51 and 9F57", _home),
    Rule("e-cash", "JR/T 0025.13", _purse),
)
