"""Keys of `membercard gp`: from the keystore by name, or typed, for test cards."""

from __future__ import annotations

import os
import re

import typer

from membercard import settings
from terminal.errors import KeyRefused
from terminal.globalplatform import InitializeUpdate, KeySource
from terminal.keys import Algorithm, CardKeys, Diversification, KeyRef, MemoryCustody, Purpose, Scp
from terminal.keys.published import is_published
from terminal.secret import Secret

_KEY = r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})"
_TYPED = re.compile(f"{_KEY}(?::{_KEY}:{_KEY})?")
_BY_LENGTH = {16: Algorithm.AES128, 24: Algorithm.AES192, 32: Algorithm.AES256}
_STOCK = {Scp.SCP02: "kmc", Scp.SCP03: "kmc-aes"}


def typed(text: str | None) -> bool:
    """Whether the text is a key, not the name of one. Raises typer.BadParameter for a text that is almost a key."""
    if text is None:
        return False
    if _TYPED.fullmatch(text):
        return True
    if ":" in text or (len(text) >= 16 and all(c in "0123456789abcdefABCDEF" for c in text)):
        # The text is not repeated: it may be most of a key.
        raise typer.BadParameter("a key has 32, 48 or 64 hex digits; or give ENC:MAC:DEK, or a name in the keystore")
    return False


def custody_for(*texts: str | None) -> MemoryCustody:
    """A custody in memory for typed keys, with the keys of the keystore where one is named.

    Raises KeystoreLocked.
    """
    if all(typed(text) for text in texts):
        return MemoryCustody(simulation=True)
    store, transport = settings.open_keystore(), Secret(os.urandom(32))
    return MemoryCustody.from_snapshot(store.snapshot(transport), transport)


def source(custody: MemoryCustody, text: str | None, method: Diversification) -> KeySource:
    """The key set to authenticate with: typed, by name, or the stock master key of the card's protocol."""

    def find(update: InitializeUpdate) -> CardKeys:
        name = text or _STOCK[update.scp]
        master = _import(custody, name, update.scp, Purpose.KMC) if typed(text) else custody.latest(name)
        return custody.card_keys(master, method, update.key_data, update.version)

    return find


def new_key_set(
    custody: MemoryCustody, text: str, method: Diversification, update: InitializeUpdate, version: int
) -> CardKeys:
    """The key set to put on the card of this session. Raises KeyRefused for a published test key in production."""
    if not typed(text):
        return custody.card_keys(custody.latest(text), method, update.key_data, version)
    if not settings.load().simulation and any(is_published(key) for key in _parts(text)):
        raise KeyRefused("a published test key is not put on a card: everybody knows it (--simulation allows it)")
    return custody.card_keys(_import(custody, text, update.scp, Purpose.CARD), method, update.key_data, version)


def _import(custody: MemoryCustody, text: str, scp: Scp, purpose: Purpose) -> KeyRef:
    parts = _parts(text)
    if len({len(part) for part in parts}) > 1:
        raise typer.BadParameter("ENC, MAC and DEK have the same length")
    if scp is Scp.SCP02 and len(parts[0]) != 16:
        raise typer.BadParameter("this card speaks SCP02: its keys have 16 bytes")
    algorithm = Algorithm.TDES if scp is Scp.SCP02 else _BY_LENGTH[len(parts[0])]
    enc, mac, dek = (Secret(part) for part in (parts if len(parts) == 3 else parts * 3))
    return custody.import_key_set(f"typed-{purpose}", purpose, algorithm, (enc, mac, dek), by="command line").ref


def _parts(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(":")]
