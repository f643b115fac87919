"""A card that a verdict proved by its dynamic signature: all that a redemption in the same insertion needs of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from terminal.crypto.rsa import RsaPublic
from terminal.emv.data.masking import masked_pan
from terminal.emv.data.tags import (
    TAG_9A_TRANSACTION_DATE,
    TAG_9F37_UNPREDICTABLE_NUMBER,
)
from terminal.errors import NotRedeemable
from terminal.member import elements
from terminal.member.reading import Aip, MemberCard
from terminal.tlv import Dol

MOST_DATA: Final = 255
"""Bytes of command data: short commands only. EMV 4.4 Book 1, 9.4."""
_NEEDED: Final = (
    (TAG_9A_TRANSACTION_DATE, 3),
    (TAG_9F37_UNPREDICTABLE_NUMBER, 4),
    (elements.BENEFIT_CLASS.tag, 2),
    (elements.QUANTITY.tag, 1),
)


@dataclass(frozen=True, slots=True, repr=False)
class ProvenCard:
    """A card whose chip holds the private key of ``key``, and whose records are as its issuer and the chip signed them.

    ``Verdict.card`` has it, also where the card is expired or listed: a torn redemption is finished and scripts run
    all the same. Whether a new redemption is allowed is the verdict's business (``Verdict.accepted``).
    """

    card: MemberCard
    key: RsaPublic

    @property
    def card_number(self) -> str:
        return self.card.need(elements.CARD_NUMBER)

    @property
    def sequence(self) -> int:
        return self.card.need(elements.SEQUENCE)

    @property
    def aip(self) -> bytes:
        return self.card.options.aip

    @property
    def related(self) -> bytes:
        """The PDOL values of this insertion."""
        return self.card.options.related

    @property
    def log(self) -> tuple[int, int]:
        """File and number of records of the redemption log."""
        return self.card.application.log

    @property
    def redemption_list(self) -> Dol:
        """CDOL1 of a card that redeems.

        Raises NotRedeemable where the card has no CDA, or its list does not ask for what makes a redemption.
        """
        if Aip.CDA not in self.card.options.can:
            raise NotRedeemable("redeeming: the card has no combined signature (CDA)")
        wanted = self.card.get(elements.CDOL1)
        if wanted is None or any(entry not in wanted.entries for entry in _NEEDED):
            raise NotRedeemable("redeeming: the card does not ask for date, unpredictable number, class and quantity")
        if wanted.length > MOST_DATA:
            raise NotRedeemable(f"redeeming: the card asks for {wanted.length} bytes; a command has {MOST_DATA}")
        return wanted

    def __repr__(self) -> str:
        return f"<ProvenCard {masked_pan(self.card_number)}>"
