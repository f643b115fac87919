"""The form of a rule of the linter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from personalize.payment.image import CardImage

Check = Callable[[CardImage], Iterable[str]]
"""Checks a card: one sentence for each fault, none where the rule holds; never a secret, never a card number."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for every card: name, source, check."""

    name: str
    source: str
    check: Check
