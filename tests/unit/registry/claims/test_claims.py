"""Claims: who may file what and when, each level by another person, and one payment for one event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from programme.records.cover_terms import next_list
from registry.claims.values import ClaimDecision, ClaimFacts, ClaimStage
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.paying.instructions import InstructionState, PaymentKind
from registry.paying.payees import payees_of
from registry.store import Registry
from tests.support.registry.claiming import ALL_LEVELS, HEIR, PROGRAMME, filed, kind_terms, reviewed
from tests.support.registry.covered import Population, signed_list
from tests.support.registry.registrar import SetClock, audit_entries

DAY = date(2026, 5, 1)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 1, 1, 4, tzinfo=UTC))


@pytest.fixture
def members(registry: Registry, clock: SetClock) -> list[int]:
    """Two members who are covered in 2026, and one who is not. It is 10 May."""
    people = Population(registry)
    covered = [people.holder(), people.holder()]
    terms = next_list(PROGRAMME, "accident", None, clock.now.date()).terms
    signed_list(registry, registry.cover_lists.draw_up(terms, by="zhang"))
    clock.now = datetime(2026, 5, 10, 4, tzinfo=UTC)
    return [*covered, people.holder()]


def refused(reason: str, action: Callable[[], object]) -> RegistryConflict:
    with pytest.raises(RegistryConflict) as caught:
        action()
    assert caught.value.reason == reason, caught.value
    return caught.value


def test_each_level_approves_and_the_last_one_orders_the_payment(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "disability", DAY, choice="grade-10")
    assert (claim.stage, claim.awaited, claim.missing) == (ClaimStage.FILED, "station", ())
    for place, (level, person) in enumerate(ALL_LEVELS):
        assert registry.instructions.of(PaymentKind.CLAIM, f"claim/{claim.number}") is None
        claim = registry.claims.approve(claim.number, level, by=person)
        assert claim.awaited == (None if place == 2 else ALL_LEVELS[place + 1][0])
    assert claim.stage is ClaimStage.APPROVED
    order = registry.instructions.of(PaymentKind.CLAIM, f"claim/{claim.number}")
    assert order is not None
    assert (order.member, order.amount, order.state, order.purpose) == (
        members[0],
        50_000,
        InstructionState.WAITING,
        "理赔",
    )
    refused("claim-not-filed", lambda: registry.claims.approve(claim.number, "city", by="sun"))
    assert [entry[0] for entry in audit_entries(registry, "claim.approve")] == ["qian", "zhao", "li"]


def test_nobody_decides_twice_or_about_an_own_claim(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "disability", DAY, choice="grade-1")
    refused("own-work", lambda: registry.claims.approve(claim.number, "station", by="Wang"))
    refused("claim-level", lambda: registry.claims.approve(claim.number, "city", by="li"))
    registry.claims.approve(claim.number, "station", by="li")
    refused("own-work", lambda: registry.claims.approve(claim.number, "district", by="li"))
    refused("claim-level", lambda: registry.claims.refuse(claim.number, "station", by="zhao", reason="x"))


def test_one_event_is_claimed_once_until_it_is_refused(registry: Registry, members: list[int]) -> None:
    first = filed(registry, members[0], "disability", DAY, choice="grade-10")
    again = refused("claim-double", lambda: filed(registry, members[0], "disability", DAY, choice="grade-1"))
    assert again.params["number"] == first.number
    filed(registry, members[1], "disability", DAY, choice="grade-10")
    next_day = filed(registry, members[0], "disability", DAY + timedelta(days=1), choice="grade-10")
    assert registry.claims.opened(next_day.number, by="li", reason="审核").similar == (first.number,)
    registry.claims.refuse(first.number, "station", by="li", reason="材料不实")
    assert filed(registry, members[0], "disability", DAY, choice="grade-10").stage is ClaimStage.FILED
    paid = reviewed(registry, next_day.number, *ALL_LEVELS)
    refused(
        "claim-double", lambda: filed(registry, members[0], "disability", DAY + timedelta(days=1), choice="grade-1")
    )
    assert paid.stage is ClaimStage.APPROVED


@pytest.mark.parametrize(
    ("kind", "day", "reason"),
    [
        ("fire", date(2026, 5, 11), "claim-to-come"),
        ("fire", date(2026, 3, 10), "claim-late"),
        ("disability", date(2025, 12, 31), "claim-not-covered"),
    ],
)
def test_a_claim_at_the_edges_of_its_days(
    registry: Registry, members: list[int], kind: str, day: date, reason: str
) -> None:
    facts = {"choice": "grade-1"} if kind == "disability" else {"loss": 100_000}
    refused(reason, lambda: filed(registry, members[0], kind, day, **facts))  # type: ignore[arg-type]
    inside = {"claim-to-come": -1, "claim-late": 1, "claim-not-covered": 1}[reason]
    claim = filed(registry, members[0], kind, day + timedelta(days=inside), **facts)  # type: ignore[arg-type]
    assert claim.stage is ClaimStage.FILED


def test_who_is_not_covered_has_no_claim(registry: Registry, members: list[int]) -> None:
    conflict = refused("claim-not-covered", lambda: filed(registry, members[2], "disability", DAY, choice="grade-1"))
    assert conflict.params["why"] == "not-listed"
    assert filed(registry, members[2], "fire", DAY, loss=100_000).amount == 10_000


def test_documents_are_there_before_the_first_review(registry: Registry, members: list[int]) -> None:
    facts = ClaimFacts(DAY, "", "grade-1")
    claim = registry.claims.file(members[0], kind_terms("disability", facts), facts, by="wang")
    assert claim.missing == ("id-card",)
    refused("claim-documents", lambda: registry.claims.approve(claim.number, "station", by="li"))
    registry.claims.tick(claim.number, "id-card", by="wang")
    registry.claims.tick(claim.number, "id-card", by="wang", there=False)
    assert registry.claims.tick(claim.number, "id-card", by="wang").missing == ()
    with pytest.raises(NotOnRecord, match="needs no document photo"):
        registry.claims.tick(claim.number, "photo", by="wang")
    registry.claims.approve(claim.number, "station", by="li")
    refused("claim-reviewed", lambda: registry.claims.tick(claim.number, "id-card", by="wang", there=False))


def test_a_returned_claim_is_filed_again_and_reviewed_from_the_start(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "disability", DAY, choice="grade-1")
    registry.claims.approve(claim.number, "station", by="li")
    returned = registry.claims.give_back(claim.number, "district", by="zhao", reason="等级不符")
    assert (returned.stage, returned.awaited) == (ClaimStage.RETURNED, None)
    refused("claim-double", lambda: filed(registry, members[0], "disability", DAY, choice="grade-10"))
    facts = ClaimFacts(DAY, "更正", "grade-10")
    again = registry.claims.file_again(claim.number, kind_terms("disability", facts), facts, by="wang")
    assert (again.stage, again.awaited) == (ClaimStage.FILED, "station")
    refused("claim-not-returned", lambda: registry.claims.file_again(1, kind_terms("disability", facts), facts, by="w"))
    assert reviewed(registry, claim.number, *ALL_LEVELS).stage is ClaimStage.APPROVED
    order = registry.instructions.of(PaymentKind.CLAIM, f"claim/{claim.number}")
    assert order is not None
    assert order.amount == 50_000
    detail = registry.claims.opened(claim.number, by="li", reason="复核")
    assert [step.decision for step in detail.steps] == [
        ClaimDecision.FILED,
        ClaimDecision.APPROVED,
        ClaimDecision.RETURNED,
        ClaimDecision.FILED_AGAIN,
        *[ClaimDecision.APPROVED] * 3,
    ]


def test_only_an_heir_claims_for_who_has_died(registry: Registry, members: list[int]) -> None:
    refused("claim-claimant", lambda: filed(registry, members[0], "death", DAY, heir=HEIR))
    refused("claim-claimant", lambda: filed(registry, members[0], "disability", DAY, choice="grade-1", heir=HEIR))
    Population(registry).leave(members[0], "died", date(2026, 5, 3))
    refused("claim-claimant", lambda: filed(registry, members[0], "death", DAY))
    refused("claim-claimant", lambda: filed(registry, members[0], "disability", DAY, choice="grade-1"))
    refused("claim-claimant", lambda: filed(registry, members[0], "death", date(2026, 5, 4), heir=HEIR))
    claim = filed(registry, members[0], "death", date(2026, 5, 3), heir=HEIR)
    reviewed(registry, claim.number, *ALL_LEVELS)
    order = registry.instructions.of(PaymentKind.CLAIM, f"claim/{claim.number}")
    assert order is not None
    assert (order.member, order.payee, order.amount) == (None, str(claim.number), 2_000_000)
    context = registry.instructions._context
    with context.write() as conn:
        rows = conn.execute(text("SELECT id, kind, member_id, payee FROM instructions")).all()
        payee = payees_of(context, conn, rows)[order.id]
    assert (payee.account, payee.name) == (HEIR.account, HEIR.name)


def test_health_and_heirs_stand_on_no_list_and_in_no_repr(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "disability", DAY, choice="grade-1")
    filed(registry, members[0], "fire", DAY, loss=100_000)
    listed = {one.number: (one.kind, one.amount) for one in registry.claims.page().items}
    assert listed == {1: (None, None), 2: ("fire", 10_000)}
    detail = registry.claims.opened(claim.number, by="li", reason="审核")
    assert (detail.kind, detail.amount, detail.facts.words, detail.facts.choice) == (
        "disability",
        500_000,
        "摔伤右手",
        "grade-1",
    )
    for shown in (repr(detail.facts), repr(HEIR)):
        assert not any(word in shown for word in ("摔伤", "grade-1", HEIR.name, HEIR.account, HEIR.id_number))
    with registry.claims._context.read() as conn:
        whole = repr(conn.execute(text("SELECT * FROM claims_filed")).all())
        whole += repr(conn.execute(text("SELECT * FROM audit")).all())
    assert "摔伤" not in whole
    assert [entry[2] for entry in audit_entries(registry, "claim.open")] == ["审核"]
    refused("reason-missing", lambda: registry.claims.opened(claim.number, by="li", reason=" "))


def test_a_claim_is_taken_back_before_its_last_review(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "fire", DAY, loss=100_000)
    assert registry.claims.withdraw(claim.number, by="wang", reason="误报").stage is ClaimStage.WITHDRAWN
    for action in (
        lambda: registry.claims.withdraw(claim.number, by="wang", reason="x"),
        lambda: registry.claims.tick(claim.number, "id-card", by="wang"),
    ):
        refused("claim-ended", action)
    again = filed(registry, members[0], "fire", DAY, loss=10_000_000)
    assert again.amount == 300_000
    assert reviewed(registry, again.number, ("city", "qian")).stage is ClaimStage.APPROVED
    with pytest.raises(NotOnRecord, match="no claim 9"):
        registry.claims.claim(9)


def test_the_database_keeps_claims_and_their_steps(registry: Registry, members: list[int]) -> None:
    claim = filed(registry, members[0], "disability", DAY, choice="grade-10")
    registry.claims.approve(claim.number, "station", by="li")
    for statement in (
        "UPDATE claims_filed SET amount = 2000000",
        "UPDATE claims_filed SET member_id = 2",
        "UPDATE claims_filed SET event_on = '2026-05-02'",
        "DELETE FROM claims_filed",
        "UPDATE claim_steps SET \"by\" = 'sun'",
        "DELETE FROM claim_steps",
        "DELETE FROM claim_documents",
        'INSERT INTO claim_steps (claim_id, number, at, "by", level, decision, reason, round) '
        "SELECT claim_id, 9, at, \"by\", 'city', decision, reason, round FROM claim_steps WHERE decision = 'approve'",
    ):
        with pytest.raises(RegistryError), registry.claims._context.write() as conn:
            conn.execute(text(statement))
    assert registry.claims.opened(claim.number, by="li", reason="审核").amount == 50_000


def test_figures_by_kind(registry: Registry, members: list[int], clock: SetClock) -> None:
    first = filed(registry, members[0], "fire", DAY, loss=100_000)
    reviewed(registry, first.number, ("city", "qian"))
    second = filed(registry, members[1], "fire", DAY, loss=200_000)
    registry.claims.refuse(second.number, "city", by="qian", reason="不实")
    filed(registry, members[0], "disability", DAY, choice="grade-1")
    with registry.claims._context.write() as conn:
        conn.execute(text("UPDATE instructions SET state = 'batched'"))
        conn.execute(text("UPDATE instructions SET state = 'paid', outcome_on = '2026-05-17'"))
    fire, disability = registry.claim_statistics.by_kind(date(2026, 5, 10), date(2026, 5, 10))[::-1]
    assert (fire.kind, fire.filed, fire.approved, fire.refused, fire.paid) == ("fire", 2, 1, 1, 1)
    assert (fire.approved_amount, fire.paid_amount, fire.days_to_payment) == (10_000, 10_000, 7.0)
    assert (disability.kind, disability.filed, disability.paid, disability.days_to_payment) == (
        "disability",
        1,
        0,
        None,
    )
    assert registry.claim_statistics.by_kind(date(2026, 5, 11), date(2026, 5, 31)) == []
