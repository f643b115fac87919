"""The batch service: batches prepared in the background, reported, and closed by two people."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from personalize.errors import KeyPoolError
from reader_service.errors import Conflict, Forbidden, Invalid, NotFound, OwnWork, Unavailable
from reader_service.principal import Principal, Role
from reader_service.services.issuing.batches import SIGNATURE_LASTS, BatchService
from reader_service.services.issuing.preparations import Preparation
from registry.values import BatchState
from tests.support.issuer import custody
from tests.support.registry.registrar import LEASE, UNIT, approved, chip, claimed, prepare, ready, rows
from tests.support.service.registry_rig import (
    AUDITOR,
    CLERK,
    COUNTER,
    OPERATOR,
    REVIEWER,
    RegistryRig,
    carded,
    last_audit_entry,
)
from tests.support.waiting import PATIENCE


@pytest.fixture
def service(rig: RegistryRig) -> BatchService:
    return BatchService(rig.parts, rig.bus)


def wait(service: BatchService, batch_id: str) -> Preparation:
    while (preparation := service.preparation(OPERATOR, batch_id)) is None or preparation.state == "running":
        time.sleep(0.01)
    return preparation


def ended(service: BatchService, batch_id: str) -> Preparation:
    service.close()
    preparation = service.preparation(AUDITOR, batch_id)
    assert preparation is not None
    return preparation


def test_dossiers_are_prepared_in_the_background_and_each_step_is_published(
    rig: RegistryRig, service: BatchService
) -> None:
    batch_id = approved(rig.registry, rows(3))
    begun = service.prepare(OPERATOR, batch_id)
    assert (begun.state, begun.made, begun.total, begun.by) == ("running", 0, 3, "op")
    rig.line.began.wait(PATIENCE)
    wait(service, batch_id)
    done = ended(service, batch_id)
    assert (done.state, done.made, done.fault, done.ended_at) == ("done", 3, "", rig.clock.now)
    assert service.show(AUDITOR, batch_id).batch.state is BatchState.PREPARED
    published = [event.data["preparation"] for event in rig.bus.of("batch.changed")]
    assert [(one["state"], one["made"]) for one in published] == [("running", 0), ("running", 3), ("done", 3)]  # type: ignore[index]
    published = [row.entry for row in rig.registry.audit.page(None, 2).items]
    assert [(entry.actor, entry.action) for entry in published] == [("op", "batch.prepare")] * 2


def test_a_batch_is_prepared_once_at_a_time(rig: RegistryRig, service: BatchService) -> None:
    batch_id = approved(rig.registry, rows(1))
    rig.line.hold.clear()
    service.prepare(OPERATOR, batch_id)
    with pytest.raises(Conflict, match="already, for op"):
        service.prepare(OPERATOR, batch_id)
    assert rig.line.began.wait(PATIENCE)
    rig.line.hold.set()
    assert ended(service, batch_id).state in ("done", "failed")
    assert rig.line.calls == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (KeyPoolError("the pool of chip keys cannot be read"), "cannot be read"),
        (RuntimeError("130102"), "the log says"),
    ],
)
def test_a_preparation_that_fails_says_why_and_may_be_tried_again(
    fault: Exception, words: str, rig: RegistryRig, service: BatchService
) -> None:
    batch_id = approved(rig.registry, rows(1))
    rig.line.fault = fault
    service.prepare(OPERATOR, batch_id)
    preparation = wait(service, batch_id)
    assert (preparation.state, words in preparation.fault, "130102" in preparation.fault) == ("failed", True, False)
    rig.line.fault = None
    assert service.prepare(OPERATOR, batch_id).state == "running"
    assert ended(service, batch_id).made in (0, 1)


def test_a_preparation_ends_with_the_service(rig: RegistryRig, service: BatchService) -> None:
    batch_id = approved(rig.registry, rows(1))
    rig.line.hold.clear()
    service.prepare(OPERATOR, batch_id)
    rig.line.began.wait(PATIENCE)
    service._preparations._stopping = True
    rig.line.hold.set()
    preparation = ended(service, batch_id)
    assert (preparation.state, "prepare the batch again" in preparation.fault) == ("failed", True)
    with pytest.raises(Unavailable):
        service.prepare(OPERATOR, batch_id)


def test_only_approved_batches_are_prepared(rig: RegistryRig, service: BatchService) -> None:
    draft = rig.registry.rosters.import_roster(UNIT, rows(1), [], source="f.xlsx", digest="x", by="李娜")
    with pytest.raises(Conflict, match="is draft"):
        service.prepare(OPERATOR, draft.id)
    with pytest.raises(NotFound):
        service.prepare(OPERATOR, "B20261122-999")
    assert rig.line.calls == 0


def test_batches_come_in_pages_newest_first_and_with_their_review(rig: RegistryRig, service: BatchService) -> None:
    batches = []
    for number in range(3):
        batch = rig.registry.rosters.import_roster(
            UNIT, rows(1, number + 1), [], source="f", digest=f"{number}", by="李娜"
        )
        batches.append(batch.id)
        rig.clock.forward(timedelta(seconds=1))
    rig.registry.reviews.submit(batches[2], by="李娜")
    first = service.page(REVIEWER, None, 2)
    rest = service.page(REVIEWER, first.next, 2)
    assert [batch.id for batch in (*first.items, *rest.items)] == batches[::-1]
    assert service.page(REVIEWER, unit="另一个单位").items == ()
    assert {key: event.step for key, event in service.standing(REVIEWER, batches).items()} == {batches[2]: "submitted"}
    view = service.show(REVIEWER, batches[2])
    assert (view.review and view.review.by, view.signed_by, view.preparation) == ("李娜", None, None)


def test_two_people_close_a_batch(rig: RegistryRig, service: BatchService) -> None:
    batch_id, _ = carded(rig.registry, 2)
    view = service.close_batch(OPERATOR, batch_id)
    assert (view.batch.state, view.signed_by) == (BatchState.DONE, "op")
    with pytest.raises(OwnWork):
        service.close_batch(Principal("OP", frozenset({Role.OPERATOR})), batch_id)
    other = BatchService(rig.parts, rig.bus)  # another service on the same database
    closed = other.close_batch(REVIEWER, batch_id)
    assert (closed.batch.state, closed.batch.closed_by, closed.signed_by) == (BatchState.CLOSED, ("op", "王芳"), None)
    assert last_audit_entry(rig.registry)[:2] == ("op", "batch.close")
    with pytest.raises(Conflict, match="is closed"):
        service.close_batch(REVIEWER, batch_id)


def test_a_signature_lasts_a_day_and_tokens_do_not_sign(rig: RegistryRig, service: BatchService) -> None:
    batch_id, _ = carded(rig.registry, 1)
    with pytest.raises(Forbidden, match="a token is none"):
        service.close_batch(Principal("till (token 1)", frozenset({Role.OPERATOR}), "till"), batch_id)
    service.close_batch(OPERATOR, batch_id)
    rig.clock.forward(SIGNATURE_LASTS + timedelta(seconds=1))
    assert service.show(REVIEWER, batch_id).signed_by is None
    assert service.close_batch(REVIEWER, batch_id).signed_by == "王芳"


def test_a_batch_that_is_not_done_is_not_closed(rig: RegistryRig, service: BatchService) -> None:
    batch_id = ready(rig.registry, custody(), 1)
    with pytest.raises(Conflict, match="is prepared"):
        service.close_batch(OPERATOR, batch_id)


def test_the_report_is_one_page_without_personal_data(rig: RegistryRig, service: BatchService) -> None:
    batch_id, numbers = carded(rig.registry, 2)
    page = service.report_html(AUDITOR, batch_id)
    assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype html")
    assert batch_id in page
    assert not any(text in page for text in ("13010219800101", "1390311", "欧阳001"))
    report = service.report(AUDITOR, batch_id)
    assert ([card.card_number for card in report.cards], report.accounts.balanced) == (numbers, True)


def test_rejects_and_lost_chips(rig: RegistryRig, service: BatchService) -> None:
    batch_id = approved(rig.registry, rows(3))
    prepare(rig.registry, custody(), batch_id)
    for number in (1, 2):
        rig.registry.line.reject(claimed(rig.registry, batch_id, number), "no answer", "select", "B")
    claimed(rig.registry, batch_id, 3)
    first = service.rejects(OPERATOR, batch_id, None, 1)
    rest = service.rejects(OPERATOR, batch_id, first.next, 5)
    assert [one.chip_serial for one in (*first.items, *rest.items)] == [chip(1), chip(2)]
    assert [one.chip_serial for one in service.bound(OPERATOR, batch_id)] == [chip(3)]
    with pytest.raises(Conflict):
        service.release_missing(OPERATOR, batch_id, chip(3), "lost")
    rig.clock.forward(LEASE + timedelta(seconds=1))
    with pytest.raises(Invalid):
        service.release_missing(OPERATOR, batch_id, chip(3), "")
    service.release_missing(OPERATOR, batch_id, chip(3), "fell behind the machine")
    assert last_audit_entry(rig.registry)[1:] == ("chip.missing", f"chip:{chip(3)}", "fell behind the machine")
    for cursor in ("nonsense", "WzVd"):
        with pytest.raises(Invalid):
            service.rejects(OPERATOR, batch_id, cursor)


def test_every_method_asks_who_it_is(service: BatchService) -> None:
    for call in (
        lambda: service.page(COUNTER),
        lambda: service.standing(COUNTER, []),
        lambda: service.show(COUNTER, "B"),
        lambda: service.prepare(CLERK, "B"),
        lambda: service.preparation(COUNTER, "B"),
        lambda: service.report(COUNTER, "B"),
        lambda: service.report_html(COUNTER, "B"),
        lambda: service.rejects(COUNTER, "B"),
        lambda: service.bound(COUNTER, "B"),
        lambda: service.release_missing(CLERK, "B", "1", "why"),
        lambda: service.stock(COUNTER),
        lambda: service.close_batch(CLERK, "B"),
    ):
        with pytest.raises(Forbidden):
            call()
