"""Which keys a chip holds: its own cryptogram tells stock keys from final keys, and spends no try.

Neither key types and version numbers in the key information (E0) nor the production data prove anything; a factory may
use the numbers of the issuer's keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from personalize.errors import ChipUnfit
from personalize.line.plan import PlannedKeys
from personalize.profiles.profile import LineSection
from personalize.reasons import RejectCode
from terminal.errors import (
    AuthenticationRefused,
    CardRefused,
    KeyMisuse,
    KeyNotFound,
    KeyRefused,
    MembercardError,
    NotGenuine,
    SecureChannelError,
)
from terminal.globalplatform import (
    HostAuthentication,
    InitializeUpdate,
    SecureChannel,
    SecurityDomain,
    SecurityLevel,
    tells_keys_apart,
)
from terminal.keys import CardKeys, KeyCustody

_LEVELS = {
    "c-mac": SecurityLevel.C_MAC,
    "c-mac c-enc": SecurityLevel.C_MAC | SecurityLevel.C_DECRYPTION,
    "c-mac c-enc r-mac": SecurityLevel.C_MAC | SecurityLevel.C_DECRYPTION | SecurityLevel.R_MAC,
    "c-mac c-enc r-mac r-enc": SecurityLevel(0x33),
}


@dataclass(frozen=True, slots=True)
class OpenChip:
    """A chip with an open channel: the keys that opened it, their version, the final keys of this chip, the versions of
    the key sets beside (as far as the chip names them), and the key data."""

    key_set: PlannedKeys
    version: int
    final: CardKeys
    beside: frozenset[int]
    key_data: bytes


def open_chip(domain: SecurityDomain, custody: KeyCustody, line: LineSection) -> OpenChip:
    """Authenticate with the stock or the final keys, whichever the chip proves to hold.

    INITIALIZE UPDATE names a final version where the chip lists it, else any. The protocol is that of the answer.
    Raises ChipUnfit where the stock keys open several key sets or the chip would share its final keys with others,
    NotGenuine where the chip holds neither, AuthenticationRefused, AuthenticationGuarded, CardError, CustodyError.
    """
    versions = domain.key_versions()
    level = _LEVELS[line.secure_channel]

    def source(update: InitializeUpdate) -> list[CardKeys]:
        _refuse_shared_keys(line, update)
        return candidates(custody, line, update)

    def ask(version: int) -> SecureChannel:
        # A chip that does not protect its responses is no reject: the read-back compares everything anyway.
        return domain.authenticate(HostAuthentication(source, level, version, as_supported=True))

    if len(versions) > 1 and len(left := stock_versions(domain, custody, line, versions)) > 1:
        named = ", ".join(f"{version:02X}" for version in left)
        sentence = f"the stock keys open key sets {named}, and only one of them would be replaced"
        raise ChipUnfit(sentence, RejectCode.STOCK_KEYS_TWICE, named=named)
    channel = _first_opened(ask, _versions_to_try(line, versions))
    final = _final(custody, line, channel.update)
    used = PlannedKeys.FINAL if channel.keys == final else PlannedKeys.STOCK
    beside = versions - {channel.keys.version}
    return OpenChip(used, channel.keys.version, final, beside, channel.update.key_data)


def _first_opened(ask: Callable[[int], SecureChannel], versions: list[int]) -> SecureChannel:
    """The channel with the first of these key versions that opens. A key set of another use may have one of the
    numbers: it does not exist for the channel, speaks another protocol, or proves other keys. Raises the first."""
    faults: list[MembercardError] = []
    for version in versions:
        try:
            return ask(version)
        except AuthenticationRefused:
            raise
        except (NotGenuine, CardRefused, SecureChannelError, KeyMisuse) as fault:
            faults.append(fault)
    raise faults[0]


def stock_versions(
    domain: SecurityDomain, custody: KeyCustody, line: LineSection, versions: frozenset[int]
) -> list[int]:
    """Those of these key versions that the stock keys of the chip would open. Spends no try; ends an open channel.

    Raises CardMalformed for an answer that cannot be read: it does not say that the keys open nothing.
    """

    def source(update: InitializeUpdate) -> list[CardKeys]:
        return [_stock(custody, line, update)]

    return [version for version in sorted(versions) if _holds(domain, version, source) is not None]


def holds_final_keys(domain: SecurityDomain, custody: KeyCustody, line: LineSection) -> bytes | None:
    """The key data of a chip that proves to hold the issuer's keys; None for any other. Spends no try.

    Raises CardMalformed for an answer that cannot be read.
    """

    def source(update: InitializeUpdate) -> list[CardKeys]:
        return [_final(custody, line, update)]

    for version in _versions_to_try(line, domain.key_versions()):
        held = _holds(domain, version, source)
        if held is not None:
            return held.data
    return None


def _versions_to_try(line: LineSection, versions: frozenset[int]) -> list[int]:
    """Key versions to ask a chip for: its final ones where it names such a number, then any."""
    return [*sorted({line.scp02.version, line.scp03.version} & versions), 0]


def _holds(
    domain: SecurityDomain, version: int, source: Callable[[InitializeUpdate], list[CardKeys]]
) -> CardKeys | None:
    try:
        return domain.holds(HostAuthentication(source, version=version))
    except (CardRefused, SecureChannelError, KeyNotFound, KeyMisuse, KeyRefused):
        return None  # no such key set, one of another protocol, or no key of ours for it


def candidates(custody: KeyCustody, line: LineSection, update: InitializeUpdate) -> list[CardKeys]:
    """The stock keys of the chip, then its final keys where the chip uses their version number: an equal number proves
    nothing, and the chip's cryptogram tells the keys apart without a try. Raises KeyNotFound, KeyMisuse."""
    keys: list[CardKeys] = []
    missing: KeyNotFound | KeyMisuse | None = None
    wanted = [_stock, _final] if update.version == line.final_keys(update.scp).version else [_stock]
    for derive in wanted:
        try:
            keys.append(derive(custody, line, update))
        except (KeyNotFound, KeyMisuse) as error:
            missing = error
    if missing is not None and not keys:
        raise missing
    return keys


def _refuse_shared_keys(line: LineSection, update: InitializeUpdate) -> None:
    method = line.final_keys(update.scp).diversification
    if not tells_keys_apart(method, update.key_data):
        sentence = (
            f"the final keys are derived ({method}) from key data in which the chip's number was never set, so that "
            "all such chips would share them"
        )
        raise ChipUnfit(sentence, RejectCode.KEY_DATA_UNSET)


def _stock(custody: KeyCustody, line: LineSection, update: InitializeUpdate) -> CardKeys:
    master, method = line.stock.master_of(update.scp, update.key_data)
    return custody.card_keys(custody.latest(master), method, update.key_data, update.version)


def _final(custody: KeyCustody, line: LineSection, update: InitializeUpdate) -> CardKeys:
    final = line.final_keys(update.scp)
    return custody.card_keys(custody.latest(final.master), final.diversification, update.key_data, final.version)
