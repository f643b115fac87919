"""The lists that a counter works from offline: the scheme keys to trust and the cards to refuse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from personalize.errors import PrepareError
from personalize.profiles.profile import Profile, Trust
from registry.members.hotlist import Edition
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
    """An edition issued at ``at``; its version is the time in seconds, so that versions grow."""
    return Issue(int(at.timestamp()), at, at + life)


def own_trust(custody: KeyCustody, trust: Trust, at: datetime) -> TrustList:
    """A trust list of the issuer's own scheme CA key alone. Raises KeyNotFound, PrepareError."""
    key = public_key(custody.info(custody.latest(trust.ca_key)))
    ca = CaKey(bytes.fromhex(trust.scheme_rid), int(trust.ca_index, 16), key)
    return TrustList.of([ca], issue(at, TRUST_LIFE))


def current_hotlist(registry: Registry, at: datetime) -> Hotlist:
    """Every card that counters must refuse, from the registry."""
    return hotlist_of(registry.hotlist.entries(), at)


def hotlist_of(entries: Iterable[HotlistEntry], at: datetime, version: int | None = None) -> Hotlist:
    """A hotlist of these cards, dated in the zone of ``at``; ``version`` replaces the time in seconds."""
    now = issue(at, HOTLIST_LIFE)
    cards = (hot_card(entry, at.tzinfo) for entry in entries)
    return Hotlist.of(cards, now if version is None else replace(now, version=version))


def hot_card(entry: HotlistEntry, zone: tzinfo | None) -> HotCard:
    """A registry entry as it stands on a hotlist, with the day in ``zone``."""
    return HotCard(entry.card_number, entry.sequence, HotlistReason(entry.reason), entry.at.astimezone(zone).date())


def signed_lists(
    custody: KeyCustody, registry: Registry, profile: Profile, at: datetime, *, by: str
) -> dict[str, bytes]:
    """The files for a counter, by name: trust list and hotlist, signed with ``list-signer``.

    Days are in the zone of ``at``. They are an edition of the registry, so that versions grow even where the clock was
    set back. Raises RegistryError, CustodyError, PrepareError.
    """
    hotlist = publish_hotlist(custody, registry, at.tzinfo, by=by)
    signer = custody.latest("list-signer")
    trust = own_trust(custody, profile.trust, at)
    trust = replace(trust, issue=replace(trust.issue, version=max(trust.issue.version, hotlist.version)))
    written = trust.write(public_key(custody.info(signer)), lambda message: custody.sign(signer, message))
    return {"trust.json": written, "hotlist.json": hotlist.signed}


def publish_hotlist(custody: KeyCustody, registry: Registry, zone: tzinfo | None, *, by: str) -> Edition:
    """The current hotlist as a new edition, signed with ``list-signer``; its days are in ``zone``.

    Raises RegistryError, CustodyError, PrepareError.
    """
    signer = custody.latest("list-signer")
    key = public_key(custody.info(signer))

    def signed(version: int, issued: datetime, entries: Sequence[HotlistEntry]) -> bytes:
        cards = hotlist_of(entries, issued.astimezone(zone), version)
        return cards.write(key, lambda message: custody.sign(signer, message))

    return registry.hotlist.publish(signed, by=by)


def public_key(info: KeyInfo) -> RsaPublic:
    """The public part of an RSA key in custody. Raises PrepareError for another kind of key."""
    if info.modulus is None or info.exponent is None:
        raise PrepareError(f"{info.ref} is not an RSA key")
    return RsaPublic(info.modulus, info.exponent)
