"""What a rule of the linter is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from personalize.payment.image import CardImage

Check = Callable[[CardImage], Iterable[str]]
"""What is wrong with a card, one sentence each; nothing where the rule holds. Never a secret, never a card number."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that every card must keep: its name, where that is written, and the check."""

    name: str
    source: str
    check: Check
