"""Changes of a card in words, and entitlements as they are written on the command line."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import typer

from membercard import language
from membercard.language import text

if TYPE_CHECKING:
    from registry.members.wanted import UpdateKind, WantedChange
    from terminal.member.values import Entitlement


def entitlement_of(written: str) -> Entitlement:
    """An entitlement as it is written on the command line. Raises typer.BadParameter."""
    from terminal.member.values import Entitlement, Period

    parts = written.split(":")
    try:
        benefit, limit, period, start = parts[:4]
        pin = parts[4:] == ["pin"]
        if not (parts[4:] in ([], ["pin"]) and len(benefit) == 4 and benefit.isdecimal() and 1 <= int(limit) <= 255):
            raise ValueError
        return Entitlement(benefit, int(limit), 0, Period[period.upper()], date.fromisoformat(start), pin)
    except (ValueError, KeyError):
        raise typer.BadParameter(
            "an entitlement is CLASS:LIMIT:PERIOD:START, such as 0101:12:year:2027-01-01"
        ) from None


def kind_word(kind: UpdateKind) -> str:
    """The name of a change."""
    return text("uses given back" if kind.value == "credit" else kind.value)


def value_word(wanted: WantedChange) -> str:
    """What is wanted, for a table; empty for a PIN."""
    from personalize.updates import value_of
    from terminal.member.values import value_text

    value = value_of(wanted)
    if value is None:
        return ""
    if wanted.kind.value == "credit" and isinstance(value, tuple):
        return "\n".join(f"{one.benefit_class}: {one.used}" for one in value)
    if isinstance(value, bool):
        return text("blocked" if value else "unblocked")
    return "\n".join(map(language.sentence, value_text(value).split("\n")))
