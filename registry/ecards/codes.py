"""One-time codes, by which a member signs a telephone in: eight digits, three tries, two weeks, one use."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from registry.db.context import RegistryContext
from registry.db.privacy import PersonalData
from registry.db.tables import ecard_codes
from registry.ecards.values import IssuedCode
from registry.errors import RegistryConflict
from registry.members.cards import card_on_record
from registry.values import CardState
from terminal.secret import Secret

TRIES: Final = 3
LASTS: Final = timedelta(days=14)
_DIGITS: Final = 8
_C: Final = ecard_codes.c
_READY: Final = (CardState.DELIVERED, CardState.ACTIVE)


class EcardCodes:
    """Repository of one-time codes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def issue(self, card_number: str, *, by: str) -> IssuedCode:
        """A new code for a card that is handed over or active; an earlier one that was not used ends.

        Raises NotOnRecord, RegistryConflict for a card in another state (``ecard-card-state``).
        """
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
        now = self._context.clock()
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            if card.state not in _READY:
                sentence = f"card {card_number} is {card.state}; a card that is handed over or active gets an e-card"
                raise RegistryConflict(sentence, reason="ecard-card-state", card=card_number)
            living = (_C.card_number == card_number, _C.sequence == card.sequence, _C.ended.is_(None))
            conn.execute(update(ecard_codes).where(*living).values(ended="again", ended_at=now, ended_by=by))
            conn.execute(
                insert(ecard_codes).values(
                    card_number=card_number,
                    sequence=card.sequence,
                    digest=code_digest(self._context.personal, card_number, card.sequence, code),
                    issued_at=now,
                    issued_by=by,
                    expires_at=now + LASTS,
                    tries=0,
                )
            )
            self._context.audit(conn, by, "ecard.code", f"card:{card_number}-{card.sequence}")
        return IssuedCode(card_number, Secret(code.encode()), now + LASTS)


def code_digest(personal: PersonalData, card_number: str, sequence: int, code: str) -> str:
    """The keyed digest of a code of one card, 64 hex digits."""
    return personal.ecard_code(f"{card_number}-{sequence}-{code}")


def living_code(conn: Connection, card_number: str, sequence: int) -> Row[*tuple[Any, ...]] | None:
    """The locked code of a card, which may be past its time: id, digest, tries, expires_at."""
    chosen = select(_C.id, _C.digest, _C.tries, _C.expires_at)
    own = (_C.card_number == card_number, _C.sequence == sequence, _C.ended.is_(None))
    return conn.execute(chosen.where(*own).with_for_update()).one_or_none()
