"""What tests of rushes share: a rush of a few lots, members with cards, and clients that claim."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from programme.records.rush_rules import ProgrammeRushRules
from registry.rush.claims import Answer
from registry.rush.values import ClaimRequest, LotTerms, RushTerms, RushView
from registry.store import Registry
from tests.support.registry.registrar import SetClock

OPENS = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
RULES = ProgrammeRushRules()


def terms(
    *, code: str = "fair", units: Sequence[int] = (3,), most: int = 2, longest: int = 2, **changes: Any
) -> RushTerms:
    """A rush with one lot for each stock: ``lot-1``, ``lot-2``."""
    lots = tuple(LotTerms(f"lot-{place}", one, most) for place, one in enumerate(units, start=1))
    days = {"from": "2026-11-22", "through": "2026-12-31"}
    listed = {lot.code: {"name": {"zh": "场次", "en": "lot"}, "units": lot.units, "days": days} for lot in lots}
    rush = {
        "name": {"zh": "庙会", "en": "Fair"},
        "opens": "2026-11-22 10:00",
        "closes": "2026-11-23 10:00",
        "limit": most,
        "lots": listed,
    }
    conditions = changes.pop("conditions", [])
    values: dict[str, Any] = {
        "programme": "test",
        "code": code,
        "edition": 1,
        "rules": {"rush": rush, "conditions": conditions, "federation": "110000"},
        "opens": OPENS,
        "closes": OPENS + timedelta(days=1),
        "returns": OPENS + timedelta(days=2),
        "price": 1,
        "most": most,
        "longest": longest,
        "lots": lots,
    }
    return RushTerms(**(values | changes))


class Crowd:
    """Members with cards before an open rush."""

    def __init__(self, registry: Registry, cards: Sequence[str], clock: SetClock) -> None:
        self.registry, self.cards, self.clock = registry, cards, clock

    def announced(self, **values: Any) -> RushView:
        """A rush that is open now."""
        view = self.registry.rushes.announce(terms(**values), by="registrar")
        self.clock.now = OPENS
        return view

    def request(self, rush: RushView, member: int, key: str = "", lot: str = "lot-1") -> ClaimRequest:
        return ClaimRequest(key or f"client-{member}", rush.number, lot, self.cards[member], "till")

    def claim(self, rush: RushView, member: int, key: str = "", lot: str = "lot-1") -> Answer:
        return self.registry.rush_claims.claim(self.request(rush, member, key, lot), RULES)
