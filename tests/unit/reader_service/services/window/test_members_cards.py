"""The services of members and cards: found and masked, changed with a reason, and everything in the audit."""

from __future__ import annotations

import pytest

from reader_service.errors import Conflict, Forbidden, Invalid, NotFound
from reader_service.services.window.cards import CARD_STEPS, CardService
from reader_service.services.window.members import MemberService
from registry.values import BatchState, CardState
from tests.support import issuer
from tests.support.registry import registrar
from tests.support.registry.registrar import UNIT, row, rows
from tests.support.service.registry_rig import (
    AUDITOR,
    CLERK,
    COUNTER,
    OPERATOR,
    RegistryRig,
    at,
    carded,
    last_audit_entry,
)


class CallCounter:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def notified() -> CallCounter:
    return CallCounter()


@pytest.fixture
def members(rig: RegistryRig, notified: CallCounter) -> MemberService:
    return MemberService(rig.parts, rig.bus, on_hotlist=notified)


@pytest.fixture
def cards(rig: RegistryRig, notified: CallCounter) -> CardService:
    return CardService(rig.parts, rig.bus, on_hotlist=notified)


def test_the_account_number_on_the_same_chip_is_shown_masked(rig: RegistryRig, cards: CardService) -> None:
    batch_id = registrar.approved(rig.registry, rows(2))
    registrar.prepare(rig.registry, issuer.custody(), batch_id, pans=["6210971300000000016"])
    rig.registry.stock.receive(2, "delivery", "op")
    claims = [registrar.claimed(rig.registry, batch_id, number) for number in (1, 2)]
    bank, plain = (rig.registry.line.verified(claim, {}, 1.5).card_number for claim in claims)
    assert cards.payment_numbers(CLERK, [bank, plain, "6212269999999999999"]) == {bank: "621097*********0016"}
    with pytest.raises(Forbidden):
        cards.payment_numbers(OPERATOR, [bank])


def test_a_search_matches_a_member_by_any_number_and_by_name(rig: RegistryRig, members: MemberService) -> None:
    _, numbers = carded(rig.registry, 2)
    first = row(1)
    for text in (
        numbers[0],
        "130000000001",
        first.person.id_number,
        first.person.id_number.lower(),
        first.person.name,
        f" {first.person.name} ",
    ):
        (member,) = members.find(CLERK, text).items
        assert (member.card_number, member.id_masked[:14]) == (numbers[0], "*" * 14)
        assert first.person.name not in repr(member)
    assert len(members.find(CLERK, "欧阳").items) == 2
    assert members.find(CLERK, "王").items == ()
    for nothing in ("", "  ", "x" * 101):
        with pytest.raises(Invalid):
            members.find(CLERK, nothing)


def test_members_come_in_pages(rig: RegistryRig, members: MemberService) -> None:
    carded(rig.registry, 3)
    first = members.page(CLERK, None, 2)
    rest = members.page(CLERK, first.next, 2)
    numbers = [one.member_number for one in (*first.items, *rest.items)]
    assert numbers == ["130000000001", "130000000002", "130000000003"]
    assert members.page(CLERK, unit="另一个单位").items == ()


def test_to_see_in_clear_takes_a_reason_and_leaves_a_trace(rig: RegistryRig, members: MemberService) -> None:
    carded(rig.registry, 1)
    with pytest.raises(Invalid):
        members.unmask(CLERK, 1, " \n ")
    seen = members.unmask(CLERK, 1, "called about 13903110001")
    assert (seen.id_number, seen.mobile) == (row(1).person.id_number, row(1).person.mobile)
    assert last_audit_entry(rig.registry) == ("李娜", "member.unmask", "member:1", "called about ****0001")
    assert row(1).person.mobile not in f"{seen!r}{seen}"
    for who in (AUDITOR, OPERATOR, COUNTER):
        with pytest.raises(Forbidden):
            members.unmask(who, 1, "curious")


def test_a_member_moves_and_leaves(
    rig: RegistryRig, members: MemberService, cards: CardService, notified: CallCounter
) -> None:
    _, (number,) = carded(rig.registry, 1)
    with pytest.raises(Invalid):
        members.transfer(CLERK, 1, " ", "moved")
    with pytest.raises(Invalid):
        members.transfer(CLERK, 1, "会" * 31, "moved")
    assert members.transfer(CLERK, 1, "另一个单位", "moved").unit == "另一个单位"
    with pytest.raises(Conflict):
        members.transfer(CLERK, 1, "另一个单位", "moved")
    assert notified.times == 0
    gone = members.withdraw(CLERK, 1, "retired abroad")
    assert (gone.card_state, notified.times) == (CardState.WITHDRAWN, 1)
    assert [entry.card_number for entry in rig.registry.hotlist.entries()] == [number]
    assert sorted(event.event for event in members.history(CLERK, 1))[:3] == ["transferred", "verified", "withdrawn"]
    assert [card.state for card in members.cards(CLERK, 1)] == [CardState.WITHDRAWN]
    with pytest.raises(NotFound):
        members.member(CLERK, 999)


