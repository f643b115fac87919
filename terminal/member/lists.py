"""The lists that a counter judges cards by, and whether its hotlist may still be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from terminal.member.hotlist import Hotlist
from terminal.member.signed import SKEW
from terminal.member.trust import TrustList

HOTLIST_DAYS: Final = 7
"""Age in days from which a hotlist is too old, where a counter has no other policy."""
CLOCK_TOLERANCE: Final = timedelta(days=1)
"""How far a clock may go back: the corrections of a time service, and a clock that was set to another zone."""


class HotlistState(StrEnum):
    """Whether a hotlist shows the cards that were reported until now. Its entries count in every state."""

    CURRENT = "current"
    TOO_OLD = "too old"
    """In force, but older than the counter's policy allows."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    """Issued in the future: the clock of the counter, or of the issuer, is wrong."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """What a counter demands of its lists. ``oldest`` is the highest age of a hotlist; ``clock_seen`` the latest time
    that this counter has seen, which its clock must not fall behind."""

    oldest: timedelta = timedelta(days=HOTLIST_DAYS)
    clock_seen: datetime | None = None

    def state(self, hotlist: Hotlist | None, at: datetime) -> HotlistState:
        """The state of a hotlist at that time."""
        if hotlist is None:
            return HotlistState.MISSING
        if at < hotlist.issue.issued - SKEW:
            return HotlistState.NOT_YET_VALID
        if at > hotlist.issue.expires:
            return HotlistState.EXPIRED
        return HotlistState.TOO_OLD if hotlist.age(at) > self.oldest else HotlistState.CURRENT

    def clock_behind(self, at: datetime) -> bool:
        """Whether the clock was set back: cards and lists that are over would look valid."""
        return self.clock_seen is not None and at < self.clock_seen - CLOCK_TOLERANCE


@dataclass(frozen=True, slots=True)
class CounterLists:
    """Trust list and hotlist of a counter. ``hotlist`` is None where there is none. ``live`` is False for a stored copy
    that is used in place of the source of the lists; ``fault`` then says in a sentence why, where that is known."""

    trust: TrustList
    hotlist: Hotlist | None
    live: bool = True
    policy: ListPolicy = ListPolicy()
    fault: str = ""
