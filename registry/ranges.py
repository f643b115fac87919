"""Ranges of numbers that are given out once: member numbers, card numbers, account numbers, and how full each is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.errors import RegistryConflict

MEMBER_NUMBER: Final = 12
"""Digits of a member number, DF21."""
_WARN_AT: Final = 80


class RangeKind(StrEnum):
    """What the numbers of a range are for."""

    MEMBER = "member"
    CARD = "card"
    PAN = "pan"
    """Account numbers of payment applications."""


@dataclass(frozen=True, slots=True)
class SerialRange:
    """A prefix, and how many numbers there are under it; ``listed`` are these numbers where a file names them."""

    kind: RangeKind
    prefix: str
    capacity: int
    listed: tuple[str, ...] = ()

    def use(self, used: int, needed: int) -> RangeUse:
        return RangeUse(self.kind, self.prefix, self.capacity, min(used, self.capacity), needed)


@dataclass(frozen=True, slots=True)
class RangeUse:
    """How full a range is: ``used`` numbers were given out or belong to members of approved batches without a card,
    ``needed`` are those of one draft."""

    kind: RangeKind
    prefix: str
    capacity: int
    used: int
    needed: int

    def to_json(self) -> dict[str, str | int | bool]:
        facts: dict[str, str | int | bool] = {"kind": self.kind.value, "prefix": self.prefix}
        facts |= {"capacity": self.capacity, "used": self.used, "needed": self.needed, "percent": self.percent}
        return facts | {"nearly_full": self.nearly_full, "exceeded": self.exceeded}

    @property
    def percent(self) -> int:
        """The share that is in use once the draft is approved, rounded down."""
        return (self.used + self.needed) * 100 // self.capacity if self.capacity else 100

    @property
    def nearly_full(self) -> bool:
        """Whether 80 % or more are in use once the draft is approved."""
        return self.percent >= _WARN_AT

    @property
    def exceeded(self) -> bool:
        """Whether the draft needs more numbers than are left."""
        return bool(self.needed) and self.used + self.needed > self.capacity


def member_prefix(scheme: str) -> str:
    """The prefix of member numbers where the card profile names none. The first five digits for a province, whose
    numbers then reach into no other division; else the scheme."""
    return scheme[:5] if scheme.endswith("0000") else scheme


def member_range(scheme: str, prefix: str = "") -> SerialRange:
    """The member numbers of a scheme, under ``prefix`` or the default one."""
    prefix = prefix or member_prefix(scheme)
    return SerialRange(RangeKind.MEMBER, prefix, 10 ** (MEMBER_NUMBER - len(prefix)) - 1)


def refuse_exceeded(uses: Iterable[RangeUse]) -> None:
    """Raises RegistryConflict for a draft that needs more numbers than a range has left: approved, it would wait for
    cards that cannot be made."""
    for use in uses:
        if not use.exceeded:
            continue
        prefix, left, needed = use.prefix, use.capacity - use.used, use.needed
        if use.kind is RangeKind.CARD:
            sentence = _sentence("card numbers", use)
            raise RegistryConflict(sentence, reason="card-numbers", prefix=prefix, left=left, needed=needed)
        if use.kind is RangeKind.PAN:
            sentence = _sentence("account numbers", use)
            raise RegistryConflict(sentence, reason="account-numbers", prefix=prefix, left=left, needed=needed)
        sentence = _sentence("member numbers", use)
        raise RegistryConflict(sentence, reason="member-numbers", prefix=prefix, left=left, needed=needed)


def _sentence(what: str, use: RangeUse) -> str:
    left = use.capacity - use.used
    return (
        f"of the {what} under {use.prefix} {left} are left and {use.needed} are needed; "
        "the card profile needs another prefix, or a shorter one"
    )
