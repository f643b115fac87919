"""The lists that a counter judges cards by."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.member.hotlist import Hotlist
from terminal.member.trust import TrustList


@dataclass(frozen=True, slots=True)
class CounterLists:
    """Trust list and hotlist of a counter. ``hotlist`` is None where there is none. ``live`` is False for a stored copy
    that stands in because the source of the lists is away."""

    trust: TrustList
    hotlist: Hotlist | None
    live: bool = True
