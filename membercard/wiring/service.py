"""What a reader service of this house works with: the settings' registry, keystore, profile and lists, wired."""

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
from membercard.wiring.terminal import configuration
from personalize.line.execute import local_now
from personalize.lists import current_hotlist, own_trust, public_key
from personalize.profiles.profile import Profile
from reader_service.parts import CounterLists, ServiceParts
from registry.errors import RegistryError
from registry.store import Registry
from terminal.apdu import open_reader
from terminal.keys import MemoryCustody

KEPT: Final = "counter-lists"
"""Folder in the data directory with the last lists that this house's own counter worked from, signed."""
DRAWER: Final = "drawer"
"""Folder in the data directory with virtual cards that may be put into slots."""
_RENEWED: Final = timedelta(minutes=10)
"""How old the kept lists may become while nothing in them changes."""


def station_parts(
    registry: Registry,
    keystore: MemoryCustody,
    *,
    readers: Sequence[str] = (),
    counters: Mapping[str, str] | None = None,
    pcsc: bool = True,
) -> ServiceParts:
    """The parts of a service over this registry and keystore, as the settings in force say.

    ``readers`` are URLs to open beside those of the PC/SC service; ``counters`` those (by URL, or a part of a PC/SC
    name behind ``pcsc:``) that verify each card put in, with the name shown. Raises ProfileError, SettingsError,
    CodecError, CustodyError.
    """
    found, profile = settings.load(), profile_in_use()
    return ServiceParts(
        registry=registry,
        custody=keystore,
        line=StationLine(registry, profile, keystore, found.station),
        lists=_lists(found.data_dir, OwnLists(registry, keystore, profile, found.data_dir / KEPT)),
        open_reader=open_reader,
        station=found.station,
        data_dir=found.data_dir,
        reader_urls=tuple(readers),
        pcsc=pcsc,
        counters=dict(counters or {}),
        drawer=found.data_dir / DRAWER if found.simulation else None,
        terminal=configuration(None),
        scheme=profile.scheme,
    )


def _lists(data_dir: Path, own: OwnLists) -> Callable[[], CounterLists]:
    """Signed files in the data directory, as counters without a registry of their own have them; else the house's."""

    def read() -> CounterLists:
        return _files(data_dir) if (data_dir / TRUST).exists() else own()

    return read


def _files(folder: Path) -> CounterLists:
    hotlist = folder / HOTLIST
    found = read_lists(folder / TRUST, hotlist if hotlist.exists() else None, folder / LIST_KEY)
    return CounterLists(found.trust, found.hotlist)


class OwnLists:
    """The lists of a house that issues cards itself: from its registry as it is now, and while that is away as they
    were last, from memory or from the signed files kept in ``folder``."""

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
        self._kept: CounterLists | None = None

    def __call__(self) -> CounterLists:
        """Raises RegistryError where the registry is away and nothing was kept; IntegrityError and CodecError for kept
        files that were changed; SettingsError for files that cannot be read; CustodyError."""
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
        with suppress(OSError):  # a full disk takes no list; today's verdicts do without
            self._keep(self._last, at)
        return self._last

    def _keep(self, lists: CounterLists, at: datetime) -> None:
        """On disk, signed, where something changed or the kept ones grew old."""
        kept, hotlist = self._kept, lists.hotlist
        if hotlist is None:
            return
        if kept is not None and kept.hotlist is not None:
            same = kept.hotlist.cards == hotlist.cards and kept.trust.keys == lists.trust.keys
            if same and kept.hotlist.age(at) < _RENEWED:
                return
        signer = self._custody.latest("list-signer")
        key = public_key(self._custody.info(signer))

        def sign(message: bytes) -> bytes:
            return self._custody.sign(signer, message)

        output.write_file(self._folder / LIST_KEY, key_file(self._custody))
        output.write_file(self._folder / TRUST, lists.trust.write(key, sign))
        output.write_file(self._folder / HOTLIST, hotlist.write(key, sign))
        self._kept = lists
