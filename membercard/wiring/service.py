"""Wiring of a reader service: registry, keystore, profile and lists from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from membercard import output, settings
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST, key_file, read_lists
from membercard.wiring.line import StationLine, profile_in_use
from membercard.wiring.terminal import terminal_config
from personalize.line.execute import local_now
from personalize.lists import current_hotlist, own_trust, public_key
from personalize.profiles.profile import Profile
from reader_service.parts import ServiceParts
from registry.errors import RegistryError
from registry.store import Registry
from terminal.apdu import open_reader
from terminal.keys import MemoryCustody
from terminal.member.lists import CounterLists

STORED_LISTS: Final = "counter-lists"
"""Folder in the data directory with the last lists of the issuer's own counter, signed."""
SLOT_CARDS: Final = "drawer"
"""Folder in the data directory with virtual cards that may be inserted into slots."""
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
    return ServiceParts(
        registry=registry,
        custody=keystore,
        line=StationLine(registry, profile, keystore, current.station),
        lists=_lists(current.data_dir, IssuerLists(registry, keystore, profile, current.data_dir / STORED_LISTS)),
        open_reader=open_reader,
        station=current.station,
        data_dir=current.data_dir,
        reader_urls=tuple(readers),
        pcsc=pcsc,
        counters=dict(counters or {}),
        card_folder=current.data_dir / SLOT_CARDS if current.simulation else None,
        terminal=terminal_config(None),
        scheme=profile.scheme,
    )


def _lists(data_dir: Path, own: IssuerLists) -> Callable[[], CounterLists]:
    """Signed files in the data directory, as for counters without a registry; else the issuer's own lists."""

    def read() -> CounterLists:
        return _files(data_dir) if (data_dir / TRUST).exists() else own()

    return read


def _files(folder: Path) -> CounterLists:
    hotlist = folder / HOTLIST
    return read_lists(folder / TRUST, hotlist if hotlist.exists() else None, folder / LIST_KEY)


class IssuerLists:
    """The lists of an issuer: current from its registry, and while that is unavailable the last ones, from memory or
    from the signed files in ``folder``."""

    def __init__(
        self,
        registry: Registry,
        custody: MemoryCustody,
        profile: Profile,
        folder: Path,
        *,
        clock: Callable[[], datetime] = local_now,
    ) -> None:
        self._registry, self._custody, self._profile = registry, custody, profile
        self._folder, self._clock = folder, clock
        self._last: CounterLists | None = None
        self._stored: CounterLists | None = None

    def __call__(self) -> CounterLists:
        """Raises RegistryError where the registry is unavailable and nothing was stored; IntegrityError and CodecError
        for stored files that were changed; SettingsError for files that cannot be read; CustodyError."""
        at = self._clock()
        try:
            hotlist = current_hotlist(self._registry, at)
        except RegistryError:
            if self._last is not None:
                return replace(self._last, live=False)
            if not (self._folder / TRUST).exists():
                raise
            return replace(_files(self._folder), live=False)
        self._last = CounterLists(own_trust(self._custody, self._profile.trust, at), hotlist)
        with suppress(OSError):  # a full disk must not prevent verdicts
            self._store(self._last, at)
        return self._last

    def _store(self, lists: CounterLists, at: datetime) -> None:
        """Write the lists, signed, where something changed or the stored ones grew old."""
        stored, hotlist = self._stored, lists.hotlist
        if hotlist is None:
            return
        if stored is not None and stored.hotlist is not None:
            same = stored.hotlist.cards == hotlist.cards and stored.trust.keys == lists.trust.keys
            if same and stored.hotlist.age(at) < _RENEWED:
                return
        signer = self._custody.latest("list-signer")
        key = public_key(self._custody.info(signer))

        def sign(message: bytes) -> bytes:
            return self._custody.sign(signer, message)

        output.write_file(self._folder / LIST_KEY, key_file(self._custody))
        output.write_file(self._folder / TRUST, lists.trust.write(key, sign))
        output.write_file(self._folder / HOTLIST, hotlist.write(key, sign))
        self._stored = lists
