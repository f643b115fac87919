"""The hotlist: cards that are refused although they are genuine. Signed and versioned; a counter works with it offline.

An entry is a card number with one sequence number: the replacement of a lost card has the same number and the next
sequence, and is not on the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError
from terminal.member.signed import Issue, Sign, assembled, read, write

KIND: Final = "hotlist"


class HotlistReason(StrEnum):
    """Why a card is on the list."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    """The chip failed in personalization; the member has another."""
    SUSPENDED = "suspended"
    """The only temporary reason: the card itself stays valid."""


@dataclass(frozen=True, slots=True)
class HotCard:
    """One entry: since when, and why."""

    card_number: str
    sequence: int
    reason: HotlistReason
    since: date


@dataclass(frozen=True, slots=True)
class Hotlist:
    """Cards by number and sequence: one look-up in constant time, whatever the length of the list."""

    cards: Mapping[tuple[str, int], HotCard] = field(repr=False)
    issue: Issue

    @classmethod
    def of(cls, cards: Iterable[HotCard], issue: Issue) -> Self:
        """A later entry for the same card and sequence replaces an earlier one."""
        return cls(MappingProxyType({(card.card_number, card.sequence): card for card in cards}), issue)

    @classmethod
    def load(cls, text: bytes, list_key: RsaPublic, *, at: datetime | None = None, at_least: int = 1) -> Self:
        """Read a signed hotlist.

        ``at`` and ``at_least`` refuse a list that is not in force then, or older than that version. Raises
        IntegrityError (wrong signature), ListOutdated, CodecError (not a hotlist).
        """
        body, issue = read(KIND, text, list_key, at=at, at_least=at_least)
        try:
            cards = [
                HotCard(str(number), int(sequence), HotlistReason(reason), date.fromisoformat(since))
                for number, sequence, reason, since in body["cards"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise CodecError("the hotlist has an entry that cannot be read") from error
        return cls.of(cards, issue)

    def write(self, list_key: RsaPublic, sign: Sign) -> bytes:
        """The signed file. Raises what ``sign`` raises."""
        entries = [
            [card.card_number, card.sequence, card.reason.value, card.since.isoformat()]
            for _, card in sorted(self.cards.items())
        ]
        return write(KIND, {"cards": entries}, self.issue, list_key, sign)

    def find(self, card_number: str, sequence: int) -> HotCard | None:
        return self.cards.get((card_number, sequence))

    def __len__(self) -> int:
        return len(self.cards)

    @property
    def version(self) -> int:
        return self.issue.version

    def age(self, at: datetime) -> timedelta:
        """The age of the list: later events are not in it."""
        return self.issue.age(at)


def patched(text: bytes, delta: Mapping[str, Any]) -> bytes:
    """The signed file of a later edition, from an earlier one's and the difference (``GET /lists/hotlist/delta``).

    ``delta`` holds since, version, issued, expires, signature, added (card_number, sequence, reason, since) and removed
    (pairs). Verifies nothing: ``Hotlist.load`` of the result does. Raises CodecError where they do not fit.
    """
    try:
        body = json.loads(text)["list"]
        if body["version"] != delta["since"]:
            raise CodecError(f"the difference is to edition {delta['since']}, and the file is {body['version']}")
        cards = {(number, sequence): [number, sequence, *rest] for number, sequence, *rest in body["cards"]}
        for number, sequence in delta["removed"]:
            del cards[number, sequence]
        for card in delta["added"]:
            key = (card["card_number"], card["sequence"])
            cards[key] = [*key, card["reason"], card["since"]]
        entries = [entry for _, entry in sorted(cards.items())]
        edition = {name: delta[name] for name in ("version", "issued", "expires")}
        return assembled({"cards": entries, "kind": KIND, **edition}, delta["signature"])
    except (ValueError, KeyError, TypeError) as error:
        raise CodecError("this difference does not fit this hotlist; fetch the whole list") from error
