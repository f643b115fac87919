"""What a payment terminal needs beside the kernel: its configuration, the CA keys it trusts, and online PINs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from membercard import settings
from membercard.errors import SettingsError
from terminal.emv.authentication.cakeys import CaStore, load_ca_store
from terminal.emv.cardholder_verification.cvm import OnlinePin
from terminal.emv.data.bits import TerminalCapabilities
from terminal.emv.transaction.config import TerminalConfig, load_config, shipped_config
from terminal.keys import KeyCustody
from terminal.keys.custody import PinFormat

_PIN_KEY: Final = "pek"


def terminal_config(named: Path | None) -> TerminalConfig:
    """The terminal file that was named or is in the data directory; else the shipped one. Raises CodecError."""
    here = settings.load().terminal
    if named is not None or here.exists():
        return load_config(named or here)
    return shipped_config()


def terminal_keys(named: Path | None, *, online_pin: bool) -> tuple[CaStore, OnlinePin | None]:
    """The scheme CA keys that this terminal trusts, and the encipherment of PINs for the issuer where wanted.

    CA keys come from the file that was named or is in the data directory, else from the issuer's keystore; PINs are
    enciphered under the issuer's PIN key, and not without a keystore. The keystore is opened at most once.
    Raises SettingsError, CodecError, CustodyError.
    """
    here = settings.load().ca_keys
    listed = named or (here if here.exists() else None)
    has_keystore = settings.load().keystore.exists()
    if listed is None and not has_keystore:
        raise SettingsError(f"no scheme CA keys: name a file with --ca-keys, or put it at {here}")
    if listed is not None:
        enciphering = _enciphering(settings.open_keystore()) if online_pin and has_keystore else None
        return load_ca_store(listed), enciphering
    custody = settings.open_keystore()
    return own_authorities(custody), _enciphering(custody) if online_pin else None


def with_pin_pad(config: TerminalConfig, *, offline: bool, online: bool) -> TerminalConfig:
    """The same terminal, which declares (9F33) the PINs that it can really take: one that has no PIN pad is no terminal
    whose PIN pad fails, which cards of most issuers refuse. EMV 4.4 Book 4, Annex A2, table 26."""
    missing = TerminalCapabilities(0)
    if not offline:
        missing |= TerminalCapabilities.PLAINTEXT_PIN | TerminalCapabilities.ENCIPHERED_PIN
    if not online:
        missing |= TerminalCapabilities.ONLINE_PIN
    declared = int(config.terminal.capabilities, 16) & ~int(missing)
    terminal = config.terminal.model_copy(update={"capabilities": f"{declared:06X}"})
    return config.model_copy(update={"terminal": terminal})


def own_authorities(custody: KeyCustody) -> CaStore:
    """The CA keys of the issuer's own payment scheme: names, RID and indexes are in the profile under payment.trust.

    Raises SettingsError for a profile without payment application, CustodyError when custody lacks such a key.
    """
    # Not needed where CA keys come from a file.
    from membercard.wiring.profile import profile_in_use
    from personalize.payment.proof import authorities

    profile = profile_in_use()
    if profile.payment is None:
        raise SettingsError(
            f"the profile {profile.profile} has no payment section, which would name the scheme's CA keys: "
            "name a file of them with --ca-keys, or another profile with --profile"
        )
    return authorities(profile.payment, custody)


def _enciphering(custody: KeyCustody) -> OnlinePin:
    key = custody.latest(_PIN_KEY)
    return lambda pin, number: custody.encrypt_pin(key, PinFormat.ISO0, pin, number).block
