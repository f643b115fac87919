"""What a till needs beside the kernel: its configuration, the keys it believes, and the cardholder at a keyboard."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import typer

from membercard import settings
from membercard.errors import SettingsError
from terminal.emv.authentication.cakeys import CaStore, load_ca_store
from terminal.emv.cardholder_verification.cvm import OnlinePin
from terminal.emv.transaction.config import TerminalConfig, load_config, shipped_config
from terminal.emv.transaction.protocols import Choice, Pin
from terminal.errors import CodecError
from terminal.keys import KeyCustody
from terminal.keys.custody import PinFormat

_PIN_KEY: Final = "pek"


class Keyboard:
    """The cardholder at this keyboard. The PIN is read without echo, or as a line where input is no terminal."""

    def __init__(self) -> None:
        self._tries: int | None = None

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        for number, candidate in enumerate(candidates, 1):
            typer.echo(f"{number}  {candidate.label}", err=True)
        answer = self._line(f"Pay with (1 to {len(candidates)}, nothing for none): ").strip()
        number = int(answer) if answer.isascii() and answer.isdigit() else 0
        return number - 1 if 1 <= number <= len(candidates) else None

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        if self._tries is not None and tries_left is not None and tries_left < self._tries:
            typer.echo("That PIN was wrong.", err=True)
        self._tries = tries_left
        if last_try:
            typer.echo("LAST TRY: a wrong PIN now blocks it.", err=True)
        left = "" if tries_left is None else f", {tries_left} {'try' if tries_left == 1 else 'tries'} left"
        while entered := self._hidden(f"PIN{left} (nothing: go without): "):
            try:
                return Pin(entered.encode("utf-8", "replace"))
            except CodecError as fault:
                typer.echo(str(fault), err=True)
        return None

    def _hidden(self, prompt: str) -> str:
        return getpass.getpass(prompt) if sys.stdin.isatty() else self._line(prompt).strip()

    def _line(self, prompt: str) -> str:
        typer.echo(prompt, nl=False, err=True)
        return sys.stdin.readline()


def configuration(named: Path | None) -> TerminalConfig:
    """The terminal file that was named or lies in the data directory; else the program's own. Raises CodecError."""
    here = settings.load().terminal
    if named is not None or here.exists():
        return load_config(named or here)
    return shipped_config()


def keys_of_the_till(named: Path | None, *, online_pin: bool) -> tuple[CaStore, OnlinePin | None]:
    """The scheme CA keys that this till believes, and how it enciphers PINs for the issuer where it is to.

    CA keys come from the file that was named or lies in the data directory, else from this house's keystore; PINs are
    enciphered under the house's PIN key, and not at all without a keystore. The keystore is opened once at most.
    Raises SettingsError, CodecError, CustodyError.
    """
    here = settings.load().ca_keys
    listed = named or (here if here.exists() else None)
    there = settings.load().keystore.exists()
    if listed is None and not there:
        raise SettingsError(f"no scheme CA keys: name a file with --ca-keys, or put it at {here}")
    if listed is not None:
        enciphering = _enciphering(settings.open_keystore()) if online_pin and there else None
        return load_ca_store(listed), enciphering
    custody = settings.open_keystore()
    return own_authorities(custody), _enciphering(custody) if online_pin else None


def own_authorities(custody: KeyCustody) -> CaStore:
    """The CA keys of the house's own payment scheme: names, RID and indexes stand in the profile under payment.trust.

    Raises SettingsError for a profile without payment application, CustodyError when custody lacks such a key.
    """
    # Where CA keys come from a file, no profile has to be read.
    from membercard.wiring.line import profile_in_use
    from personalize.payment.proof import authorities

    profile = profile_in_use()
    if profile.payment is None:
        raise SettingsError(
            f"the profile {profile.profile} has no payment section, which would name the scheme's CA keys: "
            "name a file of them with --ca-keys, or another profile with --profile"
        )
    return authorities(profile.payment, custody)


def minor(text: str, exponent: int, option: str) -> int:
    """An amount in the smallest unit of the currency. Raises BadParameter, which names the option."""
    try:
        value = Decimal(text).scaleb(exponent)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value < 10**12:
        raise typer.BadParameter(f"an amount such as 12.34, with at most {exponent} decimals", param_hint=option)
    return int(value)


def _enciphering(custody: KeyCustody) -> OnlinePin:
    key = custody.latest(_PIN_KEY)
    return lambda pin, number: custody.encrypt_pin(key, PinFormat.ISO0, pin, number).block
