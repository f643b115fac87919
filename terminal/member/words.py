"""Values of the member application as words, and its elements joined with the dictionary of payment data elements."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from terminal.emv.data.dictionary import STANDARD, Dictionary, Element, Personal, Source
from terminal.emv.data.elements.element import Codec, Context
from terminal.emv.data.tags import TAG_70_RECORD
from terminal.member import codecs
from terminal.member.elements import ELEMENTS, IdNumber, MemberName, MemberNumber, Mobile
from terminal.member.reading import MEMBER_AID
from terminal.member.values import Entitlement
from terminal.secret import Secret
from terminal.tlv import Dol

MEMBER_SCHEME: Final = "member"
_HIDDEN = (MemberName, MemberNumber, IdNumber, Mobile)


def value_text(value: Any) -> str:
    """A value of a member application's element for a person."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, Dol):
        return " ".join(f"{entry.tag}({entry.length})" for entry in value)
    if isinstance(value, Enum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "\n".join(value_text(item) for item in value)
    if isinstance(value, Entitlement):
        used = f"{value.used} of {value.limit} used"
        return f"{value.benefit_class}: {used}, a {value.period.name.lower()} from {value.start}"
    return str(value)


def dictionary() -> Dictionary:
    """EMV, the payment systems, and the member application's own elements in member applications."""
    own = [_joined(element) for element in ELEMENTS if STANDARD.lookup(element.TAG) is None]
    return STANDARD.joined(own, {MEMBER_AID[:5]: MEMBER_SCHEME})


def _joined(element: type[codecs.Element[Any]]) -> Element:
    """An element of the member application as one of the dictionary."""

    class Joined(Codec[Any]):
        VECTORS = element.VECTORS

        @classmethod
        def read(cls, data: bytes) -> Any:
            return element.decode(data)

        @classmethod
        def write(cls, value: Any, length: int) -> bytes:
            return element.encode(value)

        @classmethod
        def text(cls, value: Any, context: Context) -> str:
            # A secret is asked for in words with reveal only; its bytes stand beside the text.
            return "" if isinstance(value, Secret) else value_text(value).replace("\n", "; ")

    hidden = Personal.HIDDEN if element in _HIDDEN else Personal.NO
    return Element(
        *(element.TAG, element.NAME, element.FORMAT, element.MIN, element.MAX, Source.CARD, (TAG_70_RECORD,), Joined),
        scheme=MEMBER_SCHEME,
        personal=hidden,
    )
