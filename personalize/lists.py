"""The lists a counter works from offline: which scheme keys to trust, which cards to refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from personalize.errors import PrepareError
from personalize.profiles.profile import Profile, Trust
from registry.store import Registry
from registry.values import HotlistEntry
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.keys import KeyCustody, KeyInfo
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.signed import Issue
from terminal.member.trust import TrustList

TRUST_LIFE = timedelta(days=365)
HOTLIST_LIFE = timedelta(days=30)


def issue(at: datetime, life: timedelta) -> Issue:
    """An edition made now; its version is the second it was made in, and so grows."""
    return Issue(int(at.timestamp()), at, at + life)


def own_trust(custody: KeyCustody, trust: Trust, at: datetime) -> TrustList:
    """This house's scheme CA key alone. Raises KeyNotFound, PrepareError."""
    key = public_key(custody.info(custody.latest(trust.ca_key)))
    ca = CaKey(bytes.fromhex(trust.scheme_rid), int(trust.ca_index, 16), key)
    return TrustList.of([ca], issue(at, TRUST_LIFE))


def current_hotlist(registry: Registry, at: datetime) -> Hotlist:
    """Every card that the registry says no counter may accept."""
    return hotlist_of(registry.hotlist.entries(), at)


def hotlist_of(entries: Iterable[HotlistEntry], at: datetime, version: int | None = None) -> Hotlist:
    """These cards, as of now; ``version`` if it is not the second."""
    now = issue(at, HOTLIST_LIFE)
    return Hotlist.of(map(hot_card, entries), now if version is None else replace(now, version=version))


def hot_card(entry: HotlistEntry) -> HotCard:
    """An entry of the registry as counters have it."""
    return HotCard(entry.card_number, entry.sequence, HotlistReason(entry.reason), entry.at.date())


def signed_lists(custody: KeyCustody, registry: Registry, profile: Profile, at: datetime) -> dict[str, bytes]:
    """The files a counter is given, by name: trust list and hotlist, signed with ``list-signer``."""
    signer = custody.latest("list-signer")
    key = public_key(custody.info(signer))

    def sign(message: bytes) -> bytes:
        return custody.sign(signer, message)

    return {
        "trust.json": own_trust(custody, profile.trust, at).write(key, sign),
        "hotlist.json": current_hotlist(registry, at).write(key, sign),
    }


def public_key(info: KeyInfo) -> RsaPublic:
    """The public part of an RSA key in custody. Raises PrepareError for another kind of key."""
    if info.modulus is None or info.exponent is None:
        raise PrepareError(f"{info.ref} is not an RSA key")
    return RsaPublic(info.modulus, info.exponent)
