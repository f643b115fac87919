"""The member application of the card profile: its AID, and the dictionary that knows its elements under it."""

from __future__ import annotations

from membercard import settings
from terminal.emv.data.dictionary import Dictionary
from terminal.member.elements import MEMBER_AID, dictionary


def member_aid() -> bytes:
    """The AID of the profile that the settings name, or the usual one. Raises ProfileError."""
    if not settings.load().profile:
        return MEMBER_AID
    from membercard.wiring.profile import profile_in_use  # slow to import, and a counter seldom has a profile

    return bytes.fromhex(profile_in_use().member.aid)


def dictionary_in_use() -> Dictionary:
    """The data elements of EMV, the payment systems and the member application. Raises ProfileError."""
    return dictionary(member_aid())
