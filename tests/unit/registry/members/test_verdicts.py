"""Verdicts of counters, which do not name the card."""

from __future__ import annotations

from registry.members.verdicts import VerdictNote
from registry.store import Registry
from tests.support.registry.registrar import SetClock


def test_verdicts_do_not_name_the_card(registry: Registry, clock: SetClock) -> None:
    number = "6212260000000000012"
    registry.verdicts.note()
    registry.verdicts.note(
        VerdictNote(clock.now, "A", "r1", "ACTIVE", 0.4, number),
        VerdictNote(clock.now, "A", "r1", "ACTIVE", 0.3, number),
        VerdictNote(clock.now, "B", "r1", "CARD_FAULT", 0.1),
    )
    last, second, first = registry.verdicts.page().items
    assert (last.code, last.card, last.station) == ("CARD_FAULT", "", "B")
    assert first.card == second.card
    assert len(first.card) == 16
    assert number not in first.card
    assert number not in repr(VerdictNote(clock.now, "A", "r1", "ACTIVE", 0.4, number))
    page = registry.verdicts.page(limit=1, station="A")
    assert [line.seconds for line in (*page.items, *registry.verdicts.page(page.next, station="A").items)] == [0.3, 0.4]
