"""Lists that counters fetch, and the audit that is proven."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta

import pytest

from personalize.lists import public_key
from reader_service.errors import Forbidden, Invalid, NotFound
from reader_service.services.audit import AuditService
from reader_service.services.lists import ListService
from registry.admin.audit import AuditFilter
from registry.values import CardState
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, IntegrityError
from terminal.member.hotlist import Hotlist, patched
from terminal.member.trust import TrustList
from tests.support.issuer import custody
from tests.support.service.registry_rig import AUDITOR, CLERK, COUNTER, NOBODY, OPERATOR, RegistryRig, at, carded


@pytest.fixture
def desk(office: RegistryRig) -> ListService:
    return ListService(office.parts, office.bus)


def key() -> RsaPublic:
    return public_key(custody().info(custody().latest("list-signer")))


def test_an_edition_is_signed_versioned_and_told(office: RegistryRig, desk: ListService) -> None:
    with pytest.raises(NotFound, match="no hotlist was published"):
        desk.hotlist(COUNTER)
    _, numbers = carded(office.registry, 2)
    at(office.registry, numbers[0], CardState.LOST)
    edition = desk.publish(CLERK)
    found = desk.hotlist(COUNTER)
    hotlist = Hotlist.load(found.content, key(), at=office.clock.now, at_least=edition.version)
    assert (hotlist.version, list(hotlist.cards)) == (edition.version, [(numbers[0], 1)])
    assert found.etag == desk.hotlist(COUNTER, edition.version).etag
    (event,) = office.bus.of("hotlist.published")
    assert event.data == {"version": edition.version, "entries": 1, "by": "李娜"}
    assert desk.publish(CLERK).version == edition.version + 1
    assert [line.version for line in desk.page(COUNTER).items] == [edition.version + 1, edition.version]
    assert desk.hotlist(COUNTER).etag != found.etag


def test_a_difference_makes_the_signed_edition(office: RegistryRig, desk: ListService) -> None:
    _, numbers = carded(office.registry, 4)
    at(office.registry, numbers[0], CardState.PACKED, CardState.DELIVERED, CardState.ACTIVE, CardState.SUSPENDED)
    at(office.registry, numbers[1], CardState.LOST)
    old = desk.publish(CLERK)
    at(office.registry, numbers[0], CardState.ACTIVE)
    at(office.registry, numbers[2], CardState.WITHDRAWN)
    office.clock.forward(timedelta(hours=1))
    desk.publish(CLERK)
    at(office.registry, numbers[3], CardState.DAMAGED)
    new = desk.publish(CLERK)

    delta = json.loads(json.dumps(asdict(desk.delta(COUNTER, old.version)), default=str))
    assert [card["card_number"] for card in delta["added"]] == [numbers[2], numbers[3]]
    assert delta["removed"] == [[numbers[0], 1]]
    assert patched(old.signed, delta) == new.signed
    forged = delta | {"removed": [*delta["removed"], [numbers[1], 1]]}
    with pytest.raises(IntegrityError):
        Hotlist.load(patched(old.signed, forged), key())
    for bad in (delta | {"since": 1}, delta | {"removed": [["1", 1]]}, {}):
        with pytest.raises(CodecError):
            patched(old.signed, bad)
    assert desk.delta(COUNTER, new.version).added == ()
    with pytest.raises(NotFound, match="fetch the whole list"):
        desk.delta(COUNTER, 5)


def test_a_card_that_came_and_went_between_two_editions_is_in_no_difference(
    office: RegistryRig, desk: ListService
) -> None:
    _, (number, other) = carded(office.registry, 2)
    at(office.registry, number, CardState.PACKED, CardState.DELIVERED, CardState.ACTIVE)
    old = desk.publish(CLERK)
    at(office.registry, number, CardState.SUSPENDED)
    desk.publish(CLERK)
    at(office.registry, number, CardState.ACTIVE)
    at(office.registry, other, CardState.LOST)
    new = desk.publish(CLERK)
    delta = desk.delta(COUNTER, old.version)
    assert ([card.card_number for card in delta.added], delta.removed) == ([other], ())
    assert patched(old.signed, json.loads(json.dumps(asdict(delta), default=str))) == new.signed


def test_the_trust_list_stays_the_same_until_its_time_comes(office: RegistryRig, desk: ListService) -> None:
    first = desk.trust(COUNTER)
    assert TrustList.load(first.content, key(), at=office.clock.now).knows(bytes.fromhex("F04D454D42"))
    office.clock.forward(timedelta(days=29))
    assert desk.trust(COUNTER).etag == first.etag
    office.clock.forward(timedelta(days=2))
    assert desk.trust(COUNTER).version > first.version
    assert desk.key(COUNTER) == {"n": f"{key().n:x}", "e": key().e}


def test_lists_are_for_those_who_judge_by_them(desk: ListService) -> None:
    for call in (
        lambda: desk.publish(OPERATOR),
        lambda: desk.page(NOBODY),
        lambda: desk.hotlist(NOBODY),
        lambda: desk.delta(NOBODY, 1),
        lambda: desk.trust(NOBODY),
        lambda: desk.key(NOBODY),
    ):
        with pytest.raises(Forbidden):
            call()


def test_the_audit_is_filtered_and_proven(office: RegistryRig) -> None:
    desk = AuditService(office.parts, office.bus)
    batch_id, _ = carded(office.registry, 2)
    first = desk.page(AUDITOR, None, 3)
    rest = desk.page(AUDITOR, first.next, 100)
    numbers = [row.number for row in (*first.items, *rest.items)]
    assert numbers == list(range(len(numbers), 0, -1))
    about = desk.page(AUDITOR, where=AuditFilter(action="batch.", subject=f"batch:{batch_id}"))
    assert [row.entry.action for row in about.items] == ["batch.prepare", "batch.approve"]
    report = desk.verify(AUDITOR)
    assert (report.whole, report.rows, office.bus.events) == (True, len(numbers), [])
    assert desk.verify(AUDITOR, (report.last_number, report.last_hash)).whole
    assert not desk.verify(AUDITOR, (report.last_number, "0" * 64)).whole
    assert office.bus.events[-1].data == {"code": "audit-chain-broken", "breaks": 1}
    for bad in ("", "g" * 64, "0" * 63):
        with pytest.raises(Invalid):
            desk.verify(AUDITOR, (1, bad))
    for call in (lambda: desk.page(CLERK), lambda: desk.verify(OPERATOR)):
        with pytest.raises(Forbidden):
            call()
