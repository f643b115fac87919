"""Cards that leave machines: one at a time in each machine, each in one bin, and what the journal says was used."""

from __future__ import annotations

import json

import pytest

from registry.line.claims import LanePlace
from registry.line.machines import PRINT, STRIPE, UNPRINTED, LeavingCard, MachineAccount
from registry.store import Registry
from registry.values import Claim, JournalEntry, JournalEvent
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import chip, claimed, ready

PLACE = LanePlace("lane 1", "east")
OUT, REJECT = LeavingCard(chip(1), "verified", "output"), LeavingCard("", "rejected", "reject")


@pytest.fixture
def batch(registry: Registry, custody: MemoryCustody) -> str:
    return ready(registry, custody, 3)


def leaving(registry: Registry, batch: str, card: LeavingCard, machine: str = "crt") -> str:
    return registry.machine_cards.leaving(batch, PLACE, machine, card)


def test_a_card_is_in_its_bin_once_it_left(registry: Registry, batch: str) -> None:
    for _ in range(2):
        assert leaving(registry, batch, OUT) == chip(1)
        assert registry.machine_cards.accounts(batch) == [MachineAccount("east", "crt", inside=1)]
    for _ in range(2):
        registry.machine_cards.left("east", "crt")
        assert registry.machine_cards.accounts(batch) == [MachineAccount("east", "crt", output=1)]


def test_a_chip_without_a_serial_keeps_the_one_it_got_until_it_left(registry: Registry, batch: str) -> None:
    first = leaving(registry, batch, REJECT)
    assert (first[:7], leaving(registry, batch, REJECT)) == ("UNREAD-", first)
    registry.machine_cards.left("east", "crt")
    assert leaving(registry, batch, REJECT) != first
    (one,) = registry.machine_cards.accounts(batch)
    assert (one.reject, one.inside) == (1, 1)


def test_a_person_takes_a_card_whose_move_failed(registry: Registry, batch: str) -> None:
    leaving(registry, batch, OUT)
    second = LeavingCard(chip(2), "verified", "output")
    registry.machine_cards.leaving(batch, PLACE, "crt", second, by_hand=True)
    registry.machine_cards.left("east", "crt")
    leaving(registry, batch, LeavingCard(chip(3), "aside", "reject"))
    registry.machine_cards.left("east", "crt", by_hand=True)
    assert registry.machine_cards.accounts(batch) == [MachineAccount("east", "crt", output=1, taken_out=2)]


def test_another_card_in_the_machine_means_that_the_first_one_is_in_its_bin(registry: Registry, batch: str) -> None:
    """Its move was executed, and the power failed, or the answer was lost, before that was on record."""
    leaving(registry, batch, OUT)
    assert leaving(registry, batch, REJECT) == leaving(registry, batch, REJECT)
    leaving(registry, batch, LeavingCard(chip(3), "verified", "output"))
    assert registry.machine_cards.accounts(batch) == [MachineAccount("east", "crt", output=1, reject=1, inside=1)]


def test_machines_of_one_name_at_two_stations_are_two(registry: Registry, batch: str) -> None:
    leaving(registry, batch, OUT)
    registry.machine_cards.leaving(batch, LanePlace("lane 1", "west"), "crt", LeavingCard(chip(2), "known", "output"))
    registry.machine_cards.left("west", "crt")
    accounts = registry.machine_cards.accounts(batch)
    assert accounts == [MachineAccount("east", "crt", inside=1), MachineAccount("west", "crt", output=1)]


def used(**use: object) -> str:
    return json.dumps({"machine": "printer"} | use)


def note(registry: Registry, claim: Claim, step: str, event: JournalEvent, detail: str = "") -> None:
    registry.line.journal(claim, JournalEntry(step, event, detail))


def test_stripes_prints_and_ribbon_are_counted_from_the_journal(registry: Registry, batch: str) -> None:
    intent, done = JournalEvent.INTENT, JournalEvent.DONE
    first, second, third = (claimed(registry, batch, number) for number in (1, 2, 3))
    note(registry, first, STRIPE, intent)
    note(registry, first, STRIPE, done, used())
    note(registry, first, STRIPE, done)  # it was written before
    note(registry, first, PRINT, intent, used(ribbon="ymcko", sides=2))
    note(registry, first, PRINT, done)
    note(registry, second, PRINT, intent, used(ribbon="k", sides=1))
    note(registry, second, PRINT, done, UNPRINTED)
    assert registry.line.last_entry(second, PRINT) == JournalEntry(PRINT, done, UNPRINTED)
    note(registry, second, PRINT, intent, used(ribbon="ymcko", sides=1))
    note(registry, second, PRINT, JournalEvent.FAULT, "no power")
    assert registry.line.last_entry(second, PRINT) == JournalEntry(PRINT, intent, used(ribbon="ymcko", sides=1))
    assert registry.line.last_entry(third, PRINT) is None
    (one,) = registry.machine_cards.accounts(batch)
    assert (one.machine, one.stripes, one.prints, one.ribbon) == ("printer", 1, 2, {"ymcko": 3})
