"""What is on a member application, without a verdict: for people who look at a card, not for a counter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from terminal.apdu import Sender
from terminal.emv.data.elements.codecs import Clock, Day
from terminal.emv.data.tags import (
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F10_IAD,
    TAG_9F16_MERCHANT_IDENTIFIER,
    TAG_9F37_UNPREDICTABLE_NUMBER,
)
from terminal.errors import CardRefused, CodecError
from terminal.member import elements
from terminal.member.cvr import RedemptionData
from terminal.member.elements import ELEMENTS, MEMBER_AID
from terminal.member.reading import MemberCard, SelectedApplication, read_card
from terminal.member.redemption.recovery import read_log
from terminal.member.values import value_text
from terminal.member.verdict import CHINA

_NO_APPLICATION: Final = frozenset((0x6A82, 0x6A81, 0x6999, 0x6985, 0x6D00))
"""Status words of cards without the application, or with one that was never personalized."""


class ElementRow(NamedTuple):
    """A data object of a record, with its name and its value in words."""

    sfi: int
    record: int
    tag: str
    element: str
    value: str


class RedemptionRow(NamedTuple):
    """A record of the redemption log. ``at`` is local time in ISO 8601; a value that breaks its format is in hex."""

    record: int
    transaction: int
    at: str
    merchant: str
    benefit_class: str
    quantity: int
    used: str
    """Used and limit after this redemption."""


def redemption_rows(sender: Sender, application: SelectedApplication) -> Iterator[RedemptionRow]:
    """The redemption log of the selected application, the newest first. Nothing signs it. Raises as ``read_log``."""
    for record in read_log(sender, application.log):
        values = record.values
        merchant = values.get(TAG_9F16_MERCHANT_IDENTIFIER, b"").decode("ascii", "backslashreplace").strip(" \0")
        yield RedemptionRow(
            record.number,
            int.from_bytes(record.atc, "big"),
            _moment(record.moment),
            merchant,
            values.get(elements.BENEFIT_CLASS.tag, b"").hex(),
            int.from_bytes(values.get(elements.QUANTITY.tag, b""), "big"),
            _used(values[TAG_9F10_IAD]),
        )


def _moment(moment: bytes) -> str:
    try:
        return f"{Day.read(moment[:3])} {Clock.read(moment[3:])}"
    except CodecError:
        return moment.hex()


def _used(issuer_data: bytes) -> str:
    try:
        data = RedemptionData.decode(issuer_data)
    except CodecError:
        return issuer_data.hex().upper()
    return f"{data.used}/{data.limit}"


def read_contents(sender: Sender, aid: bytes = MEMBER_AID) -> MemberCard:
    """Everything that anyone may read. Raises as ``read_card``; ``has_no_application`` sorts out one refusal."""
    return read_card(sender, {TAG_9F1A_TERMINAL_COUNTRY: CHINA, TAG_9F37_UNPREDICTABLE_NUMBER: bytes(4)}, aid)


def has_no_application(refusal: CardRefused) -> bool:
    """Whether the card refused because it has no member application, or one that was never personalized."""
    return refusal.sw in _NO_APPLICATION


def element_rows(card: MemberCard) -> Iterator[ElementRow]:
    """Every data object of every record, in AFL order; in hex where it is unknown or breaks its format."""
    known = {element.tag: element for element in ELEMENTS}
    for record in card.records:
        for item in record.objects:
            element = known.get(item.tag)
            try:
                value = value_text(element.decode(item.value)) if element else item.value.hex().upper()
            except CodecError as error:
                value = f"{item.value.hex().upper()}  ({error})"
            yield ElementRow(record.sfi, record.number, str(item.tag), element.name if element else "?", value)
