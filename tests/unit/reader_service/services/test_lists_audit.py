"""Lists that counters fetch, and the audit that is proven."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, timedelta

import pytest

from personalize.lists import public_key
from programme.editions import ProgrammeEdition
from programme.programme import example
from programme.publishing import propose, publish
from reader_service.errors import Forbidden, Invalid, NotFound
from reader_service.services.administration.audit import AuditService
from reader_service.services.counter.lists import ListService
from registry.admin.audit import AuditFilter
from registry.values import CardState
from terminal.crypto.rsa import RsaPublic
from terminal.errors import CodecError, IntegrityError
from terminal.member.hotlist import Hotlist, patched
from terminal.member.trust import TrustList
from tests.support.issuer import custody
from tests.support.paths import ROOT
from tests.support.service.registry_rig import AUDITOR, CLERK, COUNTER, NOBODY, OPERATOR, RegistryRig, at, carded


@pytest.fixture
def service(rig: RegistryRig) -> ListService:
    return ListService(rig.parts, rig.bus)


EXAMPLES = ROOT / "programme" / "examples"


def key() -> RsaPublic:
    return public_key(custody().info(custody().latest("list-signer")))


def test_an_edition_is_signed_versioned_and_published(rig: RegistryRig, service: ListService) -> None:
    with pytest.raises(NotFound, match="no hotlist was published"):
        service.hotlist(COUNTER)
    _, numbers = carded(rig.registry, 2)
    at(rig.registry, numbers[0], CardState.LOST)
    edition = service.publish(CLERK)
    fetched = service.hotlist(COUNTER)
    hotlist = Hotlist.load(fetched.content, key(), at=rig.clock.now, at_least=edition.version)
    assert (hotlist.version, list(hotlist.cards)) == (edition.version, [(numbers[0], 1)])
    assert fetched.etag == service.hotlist(COUNTER, edition.version).etag
    (event,) = rig.bus.of("hotlist.published")
    assert event.data == {"version": edition.version, "entries": 1, "by": "李娜"}
    assert service.publish(CLERK).version == edition.version + 1
    assert [line.version for line in service.page(COUNTER).items] == [edition.version + 1, edition.version]
    assert service.hotlist(COUNTER).etag != fetched.etag


def test_a_service_publishes_again_what_counters_fetch(rig: RegistryRig, service: ListService) -> None:
    _, numbers = carded(rig.registry, 2)
    at(rig.registry, numbers[0], CardState.LOST)
    assert service.renew() is None, "nobody has published it before"
    first = service.publish(CLERK)
    assert service.renew() is None
    at(rig.registry, numbers[1], CardState.WITHDRAWN)
    changed = service.renew()
    assert changed is not None
    assert (changed.by, changed.entries, changed.version > first.version) == ("registry", 2, True)
    assert service.renew() is None
    rig.clock.forward(timedelta(hours=23))
    assert service.renew() is None
    rig.clock.forward(timedelta(hours=1))
    daily = service.renew()
    assert daily is not None
    assert Hotlist.load(service.hotlist(COUNTER).content, key()).issue.issued == rig.clock.now
    assert [event.data["by"] for event in rig.bus.of("hotlist.published")] == ["李娜", "registry", "registry"]


def test_the_newest_programme_is_fetched_as_it_was_published(rig: RegistryRig, service: ListService) -> None:
    with pytest.raises(NotFound, match="no programme was published"):
        service.programme(COUNTER)
    keys, signer = custody(), custody().latest("list-signer")
    for name in ("hebei", "beijing"):
        file = example(name)
        content = (EXAMPLES / f"{name}.yaml").read_text("utf-8")
        number = propose(rig.registry, file, content, by="王芳").number
        edition = publish(rig.registry, number, key(), lambda message: keys.sign(signer, message), by="李娜", zone=UTC)
    fetched = service.programme(COUNTER)
    read = ProgrammeEdition.load(fetched.content, key(), at=rig.clock.now, at_least=edition.version)
    assert (read.programme.programme, read.issue.version) == ("beijing", fetched.version)
    with pytest.raises(Forbidden):
        service.programme(NOBODY)


def test_a_difference_makes_the_signed_edition(rig: RegistryRig, service: ListService) -> None:
    _, numbers = carded(rig.registry, 4)
    at(rig.registry, numbers[0], CardState.PACKED, CardState.DELIVERED, CardState.ACTIVE, CardState.SUSPENDED)
    at(rig.registry, numbers[1], CardState.LOST)
    old = service.publish(CLERK)
    at(rig.registry, numbers[0], CardState.ACTIVE)
    at(rig.registry, numbers[2], CardState.WITHDRAWN)
    rig.clock.forward(timedelta(hours=1))
    service.publish(CLERK)
    at(rig.registry, numbers[3], CardState.DAMAGED)
    new = service.publish(CLERK)

    delta = json.loads(json.dumps(asdict(service.delta(COUNTER, old.version)), default=str))
    assert [card["card_number"] for card in delta["added"]] == [numbers[2], numbers[3]]
    assert delta["removed"] == [[numbers[0], 1]]
    assert patched(old.signed, delta) == new.signed
    forged = delta | {"removed": [*delta["removed"], [numbers[1], 1]]}
    with pytest.raises(IntegrityError):
        Hotlist.load(patched(old.signed, forged), key())
    for bad in (delta | {"since": 1}, delta | {"removed": [["1", 1]]}, {}):
        with pytest.raises(CodecError):
            patched(old.signed, bad)
    assert service.delta(COUNTER, new.version).added == ()
    with pytest.raises(NotFound, match="fetch the whole list"):
        service.delta(COUNTER, 5)


def test_a_card_that_came_and_went_between_two_editions_is_in_no_difference(
    rig: RegistryRig, service: ListService
) -> None:
    _, (number, other) = carded(rig.registry, 2)
    at(rig.registry, number, CardState.PACKED, CardState.DELIVERED, CardState.ACTIVE)
    old = service.publish(CLERK)
    at(rig.registry, number, CardState.SUSPENDED)
    service.publish(CLERK)
    at(rig.registry, number, CardState.ACTIVE)
    at(rig.registry, other, CardState.LOST)
    new = service.publish(CLERK)
    delta = service.delta(COUNTER, old.version)
    assert ([card.card_number for card in delta.added], delta.removed) == ([other], ())
    assert patched(old.signed, json.loads(json.dumps(asdict(delta), default=str))) == new.signed


def test_the_trust_list_stays_the_same_until_its_time_comes(rig: RegistryRig, service: ListService) -> None:
    first = service.trust(COUNTER)
    assert TrustList.load(first.content, key(), at=rig.clock.now).knows(bytes.fromhex("F04D454D42"))
    rig.clock.forward(timedelta(days=29))
    assert service.trust(COUNTER).etag == first.etag
    rig.clock.forward(timedelta(days=2))
    assert service.trust(COUNTER).version > first.version
    assert service.key(COUNTER) == {"n": f"{key().n:x}", "e": key().e}


def test_lists_are_for_those_who_judge_by_them(service: ListService) -> None:
    for call in (
        lambda: service.publish(OPERATOR),
        lambda: service.page(NOBODY),
        lambda: service.hotlist(NOBODY),
        lambda: service.delta(NOBODY, 1),
        lambda: service.trust(NOBODY),
        lambda: service.key(NOBODY),
    ):
        with pytest.raises(Forbidden):
            call()


def test_the_audit_is_filtered_and_proven(rig: RegistryRig) -> None:
    service = AuditService(rig.parts, rig.bus)
    batch_id, _ = carded(rig.registry, 2)
    first = service.page(AUDITOR, None, 3)
    rest = service.page(AUDITOR, first.next, 100)
    numbers = [row.number for row in (*first.items, *rest.items)]
    assert numbers == list(range(len(numbers), 0, -1))
    about = service.page(AUDITOR, where=AuditFilter(action="batch.", subject=f"batch:{batch_id}"))
    assert [row.entry.action for row in about.items] == ["batch.prepare", "batch.approve"]
    report = service.verify(AUDITOR)
    assert (report.whole, report.rows, rig.bus.events) == (True, len(numbers), [])
    assert service.verify(AUDITOR, (report.last_number, report.last_hash)).whole
    assert not service.verify(AUDITOR, (report.last_number, "0" * 64)).whole
    assert rig.bus.events[-1].data == {"code": "audit-chain-broken", "breaks": 1}
    for bad in ("", "g" * 64, "0" * 63):
        with pytest.raises(Invalid):
            service.verify(AUDITOR, (1, bad))
    for call in (lambda: service.page(CLERK), lambda: service.verify(OPERATOR)):
        with pytest.raises(Forbidden):
            call()
