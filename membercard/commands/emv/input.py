"""Input at a payment terminal: amounts, choice of the application, PIN."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import typer

from terminal.emv.transaction.protocols import Choice, Pin
from terminal.errors import CodecError


class Keyboard:
    """The cardholder at the keyboard. The PIN is read without echo, or as a line where input is not a terminal."""

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


def minor(text: str, exponent: int, option: str) -> int:
    """An amount in the smallest unit of the currency. Raises BadParameter naming the option."""
    try:
        value = Decimal(text).scaleb(exponent)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value < 10**12:
        raise typer.BadParameter(f"an amount such as 12.34, with at most {exponent} decimals", param_hint=option)
    return int(value)
