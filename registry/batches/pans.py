"""Payment account numbers (PANs) and their member cards: sealed, found by a blind index, given out once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, insert, select

from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.privacy import PersonalData
from registry.db.tables import pans
from registry.errors import RegistryConflict
from registry.values import NewDossier

_CHUNK = 500  # parameters of one IN list


class Pans:
    """Repository of payment account numbers. New ones are bound to their cards by ``Dossiers.add``."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def of_cards(self, card_numbers: Sequence[str]) -> dict[str, str]:
        """PANs of these member cards, by card number; cards without one are left out."""
        with self._context.read() as conn:
            return pans_of_cards(conn, self._context.personal, card_numbers)

    def taken(self, numbers: Sequence[str]) -> set[str]:
        """Those of these PANs that belong to a card already."""
        with self._context.read() as conn:
            return taken(conn, self._context.personal, numbers)

    def allocate_serials(self, prefix: str, count: int) -> range:
        """``count`` serials of PANs under ``prefix`` that nobody else gets, counted from 1; unused ones are lost."""
        with self._context.write() as conn:
            return allocate(conn, f"pan/{prefix}", count)


def record_pans(conn: Connection, personal: PersonalData, new: Collection[NewDossier]) -> None:
    """Bind the PANs of new dossiers to their cards, once and for all. Raises RegistryConflict where card or PAN is
    bound otherwise."""
    wanted = {dossier.card_number: dossier.pan for dossier in new if dossier.pan}
    bound = pans_of_cards(conn, personal, list(wanted))
    if any(bound[card] != wanted[card] for card in bound):
        sentence = "a card that is made again keeps its PAN, and this one has another"
        raise RegistryConflict(sentence, reason="pan-differs")
    fresh = [(card, pan) for card, pan in wanted.items() if card not in bound]
    if len({pan for _, pan in fresh}) < len(fresh) or taken(conn, personal, [pan for _, pan in fresh]):
        raise RegistryConflict("a PAN belongs to another card already; nothing of this was stored", reason="pan-taken")
    if fresh:
        key = personal.seal_key()
        indexes = _indexes(personal, [pan for _, pan in fresh])
        conn.execute(
            insert(pans),
            [
                {
                    "card_number": card,
                    "pan_index": index,
                    "sealed": personal.seal(key, _place(card), pan),
                    "seal_key": str(key),
                }
                for (card, pan), index in zip(fresh, indexes, strict=True)
            ],
        )


def pans_of_cards(conn: Connection, personal: PersonalData, card_numbers: Sequence[str]) -> dict[str, str]:
    """The PANs of these member cards, those that have one."""
    of_card = {}
    for at in range(0, len(card_numbers), _CHUNK):
        chosen = select(pans).where(pans.c.card_number.in_(card_numbers[at : at + _CHUNK]))
        for row in conn.execute(chosen):
            of_card[row.card_number] = str(personal.open(row.seal_key, row.sealed, _place(row.card_number))[0])
    return of_card


def taken(conn: Connection, personal: PersonalData, numbers: Sequence[str]) -> set[str]:
    """Those of these PANs that belong to a card already."""
    matches: set[str] = set()
    for at in range(0, len(numbers), _CHUNK):
        indexes = dict(zip(_indexes(personal, numbers[at : at + _CHUNK]), numbers[at : at + _CHUNK], strict=True))
        known = conn.execute(select(pans.c.pan_index).where(pans.c.pan_index.in_(indexes))).scalars()
        matches.update(indexes[index] for index in known)
    return matches


def _indexes(personal: PersonalData, numbers: Sequence[str]) -> list[bytes]:
    """Blind indexes that no ID number can share."""
    return personal.indexes([f"pan {number}" for number in numbers])


def _place(card_number: str) -> str:
    return f"pans/sealed/{card_number}"
