"""Rules for the data elements of account, person and dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from personalize.errors import StripeError
from personalize.payment.image import ANTENNA, CardImage
from personalize.payment.rules.rule import Rule
from personalize.profiles.fields import luhn_digit
from personalize.stripe.tracks import StripeTrack3, read_track
from terminal.emv.data.bits import TVR
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_5F20_CARDHOLDER_NAME,
    TAG_5F24_EXPIRATION_DATE,
    TAG_5F25_EFFECTIVE_DATE,
    TAG_5F28_ISSUER_COUNTRY,
    TAG_5F30_SERVICE_CODE,
    TAG_5F34_PAN_SEQUENCE,
    TAG_8E_CVM_LIST,
    TAG_8F_CA_KEY_INDEX,
    TAG_9F0B_CARDHOLDER_NAME_EXTENDED,
    TAG_9F0D_IAC_DEFAULT,
    TAG_9F0E_IAC_DENIAL,
    TAG_9F0F_IAC_ONLINE,
    TAG_9F07_USAGE_CONTROL,
    TAG_9F08_CARD_VERSION,
    TAG_9F1F_TRACK_1_DISCRETIONARY_DATA,
    TAG_9F14_LOWER_OFFLINE_LIMIT,
    TAG_9F23_UPPER_OFFLINE_LIMIT,
    TAG_9F32_ISSUER_EXPONENT,
    TAG_9F42_APPLICATION_CURRENCY,
    TAG_9F44_APPLICATION_CURRENCY_EXPONENT,
    TAG_9F47_ICC_EXPONENT,
    TAG_9F61_ID_NUMBER,
    TAG_9F62_ID_TYPE,
    TAG_57_TRACK_2,
)

_LENGTHS = {
    TAG_5F24_EXPIRATION_DATE: (3, 3),
    TAG_5F25_EFFECTIVE_DATE: (3, 3),
    TAG_5F28_ISSUER_COUNTRY: (2, 2),
    TAG_5F30_SERVICE_CODE: (2, 2),
    TAG_5F34_PAN_SEQUENCE: (1, 1),
    TAG_8F_CA_KEY_INDEX: (1, 1),
    TAG_9F08_CARD_VERSION: (2, 2),
    TAG_9F14_LOWER_OFFLINE_LIMIT: (1, 1),
    TAG_9F1F_TRACK_1_DISCRETIONARY_DATA: (1, 24),
    TAG_9F23_UPPER_OFFLINE_LIMIT: (1, 1),
    TAG_9F32_ISSUER_EXPONENT: (1, 3),
    TAG_9F42_APPLICATION_CURRENCY: (2, 2),
    TAG_9F44_APPLICATION_CURRENCY_EXPONENT: (1, 1),
    TAG_9F47_ICC_EXPONENT: (1, 3),
    TAG_9F61_ID_NUMBER: (1, 40),
    TAG_9F62_ID_TYPE: (1, 1),
}


_ACTION_CODES = ((TAG_9F0D_IAC_DEFAULT, "default"), (TAG_9F0E_IAC_DENIAL, "denial"), (TAG_9F0F_IAC_ONLINE, "online"))
_NO_BITS, _ALL_BITS = bytes(TVR.size()), b"\xff" * TVR.size()
_RESERVED_TVR = bytes.fromhex("0004000009")
"""Bits of the TVR for future use and for contactless kernels. EMV 4.4 Book 3, C5, table 46."""
OFFLINE_PIN = frozenset({0x01, 0x03, 0x04, 0x05})
"""CVM codes with an offline PIN. EMV 4.4 Book 3, C3, table 43."""
_ONLINE_PIN, _SIGNATURE, _NO_CVM = 0x02, 0x1E, 0x1F
_PIN = OFFLINE_PIN | {_ONLINE_PIN}
_BIOMETRIC = frozenset(range(0x06, 0x10))
_RECOGNISED = _PIN | _BIOMETRIC | {0x00, _SIGNATURE, _NO_CVM}
"""Other methods are those of one payment system or issuer, which no other terminal knows."""
_EVERY = frozenset(range(0x40))
_REACHED = (
    (TVR.CVM_NOT_SUCCESSFUL, _EVERY - {_NO_CVM}, "cardholder verification that was not successful"),
    (TVR.PIN_TRY_LIMIT_EXCEEDED, OFFLINE_PIN, "a blocked PIN"),
    (TVR.PIN_PAD_NOT_WORKING, _PIN, "a PIN pad that is missing or broken"),
    (TVR.PIN_NOT_ENTERED, _PIN, "a PIN that was not entered"),
    (TVR.ONLINE_CVM_CAPTURED, frozenset({_ONLINE_PIN, *range(0x07, 0x10, 2)}), "what only the issuer can verify"),
    (TVR.CVM_UNRECOGNISED, _BIOMETRIC | (_EVERY - _RECOGNISED), "a method that the terminal does not know"),
    (TVR.BIOMETRIC_DEVICE_NOT_WORKING, _BIOMETRIC, "a biometric device that is missing or broken"),
    (TVR.BIOMETRIC_BYPASSED, _BIOMETRIC, "biometric data that were not entered"),
    (TVR.BIOMETRIC_TRY_LIMIT_EXCEEDED, _BIOMETRIC, "blocked biometric verification"),
)
"""Bits of the TVR, the methods of a CVM list (b6 to b1) that can set each, and what it is called. EMV 4.4 Book 3, 10.5,
C3, table 43, and C5, table 46."""


def pan_of(image: CardImage) -> str | None:
    """The digits of 5A; None where it is missing or malformed."""
    value = image.value(TAG_5A_PAN)
    digits = (value or b"").hex().upper().rstrip("F")
    return digits if digits.isdecimal() else None


def day(value: bytes | None) -> date | None:
    """YYMMDD, of this century up to 49. EMV 4.4 Book 4, 6.7.3. None for an invalid date."""
    text = (value or b"").hex()
    if len(text) != 6 or not text.isdecimal():
        return None
    try:
        return date((2000 if int(text[:2]) < 50 else 1900) + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return None


def _lengths(image: CardImage) -> Iterator[str]:
    for place in image.records:
        for item in image.content(place):
            least, most = _LENGTHS.get(int(item.tag), (0, 255))
            if not least <= len(item.value) <= most:
                yield f"{item.tag} has {len(item.value)} bytes, not {least}" + (f" to {most}" if most > least else "")


def _pan(image: CardImage) -> Iterator[str]:
    if image.value(TAG_5A_PAN) is None:
        return
    pan = pan_of(image)
    if pan is None or not 12 <= len(pan) <= 19:
        yield "the account number (5A) is not 12 to 19 digits filled with F"
    elif luhn_digit(pan[:-1]) != pan[-1]:
        yield "the account number (5A) has a wrong check digit"


def _range(image: CardImage) -> Iterator[str]:
    pan, rule = pan_of(image), image.profile.pan
    if pan and (len(pan) != rule.length or not pan.startswith(rule.prefix)):
        yield f"the account number (5A) is not {rule.length} digits beginning with {rule.prefix}"


def track2_fields(image: CardImage) -> tuple[str, str, str, str] | None:
    """PAN, expiry, service code and discretionary data of track 2 in the chip; None where it is malformed."""
    value = image.value(TAG_57_TRACK_2)
    if value is None or len(value) > 19:
        return None
    text = value.hex().upper()
    pan, separator, rest = text.removesuffix("F").partition("D")
    if not separator or not pan.isdecimal() or not rest.isdecimal() or len(rest) < 7:
        return None
    return pan, rest[:4], rest[4:7], rest[7:]


def _track2(image: CardImage) -> Iterator[str]:
    if image.value(TAG_57_TRACK_2) is not None and track2_fields(image) is None:
        yield "track 2 (57) is not PAN, D, YYMM, service code and digits, in at most 19 bytes"


def _track2_pan(image: CardImage) -> Iterator[str]:
    fields, pan = track2_fields(image), pan_of(image)
    if fields and pan and fields[0] != pan:
        yield "track 2 (57) has another account number than 5A"


def _track2_expiry(image: CardImage) -> Iterator[str]:
    fields, expires = track2_fields(image), image.value(TAG_5F24_EXPIRATION_DATE)
    if fields and expires and fields[1] != expires.hex()[:4]:
        yield "track 2 (57) ends in another month than 5F24"


def _track2_service(image: CardImage) -> Iterator[str]:
    fields, service = track2_fields(image), image.value(TAG_5F30_SERVICE_CODE)
    if fields and service and fields[2] != service.hex()[1:]:
        yield "track 2 (57) has another service code than 5F30"


def _chip(image: CardImage) -> Iterator[str]:
    fields = track2_fields(image)
    if fields and fields[2][0] not in "26":
        yield "the service code in track 2 does not begin with 2 or 6, so a terminal would not look for the chip"
    for number, text in enumerate(image.stripe[:2], 1):
        code = _service_code(number, text)
        if code and code[0] not in "26":
            yield f"the service code on track {number} of the stripe does not begin with 2 or 6: the chip is not used"


def _service_code(number: int, text: str) -> str:
    """The service code of a track on the stripe; empty where it is not there or not readable."""
    try:
        track = read_track(number, text)
    except StripeError:
        return ""
    return "" if isinstance(track, StripeTrack3) else track.service_code


def _dates(image: CardImage) -> Iterator[str]:
    for tag in (TAG_5F24_EXPIRATION_DATE, TAG_5F25_EFFECTIVE_DATE):
        value = image.value(tag)
        if value is not None and len(value) == 3 and day(value) is None:
            yield f"{tag:04X} is no date YYMMDD"


def _antenna_expiry(image: CardImage) -> Iterator[str]:
    for options in image.options:
        places = [place for place, _ in options.places()]
        if options.dgi in ANTENNA and places and image.content(places[-1]).get(TAG_5F24_EXPIRATION_DATE) is not None:
            yield f"the last record that DGI {options.dgi:04X} names has the expiry date: a card torn away seems read"


def _order(image: CardImage) -> Iterator[str]:
    begins, ends = day(image.value(TAG_5F25_EFFECTIVE_DATE)), day(image.value(TAG_5F24_EXPIRATION_DATE))
    if begins and ends and begins > ends:
        yield "the card becomes valid (5F25) after it has expired (5F24)"


def _name(image: CardImage) -> Iterator[str]:
    name, extended = image.value(TAG_5F20_CARDHOLDER_NAME), image.value(TAG_9F0B_CARDHOLDER_NAME_EXTENDED)
    if name is not None and not 2 <= len(name) <= 26:
        yield "the cardholder name (5F20) is not 2 to 26 bytes"
    elif name is not None and image.profile.name == "blank" and not all(0x20 <= c < 0x7F for c in name):
        yield "the cardholder name (5F20) has characters outside the common character set"
    elif name is not None and not _whole(name):
        yield "the cardholder name (5F20) ends inside a character of GB 18030, or has none of them"
    if not extended:
        return
    if not 27 <= len(extended) <= 45:
        yield "the extended cardholder name (9F0B) is not 27 to 45 bytes"
    if not _whole(extended):
        yield "the extended cardholder name (9F0B) ends inside a character of GB 18030, or has none of them"
    if name is not None and image.profile.long_name == "extended":
        yield "the cardholder name is in 5F20 and in 9F0B; the profile (payment.long_name) has one of both"
    elif name is not None and not extended.startswith(name.rstrip()):
        yield "the cardholder name (5F20) is not the beginning of the extended one (9F0B)"


def _whole(name: bytes) -> bool:
    try:
        name.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def _sequence(image: CardImage) -> Iterator[str]:
    value = image.value(TAG_5F34_PAN_SEQUENCE)
    if value is not None and len(value) == 1 and not value.hex().isdecimal():
        yield "the PAN sequence number (5F34) is not two digits"


def _country(image: CardImage) -> Iterator[str]:
    usage = image.value(TAG_9F07_USAGE_CONTROL)
    if usage is not None and image.value(TAG_5F28_ISSUER_COUNTRY) is None:
        yield "usage control (9F07) without the issuer's country (5F28): a terminal cannot apply it"


def _usage(image: CardImage) -> Iterator[str]:
    usage = image.value(TAG_9F07_USAGE_CONTROL)
    if usage is not None and (len(usage) != 2 or usage[1] & 0x3F):
        yield "the usage control (9F07) is not two bytes with reserved bits zero"


def _action_codes(image: CardImage) -> Iterator[str]:
    for tag, name in _ACTION_CODES:
        value = image.value(tag)
        if value is not None and len(value) != 5:
            yield f"the issuer action code {name} ({tag:04X}) has {len(value)} bytes, not 5"


def _action_codes_reserved(image: CardImage) -> Iterator[str]:
    for tag, name in _ACTION_CODES:
        value = image.value(tag) or b""
        if len(value) == 5 and any(given & reserved for given, reserved in zip(value, _RESERVED_TVR, strict=True)):
            yield f"the issuer action code {name} ({tag:04X}) has bits that no TVR can have"


def _action_codes_all(image: CardImage) -> Iterator[str]:
    there = [
        tag for tag in (TAG_9F0D_IAC_DEFAULT, TAG_9F0E_IAC_DENIAL, TAG_9F0F_IAC_ONLINE) if image.value(tag) is not None
    ]
    if len(there) in (1, 2):
        yield "some issuer action codes are on the card and some are not; a terminal then assumes FF or 00"


def _action_codes_cardholder(image: CardImage) -> Iterator[str]:
    """Where a method is not carried out, the CVM list continues with its next rule, which may be "no CVM": only action
    codes stop such a card. A missing 9F0D or 9F0F counts as one that names every bit."""
    methods = {method & 0x3F for method in (image.value(TAG_8E_CVM_LIST) or b"")[8::2]}
    denied = _action_code(image, TAG_9F0E_IAC_DENIAL, _NO_BITS)
    for bit, reached_by, what in _REACHED:
        if not methods & reached_by:
            continue
        for tag, name in ((TAG_9F0F_IAC_ONLINE, "online"), (TAG_9F0D_IAC_DEFAULT, "default")):
            if not (denied | _action_code(image, tag, _ALL_BITS)) & bit:
                yield f"neither denial nor the issuer action code {name} ({tag:04X}) names {what}: such a card pays on"


def _action_code(image: CardImage, tag: int, absent: bytes) -> int:
    """An action code as a number. A code of a wrong length has a rule of its own."""
    value = image.value(tag)
    value = absent if value is None else value
    return int.from_bytes(value if len(value) == TVR.size() else _ALL_BITS, "big")


def _velocity(image: CardImage) -> Iterator[str]:
    lower, upper = image.value(TAG_9F14_LOWER_OFFLINE_LIMIT), image.value(TAG_9F23_UPPER_OFFLINE_LIMIT)
    if (lower is None) != (upper is None):
        yield "one of the terminal's consecutive offline limits (9F14, 9F23) is there without the other"
    elif lower and upper and lower > upper:
        yield "the lower consecutive offline limit (9F14) is above the upper one (9F23)"


RULES = (
    Rule("element-length", "EMV 4.4 Book 3, annex A1; JR/T 0025.5", _lengths),
    Rule("pan-format", "EMV 4.4 Book 3, annex A1; ISO/IEC 7812-1:2017, annex B", _pan),
    Rule("pan-range", "the profile: payment.pan", _range),
    Rule("track2-format", "EMV 4.4 Book 3, annex A1; ISO/IEC 7813:2006, 4", _track2),
    Rule("track2-pan", "EMV 4.4 Book 3, annex A1 (57)", _track2_pan),
    Rule("track2-expiry", "EMV 4.4 Book 3, annex A1 (57)", _track2_expiry),
    Rule("track2-service-code", "EMV 4.4 Book 3, annex A1 (57)", _track2_service),
    Rule("service-code-chip", "ISO/IEC 7813:2006, 4.7", _chip),
    Rule("date-format", "EMV 4.4 Book 3, annex A1", _dates),
    Rule("antenna-expiry", "JR/T 0025.12", _antenna_expiry),
    Rule("dates-order", "EMV 4.4 Book 3, 10.4.3", _order),
    Rule("cardholder-name", "EMV 4.4 Book 3, annex A1 (5F20, 9F0B); JR/T 0025.5", _name),
    Rule("pan-sequence", "EMV 4.4 Book 3, annex A1 (5F34)", _sequence),
    Rule("usage-control-country", "EMV 4.4 Book 3, 10.4.2", _country),
    Rule("usage-control", "EMV 4.4 Book 3, C2", _usage),
    Rule("action-code-length", "EMV 4.4 Book 3, 10.7 and C5", _action_codes),
    Rule("action-code-bits", "EMV 4.4 Book 3, C5, table 46", _action_codes_reserved),
    Rule("action-codes-all", "EMV 4.4 Book 3, 10.7", _action_codes_all),
    Rule("action-codes-cardholder", "EMV 4.4 Book 3, 10.5.1, 10.7 and C5, table 46", _action_codes_cardholder),
    Rule("velocity-limits", "EMV 4.4 Book 3, 10.6.3", _velocity),
)
