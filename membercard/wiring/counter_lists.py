"""The lists a counter works from: signed files, or the issuer's own from keystore and registry.

An edition that is older than one used before is refused (``seen_lists``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.seen_lists import FOLDER, SeenLists
from terminal.crypto.rsa import RsaPublic
from terminal.member.hotlist import Hotlist
from terminal.member.lists import CounterLists, ListPolicy
from terminal.member.signed import ListOutdated
from terminal.member.trust import TrustList

if TYPE_CHECKING:
    from terminal.keys import KeyCustody

TRUST, HOTLIST, LIST_KEY = "trust.json", "hotlist.json", "list-key.json"
_NAMES = {"trust": TRUST, "hotlist": HOTLIST}


def load_lists(trust: Path | None, hotlist: Path | None, list_key: Path | None) -> CounterLists:
    """Signed files that were named or are in the data directory; else the issuer's own lists, from its keystore.

    Raises SettingsError, IntegrityError for a wrong signature, ListOutdated for an older list than was used before,
    CodecError for an invalid file, CustodyError.
    """
    directory = settings.load().data_dir
    trust = trust or _existing(directory / TRUST)
    if trust is None:
        if hotlist or list_key:
            raise SettingsError(
                f"a hotlist or list key goes with a trust list: name it with --trust, or put it at {directory / TRUST}"
            )
        return _issuer_lists()
    return _accepted(
        trust,
        hotlist or _existing(directory / HOTLIST),
        list_key or directory / LIST_KEY,
        SeenLists(directory / FOLDER),
        list_policy(),
        settings.load().now(),
        pin=list_key is None,
    )


def stored_lists(folder: Path, seen: SeenLists, policy: ListPolicy, at: datetime, *, pin: bool) -> CounterLists:
    """The signed files of a folder. Where they are older than lists used before, those go on being used, and the result
    says so. ``pin``: the key must be the one that was used before. Raises SettingsError, IntegrityError, CodecError."""
    try:
        files = folder / TRUST, _existing(folder / HOTLIST), folder / LIST_KEY
        return _accepted(*files, seen, policy, at, pin=pin)
    except ListOutdated as outdated:
        key = read_key(folder / LIST_KEY)
        stored = {name: content for name in _NAMES if (content := seen.stored(key, name)) is not None}
        if "trust" not in stored:
            raise
        lists = _lists(stored["trust"], stored.get("hotlist"), key, policy)
        return replace(seen.accept(lists, key, at, pin=pin), live=False, fault=str(outdated))


def list_policy(clock_seen: datetime | None = None) -> ListPolicy:
    """What the settings demand of a counter's lists."""
    return ListPolicy(timedelta(days=settings.load().hotlist_days), clock_seen)


def key_file(keystore: KeyCustody) -> bytes:
    """The public key of the issuer's list signer, as a file for counters."""
    from personalize.lists import public_key

    key = public_key(keystore.info(keystore.latest("list-signer")))
    return json.dumps({"n": f"{key.n:x}", "e": key.e}).encode() + b"\n"


def read_key(path: Path) -> RsaPublic:
    """The key of the lists. Raises SettingsError."""
    try:
        key = json.loads(_read(path))
        return RsaPublic(int(key["n"], 16), int(key["e"]))
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{path} does not hold the key of the signed lists") from None


def key_in_use() -> RsaPublic:
    """The key of the signed lists: the file in the data directory, else that of the issuer's keystore. Raises
    SettingsError, CustodyError."""
    path = settings.load().data_dir / LIST_KEY
    if path.exists():
        return read_key(path)
    from personalize.lists import public_key

    keystore = settings.open_keystore()
    return public_key(keystore.info(keystore.latest("list-signer")))


def _accepted(
    trust: Path,
    hotlist: Path | None,
    list_key: Path,
    seen: SeenLists,
    policy: ListPolicy,
    at: datetime,
    *,
    pin: bool,
) -> CounterLists:
    key = read_key(list_key)
    files = {"trust": _read(trust)} | ({"hotlist": _read(hotlist)} if hotlist else {})
    lists = _lists(files["trust"], files.get("hotlist"), key, policy)
    return seen.accept(lists, key, at, files=files, pin=pin)


def _lists(trust: bytes, hotlist: bytes | None, key: RsaPublic, policy: ListPolicy) -> CounterLists:
    hot = None if hotlist is None else Hotlist.load(hotlist, key)
    return CounterLists(TrustList.load(trust, key), hot, policy=policy)


def _issuer_lists() -> CounterLists:
    # Slow to import, and not needed where the lists are files.
    from membercard.wiring.profile import profile_in_use
    from personalize.lists import current_hotlist, own_trust

    keystore, at = settings.open_keystore(), settings.load().now()
    trust = own_trust(keystore, profile_in_use().trust, at)
    with settings.open_registry(keystore) as registry:
        registry.restores.refuse_pending()  # its hotlist lacks the cards reported since the backup
        return CounterLists(trust, current_hotlist(registry, at), policy=list_policy())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise SettingsError(f"cannot read {path}: {e.strerror}") from e


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
