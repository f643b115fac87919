"""Signed editions of the hotlist, and the difference between two of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.members.hotlist import Edition
from registry.store import Registry
from registry.values import HotlistEntry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import SetClock, claimed, ready


def sign(version: int, at: datetime, entries: Sequence[HotlistEntry]) -> bytes:
    return json.dumps([version, at.isoformat(), [[*entry[:3]] for entry in entries]]).encode()


def listed(edition: Edition) -> set[tuple[str, int, str]]:
    return {tuple(entry) for entry in json.loads(edition.signed)[2]}


def test_editions_and_what_is_between_them(registry: Registry, custody: MemoryCustody, clock: SetClock) -> None:
    batch = ready(registry, custody, 5)
    numbers = [registry.line.verified(claimed(registry, batch, n), {}, 1.0).card_number for n in range(1, 6)]

    def move(which: int, *states: str) -> None:
        for state in states:
            registry.cards.change(numbers[which], state, "前台", "x")

    assert registry.hotlist.newest() is None
    editions = [registry.hotlist.publish(sign, by="登记员")]
    assert editions[0].version == int(clock.now.timestamp())
    for number in range(4):
        move(number, "packed", "delivered", "active")
    move(0, "lost")
    move(1, "suspended")
    editions.append(registry.hotlist.publish(sign, by="登记员"))  # within the same second
    assert editions[1].version == editions[0].version + 1
    clock.forward(timedelta(hours=1))
    move(1, "active")
    move(2, "suspended")
    editions.append(registry.hotlist.publish(sign, by="登记员"))
    move(2, "lost")  # another reason
    move(3, "damaged")
    move(1, "suspended")
    editions.append(registry.hotlist.publish(sign, by="登记员"))
    editions.append(registry.hotlist.publish(sign, by="登记员"))  # nothing new: an edition all the same
    for older in editions:
        delta = registry.hotlist.delta(older.version)
        had = {entry for entry in listed(older) if entry[:2] not in delta.removed}
        new = {tuple(entry[:3]) for entry in delta.added}
        has = {entry for entry in had if entry[:2] not in {key[:2] for key in new}} | new
        assert has == listed(editions[-1])
        assert delta.version == editions[-1].version
    assert registry.hotlist.delta(editions[3].version).added == ()
    assert [entry.reason for entry in registry.hotlist.delta(editions[2].version).added] == [
        "suspended",
        "lost",
        "damaged",
    ]
    assert registry.hotlist.newest() == editions[-1] == registry.hotlist.edition(editions[-1].version)
    first = registry.hotlist.page(limit=3)
    rest = registry.hotlist.page(first.next, 3)
    assert [line.version for line in (*first.items, *rest.items)] == [edition.version for edition in editions[::-1]]
    for ask in (registry.hotlist.delta, registry.hotlist.edition):
        with pytest.raises(NotOnRecord, match="no edition 7"):
            ask(7)


def test_an_edition_that_cannot_be_signed_never_was(registry: Registry) -> None:
    def refuse(*_: object) -> bytes:
        raise RegistryConflict("no key", reason="no")

    with pytest.raises(RegistryConflict, match="no key"):
        registry.hotlist.publish(refuse, by="登记员")
    assert registry.hotlist.newest() is None
    assert registry.audit.page().items == ()


def test_editions_published_at_once_follow_each_other(registry: Registry) -> None:
    with ThreadPoolExecutor(4) as pool:
        versions = [edition.version for edition in pool.map(lambda _: registry.hotlist.publish(sign, by="x"), range(8))]
    assert sorted(versions) == list(range(min(versions), min(versions) + 8))
