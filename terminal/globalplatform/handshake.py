"""Mutual authentication without I/O: a generator that yields commands, receives responses and returns a session.

GPC 2.3.1, E.1.2 and E.5 (SCP02); GPC 2.3.1 Amendment D 1.2, 5 and 7.1 (SCP03).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from terminal.apdu import Command, Response, check
from terminal.errors import (
    AuthenticationGuarded,
    AuthenticationRefused,
    CardMalformed,
    NotGenuine,
    SecureChannelError,
)
from terminal.globalplatform.guard import AuthenticationGuard
from terminal.globalplatform.levels import C_ENC, SecurityLevel, check_level, supported
from terminal.globalplatform.scp02 import Scp02
from terminal.globalplatform.scp03 import Scp03
from terminal.globalplatform.tolerant import says_something
from terminal.globalplatform.update import InitializeUpdate
from terminal.keys.custody import CardKeys, Diversification, KeyCustody, KeyRef, OpenSession, Scp, SessionDek

KeySource = CardKeys | Callable[[InitializeUpdate], CardKeys | Sequence[CardKeys]]
"""The key set itself, or a function that derives it from the answer to INITIALIZE UPDATE. Of several key sets the first
one is used whose card cryptogram is right: the card's answer tells them apart, so that none costs a try."""

_SCP02_OPTION = 0x15
"""Assumed where nobody knows the option of an SCP02 card."""
_WRONG_LENGTH = (0x6700, 0x6A80)

Handshake = Generator[Command, Response, "EstablishedSession"]


@dataclass(frozen=True, slots=True)
class HostAuthentication:
    """The keys and options of an authentication.

    ``version`` is the requested key version (0: the card's first). ``scp`` None accepts either protocol.
    ``as_supported`` leaves out the protection of responses that the card does not have, instead of refusing the card.
    ``scp02_i`` is the SCP02 implementation option, which cards report in their card data only: None for what
    ``SecurityDomain`` reads there, 15 where nobody knows. ``s16`` starts with a challenge of 16 bytes, which saves one
    command with S16 cards. ``retry`` allows a key set that failed on this chip before, for a person who decided so.
    """

    keys: KeySource
    level: SecurityLevel = C_ENC
    version: int = 0
    scp: Scp | None = None
    scp02_i: int | None = None
    as_supported: bool = False
    s16: bool = False
    retry: bool = False


@dataclass(frozen=True, slots=True)
class EstablishedSession:
    """A mutually authenticated session: its secure messaging, and the DEK for ``KeyCustody.wrap_*``."""

    update: InitializeUpdate
    keys: CardKeys
    messaging: Scp02 | Scp03
    dek: SessionDek


def keys_from_master(custody: KeyCustody, master: KeyRef, method: Diversification) -> KeySource:
    """The usual key source: the card's keys from a master, by the key data and version in the card's answer."""
    return lambda update: custody.card_keys(master, method, update.key_data, update.version)


def handshake(
    wanted: HostAuthentication, custody: KeyCustody, guard: AuthenticationGuard, chip: str, host_challenge: bytes
) -> Handshake:
    """INITIALIZE UPDATE, then EXTERNAL AUTHENTICATE.

    ``host_challenge`` has 16 bytes: all are used in S16 mode, the first 8 otherwise. ``chip`` identifies the chip for
    ``guard``; empty means by its key data, and where these were never set the guard cannot tell
    the chip. The host cryptogram is sent only after the card cryptogram was verified.
    Raises AuthenticationGuarded before a try is used, NotGenuine for a wrong card cryptogram, AuthenticationRefused
    when the card refuses the host cryptogram, CardRefused when it has no such key version, SecureChannelError for a
    protocol or level that it does not support, CardMalformed.
    """
    if isinstance(wanted.keys, CardKeys) and chip and not wanted.retry:
        guard.check(chip, wanted.keys)
    update, host_challenge = yield from _initialize_update(wanted, host_challenge)
    if wanted.scp is not None and update.scp is not wanted.scp:
        raise SecureChannelError(f"the card uses SCP{update.scp}, not the requested SCP{wanted.scp}")
    level = supported(update.scp, update.i, wanted.level) if wanted.as_supported else wanted.level
    check_level(update.scp, update.i, level)
    # Key data that were never set are those of many chips: a failure of one says nothing of the others.
    chip = chip or (update.key_data.hex().upper() if says_something(update.key_data) else "")
    keys, session = _proven(wanted, custody, guard, chip, update, host_challenge)
    messaging = (Scp02 if update.scp is Scp.SCP02 else Scp03)(session, update.i, level)
    response = yield messaging.external_authenticate()
    if not response.sw.ok:
        guard.failed(chip, keys, str(response.sw))
        raise AuthenticationRefused("EXTERNAL AUTHENTICATE", response.sw, str(keys))
    return EstablishedSession(update, keys, messaging, session.dek)


