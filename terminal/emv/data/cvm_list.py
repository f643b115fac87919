"""Values of the CVM list and the CVM results: codes, conditions, results, rules. EMV 4.4 Book 3, Annex C3."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self, TypeVar, cast

from terminal.errors import CodecError
from terminal.tlv import cached_parse

APPLY_NEXT: Final = 0x40
"""b7 of a CVM code: when this CVM is unsuccessful, apply the succeeding rule; otherwise verification has failed."""
_METHOD: Final = 0x3F


class CodeWithText(IntEnum):
    """A code whose members have the text of their table: ``CvmCode.SIGNATURE.text``."""

    text: str

    def __new__(cls, value: int, text: str = "") -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member


C = TypeVar("C", bound=CodeWithText)


class CvmCode(CodeWithText):
    """The method of a rule, b6 to b1 of its first byte. EMV 4.4 Book 3, Annex C3, table 43; 20 is of JR/T 0025.5."""

    FAIL = 0x00, "Fail CVM processing"
    PLAINTEXT_PIN = 0x01, "Plaintext PIN verification performed by ICC"
    ONLINE_PIN = 0x02, "Enciphered PIN verified online"
    PLAINTEXT_PIN_AND_SIGNATURE = 0x03, "Plaintext PIN verification performed by ICC and signature"
    ENCIPHERED_PIN = 0x04, "Enciphered PIN verification performed by ICC"
    ENCIPHERED_PIN_AND_SIGNATURE = 0x05, "Enciphered PIN verification performed by ICC and signature"
    FACIAL_OFFLINE = 0x06, "Facial biometric verified offline (by ICC)"
    FACIAL_ONLINE = 0x07, "Facial biometric verified online"
    FINGER_OFFLINE = 0x08, "Finger biometric verified offline (by ICC)"
    FINGER_ONLINE = 0x09, "Finger biometric verified online"
    PALM_OFFLINE = 0x0A, "Palm biometric verified offline (by ICC)"
    PALM_ONLINE = 0x0B, "Palm biometric verified online"
    IRIS_OFFLINE = 0x0C, "Iris biometric verified offline (by ICC)"
    IRIS_ONLINE = 0x0D, "Iris biometric verified online"
    VOICE_OFFLINE = 0x0E, "Voice biometric verified offline (by ICC)"
    VOICE_ONLINE = 0x0F, "Voice biometric verified online"
    SIGNATURE = 0x1E, "Signature"
    NO_CVM = 0x1F, "No CVM required"
    ID_DOCUMENT = 0x20, "Cardholder's identity document is checked (PBOC)"
    NONE_PERFORMED = 0x3F, "No CVM performed"


class CvmCondition(CodeWithText):
    """When a rule applies, its second byte. EMV 4.4 Book 3, Annex C3, table 44."""

    ALWAYS = 0x00, "Always"
    UNATTENDED_CASH = 0x01, "If unattended cash"
    NOT_CASH_OR_CASHBACK = 0x02, "If not unattended cash and not manual cash and not purchase with cashback"
    TERMINAL_SUPPORTS = 0x03, "If terminal supports the CVM"
    MANUAL_CASH = 0x04, "If manual cash"
    CASHBACK = 0x05, "If purchase with cashback"
    UNDER_X = 0x06, "If transaction is in the application currency and is under X value"
    OVER_X = 0x07, "If transaction is in the application currency and is over X value"
    UNDER_Y = 0x08, "If transaction is in the application currency and is under Y value"
    OVER_Y = 0x09, "If transaction is in the application currency and is over Y value"


class CvmResult(CodeWithText):
    """The result, third byte of the CVM results. EMV 4.4 Book 4, Annex A4, table 33."""

    UNKNOWN = 0x00, "unknown"
    FAILED = 0x01, "failed"
    SUCCESSFUL = 0x02, "successful"


@dataclass(frozen=True, slots=True)
class CvmRule:
    """One rule as two bytes. ``method`` and ``condition`` are None where the codes are unknown or reserved."""

    code: int
    condition_code: int
    method: CvmCode | None = field(init=False, repr=False, compare=False)
    condition: CvmCondition | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", known(CvmCode, self.code & _METHOD))
        object.__setattr__(self, "condition", known(CvmCondition, self.condition_code))

    @classmethod
    def of(cls, method: CvmCode, condition: CvmCondition, *, apply_next: bool = False) -> Self:
        return cls(method | (APPLY_NEXT if apply_next else 0), int(condition))

    @property
    def apply_next(self) -> bool:
        return bool(self.code & APPLY_NEXT)

    def encode(self) -> bytes:
        return bytes((self.code, self.condition_code))

    def __str__(self) -> str:
        """``Signature: If terminal supports the CVM, else the next rule``."""
        condition = self.condition.text if self.condition is not None else "under a reserved condition"
        return f"{method_text(self.code)}: {condition}{', else the next rule' if self.apply_next else ', else fail'}"


@dataclass(frozen=True, slots=True)
class CvmList:
    """Amounts X and Y, in the application currency with its exponent implied, and the rules in order. Tag 8E."""

    x: int
    y: int
    rules: tuple[CvmRule, ...]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises CodecError for fewer than 8 or an odd number of bytes. EMV 4.4 Book 3, 10.5."""
        if len(data) < 8 or len(data) % 2:
            raise CodecError(f"a CVM list of {len(data)} bytes; two amounts of 4 and rules of 2 are needed")
        return cls(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big"), _rules(data[8:]))

    def encode(self) -> bytes:
        """Raises CodecError for an amount over four bytes."""
        if not (0 <= self.x < 1 << 32 and 0 <= self.y < 1 << 32):
            raise CodecError("an amount of a CVM list has four bytes")
        return self.x.to_bytes(4, "big") + self.y.to_bytes(4, "big") + b"".join([rule.encode() for rule in self.rules])


@cached_parse
def _rules(data: bytes) -> tuple[CvmRule, ...]:
    return tuple([CvmRule(data[at], data[at + 1]) for at in range(0, len(data), 2)])


@dataclass(frozen=True, slots=True)
class CvmResults:
    """The rule last applied and its result code, tag 9F34. EMV 4.4 Book 4, Annex A4."""

    rule: CvmRule
    result_code: int

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises CodecError for another length than three bytes."""
        if len(data) != 3:
            raise CodecError(f"CVM results of {len(data)} bytes; 3 are needed")
        return cls(CvmRule(data[0], data[1]), data[2])

    @property
    def result(self) -> CvmResult | None:
        return known(CvmResult, self.result_code)

    def encode(self) -> bytes:
        return self.rule.encode() + bytes((self.result_code,))


def method_text(code: int) -> str:
    """The text of a CVM code, reserved ones included."""
    method = code & _METHOD
    if (known_method := known(CvmCode, method)) is not None:
        return known_method.text
    owner = "this specification" if method < 0x20 else "the payment system" if method < 0x30 else "the issuer"
    return f"CVM {method:02X}, reserved for {owner}"


def known(kind: type[C], value: int) -> C | None:
    """The member with that value, or None."""
    return cast(C | None, kind._value2member_map_.get(value))
