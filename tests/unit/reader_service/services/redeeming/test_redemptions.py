"""Redemptions at readers: in the insertion of the verdict, by whoever may, on the card that is in the reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from programme.outcome import Refused
from reader_service.errors import Conflict, Forbidden, Invalid, LeaseLost, NotFound
from reader_service.redemptions.counter import PinRefused
from reader_service.redemptions.errors import JournalBusy
from reader_service.redemptions.receiver import UploadFaultCode
from reader_service.redemptions.record import CounterOutcome
from reader_service.service import ReaderService
from reader_service.services.redeeming.redemptions import refusal_sentence
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.lists import CounterLists
from tests.support.registry.redeemed import PARK
from tests.support.service.merchant import choice
from tests.support.service.merchant_rig import MerchantRig, issued_cards, merchant_rig
from tests.support.service.reader_rig import COUNTER, OPERATOR
from tests.support.waiting import eventually

DAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    with merchant_rig(tmp_path, issued) as running:
        yield running


def newer_lists(lists: CounterLists, *listed: HotCard) -> CounterLists:
    """These lists a second later, with other cards on the hotlist."""
    assert lists.hotlist is not None
    trust = replace(lists.trust, issue=replace(lists.trust.issue, version=lists.trust.issue.version + 1))
    issue = replace(lists.hotlist.issue, version=lists.hotlist.version + 1)
    return replace(lists, trust=trust, hotlist=Hotlist.of(listed, issue))


def test_a_card_put_in_is_offered_what_its_member_can_have_and_redeems_once(rig: MerchantRig) -> None:
    card = rig.insert()
    assert (card.reason, card.recovered) == ("", None)
    assert next((offer.benefit, offer.possible, offer.left) for offer in card.offers) == ("park-pass", True, 12)
    record = rig.redeem(card, quantity=2)
    assert (record.outcome, record.used, record.limit, record.cashier) == (CounterOutcome.DONE, 2, 12, "柜台")
    assert rig.station_events("redemption.result", "counter")
    assert rig.service.redemptions.record(COUNTER, record.number) == record
    with pytest.raises(Conflict) as spent:
        rig.redeem(card)
    assert spent.value.params["reason"] == "insertion-over"
    rig.service.counter.verify(COUNTER, "counter")
    again = rig.service.redemptions.offers(COUNTER, "counter")
    assert again.offers[0].left == 10
    assert rig.redeem(again).used == 3


def test_a_card_that_was_taken_out_is_not_redeemed(rig: MerchantRig) -> None:
    card = rig.insert()
    rig.service.readers.slot("counter").eject()
    with pytest.raises(Conflict) as out:
        rig.redeem(card)
    assert out.value.params["reason"] == "insertion-over"
    other = rig.insert(1)
    with pytest.raises(Conflict):
        rig.redeem(card)
    assert rig.redeem(other).outcome is CounterOutcome.DONE
    assert rig.service.redemptions.queue(COUNTER).open == 0


def test_a_card_that_lies_in_the_reader_over_midnight_is_verified_anew(rig: MerchantRig) -> None:
    card = rig.insert()
    redemptions = rig.service.redemptions
    now = redemptions._parts.clock()
    redemptions._parts = replace(redemptions._parts, clock=lambda: now + timedelta(days=1))
    with pytest.raises(Conflict) as over:
        rig.redeem(card)
    assert over.value.params["reason"] == "insertion-over"
    assert redemptions.queue(COUNTER).open == 0


@pytest.mark.parametrize("keys", [True, False], ids=["other keys", "a newer hotlist names the card"])
def test_new_lists_void_the_verdict_on_a_card_that_lies_in_the_reader(rig: MerchantRig, keys: bool) -> None:
    card = rig.insert()
    redemptions = rig.service.redemptions
    verdict, lists = redemptions._insertions[card.reader].verdict, rig.service.counter.lists_now()
    assert verdict.card is not None
    listed = HotCard(verdict.card.card_number, verdict.card.sequence, HotlistReason.LOST, DAY)
    newer = newer_lists(lists, *() if keys else (listed,))
    redemptions.lists.changed(replace(newer, trust=replace(newer.trust, keys={})) if keys else newer)
    with pytest.raises(Conflict) as over:
        rig.redeem(card)
    assert over.value.params["reason"] == "insertion-over"
    assert redemptions.queue(COUNTER).open == 0


def test_lists_that_the_counter_reads_in_the_background_void_the_verdict_too(rig: MerchantRig) -> None:
    card, counter, redemptions = rig.insert(), rig.service.counter, rig.service.redemptions
    verdict = redemptions._insertions[card.reader].verdict
    assert verdict.card is not None
    listed = HotCard(verdict.card.card_number, verdict.card.sequence, HotlistReason.LOST, DAY)
    newer = newer_lists(counter.lists_now(), listed)
    counter._parts = replace(counter._parts, lists=lambda: newer)
    counter.refresh()
    assert eventually(lambda: redemptions.lists.outdate(verdict))
    with pytest.raises(Conflict) as over:
        rig.redeem(card)
    assert over.value.params["reason"] == "insertion-over"
    assert redemptions.queue(COUNTER).open == 0


def test_lists_of_the_same_content_under_a_new_version_void_no_verdict(rig: MerchantRig) -> None:
    card = rig.insert()
    other = HotCard("6212260000000000019", 1, HotlistReason.LOST, DAY)
    rig.service.redemptions.lists.changed(newer_lists(rig.service.counter.lists_now(), other))
    assert rig.redeem(card).outcome is CounterOutcome.DONE


def test_several_readers_redeem_at_the_same_time(rig: MerchantRig) -> None:
    first, second = rig.insert(0, "counter"), rig.insert(1, "second")
    assert rig.redeem(second).outcome is CounterOutcome.DONE
    assert rig.redeem(first).outcome is CounterOutcome.DONE


def test_what_the_programme_refuses_is_an_outcome(rig: MerchantRig) -> None:
    card = rig.insert()
    refused = rig.service.redemptions.redeem(COUNTER, "counter", card.insertion, choice(quantity=13))
    assert isinstance(refused, Refused)
    assert rig.redeem(card).outcome is CounterOutcome.DONE


def test_who_may_redeem_and_where(rig: MerchantRig) -> None:
    card = rig.insert()
    with pytest.raises(Forbidden):
        rig.service.redemptions.redeem(OPERATOR, "counter", card.insertion, choice())
    with pytest.raises(Forbidden):
        rig.service.redemptions.offers(OPERATOR, "counter")
    with pytest.raises(NotFound):
        rig.service.redemptions.offers(COUNTER, "second")
    with pytest.raises(NotFound):
        rig.service.redemptions.record(COUNTER, 99)
    with pytest.raises(NotFound):
        rig.service.redemptions.redeem(COUNTER, "counter", card.insertion, choice("film-pass"))
    rig.service.counter.watch(COUNTER, "counter", False)
    with pytest.raises(LeaseLost):
        rig.redeem(card)


def test_a_second_service_on_one_journal_is_refused(rig: MerchantRig) -> None:
    second = ReaderService(rig.station.parts)
    with pytest.raises(JournalBusy, match="a counter has one service at a time"):
        second.start()


def test_a_service_without_a_merchant_redeems_nothing(rig: MerchantRig, tmp_path: Path) -> None:
    plain = ReaderService(replace(rig.station.parts, place=None, data_dir=tmp_path / "plain"))
    plain.redemptions.open()
    assert not plain.redemptions.enabled
    with pytest.raises(Conflict) as nothing:
        plain.redemptions.queue(COUNTER)
    assert nothing.value.params["reason"] == "no-merchant"


def test_a_wrong_pin_names_the_tries_and_a_blocked_one_what_to_do() -> None:
    assert refusal_sentence(PinRefused(2)) == {"zh": "密码错误，剩余 2 次", "en": "The PIN is wrong; 2 tries left"}
    blocked = refusal_sentence(PinRefused(0))
    assert "解锁" in blocked["zh"]
    assert "unblocked at a window" in blocked["en"]


def test_a_clock_that_was_set_back_is_taken_note_of_with_a_reason(rig: MerchantRig) -> None:
    journal = rig.service.redemptions._need().journal
    journal.acknowledge(rig.station.parts.clock() + timedelta(days=1), by="test", reason="the clock was ahead")
    assert rig.service.redemptions.queue(COUNTER).clock_set_back
    assert rig.insert().reason == "journal-clock"
    with pytest.raises(Invalid):
        rig.service.redemptions.acknowledge(COUNTER, " ")
    rig.service.redemptions.acknowledge(COUNTER, "set right")
    assert not rig.service.redemptions.queue(COUNTER).clock_set_back


def test_the_queue_says_why_rows_wait(rig: MerchantRig) -> None:
    rig.redeem(rig.insert())
    assert eventually(lambda: rig.service.redemptions.queue(COUNTER).fault is not None)
    queue = rig.service.redemptions.queue(COUNTER)
    assert (queue.fault, queue.waiting, queue.uploaded_at) == (UploadFaultCode.TERMINAL, 3, None)
    rig.station.registry.merchants.put(PARK, by="test")
    rig.service.redemptions.upload(COUNTER)
    # The rows are on record before the attempt is over.
    assert eventually(lambda: rig.service.redemptions.queue(COUNTER).fault is None)
    queue = rig.service.redemptions.queue(COUNTER)
    assert (queue.waiting, queue.fault_sentence, queue.uploaded_at is not None) == (0, "", True)
    assert rig.station.bus.of("redemption.queue")
    booked = rig.station.registry.redemptions.page().items
    assert [(one.merchant, one.terminal, one.benefit_class) for one in booked] == [("PARK-EAST", "T0000001", "0101")]
