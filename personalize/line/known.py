"""Whether a chip is the one that has its serial on record, as a verified card or on its way to one: a serial alone
proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from personalize.line.chipkeys import holds_final_keys
from personalize.line.plan import NAMES, ChipKeyState, Personalize, PlannedKeys, RotateKeys, Secure
from personalize.profiles.profile import Profile
from registry.line.doubled import Acknowledged
from registry.values import Card
from terminal.apdu import Sender
from terminal.errors import CardRefused
from terminal.globalplatform import ApplicationState, CardLifeCycleState, SecurityDomain
from terminal.keys import KeyCustody
from terminal.member.contents import read_contents
from terminal.member.elements import CARD_NUMBER, SEQUENCE

_WITHOUT_DATA: Final = (None, ApplicationState.INSTALLED, ApplicationState.SELECTABLE)


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


def proven_lack(done: Collection[Acknowledged], chip: ChipKeyState, again: Callable[[], ChipKeyState]) -> str:
    """What a chip lacks of the steps that the chip of its dossier completed, in words; empty where it lacks nothing.

    None of these steps is ever undone, and a chip keeps them before it answers: one that lacks a step is another chip.
    ``again`` reads the state once more, as one garbled answer proves nothing. Raises CardError, TransportError.
    """
    return _lack(done, again()) if _lack(done, chip) else ""


def _lack(done: Collection[Acknowledged], chip: ChipKeyState) -> str:
    steps = {step for step, _ in done}
    if chip.key_set is PlannedKeys.STOCK:
        if NAMES[RotateKeys] in steps:
            return "it has the stock keys, which were replaced"
        for step, aid in sorted(done):
            if step == NAMES[Personalize] and aid and chip.instances.get(bytes.fromhex(aid)) in _WITHOUT_DATA:
                return f"it lacks the data of {aid}, which were stored"
    if NAMES[Secure] in steps and chip.life_cycle in (CardLifeCycleState.OP_READY, CardLifeCycleState.INITIALIZED):
        return "its life cycle is not SECURED, which was set"
    return ""
