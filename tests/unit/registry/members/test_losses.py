"""Losses: one job from the report to the replacement, by telephone too, and undone until the new card is made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict
from registry.members.identity import Caller, CallerKind, Question
from registry.members.losses import CollectionPoint, Loss, LossChannel
from registry.store import Registry
from registry.values import BatchState, Card, CardState
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import (
    UNIT,
    SetClock,
    approved,
    audit_entries,
    carded,
    claimed,
    custodian,
    prepare,
    row,
    unlist,
)

WINDOW = CollectionPoint("市总工会服务大厅 3 号窗口", date(2026, 12, 1))
RIGHT = {Question.NAME: "欧阳001", Question.ID_END: "0001", Question.MOBILE_END: "0001", Question.UNIT: UNIT}
THREE = {question: answer for question, answer in RIGHT.items() if question is not Question.MOBILE_END}


@pytest.fixture
def card(registry: Registry, custody: MemoryCustody) -> Card:
    return carded(registry, custody)[0]


def listed(registry: Registry) -> list[tuple[int, str]]:
    return [(entry.sequence, entry.reason) for entry in registry.hotlist.entries()]


def ordered(registry: Registry, card: Card) -> Loss:
    return registry.losses.report(
        card.card_number, by="李", reason="欧阳001 丢了钱包", place="窗口 3", collection=WINDOW
    )


def test_one_call_lists_the_card_and_orders_the_replacement_for_a_second_person(registry: Registry, card: Card) -> None:
    loss = ordered(registry, card)
    assert listed(registry) == [(1, "lost")]
    assert (loss.card_state, loss.channel, loss.caller) == (CardState.REPLACED, LossChannel.WINDOW, None)
    assert (loss.collect_at, loss.collect_on, loss.batch_state) == (*_point(WINDOW), BatchState.DRAFT)
    assert (loss.reason, loss.place, loss.by) == ("欧**** 丢了钱包", "窗口 3", "李")
    assert loss.batch is not None
    assert [step.step.value for step in registry.reviews.of(loss.batch)] == ["submitted"]
    assert audit_entries(registry, "card.lost") == [("李", f"card:{card.card_number}-1", "欧**** 丢了钱包")]
    with pytest.raises(RegistryConflict, match="second person"):
        registry.batches.approve(loss.batch, "李", sent=True)
    assert registry.batches.approve(loss.batch, "王", sent=True).state is BatchState.APPROVED
    with pytest.raises(RegistryConflict, match="is replaced"):
        ordered(registry, card)


def _point(point: CollectionPoint) -> tuple[str, date]:
    return point.at, point.on


def test_a_replacement_is_ordered_later_and_once(registry: Registry, card: Card) -> None:
    number = registry.losses.report(card.card_number, by="李", reason="丢失").number
    assert registry.losses.loss(number).batch is None
    loss = registry.losses.order(number, WINDOW, by="李", reason="要补卡")
    assert (loss.batch_state, loss.collect_at) == (BatchState.DRAFT, WINDOW.at)
    with pytest.raises(RegistryConflict, match=f"in batch {loss.batch}"):
        registry.losses.order(number, WINDOW, by="李", reason="again")
    with pytest.raises(NotOnRecord, match="no loss with the number 99"):
        registry.losses.order(99, WINDOW, by="李", reason="x")


@pytest.mark.parametrize("way", ["change", "replace"])
def test_every_way_to_lose_a_card_is_a_loss(registry: Registry, card: Card, way: str) -> None:
    if way == "change":
        registry.cards.change(card.card_number, "lost", "前台", "挂失")
    else:
        registry.cards.replace(card.card_number, by="前台", reason="挂失", because="lost")
    (loss,) = registry.losses.page(member_id=card.member_id).items
    assert (loss.by, loss.reason, loss.listed, loss.batch is None) == ("前台", "挂失", True, way == "change")


@pytest.mark.parametrize("states", [(), ("packed",), ("packed", "delivered", "active")])
def test_a_card_that_turns_up_has_its_state_again(registry: Registry, card: Card, states: tuple[str, ...]) -> None:
    for state in states:
        registry.cards.change(card.card_number, state, "前台", "")
    loss = ordered(registry, card)
    unlisted = unlist(registry, loss.number, "欧阳001 找到了")
    assert unlisted.card_state == (states[-1] if states else "verified")
    assert (unlisted.listed, unlisted.unlisted_reason, unlisted.unlisted_by) == (False, "欧**** 找到了", "李")
    assert unlisted.batch_state is BatchState.DISCARDED
    assert listed(registry) == []
    assert registry.members.member(card.member_id).card_state == unlisted.card_state
    with pytest.raises(RegistryConflict, match="is over"):
        registry.losses.unlist(loss.number, by="赵", reason="again")
    again = ordered(registry, card)
    assert (again.number, again.batch_state) == (loss.number + 1, BatchState.DRAFT)
    assert [one.number for one in registry.losses.page(listed=True).items] == [again.number]
    assert [one.number for one in registry.losses.page(listed=False).items] == [loss.number]


def test_one_person_does_not_unlist(registry: Registry, card: Card) -> None:
    loss = ordered(registry, card)
    noted = registry.losses.unlist(loss.number, by="王", reason="欧阳001 来过")
    assert (noted.listed, noted.returned_by, noted.returned_reason) == (True, "王", "欧**** 来过")
    assert noted.batch_state is BatchState.DRAFT
    with pytest.raises(RegistryConflict) as own:
        registry.losses.unlist(loss.number, by="王", reason="again")
    assert own.value.reason == "own-work"
    assert [one.number for one in registry.losses.page(returned=True).items] == [loss.number]
    lost = registry.losses.still_lost(loss.number, by="王", reason="别人的卡")
    assert (lost.returned_by, lost.listed) == (None, True)
    with pytest.raises(RegistryConflict) as nothing:
        registry.losses.still_lost(loss.number, by="王", reason="again")
    assert nothing.value.reason == "loss-not-found"
    assert registry.losses.page(returned=True).items == ()
    registry.losses.unlist(loss.number, by="李", reason="找到")
    assert not registry.losses.unlist(loss.number, by="王", reason="确认").listed
    assert sorted(entry[0] for entry in audit_entries(registry, "card.found")) == ["李", "王"]


def test_the_database_wants_two_people_who_unlist(registry: Registry, card: Card) -> None:
    loss = ordered(registry, card)
    one = "UPDATE losses SET unlisted_at = at, unlisted_by = '王', unlisted_reason = 'x'"
    for first in ("NULL", "'王'"):
        with registry._context.write() as conn:
            conn.execute(text(f"UPDATE losses SET returned_by = {first}"))  # noqa: S608
        with pytest.raises(RegistryConflict), registry._context.write() as conn:
            conn.execute(text(one))
    assert registry.losses.loss(loss.number).listed


def test_a_suspended_card_that_turns_up_stays_suspended(registry: Registry, card: Card) -> None:
    for state in ("packed", "delivered", "active", "suspended"):
        registry.cards.change(card.card_number, state, "前台", "")
    loss = ordered(registry, card)
    assert unlist(registry, loss.number).card_state is CardState.SUSPENDED
    assert listed(registry) == [(1, "suspended")]


def test_a_card_is_unlisted_until_a_chip_is_taken_for_its_successor(
    registry: Registry, custody: MemoryCustody, card: Card, clock: SetClock
) -> None:
    loss = ordered(registry, card)
    assert loss.batch is not None
    registry.batches.approve(loss.batch, "王", sent=True)
    prepare(registry, custody, loss.batch)
    claim = claimed(registry, loss.batch, 2)
    for verified in (False, True):
        if verified:
            registry.line.verified(claim, {}, 1.0)
        with pytest.raises(RegistryConflict, match="is made or being made") as refused:
            registry.losses.unlist(loss.number, by="李", reason="找到")
        assert (refused.value.reason, refused.value.params) == ("loss-replaced", {"card": card.card_number})
    assert listed(registry) == [(1, "lost")]
    assert registry.losses.loss(loss.number).listed


def test_a_prepared_replacement_without_a_chip_is_given_up(
    registry: Registry, custody: MemoryCustody, card: Card
) -> None:
    loss = ordered(registry, card)
    assert loss.batch is not None
    registry.batches.approve(loss.batch, "王", sent=True)
    prepare(registry, custody, loss.batch)
    assert unlist(registry, loss.number).batch_state is BatchState.DISCARDED
    assert registry.members.member(card.member_id).card_state is CardState.VERIFIED


def test_a_card_of_somebody_who_left_or_is_on_another_roster_stays_listed(
    registry: Registry, custody: MemoryCustody
) -> None:
    left, elsewhere = carded(registry, custody, 2)
    losses = [registry.losses.report(card.card_number, by="李", reason="丢失").number for card in (left, elsewhere)]
    registry.members.withdraw(left.member_id, by="李", reason="退休")
    batch = approved(registry, [row(2)], "d2")
    for number, reason in zip(losses, ("member-left", "member-in-batch"), strict=True):
        with pytest.raises(RegistryConflict) as refused:
            registry.losses.unlist(number, by="李", reason="找到")
        assert refused.value.reason == reason
    assert refused.value.params == {"batch": batch}
    assert listed(registry) == [(1, "lost"), (1, "lost")]


def test_a_caller_is_identified_by_three_right_answers(registry: Registry, card: Card) -> None:
    caller = Caller(CallerKind.RELATIVE, RIGHT | {Question.MOBILE_END: "9999"}, "王小明", "13800001111")
    loss = registry.losses.report(card.card_number, by="李", reason="来电挂失", caller=caller)
    assert (loss.channel, loss.caller, loss.caller_masked) == (LossChannel.HOTLINE, CallerKind.RELATIVE, "王**")
    assert loss.answers == (Question.NAME, Question.ID_END, Question.UNIT)
    assert "王小明" not in f"{caller!r}{loss!r}"
    assert listed(registry) == [(1, "lost")]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {Question.NAME: "欧阳001"},
        RIGHT | {Question.NAME: "欧阳", Question.ID_END: "0002"},
        dict.fromkeys(Question, " "),
    ],
)
def test_a_caller_who_does_not_know_the_member_changes_nothing(
    registry: Registry, card: Card, answers: dict[Question, str]
) -> None:
    caller = Caller(CallerKind.OTHER, answers)
    with pytest.raises(RegistryConflict, match="right answers, and 3 are needed") as refused:
        registry.losses.report(card.card_number, by="李", reason="来电", caller=caller)
    assert refused.value.reason == "caller-unidentified"
    assert listed(registry) == []
    assert registry.losses.page().items == ()
    assert audit_entries(registry, "card.caller-refused") == [("李", f"card:{card.card_number}-1", "")]


def test_after_callers_who_are_not_identified_this_clerk_needs_every_answer_for_an_hour(
    registry: Registry, clock: SetClock, card: Card
) -> None:
    def call(answers: dict[Question, str], by: str = "李") -> str:
        with pytest.raises(RegistryConflict) as refused:
            registry.losses.report(card.card_number, by=by, reason="来电", caller=Caller(CallerKind.MEMBER, answers))
        return refused.value.reason

    assert [call({}) for _ in range(4)] == ["caller-unidentified"] * 3 + ["caller-attempts"]
    assert call(THREE) == "caller-attempts", "three right answers are too few now"
    assert call({}, by="张") == "caller-unidentified", "each clerk has the own count"
    assert len(audit_entries(registry, "card.caller-refused")) == 6
    clock.forward(timedelta(hours=1, seconds=1))
    assert call({}) == "caller-unidentified"
    assert call(THREE) == "caller-attempts"
    assert registry.losses.report(card.card_number, by="李", reason="本人到窗口").channel is LossChannel.WINDOW


def test_callers_of_all_tokens_of_a_clerk_count_together(registry: Registry, card: Card) -> None:
    registry.users.add("li", "李", "x", ["registrar"], by="root")
    until = datetime.now(UTC) + timedelta(days=1)
    tokens = [registry.tokens.make(f"t{n}", bytes([n]) * 32, ["registrar"], until=until, by="li") for n in range(3)]
    for by in ("Li", *(f"t{n} (token {token.id})" for n, token in enumerate(tokens))):
        with pytest.raises(RegistryConflict) as refused:
            registry.losses.report(card.card_number, by=by, reason="来电", caller=Caller(CallerKind.OTHER, {}))
    assert refused.value.reason == "caller-attempts"


@pytest.mark.parametrize(("by", "every"), [("李", True), ("张", False)], ids=["every answer", "another clerk"])
def test_nobody_keeps_a_member_from_reporting_a_loss(registry: Registry, card: Card, by: str, every: bool) -> None:
    for _ in range(5):
        with pytest.raises(RegistryConflict):
            registry.losses.report(card.card_number, by="李", reason="来电", caller=Caller(CallerKind.OTHER, {}))
    answers = RIGHT if every else THREE
    loss = registry.losses.report(card.card_number, by=by, reason="来电", caller=Caller(CallerKind.MEMBER, answers))
    assert (loss.channel, listed(registry)) == (LossChannel.HOTLINE, [(1, "lost")])


@pytest.mark.parametrize("name", [UNIT, UNIT.removesuffix("工会"), f" {UNIT} "])
def test_a_unit_is_named_as_people_name_it(name: str) -> None:
    caller = Caller(CallerKind.MEMBER, {Question.UNIT: name, Question.ID_END: " 0001 ", Question.NAME: "欧阳 001"})
    assert caller.right_answers(row(1).person, f"上级工会 / {UNIT}") == frozenset(
        {Question.UNIT, Question.ID_END, Question.NAME}
    )


def test_losses_come_in_pages_newest_first(registry: Registry, custody: MemoryCustody, clock: SetClock) -> None:
    for card in carded(registry, custody, 3):
        clock.forward(timedelta(minutes=1))
        registry.losses.report(card.card_number, by="李", reason="丢失")
    first = registry.losses.page(None, 2)
    assert [loss.number for loss in first.items] == [3, 2]
    assert [loss.number for loss in registry.losses.page(first.next, 2).items] == [1]


def test_the_bank_hears_of_each_loss_once_and_of_its_end(registry: Registry, clock: SetClock) -> None:
    custody = custodian()
    batch = approved(registry, [row(number) for number in (1, 2, 3)])
    prepare(registry, custody, batch, pans=["6210971300000000016", "6210971300000000024"])
    cards = [registry.line.verified(claimed(registry, batch, number), {}, 1.0) for number in (1, 2, 3)]
    with pytest.raises(RegistryConflict, match="no loss is new"):
        registry.bank_reports.make(by="李")
    losses = [registry.losses.report(card.card_number, by="李", reason="丢失") for card in cards]
    assert registry.bank_reports.new() == 2, "the third card has no application of the bank"
    first = registry.bank_reports.make(by="李")
    assert (first.number, first.since, first.losses, first.unlistings) == (1, None, 2, 0)
    assert registry.bank_reports.new() == 0
    lines = registry.bank_reports.lines(1, by="李")
    assert [(line.loss, line.unlisted, line.account) for line in lines] == [
        (1, False, "6210971300000000016"),
        (2, False, "6210971300000000024"),
    ]
    assert "62109713" not in repr(lines)
    start = clock.now
    clock.forward(timedelta(days=1))
    unlist(registry, losses[0].number)
    second = registry.bank_reports.make(by="李")
    assert (second.number, second.since, second.losses, second.unlistings) == (2, start, 0, 1)
    assert [(line.loss, line.unlisted) for line in registry.bank_reports.lines(2, by="李")] == [(1, True)]
    assert [(line.loss, line.unlisted) for line in registry.bank_reports.lines(1, by="李")] == [(1, False), (2, False)]
    assert len(registry.bank_reports.since(start, by="李")) == 3
    assert [line.unlisted for line in registry.bank_reports.since(clock.now, by="李")] == [True]
    assert audit_entries(registry, "bank.export")[0] == ("李", "losses", "")
    assert [report.number for report in registry.bank_reports.page().items] == [2, 1]
    with pytest.raises(NotOnRecord, match="no report 3"):
        registry.bank_reports.lines(3, by="李")


def test_a_loss_that_was_unlisted_before_any_report_is_in_none(registry: Registry) -> None:
    batch = approved(registry, [row(1)])
    prepare(registry, custodian(), batch, pans=["6210971300000000016"])
    card = registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    loss = registry.losses.report(card.card_number, by="李", reason="丢失")
    unlist(registry, loss.number)
    assert registry.bank_reports.new() == 0
    with pytest.raises(RegistryConflict, match="no loss is new"):
        registry.bank_reports.make(by="李")


def test_a_day_before_every_calendar_is_refused_in_a_sentence(registry: Registry) -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8)))
    with pytest.raises(RegistryConflict, match="cannot be stored"):
        registry.bank_reports.since(first, by="李")
