"""The data of a stripe's tracks as values, and their text between the sentinels.

ISO/IEC 7813:2006 (tracks 1 and 2), ISO/IEC 4909:2006 (track 3). No repr shows a number or a check value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

from personalize.errors import StripeError
from personalize.stripe.characters import TRACK_CODES

_TrackT = TypeVar("_TrackT", "StripeTrack1", "StripeTrack2", "StripeTrack3")

NO_NAME = " /"
"""The name of a card without one: a space and the separator of surname and first name. ISO/IEC 7813:2006."""


@dataclass(frozen=True, slots=True, repr=False)
class StripeTrack1:
    """Track 1, format B. ``name`` has 2 to 26 characters, ``expiry`` is YYMM; expiry and service code may be empty.
    ISO/IEC 7813:2006."""

    pan: str
    name: str
    expiry: str
    service_code: str
    discretionary: str = ""

    @property
    def text(self) -> str:
        """Raises StripeError for data that the track cannot hold."""
        _numbers(self.pan, self.expiry, self.service_code)
        if not 2 <= len(self.name) <= 26 or "^" in self.name + self.discretionary:
            raise StripeError("a name on track 1 is 2 to 26 characters, and the separator ^ is in no field")
        end = f"{self.expiry or '^'}{self.service_code or '^'}{self.discretionary}"
        return _sound(1, f"B{self.pan}^{self.name}^{end}")

    @classmethod
    def read(cls, text: str) -> StripeTrack1:
        """Raises StripeError."""
        parts = _sound(1, text).split("^", 2)
        if len(parts) != 3 or parts[0][:1] != "B":
            raise StripeError("track 1 is not B, number, ^, name, ^, expiry and service code")
        expiry, service_code, rest = _expiry_and_service(1, parts[2], "^")
        track = cls(parts[0][1:], parts[1], expiry, service_code, rest)
        return _same(1, track, text)

    def __repr__(self) -> str:
        return f"<StripeTrack1 with a card number of {len(self.pan)} digits>"


@dataclass(frozen=True, slots=True, repr=False)
class StripeTrack2:
    """Track 2. ``expiry`` is YYMM; expiry and service code may be empty. ISO/IEC 7813:2006."""

    pan: str
    expiry: str
    service_code: str
    discretionary: str = ""

    @property
    def text(self) -> str:
        """Raises StripeError for data that the track cannot hold."""
        _numbers(self.pan, self.expiry, self.service_code)
        if "=" in self.discretionary:
            raise StripeError("the discretionary data of track 2 are digits")
        return _sound(2, f"{self.pan}={self.expiry or '='}{self.service_code or '='}{self.discretionary}")

    @classmethod
    def read(cls, text: str) -> StripeTrack2:
        """Raises StripeError."""
        pan, separator, rest = _sound(2, text).partition("=")
        if not separator:
            raise StripeError("track 2 is not number, =, expiry and service code")
        return _same(2, cls(pan, *_expiry_and_service(2, rest, "=")), text)

    def __repr__(self) -> str:
        return f"<StripeTrack2 with a card number of {len(self.pan)} digits>"


_WIDTHS = (
    ("country", 3, True),
    ("currency", 3, False),
    ("exponent", 1, False),
    ("authorized", 4, False),
    ("remaining", 4, False),
    ("cycle_begin", 4, False),
    ("cycle_length", 2, False),
    ("retries", 1, False),
    ("pin_parameters", 6, True),
    ("interchange", 1, False),
    ("restriction", 2, False),
    ("first_restriction", 2, False),
    ("second_restriction", 2, False),
    ("expiry", 4, True),
    ("card_sequence", 1, False),
    ("security_number", 9, True),
)
"""Fields 5 to 20: name, digits, and whether a separator may stand for them."""


@dataclass(frozen=True, slots=True, repr=False)
class StripeTrack3:
    """Track 3: every field as digits, in the order of the standard; those of ``pan``, ``country``, ``pin_parameters``,
    ``expiry``, ``security_number``, ``check_digits`` and the subsidiary accounts may be empty. ISO/IEC 4909:2006, 8.

    A country is deprecated since 2006. ``expiry`` is YYMM, ``check_digits`` are six.
    """

    pan: str = ""
    format_code: str = "01"
    country: str = ""
    currency: str = "000"
    exponent: str = "0"
    authorized: str = "0000"
    remaining: str = "0000"
    cycle_begin: str = "0000"
    cycle_length: str = "00"
    retries: str = "0"
    pin_parameters: str = ""
    interchange: str = "0"
    restriction: str = "00"
    first_restriction: str = "00"
    second_restriction: str = "00"
    expiry: str = ""
    card_sequence: str = "0"
    security_number: str = ""
    first_account: str = ""
    second_account: str = ""
    relay_marker: str = "0"
    check_digits: str = ""
    discretionary: str = ""

    @property
    def text(self) -> str:
        """Raises StripeError for data that the track cannot hold."""
        for field in fields(self):
            if not _digits(getattr(self, field.name)):
                raise StripeError(f"the field {field.name} of track 3 is digits")
        if len(self.format_code) != 2 or len(self.relay_marker) != 1 or len(self.check_digits) not in (0, 6):
            raise StripeError("track 3 has a format code of two digits, a relay marker of one and six check digits")
        middle = [self._field(name, width, optional) for name, width, optional in _WIDTHS]
        return _sound(
            3,
            f"{self.format_code}{self.pan}={''.join(middle)}{self.first_account}={self.second_account}="
            f"{self.relay_marker}{self.check_digits or '='}{self.discretionary}",
        )

    def _field(self, name: str, width: int, optional: bool) -> str:
        value = str(getattr(self, name))
        if len(value) == width:
            return value
        if value or not optional:
            digits = f"{width} digits or none" if optional else f"{width} digits"
            raise StripeError(f"the field {name} of track 3 has {digits}")
        return "="

    @classmethod
    def read(cls, text: str) -> StripeTrack3:
        """Raises StripeError."""
        number, separator, rest = _sound(3, text).partition("=")
        if not separator or len(number) < 2:
            raise StripeError("track 3 is not format code, number, = and its fields")
        values = {"format_code": number[:2], "pan": number[2:]}
        for name, width, optional in _WIDTHS:
            width = 1 if optional and rest[:1] == "=" else width
            values[name], rest = rest[:width].replace("=", ""), rest[width:]
        accounts = rest.split("=", 2)
        if len(accounts) != 3:
            raise StripeError("track 3 ends before its subsidiary accounts")
        values["first_account"], values["second_account"], rest = accounts
        values["relay_marker"], rest = rest[:1], rest[1:]
        width = 1 if rest[:1] == "=" else 6
        values["check_digits"], values["discretionary"] = rest[:width].replace("=", ""), rest[width:]
        return _same(3, cls(**values), text)

    def __repr__(self) -> str:
        return f"<StripeTrack3 with a card number of {len(self.pan)} digits>"


StripeTrack = StripeTrack1 | StripeTrack2 | StripeTrack3


def read_track(number: int, text: str) -> StripeTrack:
    """The text of track 1, 2 or 3 as a value. Raises StripeError."""
    if number == 1:
        return StripeTrack1.read(text)
    return StripeTrack2.read(text) if number == 2 else StripeTrack3.read(text)


def masked(texts: tuple[str, str, str]) -> tuple[str, str, str]:
    """Tracks for the eyes of developers: of each number the first six and the last four digits, expiry and service
    code; of names and discretionary data the length. A track that cannot be read is shown by its length."""
    track1, track2, track3 = texts
    return _masked(1, track1), _masked(2, track2), _masked(3, track3)


def _masked(number: int, text: str) -> str:
    if not text:
        return ""
    try:
        track = read_track(number, text)
    except StripeError:
        return f"({len(text)} characters)"
    pan = track.pan if len(track.pan) < 13 else f"{track.pan[:6]}{'*' * (len(track.pan) - 10)}{track.pan[-4:]}"
    rest = "*" * len(track.discretionary)
    match track:
        case StripeTrack1():
            name = track.name if track.name == NO_NAME else "*" * len(track.name)
            return f"%B{pan}^{name}^{track.expiry or '^'}{track.service_code or '^'}{rest}?"
        case StripeTrack2():
            return f";{pan}={track.expiry or '='}{track.service_code or '='}{rest}?"
        case StripeTrack3():
            return f";{track.format_code}{pan}={'*' * (len(text) - len(track.pan) - 3)}?"


def _numbers(pan: str, expiry: str, service_code: str) -> None:
    if not (_digits(pan) and 1 <= len(pan) <= 19):
        raise StripeError("a card number on the stripe is 1 to 19 digits")
    if not (_digits(expiry) and len(expiry) in (0, 4) and (not expiry or 1 <= int(expiry[2:]) <= 12)):
        raise StripeError("an expiry on the stripe is YYMM")
    if not (_digits(service_code) and len(service_code) in (0, 3)):
        raise StripeError("a service code on the stripe is three digits")


def _expiry_and_service(track: int, text: str, separator: str) -> tuple[str, str, str]:
    """Expiry, service code and what follows; each may be a separator instead. Raises StripeError."""
    values = []
    for width in (4, 3):
        width = 1 if text[:1] == separator else width
        if len(text) < width:
            raise StripeError(f"track {track} ends before expiry and service code")
        values.append(text[:width].replace(separator, ""))
        text = text[width:]
    return values[0], values[1], text


def _digits(text: str) -> bool:
    return not text or (text.isascii() and text.isdecimal())


def _sound(track: int, text: str) -> str:
    try:
        TRACK_CODES[track - 1].check(text)
    except StripeError as fault:
        raise StripeError(f"track {track}: {fault}") from None
    return text


def _same(track: int, value: _TrackT, text: str) -> _TrackT:
    """Raises StripeError where the value would be written differently: one of its fields is not as it should be."""
    if value.text != text:
        raise StripeError(f"track {track} has a field of another length")
    return value
