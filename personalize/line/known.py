"""Whether a chip is the verified card that has its serial on record: a serial alone proves nothing."""

from __future__ import annotations

from personalize.line.chipkeys import holds_final_keys
from personalize.profiles.profile import Profile
from registry.values import Card
from terminal.apdu import Sender
from terminal.errors import CardRefused
from terminal.globalplatform import SecurityDomain
from terminal.keys import KeyCustody
from terminal.member.contents import read_contents
from terminal.member.elements import CARD_NUMBER, SEQUENCE


def is_card(card: Card, sender: Sender, domain: SecurityDomain, custody: KeyCustody, profile: Profile) -> bool:
    """Whether the chip proves the issuer's keys, with the key data that were recorded, and carries number and sequence
    of this card. Spends no try.

    Raises TransportError, CardMalformed and CodecError for a chip that cannot be read, which says nothing of it.
    """
    key_data = holds_final_keys(domain, custody, profile.line)
    recorded = card.result.get("key_data")
    if key_data is None or recorded not in (None, key_data.hex().upper()):
        return False
    try:
        read = read_contents(sender, bytes.fromhex(profile.member.aid))
    except CardRefused:
        return False
    return str(read.get(CARD_NUMBER)) == card.card_number and read.get(SEQUENCE) == card.sequence
