"""The issuer's side of e-cards: delegations to telephones, and the list that its counters verify them with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from personalize.lists import issue
from registry.ecards.values import EcardTerms
from registry.store import Registry
from terminal.ecard.code import Delegation
from terminal.ecard.lists import EcardKey, EcardList
from terminal.keys import KeyCustody

_KEY: Final = "ecard-issuer"
_LIFE: Final = timedelta(days=30)


class EcardIssuer:
    """Signs for the federation of this division (6 digits) with the newest key in custody. Every method raises
    CustodyError where there is none."""

    def __init__(self, custody: KeyCustody, federation: str) -> None:
        self._custody, self._federation = custody, federation

    def delegation(self, terms: EcardTerms) -> bytes:
        """What the telephone stores and shows (docs/e-card.md). Raises CodecError."""
        key = self._custody.latest(_KEY)
        return Delegation(
            self._federation,
            key.version,
            terms.card_number,
            terms.sequence,
            terms.generation,
            terms.category,
            terms.at,
            terms.until,
            terms.device_key,
        ).signed(lambda message: self._custody.sign_sm2(key, message))

    def list(self, registry: Registry, at: datetime) -> EcardList:
        """Every version of the own key, and the e-cards that ended while their delegation runs."""
        edition = issue(at, _LIFE)
        keys = [
            EcardKey(self._federation, info.ref.version, info.point, edition.expires)
            for info in self._custody.keys()
            if info.ref.name == _KEY and info.point is not None
        ]
        return EcardList.of(keys, registry.ecard_devices.ended(), edition)
