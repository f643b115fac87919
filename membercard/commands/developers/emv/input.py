"""Input at a payment terminal: amounts, choice of the application, PIN."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import typer

from membercard import output
from membercard.language import sentence, text
from terminal.emv.transaction.protocols import Choice, Pin
from terminal.errors import CodecError

_PROMPT = "PIN (nothing: go without): "
_PROMPTS = (
    "PIN, 0 tries left (nothing: go without): ",
    "PIN, 1 try left (nothing: go without): ",
    "PIN, {tries} tries left (nothing: go without): ",
)


class Keyboard:
    """The cardholder at the keyboard. The PIN is read without echo, or as a line where input is not a terminal."""

    def __init__(self) -> None:
        self._tries: int | None = None

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        for number, candidate in enumerate(candidates, 1):
            typer.echo(f"{number}  {candidate.label}", err=True)
        answer = self._line(text("Pay with (1 to {count}, nothing for none): ", count=len(candidates))).strip()
        number = int(answer) if answer.isascii() and answer.isdigit() else 0
        return number - 1 if 1 <= number <= len(candidates) else None

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        if self._tries is not None and tries_left is not None and tries_left < self._tries:
            output.say("That PIN was wrong.", err=True)
        self._tries = tries_left
        if last_try:
            output.say("LAST TRY: a wrong PIN now blocks it.", err=True)
        prompt = text(_PROMPTS[min(tries_left, 2)] if tries_left is not None else _PROMPT, tries=tries_left)
        while entered := self._hidden(prompt):
            try:
                return Pin(entered.encode("utf-8", "replace"))
            except CodecError as fault:
                typer.echo(sentence(str(fault)), err=True)
        return None

    def _hidden(self, prompt: str) -> str:
        return getpass.getpass(prompt) if sys.stdin.isatty() else self._line(prompt).strip()

    def _line(self, prompt: str) -> str:
        typer.echo(prompt, nl=False, err=True)
        return sys.stdin.readline()


def minor(amount: str, exponent: int, option: str) -> int:
    """An amount in the smallest unit of the currency. Raises BadParameter naming the option."""
    try:
        value = Decimal(amount).scaleb(exponent)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value < 10**12:
        raise typer.BadParameter(f"an amount such as 12.34, with at most {exponent} decimals", param_hint=option)
    return int(value)
