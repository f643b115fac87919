"""Amounts of money on the command line of a counter."""

from __future__ import annotations

import typer

from membercard import language


def fen(yuan: str) -> int:
    """An amount in yuan as fen. Raises BadParameter."""
    from programme.wording import fen_of

    try:
        return fen_of(yuan)
    except ValueError:
        raise typer.BadParameter(language.text("{price} is no price: write 12 or 12.50", price=yuan)) from None


def counted_amount(text: str) -> tuple[str, int]:
    """A cashier with the amount in fen. Raises BadParameter."""
    name, separator, amount = text.rpartition("=")
    if not separator or not name.strip():
        raise typer.BadParameter(language.text("{text} is not CASHIER=YUAN", text=text))
    return name.strip(), fen(amount)
