"""Rules for keys, cryptogram data and the card's own limits."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.payment.elements import VERSIONS
from personalize.payment.image import Image
from personalize.payment.prepare import ISSUER_DATA, KEY_CHECKS, KEYS
from personalize.payment.rules.rule import Rule
from terminal.keys import ApplicationKeys

_LOG_FILES = range(11, 31)


def _keys(image: Image) -> Iterator[str]:
    for name, secret, _ in _key_groupings(image):
        if image.part(secret) is None:
            yield f"the {name} keys ({secret:04X}) are missing"


def _checks(image: Image) -> Iterator[str]:
    for name, secret, checks in _key_groupings(image):
        part = image.part(secret)
        if part and isinstance(part.value, ApplicationKeys) and image.plain(checks) != b"".join(part.value.kcvs):
            yield f"the check values ({checks:04X}) are not those of the {name} keys"


def _key_groupings(image: Image) -> Iterator[tuple[str, int, int]]:
    keys = image.profile.keys
    if image.profile.rsa:
        yield "3DES", KEYS, KEY_CHECKS
    if image.profile.sm:
        yield "SM4", int(keys.sm4_dgi, 16), int(keys.sm4_check_dgi, 16)


def _issuer_data(image: Image) -> Iterator[str]:
    data = image.plain(ISSUER_DATA)
    if not 1 <= len(data) <= 32:
        yield f"the issuer application data (9200) are {len(data)} bytes, not 1 to 32"
    elif data[0] in (0x06, 0x07, 0x0F, 0x1F) and len(data) < data[0] + 1:
        yield "the issuer application data (9200) are shorter than their length byte says"


def _version(image: Image) -> Iterator[str]:
    data, profile = image.plain(ISSUER_DATA), image.profile
    at = 1 if data[:1] == b"\x1f" else 2
    if len(data) >= 3 and not profile.issuer_data and data[at] != VERSIONS[profile.cryptogram]:
        yield f"the cryptogram version in the issuer application data (9200) is not that of {profile.cryptogram}"


def _log(image: Image) -> Iterator[str]:
    entry = image.fci.get(0xBF0C, 0x9F4D)
    if entry is None:
        return
    if len(entry) != 2 or entry[0] not in _LOG_FILES or not entry[1]:
        yield "the log entry (9F4D) is not a file from 11 to 30 and at least one record"
    elif any(place[0] == entry[0] for options in image.options for place, _ in options.places()):
        yield "the AFL names the log file (9F4D)"


def _limits(image: Image) -> Iterator[str]:
    for lower, upper, name in ((0x9F58, 0x9F59, "consecutive offline"), (0x9F54, 0x9F5C, "cumulative amount")):
        low, high = image.card_data.get(lower), image.card_data.get(upper)
        if low and high and low > high:
            yield f"the lower {name} limit ({lower:04X}) is above the upper one ({upper:04X})"


def _default_action(image: Image) -> Iterator[str]:
    action = image.card_data.get(0x9F52)
    if action is not None and not 4 <= len(action) <= 6:
        yield f"the application default action (9F52) has {len(action)} bytes, not 4 to 6"


def _home(image: Image) -> Iterator[str]:
    for own, shown, name in ((0x9F57, 0x5F28, "country"), (0x9F51, 0x9F42, "currency")):
        card, record = image.card_data.get(own), image.value(shown)
        if card is None:
            yield f"the card does not know its own {name} ({own:04X}, DGI 0D01)"
        elif record is not None and card != record:
            yield f"the card's own {name} ({own:04X}) is not the one in its records ({shown:04X})"


def _purse(image: Image) -> Iterator[str]:
    purse = [image.card_data.get(tag) for tag in (0x9F77, 0x9F78, 0x9F6D, 0x9F79)]
    limit, most, threshold, _ = purse
    if any(purse) and not all(purse):
        yield "an e-cash purse needs 9F77, 9F78, 9F6D and 9F79 together"
    elif limit and most and threshold and max(most, threshold) > limit:
        yield "a limit of the e-cash purse (9F78, 9F6D) is above the most it may hold (9F77)"


RULES = (
    Rule("keys", "EMV CPS 1.1, table A-10; the profile: payment.keys", _keys),
    Rule("key-check-values", "EMV CPS 1.1, table A-10", _checks),
    Rule("issuer-data", "EMV 4.4 Book 3, annex A1 (9F10); JR/T 0025.5", _issuer_data),
    Rule("cryptogram-version", "JR/T 0025.5, 9F10; VIS 1.5, D", _version),
    Rule("log-entry", "EMV 4.4 Book 3, D2 and D3", _log),
    Rule("card-limits", "JR/T 0025.5, card risk management", _limits),
    Rule("default-action", "JR/T 0025.5, 9F52; VIS 1.5, annex A", _default_action),
    Rule("home", "JR/T 0025.5, 9F51 and 9F57", _home),
    Rule("e-cash", "JR/T 0025.13", _purse),
)
