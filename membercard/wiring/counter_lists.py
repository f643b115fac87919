"""The lists a counter works from: signed files, or the issuer's own from keystore and registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from membercard import settings
from membercard.errors import SettingsError
from terminal.crypto.rsa import RsaPublic
from terminal.member.hotlist import Hotlist
from terminal.member.lists import CounterLists
from terminal.member.trust import TrustList

if TYPE_CHECKING:
    from terminal.keys import KeyCustody

TRUST, HOTLIST, LIST_KEY = "trust.json", "hotlist.json", "list-key.json"


def load_lists(trust: Path | None, hotlist: Path | None, list_key: Path | None) -> CounterLists:
    """Signed files that were named or are in the data directory; else the issuer's own lists, from its keystore.

    Raises SettingsError, IntegrityError for a wrong signature, CodecError for an invalid file, CustodyError.
    """
    directory = settings.load().data_dir
    trust = trust or _existing(directory / TRUST)
    if trust is None:
        if hotlist or list_key:
            raise SettingsError(
                f"a hotlist or list key goes with a trust list: name it with --trust, or put it at {directory / TRUST}"
            )
        return _issuer_lists()
    return read_lists(trust, hotlist or _existing(directory / HOTLIST), list_key or directory / LIST_KEY)


def read_lists(trust: Path, hotlist: Path | None, list_key: Path) -> CounterLists:
    """Signed files, verified with their key. Raises SettingsError, IntegrityError, CodecError."""
    key = _key(list_key)
    return CounterLists(TrustList.load(_read(trust), key), Hotlist.load(_read(hotlist), key) if hotlist else None)


def key_file(keystore: KeyCustody) -> bytes:
    """The public key of the issuer's list signer, as a file for counters."""
    from personalize.lists import public_key

    key = public_key(keystore.info(keystore.latest("list-signer")))
    return json.dumps({"n": f"{key.n:x}", "e": key.e}).encode() + b"\n"


def _issuer_lists() -> CounterLists:
    # Slow to import, and not needed where the lists are files.
    from membercard.wiring.line import profile_in_use
    from personalize.lists import current_hotlist, own_trust

    keystore, at = settings.open_keystore(), datetime.now(UTC)
    trust = own_trust(keystore, profile_in_use().trust, at)
    with settings.open_registry(keystore) as registry:
        return CounterLists(trust, current_hotlist(registry, at))


def _key(path: Path) -> RsaPublic:
    try:
        key = json.loads(_read(path))
        return RsaPublic(int(key["n"], 16), int(key["e"]))
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{path} does not hold the key of the signed lists") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise SettingsError(f"cannot read {path}: {e.strerror}") from e


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
