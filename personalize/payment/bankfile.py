"""Files of prepared cards, from a bank or to one: their content in every format, and the interface of a format.

A bank's own format is one module with a ``BankFormat``. ``bankfile_dp`` is the format of docs/bank-file.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final, Protocol

from personalize.dossiers.dossier import DossierApplication
from personalize.errors import BankFileError, StripeError
from personalize.stripe.tracks import read_track
from terminal.emv.data.tags import TAG_5A_PAN, TAG_5F34_PAN_SEQUENCE, TAG_57_TRACK_2, TAG_70_RECORD
from terminal.errors import TlvError
from terminal.keys import KeyCustody, KeyRef
from terminal.tlv import decode

NO_STRIPE: Final = ("", "", "")


@dataclass(frozen=True, slots=True)
class PreparedCard:
    """One card's payment side. ``reference`` identifies the card for both parties: in our files, the number of its
    member card. Secrets in the applications are sealed with our key, or references to keys."""

    reference: str
    pan: str = field(repr=False)
    sequence: int
    payment: DossierApplication
    directories: tuple[DossierApplication, ...] = ()
    stripe: tuple[str, str, str] = field(default=NO_STRIPE, repr=False)
    """Text of tracks 1, 2 and 3 without sentinels; all empty where the file says nothing of a stripe."""

    @property
    def applications(self) -> tuple[DossierApplication, ...]:
        return (self.payment, *self.directories)


@dataclass(frozen=True, slots=True)
class FileHead:
    """Sender, time and running number of a file."""

    sender: str
    number: int
    created: datetime


@dataclass(frozen=True, slots=True)
class BankFileExchange:
    """Keys for reading and writing: ``transport`` is shared with the bank, ``seal`` seals secrets in our registry."""

    custody: KeyCustody
    transport: KeyRef
    seal: KeyRef


class BankFormat(Protocol):
    """One bank's file format. Both directions stream, card by card."""

    def read(self, stream: BinaryIO, exchange: BankFileExchange) -> tuple[FileHead, Iterator[PreparedCard]]:
        """The head, and the cards as they are read, each secret sealed at once. The file is complete and authentic only
        when the iterator has ended without a fault: commit nothing before. Raises BankFileError, from either."""
        ...

    def write(self, stream: BinaryIO, head: FileHead, cards: Iterable[PreparedCard], exchange: BankFileExchange) -> int:
        """Write a file; returns the number of cards. Raises BankFileError for a card that the format cannot hold."""
        ...


def check(card: PreparedCard, record: int) -> PreparedCard:
    """Refuse an inconsistent card: AIDs of a wrong length, a DGI twice, records or a stripe of another card (PAN in 5A
    and 57 and sequence in 5F34 stand in the chip too). Raises BankFileError."""
    for application in card.applications:
        aids = application.package_aid, application.module_aid, application.instance_aid
        place = f"application {application.instance_aid.hex().upper()}"
        if not all(5 <= len(aid) <= 16 for aid in aids):
            raise BankFileError("an AID has 5 to 16 bytes", record, place)
        numbers = [part.number for part in application.parts]
        for number in numbers:
            if numbers.count(number) > 1:
                raise BankFileError("it is there twice", record, f"{place}, DGI {number:04X}")
    _check_stripe(card, record)
    for (sfi, number), value in card.payment.records().items():
        if value[:1] == b"\x70":  # other data in this range are proprietary
            _check_record(card, value, record, f"DGI {sfi:02X}{number:02X}")
    return card


def _check_stripe(card: PreparedCard, record: int) -> None:
    for number, text in enumerate(card.stripe, 1):
        if not text:
            continue
        try:
            pan = read_track(number, text).pan
        except StripeError as fault:
            raise BankFileError(f"the stripe is unsound: {fault}", record, "stripe") from None
        if pan != card.pan and (pan or number != 3):  # optional on track 3
            raise BankFileError("the card number on the stripe is not that of the card", record, "stripe")


def _check_record(card: PreparedCard, value: bytes, record: int, place: str) -> None:
    try:
        template = decode(value).find(TAG_70_RECORD)
    except TlvError as fault:
        raise BankFileError(f"its data objects are broken: {fault}", record, place) from None
    values = {
        tag: ((template and template.children.get(tag)) or b"").hex().upper()
        for tag in (TAG_5A_PAN, TAG_57_TRACK_2, TAG_5F34_PAN_SEQUENCE)
    }
    if values[TAG_5A_PAN] and values[TAG_5A_PAN].rstrip("F") != card.pan:
        raise BankFileError("the card number in the chip (5A) is not that of the card", record, place)
    if values[TAG_57_TRACK_2] and values[TAG_57_TRACK_2].partition("D")[0] != card.pan:
        raise BankFileError("the track 2 data in the chip (57) are not those of the card", record, place)
    if values[TAG_5F34_PAN_SEQUENCE] and values[TAG_5F34_PAN_SEQUENCE] != f"{card.sequence:02d}":
        raise BankFileError("the sequence number in the chip (5F34) is not that of the card", record, place)
