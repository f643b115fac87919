"""Wiring of a reader service: registry, keystore, profile and lists from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from membercard import output, settings
from membercard.wiring.counter_lists import (
    HOTLIST,
    LIST_KEY,
    TRUST,
    key_file,
    list_policy,
    read_key,
    stored_lists,
)
from membercard.wiring.http_scripts import script_issuer
from membercard.wiring.line import StationLine
from membercard.wiring.list_source import list_source
from membercard.wiring.merchant import counter_place
from membercard.wiring.profile import profile_in_use
from membercard.wiring.seen_lists import FOLDER, SeenLists
from membercard.wiring.terminal import terminal_config
from personalize.lists import current_hotlist, own_trust, public_key
from personalize.profiles.profile import Profile
from personalize.ranges import ranges_for, ranges_of
from reader_service.parts import ServiceParts
from registry.errors import RegistryError
from registry.store import Registry
from terminal.apdu import open_reader
from terminal.crypto.rsa import RsaPublic
from terminal.errors import IntegrityError
from terminal.keys import MemoryCustody
from terminal.member.elements import dictionary
from terminal.member.lists import CounterLists, ListPolicy
from terminal.member.signed import Issue

STORED_LISTS: Final = "counter-lists"
"""Folder in the data directory with the last lists of the issuer's own counter, signed."""
SLOT_CARDS: Final = "drawer"
"""Folder in the data directory with virtual cards that may be inserted into slots."""
SIGNER: Final = "list-signer"
_RENEWED: Final = timedelta(minutes=10)
"""How old the stored lists may become while nothing in them changes."""


def station_parts(
    registry: Registry,
    keystore: MemoryCustody,
    *,
    readers: Sequence[str] = (),
    counters: Mapping[str, str] | None = None,
    pcsc: bool = True,
) -> ServiceParts:
    """The parts of a service over this registry and keystore, by the active settings.

    ``readers`` are URLs to open beside those of the PC/SC service; ``counters`` those (by URL, or a part of a PC/SC
    name behind ``pcsc:``) that verify each card put in, with the name shown. Raises ProfileError, SettingsError,
    CodecError, CustodyError.
    """
    current, profile = settings.load(), profile_in_use()
    stored, policy = current.data_dir / STORED_LISTS, list_policy()
    own = IssuerLists(registry, keystore, profile, stored, clock=current.now, policy=policy)
    return ServiceParts(
        registry=registry,
        custody=keystore,
        line=StationLine(registry, profile, keystore, current.station),
        lists=_lists(current.data_dir, own, policy, current.now),
        open_reader=open_reader,
        station=current.station,
        data_dir=current.data_dir,
        zone=current.zone,
        reader_urls=tuple(readers),
        pcsc=pcsc,
        counters=dict(counters or {}),
        counters_activate=current.counters_activate,
        place=counter_place(),
        list_source=list_source(),
        script_issuer=script_issuer(),
        card_folder=current.data_dir / SLOT_CARDS if current.simulation else None,
        terminal=terminal_config(None),
        scheme=profile.scheme,
        member_prefix=profile.member_prefix,
        ranges=partial(ranges_for, registry, profile),
        member_aid=bytes.fromhex(profile.member.aid),
        dictionary=dictionary(bytes.fromhex(profile.member.aid)),
        serial_ranges=partial(ranges_of, profile),
    )


def _lists(
    data_dir: Path, own: IssuerLists, policy: ListPolicy, clock: Callable[[], datetime]
) -> Callable[[], CounterLists]:
    """Signed files in the data directory, as for counters without a registry; else the issuer's own lists."""
    seen = SeenLists(data_dir / FOLDER)

    def read() -> CounterLists:
        return stored_lists(data_dir, seen, policy, clock(), pin=True) if (data_dir / TRUST).exists() else own()

    return read


class IssuerLists:
    """The lists of an issuer: current from its registry, and while that is unavailable the last ones, from memory or
    from the signed files in ``folder``. The record of what was seen (``SeenLists``) is beside that folder."""

    def __init__(
        self,
        registry: Registry,
        custody: MemoryCustody,
        profile: Profile,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        policy: ListPolicy | None = None,
    ) -> None:
        self._registry, self._custody, self._profile = registry, custody, profile
        self._folder, self._clock, self._policy = folder, clock, policy or ListPolicy()
        self._seen = SeenLists(folder.with_name(FOLDER))
        self._last: CounterLists | None = None
        self._stored: CounterLists | None = None

    def __call__(self) -> CounterLists:
        """Raises RegistryError where the registry is unavailable and nothing was stored; IntegrityError and CodecError
        for stored files that were changed; SettingsError for files that cannot be read; CustodyError."""
        at = self._clock()
        try:
            self._registry.restores.refuse_pending()  # its hotlist lacks the cards reported since the backup
            hotlist = current_hotlist(self._registry, at)
        except RegistryError:
            if self._last is not None:
                return replace(self._last, live=False)
            if not (self._folder / TRUST).exists():
                raise
            self._refuse_foreign_key()
            return replace(stored_lists(self._folder, self._seen, self._policy, at, pin=False), live=False)
        self._last = CounterLists(own_trust(self._custody, self._profile.trust, at), hotlist, policy=self._policy)
        try:
            fault = self._store(self._last, at)
        except IntegrityError as error:  # a damaged copy must not prevent verdicts, nor a full disk
            fault = str(error)
        except OSError as error:
            reason = error.strerror or "the system refused"
            fault = f"the lists are used, but no copy of them is stored in {self._folder}: {reason}"
        self._last = replace(self._last, policy=self._policy, fault=fault)
        return self._last

    def _store(self, lists: CounterLists, at: datetime) -> str:
        """Write the lists, signed, where something changed or the stored ones grew old. Gives the fault of the record
        of what was seen, if there is one. Raises OSError, IntegrityError."""
        stored, hotlist = self._stored, lists.hotlist
        if hotlist is None:
            return ""
        if stored is not None and stored.hotlist is not None:
            same = stored.hotlist.cards == hotlist.cards and stored.trust.keys == lists.trust.keys
            if same and stored.hotlist.age(at) < _RENEWED:
                return stored.fault
        signer = self._custody.latest(SIGNER)
        key = public_key(self._custody.info(signer))

        def sign(message: bytes) -> bytes:
            return self._custody.sign(signer, message)

        # A clock that was set back must not make the copy an older edition than the one before.
        trust = replace(lists.trust, issue=self._edition(key, "trust", lists.trust.issue))
        hotlist = replace(hotlist, issue=self._edition(key, "hotlist", hotlist.issue))
        files = {"trust": trust.write(key, sign), "hotlist": hotlist.write(key, sign)}
        output.write_file(self._folder / LIST_KEY, key_file(self._custody))
        output.write_file(self._folder / TRUST, files["trust"])
        output.write_file(self._folder / HOTLIST, files["hotlist"])
        noted = self._seen.accept(CounterLists(trust, hotlist, policy=self._policy), key, at, files=files)
        self._policy = noted.policy
        self._stored = replace(lists, fault=noted.fault)
        return noted.fault

    def _edition(self, key: RsaPublic, name: str, issue: Issue) -> Issue:
        return replace(issue, version=self._seen.next_version(key, name, issue.version))

    def _refuse_foreign_key(self) -> None:
        """The stored copies are this issuer's own: another key beside them is not. Raises IntegrityError."""
        key = read_key(self._folder / LIST_KEY)
        own = [info for info in self._custody.keys() if info.ref.name == SIGNER]
        if key not in map(public_key, own):
            raise IntegrityError(f"the key of the lists in {self._folder} is not one of this issuer's")
