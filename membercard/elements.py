"""The dictionary of payment data elements joined with the member application's, and what a trace says by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from membercard.values import value_text
from terminal.apdu import Trace, TraceEntry
from terminal.emv.conversation import Conversation
from terminal.emv.dictionary import STANDARD, Dictionary, Element, Personal, Source
from terminal.emv.elements.element import Codec, Context
from terminal.emv.explain import Explained, Explainer
from terminal.member import codecs
from terminal.member.elements import ELEMENTS, IdNumber, MemberName, MemberNumber, Mobile
from terminal.member.reading import MEMBER_AID
from terminal.secret import Secret

MEMBER_SCHEME = "member"
_HIDDEN = (MemberName, MemberNumber, IdNumber, Mobile)
_RECORD = 0x70


def dictionary() -> Dictionary:
    """EMV, the payment systems, and the member application's own elements in member applications."""
    own = [_joined(element) for element in ELEMENTS if STANDARD.lookup(element.TAG) is None]
    return STANDARD.joined(own, {MEMBER_AID[:5]: MEMBER_SCHEME})


def told(trace: Trace, *, reveal: bool) -> Iterator[tuple[TraceEntry, tuple[Explained, ...]]]:
    """Every entry of a trace that kept its data, redacted again unless ``reveal``, and what it says."""
    talk = Conversation(Explainer(reveal=reveal, dictionary=dictionary()))
    for entry in trace:
        said = talk.entry(entry)
        yield entry if reveal else replace(entry, command_data=None, response_data=None), said


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
        *(element.TAG, element.NAME, element.FORMAT, element.MIN, element.MAX, Source.CARD, (_RECORD,), Joined),
        scheme=MEMBER_SCHEME,
        personal=hidden,
    )
