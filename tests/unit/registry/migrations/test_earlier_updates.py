"""A registry from before uses were given back on chips: its wanted changes stay, and keep their numbers."""

from __future__ import annotations

from datetime import date

from registry.db.database import Database
from registry.members.credits import credit_of
from registry.members.wanted import UpdateKind
from registry.migrations import migrate
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, carded

CREDIT = {UpdateKind.CREDIT: credit_of("0101", 2, date(2026, 1, 1))}


def test_changes_of_an_earlier_registry_stay_beside_credits(url: str, custody: MemoryCustody, clock: SetClock) -> None:
    with Registry.open(url, custody, clock=clock) as registry:
        (card,) = carded(registry, custody, 1)
        for wanted in ({UpdateKind.VALIDITY: b"\x36\x12\x31"}, {UpdateKind.COVER: b"\x28\x06\x30"}, CREDIT):
            registry.updates.want(card.card_number, wanted, by="会籍科", reason="续期")
        before = registry.updates.of_card(card.card_number, card.sequence)[:2]
    database = Database(url)
    migrate.downgrade(database, "0022")
    database.close()
    with Registry.open(url, custody, clock=clock) as registry:
        assert registry.updates.of_card(card.card_number, card.sequence) == before
        for wanted in (CREDIT, CREDIT, {UpdateKind.COVER: b"\x29\x06\x30"}):
            registry.updates.want(card.card_number, wanted, by="会籍科", reason="退回")
        pending = registry.updates.pending(card.card_number, card.sequence)
        assert [one.kind.value for one in pending] == ["validity", "credit", "credit", "cover"]
        assert min(one.id for one in pending[1:]) > before[-1].id
