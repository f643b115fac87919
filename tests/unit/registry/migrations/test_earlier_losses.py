"""A registry from before losses had rows: its lost cards have them, and the events of its members stay."""

from __future__ import annotations

from registry.db.database import Database
from registry.members.amendments import NewData
from registry.migrations import migrate
from registry.store import Registry
from registry.values import CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, carded, unlist

OTHER = "唐山市总工会"


def test_lost_cards_of_an_earlier_registry_are_losses_that_can_be_unlisted(
    url: str, custody: MemoryCustody, clock: SetClock
) -> None:
    with Registry.open(url, custody, clock=clock) as registry:
        lost, replaced, active = carded(registry, custody, 3)
        registry.members.transfer(active.member_id, OTHER, by="李", reason="调动")
        registry.cards.change(lost.card_number, "lost", "前台", "挂失", place="网点 7")
        registry.cards.replace(replaced.card_number, by="前台", reason="丢了", because="lost")
        before = registry.members.history(active.member_id)
    database = Database(url)
    migrate.downgrade(database, "0010")
    database.close()
    with Registry.open(url, custody, clock=clock) as registry:
        losses = registry.losses.page().items
        assert [(one.card_number, one.by, one.reason, one.place) for one in losses] == [
            (replaced.card_number, "前台", "丢了", ""),
            (lost.card_number, "前台", "挂失", "网点 7"),
        ]
        assert unlist(registry, losses[1].number).card_state is CardState.VERIFIED
        assert unlist(registry, losses[0].number).card_state is CardState.VERIFIED
        assert registry.hotlist.entries() == []
        assert registry.members.history(active.member_id) == before
        number = registry.amendments.request(
            active.member_id, NewData(mobile="13977778888"), by="李", reason="x", new_card=False
        ).number
        registry.amendments.approve(number, by="王")
        assert [event.event for event in registry.members.history(active.member_id)][-1] == "amended"
