"""A redemption at a counter: in the journal before it goes to the card and before it is shown, once whatever tears."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from programme.outcome import Allowed, RefusalCode, Refused
from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.errors import ClockSetBack, JournalBusy, JournalFull, JournalUnavailable, RowMisplaced
from reader_service.redemptions.intents import IntentResult
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.record import UNREADABLE, CounterOutcome, CounterRecord
from terminal.apdu import stack
from terminal.errors import NotRedeemable
from terminal.member.hotlist import HotCard, HotlistReason
from terminal.member.journal_rows import RowKind
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.signed import Issue, ListOutdated
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, NUMBER, TRUST, hotlist
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import Edition, choice, counter

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

MINUTE = timedelta(minutes=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "redemptions"


@pytest.fixture
def till(folder: Path) -> Iterator[CounterRedemptions]:
    opened = counter(folder, NOW)
    yield opened
    opened.journal.close()


def verdict_on(card: RedeemingCard, at: datetime = NOW, *listed: HotCard) -> Verdict:
    card.vanish_at, card.lost = None, set()
    return verify(stack(card), trust=TRUST, hotlist=hotlist(*listed), at=at)


def redeemed(till: CounterRedemptions, card: RedeemingCard, at: datetime = NOW, quantity: int = 1) -> CounterRecord:
    record = till.redeem(stack(card), verdict_on(card, at), choice(quantity=quantity), at, cashier="王芳")
    assert isinstance(record, CounterRecord)
    return record


def torn(till: CounterRedemptions, card: RedeemingCard, *, counted: bool) -> CounterRecord:
    verdict = verdict_on(card)
    if counted:
        card.lost = {len(card.log)}
    else:
        card.vanish_at = len(card.log)
    record = till.redeem(stack(card), verdict, choice(), NOW, cashier="王芳")
    assert isinstance(record, CounterRecord)
    return record


def recovered(till: CounterRedemptions, card: RedeemingCard, at: datetime = NOW) -> CounterRecord | None:
    return till.recover(stack(card), verdict_on(card, at), at)


def redeem_on(till: CounterRedemptions, card: RedeemingCard, used: list[int]) -> None:
    """Redeem until the journal refuses; ``used`` gets each count that a record has."""
    while True:
        used.append(redeemed(till, card).used or 0)


def kinds(till: CounterRedemptions) -> list[str]:
    return [str(row.kind) for row in till.journal.rows(2)]


def test_a_redemption_has_its_price_and_what_is_left(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    record = redeemed(till, card, quantity=2)
    assert (record.outcome, record.quantity, record.amount, record.saved) == (CounterOutcome.DONE, 2, 20_000, 20_000)
    assert (record.transaction, record.used, record.limit) == (0x42, 5, 12)
    assert (record.title.zh, record.title.en, record.cashier) == ("公园年票", "Park pass", "王芳")
    assert NUMBER not in f"{record}"
    assert kinds(till) == ["intent", "redeemed"]
    intent = next(till.journal.rows(2))
    request = RedemptionRequest.decode(intent.octets("request"))
    assert (request.merchant, request.terminal, request.benefit_class) == ("PARK-EAST", "T0000001", "0101")
    assert (request.day, request.clock) == (NOW.date(), NOW.time())
    assert till.record(record.number) == record


def test_the_journal_has_the_request_before_it_goes_to_the_card(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    verdict, rows = verdict_on(card), []
    card.tamper = lambda command, answer: rows.append(kinds(till)) or answer  # type: ignore[func-returns-value]
    till.redeem(stack(card), verdict, choice(), NOW, cashier="")
    assert rows == [["intent"]]


def test_a_request_of_another_version_is_marked_and_hides_no_other(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    assert isinstance(till.redeem(stack(card), verdict_on(card), choice(), NOW, cashier="王芳"), CounterRecord)
    newer = till.journal.begin(NUMBER, 9, b"\x7f of a later version", NOW, cashier="王芳")
    evidence = IntentResult(RowKind.REDEEMED, 0x0999, b"\x7f also")
    assert till.open_records()[0].title == UNREADABLE
    till.journal.finish(newer, evidence, NOW)
    records = till.records_on(NOW.astimezone(till.zone).date())
    assert [(one.outcome, one.title == UNREADABLE) for one in records] == [
        (CounterOutcome.DONE, False),
        (CounterOutcome.UNKNOWN, True),
    ]
    sheet = till.day_sheet(NOW.astimezone(till.zone).date(), NOW)
    assert [one.title for one in sheet.uncertain] == [UNREADABLE]
    assert sheet.total.due == records[0].amount


def test_offers_have_price_count_and_the_reason_where_not(till: CounterRedemptions) -> None:
    park, check_up = till.offers(verdict_on(RedeemingCard()), NOW)
    assert (park.benefit, park.possible, park.left, park.most, park.at_once) == ("park-pass", True, 9, 9, False)
    assert isinstance(park.decision, Allowed)
    assert park.decision.price == 10_000
    assert [words.zh for words in park.show] == ["身份证"]
    assert (check_up.benefit, check_up.possible, check_up.left) == ("check-up", False, None)
    assert isinstance(check_up.decision, Refused)
    assert check_up.decision.code is RefusalCode.NOT_ON_CARD


def test_a_benefit_that_is_used_up_says_when_it_is_possible_again(till: CounterRedemptions) -> None:
    park = till.offers(verdict_on(RedeemingCard(used=12)), NOW)[0]
    assert (park.possible, park.left) == (False, 0)
    assert isinstance(park.decision, Refused)
    assert park.decision.again_on == date(2027, 1, 1)
    assert "2027-01-01" in park.decision.sentence.zh


def test_a_benefit_with_one_unit_takes_one_press(till: CounterRedemptions) -> None:
    assert till.offers(verdict_on(RedeemingCard(limit=4)), NOW)[0].at_once


def test_what_the_programme_refuses_does_not_go_to_the_card(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    refused = till.redeem(stack(card), verdict_on(card), choice(quantity=10), NOW, cashier="")
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.TOO_MANY
    assert kinds(till) == []
    assert card.atc == 0x41


def test_a_card_that_refuses_has_its_reasons_in_the_record(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    card.refuses = bytes.fromhex("004000")
    record = redeemed(till, card)
    assert (record.outcome, record.reasons) == (CounterOutcome.REFUSED, ("LIMIT_EXCEEDED",))
    assert till.journal.open_intents == ()


@pytest.mark.parametrize("counted", [True, False])
def test_a_torn_redemption_is_finished_at_the_next_insertion_and_once(
    till: CounterRedemptions, folder: Path, counted: bool
) -> None:
    card = RedeemingCard()
    assert torn(till, card, counted=counted).outcome is CounterOutcome.TORN
    till.journal.close()
    again = counter(folder, NOW + MINUTE)
    record = recovered(again, card, NOW + MINUTE)
    assert record is not None
    assert record.outcome is (CounterOutcome.RECOVERED if counted else CounterOutcome.NOT_COUNTED)
    assert card.used == (4 if counted else 3)
    assert kinds(again) == ["intent", "torn", "recovered" if counted else "not-counted"]
    assert recovered(again, card, NOW + MINUTE) is None
    assert redeemed(again, card, NOW + MINUTE).used == (5 if counted else 4)
    again.journal.close()


def test_what_was_not_counted_leaves_the_card_ready_in_the_same_insertion(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    torn(till, card, counted=False)
    verdict = verdict_on(card)
    till.recover(stack(card), verdict, NOW)
    record = till.redeem(stack(card), verdict, choice(), NOW, cashier="")
    assert isinstance(record, CounterRecord)
    assert record.outcome is CounterOutcome.DONE


def test_an_answer_without_a_proof_stays_open_and_is_recovered(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    verdict = verdict_on(card)
    card.tamper = lambda command, answer: answer[:-60] + bytes((answer[-60] ^ 1,)) + answer[-59:]
    record = till.redeem(stack(card), verdict, choice(), NOW, cashier="")
    assert isinstance(record, CounterRecord)
    assert (record.outcome, record.outcome.proven) == (CounterOutcome.NOT_PROVEN, False)
    assert len(till.journal.open_intents) == 1
    card.tamper = lambda command, answer: answer
    again = recovered(till, card)
    assert again is not None
    assert again.outcome is CounterOutcome.RECOVERED
    assert card.used == 4


@pytest.mark.parametrize("answer", ["6F00", "6985", "7700 9000", "9000"])
def test_after_any_fault_of_the_card_the_request_stays_open(till: CounterRedemptions, answer: str) -> None:
    card = RedeemingCard()
    verdict = verdict_on(card)
    card.answers["AE"] = bytes.fromhex(answer)
    record = till.redeem(stack(card), verdict, choice(), NOW, cashier="")
    assert isinstance(record, CounterRecord)
    assert record.outcome is CounterOutcome.TORN
    assert len(till.journal.open_intents) == 1


def test_a_card_that_is_blocked_since_is_still_recovered(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    torn(till, card, counted=True)
    lost = HotCard(NUMBER, 1, HotlistReason.LOST, NOW.date())
    verdict = verdict_on(card, NOW, lost)
    assert verdict.code is VerdictCode.LOST
    record = till.recover(stack(card), verdict, NOW)
    assert record is not None
    assert record.outcome is CounterOutcome.RECOVERED
    assert till.offers(verdict, NOW) == ()
    with pytest.raises(NotRedeemable):
        till.redeem(stack(card), verdict, choice(), NOW, cashier="")


def test_a_redemption_that_another_counter_followed_has_its_evidence_from_the_log(
    till: CounterRedemptions, tmp_path: Path
) -> None:
    card = RedeemingCard()
    torn(till, card, counted=True)
    other = counter(tmp_path / "other", NOW)
    assert redeemed(other, card).outcome is CounterOutcome.DONE
    other.journal.close()
    record = recovered(till, card)
    assert record is not None
    assert (record.outcome, record.transaction) == (CounterOutcome.LOGGED, 0x42)


def test_a_transaction_counter_that_came_before_gives_nothing(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    first = redeemed(till, card)
    card.atc -= 1
    record = redeemed(till, card)
    assert (first.outcome, record.outcome) == (CounterOutcome.DONE, CounterOutcome.REPEATED)
    assert not record.outcome.proven


def test_a_card_of_another_programme_is_offered_nothing(till: CounterRedemptions) -> None:
    edition = Edition()
    federation = edition.programme.federation.model_copy(update={"division": "110000"})
    edition.programme = edition.programme.model_copy(update={"federation": federation})
    other = CounterRedemptions(till.journal, replace(till.place, edition=lambda: edition), till.zone)
    card = RedeemingCard()
    verdict = verdict_on(card)
    offers = other.offers(verdict, NOW)
    assert [offer.possible for offer in offers] == [False, False]
    refused = other.redeem(stack(card), verdict, choice(), NOW, cashier="")
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.OTHER_FEDERATION


@pytest.mark.parametrize("days", [-10, 100])
def test_a_clock_far_from_the_dates_of_the_edition_redeems_nothing(till: CounterRedemptions, days: int) -> None:
    card = RedeemingCard()
    verdict = verdict_on(card)
    issued = NOW - timedelta(days=days)
    edition = Edition(issue=Issue(7, issued, issued + timedelta(days=90)))
    other = CounterRedemptions(till.journal, replace(till.place, edition=lambda: edition), till.zone)
    for attempt in (
        lambda: other.offers(verdict, NOW),
        lambda: other.redeem(stack(card), verdict, choice(), NOW, cashier=""),
    ):
        with pytest.raises(ListOutdated, match="set the clock right"):
            attempt()
    assert kinds(till) == []


def test_a_clock_that_was_set_back_asks_no_card(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    redeemed(till, card)
    verdict = verdict_on(card)
    with pytest.raises(ClockSetBack):
        till.redeem(stack(card), verdict, choice(), NOW - timedelta(hours=1), cashier="")
    assert card.used == 4


def test_a_full_disk_asks_no_card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("reader_service.redemptions.sealed_log._CHUNK", 20_000)
    till = counter(folder, NOW)
    card = RedeemingCard(limit=200)
    used = [card.used]
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(JournalFull):
        redeem_on(till, card, used)
    assert card.used == used[-1]
    assert len(used) > 5
    assert till.journal.open_intents == ()
    till.journal.close()


def test_a_result_that_the_disk_does_not_confirm_is_not_shown(
    till: CounterRedemptions, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    card = RedeemingCard()
    verdict, syncs = verdict_on(card), []

    def sync(file: int) -> None:
        syncs.append(file)
        if len(syncs) > 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(JournalUnavailable):
        till.redeem(stack(card), verdict, choice(), NOW, cashier="")
    monkeypatch.undo()
    till.journal.close()
    again = counter(folder, NOW)
    record = recovered(again, card)
    outcomes = [record.outcome] if record else [again.record(3).outcome]  # the row may be on the disk all the same
    assert outcomes in ([CounterOutcome.RECOVERED], [CounterOutcome.DONE])
    assert card.used == 4
    again.journal.close()


def test_a_second_counter_on_one_journal_is_refused(till: CounterRedemptions, folder: Path) -> None:
    with pytest.raises(JournalBusy, match="a counter has one service at a time"):
        RedemptionJournal.open(folder, NOW)


def test_a_request_whose_card_never_comes_back_is_given_up_with_a_reason(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    record = torn(till, card, counted=True)
    ended = till.give_up(record.intent, NOW, by="王芳", reason="卡片已损坏")
    assert (ended.outcome, ended.reasons) == (CounterOutcome.UNKNOWN, ("王芳: 卡片已损坏",))
    with pytest.raises(RowMisplaced):
        till.give_up(record.intent, NOW, by="王芳", reason="again")
