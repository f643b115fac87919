"""GET DATA of the member application: counters, dates, and the format of the log. docs/redemption.md, Scripts."""

from __future__ import annotations

from typing import TypeVar

from terminal.apdu import Command, Sender, check
from terminal.emv.data.elements.element import Element
from terminal.errors import CardMalformed, CodecError
from terminal.tlv import decode

T = TypeVar("T")


def read_data(sender: Sender, element: Element[T]) -> T:
    """One data object of the selected application by GET DATA. EMV 4.4 Book 3, 6.5.7.

    Raises CardRefused (6A88: the card does not have it), CardMalformed, TransportError.
    """
    operation = f"reading the {element.name} ({element.tag})"
    data = check(sender.send(Command(0x80, 0xCA, element.tag >> 8, element.tag & 0xFF, ne=256)), operation)
    try:
        item = decode(data, lengths="any").only(element.tag)
        if item is None:
            raise CodecError("the answer is another data object")
        return element.decode(item.value)
    except CodecError as error:
        raise CardMalformed(f"{operation}: {error}") from error
