"""Batches at the desk: prepared in the background, reported, and closed by two people."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from personalize.errors import KeyPoolError
from reader_service.errors import Conflict, Forbidden, Invalid, NotFound, OwnWork, Unavailable
from reader_service.principal import Principal, Role
from reader_service.services.batches import SIGNATURE_LASTS, BatchService
from reader_service.services.preparations import Preparation
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
def desk(office: RegistryRig) -> BatchService:
    return BatchService(office.parts, office.bus)


def wait(desk: BatchService, batch_id: str) -> Preparation:
    while (found := desk.preparation(OPERATOR, batch_id)) is None or found.state == "running":
        time.sleep(0.01)
    return found


def ended(desk: BatchService, batch_id: str) -> Preparation:
    desk.close()
    found = desk.preparation(AUDITOR, batch_id)
    assert found is not None
    return found


def test_dossiers_are_made_in_the_background_and_each_step_is_told(office: RegistryRig, desk: BatchService) -> None:
    batch_id = approved(office.registry, rows(3))
    begun = desk.prepare(OPERATOR, batch_id)
    assert (begun.state, begun.made, begun.total, begun.by) == ("running", 0, 3, "op")
    office.line.began.wait(PATIENCE)
    wait(desk, batch_id)
    done = ended(desk, batch_id)
    assert (done.state, done.made, done.fault, done.ended_at) == ("done", 3, "", office.clock.now)
    assert desk.show(AUDITOR, batch_id).batch.state is BatchState.PREPARED
    told = [event.data["preparation"] for event in office.bus.of("batch.changed")]
    assert [(one["state"], one["made"]) for one in told] == [("running", 0), ("running", 3), ("done", 3)]  # type: ignore[index]
    told = [row.entry for row in office.registry.audit.page(None, 2).items]
    assert [(deed.actor, deed.action) for deed in told] == [("op", "batch.prepare")] * 2


def test_a_batch_is_prepared_once_at_a_time(office: RegistryRig, desk: BatchService) -> None:
    batch_id = approved(office.registry, rows(1))
    office.line.hold.clear()
    desk.prepare(OPERATOR, batch_id)
    with pytest.raises(Conflict, match="already, for op"):
        desk.prepare(OPERATOR, batch_id)
    assert office.line.began.wait(PATIENCE)
    office.line.hold.set()
    assert ended(desk, batch_id).state in ("done", "failed")
    assert office.line.calls == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (KeyPoolError("the pool of chip keys cannot be read"), "cannot be read"),
        (RuntimeError("130102"), "the log says"),
    ],
)
def test_a_preparation_that_fails_says_why_and_may_be_tried_again(
    fault: Exception, told: str, office: RegistryRig, desk: BatchService
) -> None:
    batch_id = approved(office.registry, rows(1))
    office.line.fault = fault
    desk.prepare(OPERATOR, batch_id)
    found = wait(desk, batch_id)
    assert (found.state, told in found.fault, "130102" in found.fault) == ("failed", True, False)
    office.line.fault = None
    assert desk.prepare(OPERATOR, batch_id).state == "running"
    assert ended(desk, batch_id).made in (0, 1)


def test_a_preparation_ends_with_the_service(office: RegistryRig, desk: BatchService) -> None:
    batch_id = approved(office.registry, rows(1))
    office.line.hold.clear()
    desk.prepare(OPERATOR, batch_id)
    office.line.began.wait(PATIENCE)
    desk._preparations._stopping = True
    office.line.hold.set()
    found = ended(desk, batch_id)
    assert (found.state, "prepare the batch again" in found.fault) == ("failed", True)
    with pytest.raises(Unavailable):
        desk.prepare(OPERATOR, batch_id)


def test_only_approved_batches_are_prepared(office: RegistryRig, desk: BatchService) -> None:
    draft = office.registry.rosters.import_roster(UNIT, rows(1), [], source="f.xlsx", digest="x", by="李娜")
    with pytest.raises(Conflict, match="is draft"):
        desk.prepare(OPERATOR, draft.id)
    with pytest.raises(NotFound):
        desk.prepare(OPERATOR, "B20261122-999")
    assert office.line.calls == 0


def test_batches_come_in_pages_newest_first_and_with_their_review(office: RegistryRig, desk: BatchService) -> None:
    made = []
    for number in range(3):
        batch = office.registry.rosters.import_roster(
            UNIT, rows(1, number + 1), [], source="f", digest=f"{number}", by="李娜"
        )
        made.append(batch.id)
        office.clock.forward(timedelta(seconds=1))
    office.registry.reviews.submit(made[2], by="李娜")
    first = desk.page(REVIEWER, None, 2)
    rest = desk.page(REVIEWER, first.next, 2)
    assert [batch.id for batch in (*first.items, *rest.items)] == made[::-1]
    assert desk.page(REVIEWER, unit="另一个单位").items == ()
    assert {key: event.step for key, event in desk.standing(REVIEWER, made).items()} == {made[2]: "submitted"}
    view = desk.show(REVIEWER, made[2])
    assert (view.review and view.review.by, view.signed_by, view.preparation) == ("李娜", None, None)


def test_two_people_close_a_batch(office: RegistryRig, desk: BatchService) -> None:
    batch_id, _ = carded(office.registry, 2)
    view = desk.close_batch(OPERATOR, batch_id)
    assert (view.batch.state, view.signed_by) == (BatchState.DONE, "op")
    with pytest.raises(OwnWork):
        desk.close_batch(Principal("OP", frozenset({Role.OPERATOR})), batch_id)
    other = BatchService(office.parts, office.bus)  # another service on the same database
    closed = other.close_batch(REVIEWER, batch_id)
    assert (closed.batch.state, closed.batch.closed_by, closed.signed_by) == (BatchState.CLOSED, ("op", "王芳"), None)
    assert last_audit_entry(office.registry)[:2] == ("op", "batch.close")
    with pytest.raises(Conflict, match="is closed"):
        desk.close_batch(REVIEWER, batch_id)


def test_a_signature_lasts_a_day_and_tokens_do_not_sign(office: RegistryRig, desk: BatchService) -> None:
    batch_id, _ = carded(office.registry, 1)
    with pytest.raises(Forbidden, match="a token is none"):
        desk.close_batch(Principal("till (token 1)", frozenset({Role.OPERATOR}), "till"), batch_id)
    desk.close_batch(OPERATOR, batch_id)
    office.clock.forward(SIGNATURE_LASTS + timedelta(seconds=1))
    assert desk.show(REVIEWER, batch_id).signed_by is None
    assert desk.close_batch(REVIEWER, batch_id).signed_by == "王芳"


def test_a_batch_that_is_not_done_is_not_closed(office: RegistryRig, desk: BatchService) -> None:
    batch_id = ready(office.registry, custody(), 1)
    with pytest.raises(Conflict, match="is prepared"):
        desk.close_batch(OPERATOR, batch_id)


def test_the_report_is_one_page_without_personal_data(office: RegistryRig, desk: BatchService) -> None:
    batch_id, numbers = carded(office.registry, 2)
    page = desk.report_html(AUDITOR, batch_id)
    assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype html")
    assert batch_id in page
    assert not any(text in page for text in ("13010219800101", "1390311", "欧阳001"))
    report = desk.report(AUDITOR, batch_id)
    assert ([card.card_number for card in report.cards], report.accounts.balanced) == (numbers, True)


def test_rejects_and_lost_chips(office: RegistryRig, desk: BatchService) -> None:
    batch_id = approved(office.registry, rows(3))
    prepare(office.registry, custody(), batch_id)
    for number in (1, 2):
        office.registry.line.reject(claimed(office.registry, batch_id, number), "no answer", "select", "B")
    claimed(office.registry, batch_id, 3)
    first = desk.rejects(OPERATOR, batch_id, None, 1)
    rest = desk.rejects(OPERATOR, batch_id, first.next, 5)
    assert [one.chip_serial for one in (*first.items, *rest.items)] == [chip(1), chip(2)]
    assert [one.chip_serial for one in desk.bound(OPERATOR, batch_id)] == [chip(3)]
    with pytest.raises(Conflict):
        desk.release_missing(OPERATOR, batch_id, chip(3), "lost")
    office.clock.forward(LEASE + timedelta(seconds=1))
    with pytest.raises(Invalid):
        desk.release_missing(OPERATOR, batch_id, chip(3), "")
    desk.release_missing(OPERATOR, batch_id, chip(3), "fell behind the machine")
    assert last_audit_entry(office.registry)[1:] == ("chip.missing", f"chip:{chip(3)}", "fell behind the machine")
    for cursor in ("nonsense", "WzVd"):
        with pytest.raises(Invalid):
            desk.rejects(OPERATOR, batch_id, cursor)


def test_every_method_asks_who_it_is(desk: BatchService) -> None:
    for call in (
        lambda: desk.page(COUNTER),
        lambda: desk.standing(COUNTER, []),
        lambda: desk.show(COUNTER, "B"),
        lambda: desk.prepare(CLERK, "B"),
        lambda: desk.preparation(COUNTER, "B"),
        lambda: desk.report(COUNTER, "B"),
        lambda: desk.report_html(COUNTER, "B"),
        lambda: desk.rejects(COUNTER, "B"),
        lambda: desk.bound(COUNTER, "B"),
        lambda: desk.release_missing(CLERK, "B", "1", "why"),
        lambda: desk.stock(COUNTER),
        lambda: desk.close_batch(CLERK, "B"),
    ):
        with pytest.raises(Forbidden):
            call()