def proof(
    wanted: HostAuthentication, custody: KeyCustody, host_challenge: bytes
) -> Generator[Command, Response, CardKeys | None]:
    """INITIALIZE UPDATE only: the first of the key sets that the card's cryptogram proves, None for none of them.

    Spends no try. Raises CardRefused, CardMalformed, SecureChannelError, CustodyError.
    """
    update, host_challenge = yield from _initialize_update(wanted, host_challenge)
    for keys in _candidates(wanted, update):
        session = custody.open_session(keys, update.request(host_challenge))
        if hmac.compare_digest(session.card_cryptogram, update.card_cryptogram):
            return keys
    return None


def _candidates(wanted: HostAuthentication, update: InitializeUpdate) -> Sequence[CardKeys]:
    given = wanted.keys if isinstance(wanted.keys, CardKeys) else wanted.keys(update)
    return (given,) if isinstance(given, CardKeys) else given


def _proven(
    wanted: HostAuthentication,
    custody: KeyCustody,
    guard: AuthenticationGuard,
    chip: str,
    update: InitializeUpdate,
    host_challenge: bytes,
) -> tuple[CardKeys, OpenSession]:
    """The key set that the card proves to hold, with its session keys. Raises AuthenticationGuarded, NotGenuine."""
    guarded: AuthenticationGuarded | None = None
    tried: list[CardKeys] = []
    for keys in _candidates(wanted, update):
        if wanted.retry:
            guard.allow(chip, keys)
        try:
            guard.check(chip, keys)
        except AuthenticationGuarded as error:
            guarded = error
            continue
        session = custody.open_session(keys, update.request(host_challenge))
        if hmac.compare_digest(session.card_cryptogram, update.card_cryptogram):
            return keys, session
        tried.append(keys)
    if guarded is not None and not tried:
        raise guarded
    for keys in tried:
        guard.failed(chip, keys, "wrong card cryptogram")
    held = " nor ".join(map(str, tried))
    raise NotGenuine(f"authenticating: the card cryptogram is wrong, the card does not hold {held}")


def _initialize_update(
    wanted: HostAuthentication, challenge: bytes
) -> Generator[Command, Response, tuple[InitializeUpdate, bytes]]:
    """The card's answer, and the part of the challenge that was sent.

    A card in S16 mode either refuses a challenge of 8 bytes or answers with 16: the command is repeated with 16 bytes,
    which uses no try.
    """
    option = _SCP02_OPTION if wanted.scp02_i is None else wanted.scp02_i
    operation = f"INITIALIZE UPDATE with {f'key version {wanted.version:02X}' if wanted.version else 'any key version'}"
    if not wanted.s16:
        short = challenge[:8]
        response = yield Command(0x80, 0x50, wanted.version, 0x00, short, ne=256)
        if response.sw not in _WRONG_LENGTH:
            update = InitializeUpdate.parse(check(response, operation), scp02_i=option)
            if len(update.card_challenge) <= len(short):
                return update, short
    response = yield Command(0x80, 0x50, wanted.version, 0x00, challenge, ne=256)
    update = InitializeUpdate.parse(check(response, operation), scp02_i=option)
    if len(update.card_challenge) != len(challenge):
        raise CardMalformed(f"{operation}: {len(update.card_challenge)} bytes of challenge answer {len(challenge)}")
    return update, challenge
