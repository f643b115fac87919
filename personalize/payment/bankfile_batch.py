"""Between a bank's cards and the dossiers of a batch: which card is whose, and the formats that are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from personalize.dossier import Application, Dossier
from personalize.errors import BankFileError, DossierError
from personalize.payment.bankfile import BankFormat, PreparedCard
from personalize.payment.bankfile_dp import DpFormat
from terminal.errors import TlvError
from terminal.keys import ApplicationKeys
from terminal.tlv import decode

FORMATS: Final[Mapping[str, BankFormat]] = MappingProxyType({"dp": DpFormat(), "dp-tr31": DpFormat(key_blocks=True)})
"""By the name that commands use. A bank's own format is one more line here and one more module."""


def cards_of(dossiers: Iterable[Dossier]) -> Iterator[PreparedCard]:
    """The payment side of these dossiers, by the number of the member card. Raises DossierError for one without."""
    for dossier in dossiers:
        if dossier.payment is None:
            raise DossierError(f"the dossier of card {dossier.card_number} has no payment application to export")
        pan, sequence = _number_of(dossier.payment)
        yield PreparedCard(dossier.card_number, pan, sequence, dossier.payment, dossier.directories)


def joined(dossiers: Iterable[Dossier], cards: Iterable[PreparedCard]) -> list[tuple[Dossier, PreparedCard]]:
    """Each card with the dossier it is for, which now has its applications; cards in the order of their file.

    Raises BankFileError for a card that is for none of these dossiers, or that comes twice.
    """
    waiting = {dossier.card_number: dossier for dossier in dossiers}
    done: list[tuple[Dossier, PreparedCard]] = []
    pans: set[str] = set()
    seen: set[str] = set()
    for record, card in enumerate(cards, 1):
        dossier = waiting.get(card.reference)
        if card.reference in seen or card.pan in pans:
            raise BankFileError("this card was in the file before", record, "reference")
        if dossier is None:
            raise BankFileError("it is for no dossier that waits in this batch", record, "reference")
        seen.add(card.reference)
        pans.add(card.pan)
        done.append((replace(dossier, payment=card.payment, directories=card.directories), card))
    return done


def _number_of(payment: Application) -> tuple[str, int]:
    """PAN and sequence number, from the keys' derivation or from the chip's records."""
    for part in payment.parts:
        if isinstance(part.value, ApplicationKeys):
            return part.value.pan, part.value.sequence
    told: dict[int, bytes] = {}
    for record in payment.records().values():
        try:
            objects = decode(record)
        except TlvError:
            continue
        told |= {int(item.tag): item.value for item in objects.walk() if item.tag in (0x5A, 0x5F34)}
    if 0x5A not in told:
        raise DossierError("a payment application that says its card number nowhere")
    return told[0x5A].hex().upper().rstrip("F"), int(told.get(0x5F34, b"\x00").hex())
