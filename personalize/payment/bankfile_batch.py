"""Import of a bank's cards into the dossiers of a batch, and export: matching, linting, all cards or none.

Both directions hold a few hundred cards in memory, for any length of file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from personalize.dossiers.dossier import DIRECTORY, PAYMENT, Dossier, DossierApplication
from personalize.errors import BankFileError, BankFileRefused, DossierError, StripeError
from personalize.payment.bankfile import NO_STRIPE, BankFileExchange, PreparedCard
from personalize.payment.bankfile_lint import Judge
from personalize.payment.bankfile_spool import Spool
from personalize.payment.printed import printed_with_account
from personalize.payment.restripe import Restripe
from registry.db.context import UNNAMED_ACTOR
from registry.store import Registry
from registry.values import NewDossier, StoredDossier
from terminal.emv.data.tags import TAG_5A_PAN, TAG_5F34_PAN_SEQUENCE
from terminal.errors import TlvError
from terminal.keys import ApplicationKeys, KeyCustody, SealedKeys
from terminal.tlv import decode

MOST_LISTED: Final = 20
"""The most faults that are listed for one file."""
_CHUNK: Final = 200


def cards_of(dossiers: Iterable[Dossier]) -> Iterator[PreparedCard]:
    """The payment side of these dossiers, by the number of the member card. Raises DossierError for a dossier without
    one."""
    for dossier in dossiers:
        if dossier.payment is None:
            raise DossierError(f"the dossier of card {dossier.card_number} has no payment application to export")
        pan, sequence = _number_of(dossier.payment)
        stripe = dossier.stripe if any(pan in track for track in dossier.stripe) else NO_STRIPE
        yield PreparedCard(dossier.card_number, pan, sequence, dossier.payment, dossier.directories, stripe)


def waiting_dossiers(registry: Registry, custody: KeyCustody, batch_id: str) -> Iterator[Dossier]:
    """The dossiers of a batch that no chip has yet, opened one by one. Raises DossierError when there is none."""
    numbers = registry.dossiers.waiting_cards(batch_id)
    if not numbers:
        raise DossierError(nothing_waits(batch_id))
    for at in range(0, len(numbers), _CHUNK):
        for one in _waiting(registry, batch_id, numbers[at : at + _CHUNK]).values():
            yield Dossier.decode(custody.open(one.sealed).reveal())


def nothing_waits(batch_id: str) -> str:
    return f"no dossier waits in batch {batch_id}; prepare it first: membercard batch prepare {batch_id}"


def take_in(
    registry: Registry,
    exchange: BankFileExchange,
    batch_id: str,
    cards: Iterable[PreparedCard],
    judge: Judge,
    *,
    restripe: Restripe = lambda dossier, pan: dossier,
    by: str = UNNAMED_ACTOR,
) -> int:
    """Give a batch's waiting dossiers the applications of a file: all its cards, or none where one is not sound.

    ``restripe`` gives a card its stripe where the file has none; ``judge`` lints each dossier as it will be. Nothing is
    stored before the last card has passed; then all are stored in one transaction. After an interruption the same file
    can be imported again, as after a complete import. Returns the number of cards. Raises BankFileError from ``cards``,
    BankFileRefused with every card that matches none of these dossiers, occurs twice, has another card's account number
    or is not sound; DossierError when no dossier of the batch waits; RegistryError when a chip took one of the dossiers
    meanwhile.
    """
    if not registry.dossiers.waiting_cards(batch_id):
        raise DossierError(nothing_waits(batch_id))
    intake = _Intake(registry, exchange, batch_id, judge, restripe)
    with Spool(exchange.custody, exchange.seal) as spool:
        coming = enumerate(cards, 1)
        while chunk := list(islice(coming, _CHUNK)):
            for dossier in intake.sound(chunk):
                spool.add(dossier)
            if len(intake.faults) >= MOST_LISTED:
                break
        if intake.faults:
            raise BankFileRefused(intake.faults[:MOST_LISTED])
        registry.dossiers.replace(batch_id, spool, by=by)
        return len(spool)


def refuse_remaking(registry: Registry, custody: KeyCustody, batch_id: str) -> None:
    """Refuse to prepare rejected cards again where the bank prepared them: the bank has the keys.

    Raises DossierError naming one of them.
    """
    numbers = [member.card_number for member in registry.dossiers.to_prepare(batch_id) if member.card_number]
    for at in range(0, len(numbers), _CHUNK):
        for one in registry.dossiers.stored(batch_id, numbers[at : at + _CHUNK]):
            payment = Dossier.decode(custody.open(one.sealed).reveal()).payment
            if payment and any(isinstance(part.value, SealedKeys) for part in payment.parts):
                raise DossierError(
                    f"card {one.card_number} was rejected, and its bank prepared it: prepare the batch again, ask the "
                    "bank for new cards, import its file, and run the rest"
                )


@dataclass(slots=True)
class _Intake:
    registry: Registry
    exchange: BankFileExchange
    batch_id: str
    judge: Judge
    restripe: Restripe
    faults: list[BankFileError] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    pans: set[str] = field(default_factory=set, repr=False)

    def sound(self, chunk: Sequence[tuple[int, PreparedCard]]) -> Iterator[NewDossier]:
        """Sealed dossiers of these cards; the others go into ``faults``."""
        references = [card.reference for _, card in chunk]
        waiting = _waiting(self.registry, self.batch_id, references)
        bound = self.registry.pans.of_cards(references)
        taken = self.registry.pans.taken([card.pan for _, card in chunk if bound.get(card.reference) != card.pan])
        for record, card in chunk:
            stored = waiting.get(card.reference)
            fault = self._repeated(card) or _misplaced(card, stored, bound.get(card.reference), taken)
            if fault or stored is None:
                self.faults.append(BankFileError(fault, record, "reference"))
                continue
            dossier = Dossier.decode(self.exchange.custody.open(stored.sealed).reveal())
            dossier = dossier.with_applications((PAYMENT, DIRECTORY), card.applications)
            try:
                dossier = self._striped(dossier, card)
            except StripeError as unfit:
                self.faults.append(BankFileError(str(unfit), record, "stripe"))
                continue
            dossier = printed_with_account(dossier, card.pan)
            if unsound := [BankFileError(sentence, record, place) for place, sentence in self.judge(dossier)]:
                self.faults += unsound
            else:
                yield self._sealed(stored, dossier, card.pan)

    def _striped(self, dossier: Dossier, card: PreparedCard) -> Dossier:
        if any(card.stripe):
            return replace(dossier, stripe=card.stripe)
        return self.restripe(dossier, card.pan)

    def _repeated(self, card: PreparedCard) -> str:
        again = card.reference in self.seen or card.pan in self.pans
        self.seen.add(card.reference)
        self.pans.add(card.pan)
        return "this card was in the file before" if again else ""

    def _sealed(self, stored: StoredDossier, dossier: Dossier, pan: str) -> NewDossier:
        sealed = self.exchange.custody.seal(self.exchange.seal, dossier.encode(), dossier.context)
        who = stored.member_id, stored.card_number, stored.sequence
        return NewDossier(*who, sealed, stored.profile_name, stored.profile_digest, pan)


def _misplaced(card: PreparedCard, stored: StoredDossier | None, bound: str | None, taken: set[str]) -> str:
    if stored is None:
        return "it is for no dossier that waits in this batch"
    if bound not in (None, card.pan):
        return "this member card has another account number already, and keeps it"
    return "its account number belongs to another card already" if card.pan in taken else ""


def _waiting(registry: Registry, batch_id: str, card_numbers: Sequence[str]) -> dict[str, StoredDossier]:
    dossiers = registry.dossiers.stored(batch_id, card_numbers)
    return {one.card_number: one for one in dossiers if one.state == "waiting"}


def _number_of(payment: DossierApplication) -> tuple[str, int]:
    """PAN and sequence number, from the keys' derivation or from the chip's records."""
    for part in payment.parts:
        if isinstance(part.value, ApplicationKeys):
            return part.value.pan, part.value.sequence
    values: dict[int, bytes] = {}
    for record in payment.records().values():
        try:
            objects = decode(record)
        except TlvError:
            continue
        values |= {
            int(item.tag): item.value for item in objects.walk() if item.tag in (TAG_5A_PAN, TAG_5F34_PAN_SEQUENCE)
        }
    if TAG_5A_PAN not in values:
        raise DossierError("a payment application that says its card number nowhere")
    return values[TAG_5A_PAN].hex().upper().rstrip("F"), int(values.get(TAG_5F34_PAN_SEQUENCE, b"\x00").hex())
