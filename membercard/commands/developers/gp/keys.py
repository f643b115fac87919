"""Card and keys of `membercard gp`: keys from the keystore by name, or typed, for test cards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from membercard import settings
from membercard.wiring.readers import card_in, reader_or_only
from terminal.apdu import stack
from terminal.errors import KeyRefused
from terminal.globalplatform import (
    AuthenticationGuard,
    HostAuthentication,
    InitializeUpdate,
    KeySource,
    SecureChannel,
    SecurityDomain,
    SecurityLevel,
)
from terminal.keys import Algorithm, CardKeys, Diversification, KeyRef, MemoryCustody, Purpose, Scp
from terminal.keys.published import is_published
from terminal.secret import Secret

_KEY = r"(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})"
_TYPED = re.compile(f"{_KEY}(?::{_KEY}:{_KEY})?")
_BY_LENGTH = {16: Algorithm.AES128, 24: Algorithm.AES192, 32: Algorithm.AES256}


class GpProtocol(StrEnum):
    AUTO = "auto"
    SCP02 = "02"
    SCP03 = "03"


Reader = Annotated[
    str,
    typer.Option(
        "--reader",
        help="Reader URL: pcsc:NAME, pcsc:INDEX, serial:PORT or sim:CARDFILE; not needed with exactly one reader.",
        default_factory=str,
        callback=reader_or_only,
        show_default=False,
    ),
]
Channel = Annotated[GpProtocol, typer.Option("--scp", help="Secure channel protocol; auto takes what the card speaks.")]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="MEMBERCARD_GP_KEY",
        metavar="HEX[:HEX:HEX]",
        help="A key, ENC:MAC:DEK, or a name in the keystore; if not given, the profile's final or stock master, by the "
        "key version of the card.",
        show_default=False,
    ),
]
KeyVersion = Annotated[int, typer.Option(min=0, max=255, help="Key version to ask for; 0 is the card's first.")]
Method = Annotated[Diversification, typer.Option("--diversification", help="How the card's keys come from the key.")]
Level = Annotated[str, typer.Option(metavar="HEX", help="Security level, a sum: 1 C-MAC, 2 C-ENC, 10 R-MAC, 20 R-ENC.")]


@dataclass(frozen=True)
class Access:
    """The options that name card and keys."""

    reader: str
    scp: GpProtocol
    key: str | None
    key_version: int
    diversification: Diversification
    level: str

    @contextmanager
    def domain(self, *more_keys: str) -> Iterator[tuple[SecurityDomain, MemoryCustody, SecureChannel]]:
        """The issuer security domain, selected and authenticated."""
        custody = custody_for(self.key, *more_keys)
        with card_in(self.reader, 0) as transport:
            domain = SecurityDomain(stack(transport), custody, AuthenticationGuard())
            domain.select()
            yield domain, custody, domain.authenticate(self.wanted(custody))

    def wanted(self, custody: MemoryCustody) -> HostAuthentication:
        try:
            level = SecurityLevel(int(self.level, 16))
        except ValueError:
            raise typer.BadParameter(f"--level {self.level}: not a security level in hex") from None
        scp = None if self.scp is GpProtocol.AUTO else Scp(self.scp.value)
        return HostAuthentication(source(custody, self.key, self.diversification), level, self.key_version, scp)


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
    """The key set to authenticate with: typed, by name, or that of the profile, by the key version of the card."""

    def find(update: InitializeUpdate) -> CardKeys | list[CardKeys]:
        if text is None:
            return _of_the_profile(custody, method, update)
        master = _import(custody, text, update.scp, Purpose.KMC) if typed(text) else custody.latest(text)
        return custody.card_keys(master, method, update.key_data, update.version)

    return find


def _of_the_profile(custody: MemoryCustody, method: Diversification, update: InitializeUpdate) -> list[CardKeys]:
    """The stock keys of a blank card, and the final keys of one with their version number; the card proves which."""
    from membercard.wiring.profile import profile_in_use  # imports the card profile, which typed keys do without
    from personalize.line.chipkeys import candidates

    line = profile_in_use().line
    if method is Diversification.NONE:
        return candidates(custody, line, update)
    master, _ = line.stock.master_of(update.scp, update.key_data)
    stock = custody.card_keys(custody.latest(master), method, update.key_data, update.version)
    final = line.final_keys(update.scp)
    if update.version != final.version:
        return [stock]
    keys = custody.card_keys(custody.latest(final.master), final.diversification, update.key_data, update.version)
    return [stock, keys]


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
