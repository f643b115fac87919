"""Cards that come prepared from a bank, or go to one: what every bank's file format says, and the seam for formats.

A bank's own format is one module with a ``BankFormat``. ``bankfile_dp`` is the format of docs/bank-file.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from personalize.dossiers.dossier import DossierApplication
from personalize.errors import BankFileError
from terminal.emv.data.tags import TAG_5A_PAN, TAG_5F34_PAN_SEQUENCE, TAG_57_TRACK_2, TAG_70_RECORD
from terminal.errors import TlvError
from terminal.keys import KeyCustody, KeyRef
from terminal.tlv import decode


@dataclass(frozen=True, slots=True)
class PreparedCard:
    """One card's payment side. ``reference`` is the name under which both parties know the card, the number of its
    member card for the files of this house. Secrets in the applications are sealed here or references to keys."""

    reference: str
    pan: str = field(repr=False)
    sequence: int
    payment: DossierApplication
    directories: tuple[DossierApplication, ...] = ()

    @property
    def applications(self) -> tuple[DossierApplication, ...]:
        return (self.payment, *self.directories)


@dataclass(frozen=True, slots=True)
class FileHead:
    """Who made a file, when, and which of theirs it is."""

    sender: str
    number: int
    created: datetime


@dataclass(frozen=True, slots=True)
class BankFileExchange:
    """What reading and writing need of the house: ``transport`` is the key shared with the bank, ``seal`` the key under
    which secrets rest here."""

    custody: KeyCustody
    transport: KeyRef
    seal: KeyRef


class BankFormat(Protocol):
    """One bank's file format. Both directions stream: a card at a time, whatever the file's length."""

    def read(self, stream: BinaryIO, exchange: BankFileExchange) -> tuple[FileHead, Iterator[PreparedCard]]:
        """The head, and the cards as they are read, each secret sealed at once. The file is whole and genuine only when
        the iterator ended without a fault: store nothing for good before. Raises BankFileError, from either."""
        ...

    def write(self, stream: BinaryIO, head: FileHead, cards: Iterable[PreparedCard], exchange: BankFileExchange) -> int:
        """How many cards were written. Raises BankFileError for a card that the format cannot say."""
        ...


def check(card: PreparedCard, record: int) -> PreparedCard:
    """Refuse a card that cannot be meant: AIDs of a wrong length, a DGI that is there twice, records that are of
    another card (PAN in 5A and 57 and sequence in 5F34 stand in the chip too). Raises BankFileError."""
    for application in card.applications:
        aids = application.package_aid, application.module_aid, application.instance_aid
        place = f"application {application.instance_aid.hex().upper()}"
        if not all(5 <= len(aid) <= 16 for aid in aids):
            raise BankFileError("an AID has 5 to 16 bytes", record, place)
        numbers = [part.number for part in application.parts]
        for number in numbers:
            if numbers.count(number) > 1:
                raise BankFileError("it is there twice", record, f"{place}, DGI {number:04X}")
    for (sfi, number), value in card.payment.records().items():
        if value[:1] == b"\x70":  # other data in this range are the card's own, in no common form
            _check_record(card, value, record, f"DGI {sfi:02X}{number:02X}")
    return card


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