def test_a_card_goes_its_way_and_each_step_is_published(
    rig: RegistryRig, cards: CardService, notified: CallCounter
) -> None:
    _, (number,) = carded(rig.registry, 1)
    assert cards.allowed(CLERK, number) == ("pack", "loss", "withdraw", "replace")
    for step, state in (
        ("pack", CardState.PACKED),
        ("deliver", CardState.DELIVERED),
        ("activate", CardState.ACTIVE),
        ("suspend", CardState.SUSPENDED),
        ("unlock", CardState.ACTIVE),
        ("loss", CardState.LOST),
    ):
        assert cards.take_step(CLERK, number, CARD_STEPS[step], f"as {state}").state is state
        assert last_audit_entry(rig.registry)[1:] == (f"card.{state}", f"card:{number}-1", f"as {state}")
    assert notified.times == 6
    assert cards.allowed(CLERK, number) == ("replace",)
    assert [event.reason for event in cards.history(CLERK, number)][-1] == "as lost"
    with pytest.raises(Conflict, match="is lost"):
        cards.take_step(CLERK, number, CARD_STEPS["unlock"], "found again")


def test_steps_need_their_state_and_a_reason(rig: RegistryRig, cards: CardService) -> None:
    _, (number,) = carded(rig.registry, 1)
    for step in ("deliver", "activate", "suspend", "unlock"):
        with pytest.raises(Conflict):
            cards.take_step(CLERK, number, CARD_STEPS[step], "why")
    at(rig.registry, number, CardState.PACKED, CardState.DELIVERED)
    with pytest.raises(Conflict):
        cards.take_step(CLERK, number, CARD_STEPS["unlock"], "it was never suspended")
    with pytest.raises(Invalid):
        cards.take_step(CLERK, number, CARD_STEPS["activate"], "")
    with pytest.raises(NotFound):
        cards.take_step(CLERK, "6212260000000009999", CARD_STEPS["loss"], "why")
    assert cards.card(CLERK, number).state is CardState.DELIVERED


def test_who_hands_a_card_out_does_not_lift_a_suspension(
    rig: RegistryRig, cards: CardService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered when it was looked at, and suspended before the step was written."""
    _, (number,) = carded(rig.registry, 1)
    at(rig.registry, number, CardState.PACKED, CardState.DELIVERED)
    step = rig.registry.cards.change

    def late(*notified: object, **more: object) -> object:
        monkeypatch.setattr(rig.registry.cards, "change", step)
        at(rig.registry, number, CardState.ACTIVE, CardState.SUSPENDED)
        return step(*notified, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(rig.registry.cards, "change", late)
    with pytest.raises(Conflict, match="is not delivered"):
        cards.take_step(CLERK, number, CARD_STEPS["activate"], "handed out")
    assert cards.card(CLERK, number).state is CardState.SUSPENDED


def test_a_lost_card_is_replaced_by_a_draft(rig: RegistryRig, cards: CardService, notified: CallCounter) -> None:
    _, (number,) = carded(rig.registry, 1)
    with pytest.raises(Invalid):
        cards.replace(CLERK, number, "broken", because="active")
    draft = cards.replace(CLERK, number, "washed", because="damaged")
    assert (draft.state, draft.accepted, notified.times) == (BatchState.DRAFT, 1, 1)
    assert cards.card(CLERK, number).state is CardState.REPLACED
    assert cards.allowed(CLERK, number) == ()
    assert [(e.card_number, e.reason) for e in rig.registry.hotlist.entries()] == [(number, "damaged")]
    assert rig.bus.of("batch.changed")[-1].topic == draft.id


def test_cards_come_in_pages_by_unit_state_and_batch(rig: RegistryRig, cards: CardService) -> None:
    batch_id, numbers = carded(rig.registry, 3)
    at(rig.registry, numbers[1], CardState.LOST)
    first = cards.page(CLERK, None, 2)
    rest = cards.page(CLERK, first.next, 2)
    assert [card.card_number for card in (*first.items, *rest.items)] == numbers[::-1]
    assert [card.card_number for card in cards.page(CLERK, state=CardState.LOST).items] == [numbers[1]]
    assert len(cards.page(CLERK, unit=UNIT, batch_id=batch_id).items) == len(rows(3))
    assert cards.page(CLERK, batch_id="B20261122-999").items == ()


def test_every_method_asks_who_it_is(members: MemberService, cards: CardService) -> None:
    for who in (OPERATOR, AUDITOR, COUNTER):
        for call in (
            lambda p: members.find(p, "x"),
            lambda p: members.page(p),
            lambda p: members.member(p, 1),
            lambda p: members.cards(p, 1),
            lambda p: members.history(p, 1),
            lambda p: members.transfer(p, 1, "u", "why"),
            lambda p: members.withdraw(p, 1, "why"),
            lambda p: cards.page(p),
            lambda p: cards.card(p, "1"),
            lambda p: cards.history(p, "1"),
            lambda p: cards.allowed(p, "1"),
            lambda p: cards.take_step(p, "1", CARD_STEPS["loss"], "why"),
            lambda p: cards.replace(p, "1", "why"),
        ):
            with pytest.raises(Forbidden):
                call(who)
