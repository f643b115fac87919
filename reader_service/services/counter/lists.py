"""The signed lists of the counters: hotlist editions, the trust list, the programme, and the key that verifies them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from personalize.lists import TRUST_LIFE, hotlist_of, issue
from reader_service.errors import NotFound
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.programme.list_signer import ListSigner
from registry.db.paging import Page
from registry.members.hotlist import Edition, EditionLine
from registry.values import HotlistEntry
from terminal.member.hotlist import HotCard, HotlistReason
from terminal.member.trust import TrustList

HOTLIST_FRESH: Final = timedelta(days=1)
"""Age of the newest edition from which a service publishes the next by itself."""
_TRUST_FRESH: Final = timedelta(days=30)
_TRUST_LOOK: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedList:
    """A signed file as counters store it. ``etag`` identifies exactly these bytes."""

    version: int
    at: datetime
    content: bytes = field(repr=False)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True)
class SignedDelta:
    """The changes from edition ``since`` to ``version`` (``terminal.member.hotlist.patched``): drop ``removed``, add
    ``added``, set the times; ``signature`` (hex) is the edition's own."""

    since: int
    version: int
    issued: str
    expires: str
    signature: str
    added: tuple[HotCard, ...]
    removed: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Trust:
    signed: SignedList
    of: TrustList
    looked_at: datetime


def _cards(edition: Edition) -> list[list[Any]]:
    """Number, sequence, reason and day of each card, as they were signed."""
    cards: list[list[Any]] = json.loads(edition.signed)["list"]["cards"]
    return cards


def _added(before: Sequence[Sequence[Any]], after: Sequence[Sequence[Any]]) -> tuple[HotCard, ...]:
    """The entries of an edition that an earlier one does not have, as both were signed: a delta has to give exactly the
    signed list, also where the time zone of its days was set anew in between."""
    known = set(map(tuple, before))
    return tuple(
        HotCard(number, sequence, HotlistReason(reason), date.fromisoformat(since))
        for number, sequence, reason, since in after
        if (number, sequence, reason, since) not in known
    )


class ListService:
    """Event: hotlist.published (topic: version, data: {"version", "entries", "by"}). ``on_hotlist`` is
    called as well."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, on_hotlist: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._signer = ListSigner(parts.custody)
        self._bus = bus
        self._on_hotlist = on_hotlist
        self._lock = threading.Lock()
        self._trust: _Trust | None = None

    def publish(self, p: Principal) -> Edition:
        """Sign the current hotlist as a new edition. Raises Unavailable, CustodyError."""
        p.need(Permission.LISTS_PUBLISH)
        with translate_registry_errors():
            edition = self._registry.hotlist.publish(self._signed_hotlist, by=p.name)
        self._published(edition)
        return edition

    def renew(self) -> Edition | None:
        """For the service itself: publish the hotlist again for the counters that fetch it, where somebody has done so
        before, and the newest edition is a day old or lacks a change. None where nothing is due. Raises Unavailable,
        Conflict, CustodyError."""
        with translate_registry_errors():
            newest = self._registry.hotlist.newest()
            if newest is None or not self._due(newest):
                return None
            edition = self._registry.hotlist.publish(self._signed_hotlist, by="registry")
        self._published(edition)
        return edition

    def _due(self, newest: Edition) -> bool:
        if self._parts.clock() >= newest.at + HOTLIST_FRESH:
            return True
        entries = {(entry.card_number, entry.sequence, entry.reason) for entry in self._registry.hotlist.entries()}
        return entries != {(number, sequence, reason) for number, sequence, reason, _ in _cards(newest)}

    def _published(self, edition: Edition) -> None:
        data = {"version": edition.version, "entries": edition.entries, "by": edition.by}
        self._bus.publish("hotlist.published", str(edition.version), data)
        self._on_hotlist()

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[EditionLine]:
        """Editions, newest first, without their files."""
        p.need(Permission.LISTS_FETCH)
        with translate_registry_errors():
            return self._registry.hotlist.page(cursor, limit)

    def hotlist(self, p: Principal, version: int | None = None) -> SignedList:
        """The newest edition, or the given one. Raises NotFound where none was published yet."""
        p.need(Permission.LISTS_FETCH)
        with translate_registry_errors():
            editions = self._registry.hotlist
            edition = editions.newest() if version is None else editions.edition(version)
        if edition is None:
            raise NotFound("no hotlist was published yet", reason="hotlist")
        return SignedList(edition.version, edition.at, edition.signed)

    def delta(self, p: Principal, since: int) -> SignedDelta:
        """The changes from edition ``since`` to the newest. Raises NotFound for an unknown edition."""
        p.need(Permission.LISTS_FETCH)
        with translate_registry_errors():
            delta = self._registry.hotlist.delta(since)
            file = json.loads(self._registry.hotlist.edition(delta.version).signed)
            before = _cards(self._registry.hotlist.edition(since))
        return SignedDelta(
            since=delta.since,
            version=delta.version,
            issued=file["list"]["issued"],
            expires=file["list"]["expires"],
            signature=file["signature"],
            added=_added(before, file["list"]["cards"]),
            removed=delta.removed,
        )

    def trust(self, p: Principal) -> SignedList:
        """The trusted scheme keys, signed again each month and within a minute of a change."""
        p.need(Permission.LISTS_FETCH)
        now = self._parts.clock()
        with self._lock:
            if self._trust is not None and self._trust.looked_at <= now < self._trust.looked_at + _TRUST_LOOK:
                return self._trust.signed
            with translate_registry_errors():
                trusted = self._parts.lists().trust
            self._trust = _Trust(self._signed_trust(trusted, now), trusted, now)
            return self._trust.signed

    def programme(self, p: Principal) -> SignedList:
        """The newest edition of the programme. Raises NotFound where none was published yet."""
        p.need(Permission.LISTS_FETCH)
        with translate_registry_errors():
            edition = self._registry.programme_editions.newest()
        if edition is None:
            raise NotFound("no programme was published yet", reason="programme")
        return SignedList(edition.version, edition.at, edition.signed)

    def key(self, p: Principal) -> dict[str, object]:
        """The public key that verifies the lists: {"n": hex, "e": int}, as counters store it."""
        p.need(Permission.LISTS_FETCH)
        key = self._signer.key()
        return {"n": f"{key.n:x}", "e": key.e}

    def _signed_trust(self, trusted: TrustList, now: datetime) -> SignedList:
        last = self._trust
        if last is not None and last.of.keys == trusted.keys and last.signed.at <= now < last.signed.at + _TRUST_FRESH:
            return last.signed
        edition = issue(now, TRUST_LIFE)
        if last is not None:  # a clock that was set back must not make the new list the older one
            edition = replace(edition, version=max(edition.version, last.signed.version + 1))
        trust = TrustList.of(trusted.keys.values(), edition)
        return SignedList(trust.issue.version, now, trust.write(self._signer.key(), self._signer.sign))

    def _signed_hotlist(self, version: int, at: datetime, entries: Sequence[HotlistEntry]) -> bytes:
        return hotlist_of(entries, at.astimezone(self._parts.zone), version).write(
            self._signer.key(), self._signer.sign
        )
