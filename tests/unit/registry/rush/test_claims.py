"""Claims of tickets: first come first served, each key once, never more than the stock or a member's limit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from registry.db.tables import rush_claims, rush_lots
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.members import Members
from registry.rush.claims import Answer
from registry.rush.uses import TicketUse
from registry.rush.values import Claimed, ClaimRefused, ClaimRequest, ClaimState, RushState
from tests.support.registry.registrar import audit_entries
from tests.support.registry.rushes import OPENS, RULES, Crowd, terms

MINUTE = timedelta(minutes=1)


def claimed(answer: Answer) -> Claimed:
    assert isinstance(answer, Claimed), answer
    return answer


def code(answer: Answer) -> str:
    assert isinstance(answer, ClaimRefused), answer
    return answer.code


def test_tickets_are_given_until_the_stock_is_gone_then_places_on_the_list_then_none(crowd: Crowd) -> None:
    rush = crowd.announced(units=(2,), longest=2)
    answers = [crowd.claim(rush, member) for member in range(5)]
    states = [(claimed(one).state, claimed(one).position) for one in answers[:4]]
    waiting = ClaimState.WAITING
    assert states == [(ClaimState.GRANTED, None), (ClaimState.GRANTED, None), (waiting, 1), (waiting, 2)]
    assert code(answers[4]) == "waiting-full"
    (lot,) = crowd.registry.rushes.rush(rush.number).lots
    assert (lot.taken, lot.left, lot.waiting) == (2, 0, 2)


def test_a_repeated_claim_has_the_same_answer_and_another_under_its_key_none(crowd: Crowd) -> None:
    rush = crowd.announced()
    first = claimed(crowd.claim(rush, 0, "the-same-key"))
    again = claimed(crowd.claim(rush, 0, "the-same-key"))
    assert (again.number, again.state, again.known) == (first.number, first.state, True)
    assert code(crowd.claim(rush, 1, "the-same-key")) == "claim-key"
    assert crowd.registry.rushes.rush(rush.number).lots[0].taken == 1


def test_a_key_that_comes_twice_in_one_transaction_is_one_claim(crowd: Crowd) -> None:
    rush = crowd.announced()
    wanted = crowd.request(rush, 0)
    first, again, other = crowd.registry.rush_claims.decide([wanted, wanted, crowd.request(rush, 1, wanted.key)], RULES)
    assert claimed(first).number == claimed(again).number
    assert code(other) == "claim-key"


def test_a_rush_opens_and_closes_by_the_clock_of_the_registry(crowd: Crowd) -> None:
    rush = crowd.announced()
    crowd.clock.now = OPENS - timedelta(microseconds=1)
    refused = crowd.claim(rush, 0)
    assert code(refused) == "not-open"
    assert isinstance(refused, ClaimRefused)
    assert "2026-11-22 10:00" in refused.en
    crowd.clock.now = OPENS
    assert claimed(crowd.claim(rush, 0)).state is ClaimState.GRANTED
    crowd.clock.now = OPENS + timedelta(days=1) - timedelta(microseconds=1)
    assert claimed(crowd.claim(rush, 1)).state is ClaimState.GRANTED
    crowd.clock.now = OPENS + timedelta(days=1)
    assert code(crowd.claim(rush, 2)) == "rush-closed"


def test_a_member_has_at_most_the_limit_of_the_rush_and_of_each_lot(crowd: Crowd) -> None:
    rush = crowd.announced(units=(9, 9, 9), most=2)
    assert claimed(crowd.claim(rush, 0, "first-key"))
    assert claimed(crowd.claim(rush, 0, "second-key", "lot-2"))
    assert code(crowd.claim(rush, 0, "third-key", "lot-3")) == "limit"
    lots = tuple(type(lot)(lot.code, lot.units, 1) for lot in terms(units=(9, 9)).lots)
    other = crowd.announced(code="other", lots=lots, most=2)
    assert claimed(crowd.claim(other, 0, "other-key-1"))
    assert code(crowd.claim(other, 0, "other-key-2")) == "lot-limit"
    assert claimed(crowd.claim(other, 0, "other-key-3", "lot-2"))


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ([{"categories": ["retired"]}], "other-category"),
        ([{}, {"units": ["0001"]}], "other-unit"),
        ([{"age": {"from": 60}}], "too-young"),
        ([{"federations": ["130000"]}], "other-federation"),
    ],
)
def test_a_member_who_does_not_meet_the_conditions_has_no_ticket(
    crowd: Crowd, conditions: list[dict[str, object]], reason: str
) -> None:
    rush = crowd.announced(conditions=conditions)
    assert code(crowd.claim(rush, 0)) == reason


def test_unknown_rushes_lots_and_cards_have_a_sentence(crowd: Crowd) -> None:
    rush = crowd.announced()
    assert code(crowd.claim(rush, 0, lot="lot-9")) == "lot-unknown"
    other = ClaimRequest("unknown-rush", 99, "lot-1", crowd.cards[0], "till")
    assert code(crowd.registry.rush_claims.claim(other, RULES)) == "rush-unknown"
    stranger = ClaimRequest("unknown-card", rush.number, "lot-1", "6212260000000000", "till")
    assert code(crowd.registry.rush_claims.claim(stranger, RULES)) == "card-ended"


def test_a_ticket_that_goes_back_is_the_first_waiting_members(crowd: Crowd) -> None:
    rush = crowd.announced(units=(1,), longest=3)
    first, second, third = (claimed(crowd.claim(rush, member)) for member in range(3))
    back = crowd.registry.rush_claims.give_back(first.number, by="till")
    assert back.state is ClaimState.RETURNED
    assert crowd.registry.rush_claims.view(second.number).state is ClaimState.GRANTED
    assert crowd.registry.rush_claims.view(third.number).position == 1
    assert crowd.registry.rush_claims.give_back(first.number, by="till") == back
    assert [subject for _, subject, _ in audit_entries(crowd.registry, "rush.return")] == [f"claim:{first.number}"]


def test_who_leaves_the_waiting_list_may_claim_again_behind_the_others(crowd: Crowd) -> None:
    rush = crowd.announced(units=(1,), longest=3, most=1)
    _, second, third = (claimed(crowd.claim(rush, member)) for member in range(3))
    assert crowd.registry.rush_claims.give_back(second.number, by="till").state is ClaimState.WITHDRAWN
    again = claimed(crowd.claim(rush, 1, "once-more"))
    assert (again.position, crowd.registry.rush_claims.view(third.number).position) == (2, 1)


def test_tickets_go_back_until_the_last_instant_of_returns_and_unused_only(crowd: Crowd) -> None:
    rush = crowd.announced()
    first, second, third = (claimed(crowd.claim(rush, member)) for member in range(3))
    crowd.registry.ticket_uses.report("entrance 1", [TicketUse(first.number, crowd.clock.now)], by="till")
    claims = crowd.registry.rush_claims
    with pytest.raises(RegistryConflict) as used:
        claims.give_back(first.number, by="till")
    assert used.value.reason == "ticket-used"
    crowd.clock.now = OPENS + timedelta(days=2) - MINUTE
    assert claims.give_back(second.number, by="till").state is ClaimState.RETURNED
    crowd.clock.now = OPENS + timedelta(days=2)
    with pytest.raises(RegistryConflict) as late:
        claims.give_back(third.number, by="till")
    assert late.value.reason == "returns-over"
    with pytest.raises(NotOnRecord):
        claims.give_back(999, by="till")


def test_a_cancelled_rush_voids_tickets_and_waiting_list(crowd: Crowd) -> None:
    rush = crowd.announced(units=(1,), longest=2)
    first, second = (claimed(crowd.claim(rush, member)) for member in range(2))
    cancelled = crowd.registry.rushes.cancel(rush.number, by="registrar", reason="storm")
    assert (cancelled.state, cancelled.lots[0].taken, cancelled.lots[0].waiting) == (RushState.CANCELLED, 0, 0)
    assert crowd.registry.rushes.cancel(rush.number, by="registrar", reason="again").reason == "storm"
    for one in (first, second):
        assert crowd.registry.rush_claims.view(one.number).state is ClaimState.VOID
    assert code(crowd.claim(rush, 3)) == "rush-cancelled"
    with pytest.raises(RegistryConflict) as void:
        crowd.registry.rush_claims.give_back(first.number, by="till")
    assert void.value.reason == "claim-void"
    assert crowd.registry.ticket_uses.ended(rush.number) == [first.number]


def test_a_rush_announced_twice_is_the_same_one_and_with_other_terms_none(crowd: Crowd) -> None:
    rush = crowd.announced()
    assert crowd.registry.rushes.announce(terms(edition=2), by="other").number == rush.number
    with pytest.raises(RegistryConflict) as changed:
        crowd.registry.rushes.announce(terms(price=2), by="other")
    assert changed.value.reason == "rush-changed"
    crowd.clock.now = OPENS + timedelta(days=1)
    with pytest.raises(RegistryConflict) as over:
        crowd.registry.rushes.announce(terms(code="late"), by="other")
    assert over.value.reason == "rush-over"
    assert len(audit_entries(crowd.registry, "rush.announce")) == 1


def test_a_rush_closed_early_takes_no_claims_and_its_tickets_go_back(crowd: Crowd) -> None:
    rush = crowd.announced()
    first = claimed(crowd.claim(rush, 0))
    assert crowd.registry.rushes.close(rush.number, by="registrar", reason="rain").state is RushState.CLOSED
    assert code(crowd.claim(rush, 1)) == "rush-closed"
    assert crowd.registry.rush_claims.give_back(first.number, by="till").state is ClaimState.RETURNED


def test_members_who_withdrew_have_no_ticket(crowd: Crowd) -> None:
    rush = crowd.announced()
    members: Members = crowd.registry.members
    (view,) = members.find(crowd.cards[0]).items
    members.withdraw(view.member_id, by="registrar", reason="moved")
    assert code(crowd.claim(rush, 0)) == "card-ended"


def test_the_database_itself_refuses_oversale_overtaking_and_deletion(crowd: Crowd) -> None:
    rush = crowd.announced(units=(1,), longest=3)
    first, _, third = (claimed(crowd.claim(rush, member)) for member in range(3))
    context = crowd.registry._context
    this = rush_claims.c
    with context.read() as conn:
        row = dict(conn.execute(select(rush_claims).where(this.id == first.number)).one()._mapping)
        holder = conn.execute(select(this.member_id).where(this.id == third.number)).scalar_one()
    extra = row | {"id": 90, "key": "another-key", "member_id": holder, "place": 2, "lot_place": 2}
    wrong = (
        insert(rush_claims).values(extra),
        update(rush_claims).where(this.id == third.number).values(state="granted", granted_at=OPENS),
        update(rush_claims).where(this.id == first.number).values(state="waiting", position=9),
        update(rush_claims).where(this.id == third.number).values(position=1),
        update(rush_lots).values(units=5),
        update(rush_lots).values(taken=2),
        rush_claims.delete(),
    )
    for statement in wrong:
        with pytest.raises(RegistryConflict), context.write() as conn:
            conn.execute(statement)
    assert crowd.registry.rushes.rush(rush.number).lots[0].taken == 1


@pytest.mark.parametrize("key", ["", "1234567", "k" * 81])
def test_a_key_that_is_too_short_or_too_long_takes_nothing(crowd: Crowd, key: str) -> None:
    rush = crowd.announced()
    wanted = ClaimRequest(key, rush.number, "lot-1", crowd.cards[0], "till")
    assert code(crowd.registry.rush_claims.claim(wanted, RULES)) == "claim-key-length"
    assert crowd.registry.rushes.rush(rush.number).lots[0].taken == 0
    assert claimed(crowd.claim(rush, 0, "12345678")).state is ClaimState.GRANTED


def test_uses_of_a_ticket_at_two_counters_are_a_finding(crowd: Crowd) -> None:
    rush = crowd.announced()
    first, second = (claimed(crowd.claim(rush, member)).number for member in range(2))
    uses, at = crowd.registry.ticket_uses, crowd.clock.now
    report = uses.report("entrance 1", [TicketUse(first, at), TicketUse(second, at), TicketUse(77, at)], by="till")
    assert (report.added, report.known, report.unknown) == (2, 0, (77,))
    assert uses.report("entrance 1", [TicketUse(first, at)], by="till").known == 1
    assert uses.findings() == []
    uses.report("entrance 2", [TicketUse(first, at + MINUTE)], by="till")
    (finding,) = uses.findings(rush.number)
    assert (finding.number, finding.kind, finding.counters) == (first, "twice", ("entrance 1", "entrance 2"))


def test_lists_have_claims_in_order_and_tickets_by_the_minute(crowd: Crowd) -> None:
    rush = crowd.announced(units=(2,), longest=2)
    for member in range(4):
        crowd.claim(rush, member)
        crowd.clock.forward(MINUTE)
    page = crowd.registry.rushes.claims(rush.number, limit=3)
    assert [one.position for one in page.items] == [None, None, 1]
    assert len(crowd.registry.rushes.claims(rush.number, page.next).items) == 1
    waiting = crowd.registry.rushes.claims(rush.number, state=ClaimState.WAITING, lot="lot-1").items
    assert [one.position for one in waiting] == [1, 2]
    assert crowd.registry.rushes.per_minute(rush.number) == [(OPENS, 1), (OPENS + MINUTE, 1)]
    assert [one.number for one in crowd.registry.rush_claims.of_card(crowd.cards[0])] == [page.items[0].number]
    assert crowd.registry.rushes.find("fair").number == rush.number
    assert [one.number for one in crowd.registry.rushes.page().items] == [rush.number]
