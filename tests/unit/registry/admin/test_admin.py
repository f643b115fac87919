"""Papers and lists of the office: originals, reviews, editions of the hotlist, names of readers, the schedule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from registry.admin.audit import AuditFilter
from registry.admin.plans import UnitPlan
from registry.batches.originals import Original
from registry.batches.reviews import ReviewStep
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.hotlist import Edition
from registry.members.verdicts import VerdictNote
from registry.store import Registry
from registry.values import HotlistEntry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, SetClock, claimed, prepare, ready, rows

FORM = Original("欧阳一家.xlsx", b"PK\x03\x04" + bytes(range(256)) * 40)


def draft(registry: Registry, digest: str = "d") -> str:
    return registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest=digest, by="张", original=FORM).id


def test_the_uploaded_form_is_kept_sealed_and_goes_with_its_batch(
    registry: Registry, custody: MemoryCustody, url: str
) -> None:
    given_up = draft(registry)
    kept = registry.originals.of(given_up)
    assert (kept.filename, kept.content) == (FORM.filename, FORM.content)
    assert "欧阳" not in repr(kept)
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        assert all("欧阳一家".encode() not in path.read_bytes() for path in folder.iterdir())
    registry.batches.discard(given_up, "张")
    with pytest.raises(NotOnRecord, match=f"no uploaded form is kept for batch {given_up}"):
        registry.originals.of(given_up)
    batch = draft(registry)
    registry.batches.approve(batch, "李")
    prepare(registry, custody, batch)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    assert registry.originals.of(batch).content == FORM.content
    registry.batches.close(batch, "甲", "乙")
    with pytest.raises(NotOnRecord):
        registry.originals.of(batch)


def test_a_draft_goes_to_the_reviewer_and_back(registry: Registry) -> None:
    batch, other = draft(registry), registry.rosters.import_roster(UNIT, [], [], source="f", digest="d2", by="张").id
    with pytest.raises(RegistryConflict, match="is not sent"):
        registry.reviews.give_back(batch, by="李", reason="x")
    registry.reviews.submit(batch, by="张")
    with pytest.raises(RegistryConflict, match="with the reviewers already"):
        registry.reviews.submit(batch, by="张")
    with pytest.raises(RegistryConflict, match="needs a reason"):
        registry.reviews.give_back(batch, by="李", reason="")
    registry.reviews.give_back(batch, by="李", reason="第 3 行电话 13903110003 不对")
    registry.reviews.submit(batch, by="张")
    assert [(event.step, event.by, event.reason) for event in registry.reviews.of(batch)] == [
        (ReviewStep.SUBMITTED, "张", ""),
        (ReviewStep.RETURNED, "李", "第 3 行电话 ****0003 不对"),
        (ReviewStep.SUBMITTED, "张", ""),
    ]
    standing = registry.reviews.standing([batch, other])
    assert {name: event.step for name, event in standing.items()} == {batch: ReviewStep.SUBMITTED}
    registry.batches.approve(batch, "李")
    with pytest.raises(RegistryConflict, match="only a draft is reviewed"):
        registry.reviews.give_back(batch, by="李", reason="x")
    told = [row.entry.action for row in registry.audit.page(where=AuditFilter(subject=f"batch:{batch}")).items]
    assert told == ["batch.approve", "batch.submit", "batch.return", "batch.submit", "roster.import"]
    with pytest.raises(NotOnRecord):
        registry.reviews.of("B0")


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


def test_readers_have_names_of_their_own(registry: Registry) -> None:
    registry.stations.name("A", "r1", " Lane 1 ", by="王")
    registry.stations.name("A", "r2", "柜台", by="王")
    registry.stations.name("B", "r1", "柜台", by="王")
    registry.stations.name("A", "r1", "Lane 1", by="王")
    registry.stations.name("A", "r1", "Lane 2", by="王")
    assert registry.stations.names("A") == {"r1": "Lane 2", "r2": "柜台"}
    with pytest.raises(RegistryConflict, match="another reader of this station is called 柜台"):
        registry.stations.name("A", "r1", "柜台", by="王")
    for bad in ("", " ", "x" * 41, "a\x1b[0m"):
        with pytest.raises(RegistryConflict, match="1 to 40 printable"):
            registry.stations.name("A", "r1", bad, by="王")
    registry.stations.forget("A", "r1", by="王")
    assert registry.stations.names("A") == {"r2": "柜台"}
    with pytest.raises(NotOnRecord):
        registry.stations.forget("A", "r1", by="王")


def test_verdicts_tell_no_card(registry: Registry, clock: SetClock) -> None:
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


def test_the_schedule_is_put_and_changed(registry: Registry) -> None:
    first = UnitPlan(UNIT, "第一组", 500, date(2026, 12, 20))
    second = UnitPlan("唐山市总工会", "第二组", 300, date(2026, 12, 10))
    registry.plans.put([first, second], by="王")
    assert registry.plans.all() == [second, first]
    later = UnitPlan(UNIT, "第二组", 600, date(2027, 1, 5))
    registry.plans.put([later], by="王")
    registry.plans.remove("唐山市总工会", by="王")
    assert registry.plans.all() == [later]
    with pytest.raises(NotOnRecord, match="no plan for 唐山市总工会"):
        registry.plans.remove("唐山市总工会", by="王")
    for bad in (UnitPlan(" ", "", 1, date(2027, 1, 1)), UnitPlan("u", "", 0, date(2027, 1, 1))):
        with pytest.raises(RegistryConflict, match="at least one card"):
            registry.plans.put([later, bad], by="王")
    registry.plans.put([], by="王")
    told = [(row.entry.action, row.entry.subject, row.entry.facts) for row in registry.audit.page().items]
    assert told == [
        ("plan.remove", "unit:唐山市总工会", {}),
        ("plan.set", f"unit:{UNIT}", {"units": 1, "planned": 600}),
        ("plan.set", "schedule", {"units": 2, "planned": 800}),
    ]
