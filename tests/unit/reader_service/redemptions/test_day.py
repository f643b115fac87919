"""The end-of-day sheet: sums by benefit and cashier that tie to the journal, reversals, what is open, differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pypdfium2
import pytest

from programme.wording import signed_yuan
from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.day import DaySums
from reader_service.redemptions.day_paper import day_lines, day_pdf
from reader_service.redemptions.intents import IntentResult
from reader_service.redemptions.receipt import COLUMNS, columns, slip_text
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from terminal.apdu import stack
from terminal.member.journal_rows import RowKind
from terminal.member.verdict import verify
from tests.support.cards.member_issuer import NOW, NUMBER, TRUST, hotlist
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import choice, counter

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

TODAY, MINUTE = NOW.date(), timedelta(minutes=1)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[CounterRedemptions]:
    opened = counter(tmp_path / "redemptions", NOW)
    yield opened
    opened.journal.close()


def redeemed(
    till: CounterRedemptions, card: RedeemingCard, at: datetime = NOW, *, quantity: int = 1, cashier: str = "王芳"
) -> CounterRecord:
    card.vanish_at, card.lost = None, set()
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=at)
    record = till.redeem(stack(card), verdict, choice(quantity=quantity), at, cashier=cashier)
    assert isinstance(record, CounterRecord)
    return record


def torn(till: CounterRedemptions, card: RedeemingCard, at: datetime = NOW) -> None:
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=at)
    card.lost = {len(card.log)}
    till.redeem(stack(card), verdict, choice(), at, cashier="王芳")


def recovered(till: CounterRedemptions, card: RedeemingCard, at: datetime) -> CounterRecord | None:
    card.vanish_at, card.lost = None, set()
    return till.recover(stack(card), verify(stack(card), trust=TRUST, hotlist=hotlist(), at=at), at)


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks and line ends."""
    return ["".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(pdf)]


def test_sums_by_benefit_and_by_cashier_are_those_of_the_journal(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    redeemed(till, card, quantity=2)
    redeemed(till, card, NOW + MINUTE, cashier="李娜")
    back = redeemed(till, card, NOW + 2 * MINUTE)
    till.journal.reverse(back.number, NOW + 3 * MINUTE, by="李娜", reason="买错")
    sheet = till.day_sheet(TODAY, NOW + 4 * MINUTE)
    assert sheet.total == DaySums(3, 4, 40_000, 40_000, 1, 10_000)
    assert sheet.total.due == 30_000
    assert [(one.benefit, one.product, one.sums) for one in sheet.benefits] == [("park-pass", "pass", sheet.total)]
    assert [(one.cashier, one.sums.amount, one.sums.returned) for one in sheet.cashiers] == [
        ("王芳", 30_000, 0),
        ("李娜", 10_000, 10_000),
    ]
    assert [(one.record.number, one.by, one.reason) for one in sheet.reversals] == [(back.number, "李娜", "买错")]
    assert sheet.uncertain == ()
    assert till.day_sheet(TODAY - timedelta(days=1), NOW).total == DaySums()


def test_a_torn_redemption_is_open_on_its_day_and_counted_on_the_day_it_is_recovered(
    till: CounterRedemptions,
) -> None:
    card, next_day = RedeemingCard(), NOW + timedelta(days=1)
    torn(till, card)
    before = till.day_sheet(TODAY, NOW)
    assert [(one.outcome, one.amount) for one in before.uncertain] == [(CounterOutcome.TORN, 10_000)]
    assert before.total == DaySums()
    late = recovered(till, card, next_day)
    assert late is not None
    assert late.outcome is CounterOutcome.RECOVERED
    assert till.day_sheet(TODAY, NOW) == before, "a sheet that was signed stays as it is"
    after = till.day_sheet(next_day.date(), next_day)
    assert (after.total.redemptions, after.total.amount, after.uncertain) == (1, 10_000, ())


def test_what_a_clock_that_was_ahead_has_dated_is_on_one_sheet_and_so_is_what_was_paid_back(
    till: CounterRedemptions,
) -> None:
    card, ahead = RedeemingCard(), NOW + timedelta(days=2)
    paid = redeemed(till, card, ahead)
    torn(till, RedeemingCard(), ahead)
    request = till.journal.open_intents[0]
    till.journal.acknowledge(NOW, by="root", reason="the clock was ahead")
    till.journal.reverse(paid.number, NOW + MINUTE, by="王芳", reason="买错")
    evidence = till.journal.row(paid.number).octets("evidence")
    till.journal.finish(request, IntentResult(RowKind.RECOVERED, 9, evidence), NOW + 2 * MINUTE)
    days = [NOW.date() + timedelta(days=number) for number in range(4)]
    sums = [till.day_sheet(day, ahead).total for day in days]
    assert [(one.redemptions, one.reversals) for one in sums] == [(1, 1), (0, 0), (1, 0), (0, 0)]
    assert [till.day_sheet(day, ahead).uncertain for day in days] == [(), (), (), ()]


def test_no_text_of_a_person_is_a_command_to_the_printer(till: CounterRedemptions) -> None:
    back = redeemed(till, RedeemingCard(), cashier="王芳\x1b@")
    till.journal.reverse(back.number, NOW, by="李娜\x1bp0", reason="\x1dV\x00\u202e")
    for text in (
        slip_text(day_lines(till.day_sheet(TODAY, NOW), "zh")),
        slip_text(day_lines(till.day_sheet(TODAY, NOW), "en")),
    ):
        assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
        assert "李娜\\u001bp0" in text


def test_a_request_that_was_given_up_is_named_on_the_sheet(till: CounterRedemptions) -> None:
    torn(till, RedeemingCard())
    till.give_up(till.journal.open_intents[0].number, NOW, by="王芳", reason="卡已取走")
    sheet = till.day_sheet(TODAY, NOW)
    assert [one.outcome for one in sheet.uncertain] == [CounterOutcome.UNKNOWN]


def test_a_day_is_one_of_the_zone(tmp_path: Path) -> None:
    till = counter(tmp_path / "redemptions", NOW)
    till.zone = ZoneInfo("Asia/Shanghai")
    late = datetime(TODAY.year, TODAY.month, TODAY.day, 20, tzinfo=UTC)  # the next day in China
    redeemed(till, RedeemingCard(), late)
    assert till.day_sheet(TODAY, late).total.redemptions == 0
    assert till.day_sheet(TODAY + timedelta(days=1), late).total.redemptions == 1
    till.journal.close()


def test_what_was_counted_against_what_is_due(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    redeemed(till, card)
    redeemed(till, card, NOW + MINUTE, cashier="李娜")
    sheet = till.day_sheet(TODAY, NOW)
    assert (sheet.counted, sheet.difference) == (None, None)
    one = sheet.with_counted([9_950])
    assert ([person.difference for person in one.cashiers], one.difference) == ([-50, None], None)
    both = sheet.with_counted([9_950, 10_100])
    assert (both.counted, both.difference) == (20_050, 50)
    assert sheet.with_counted([1, 2, 3]).counted == 3
    assert [signed_yuan(fen) for fen in (-50, -12_345, 0, 7)] == ["-0.50", "-123.45", "0.00", "0.07"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_slip_fits_its_paper_and_says_what_is_open(till: CounterRedemptions, language: str) -> None:
    card = RedeemingCard()
    back = redeemed(till, card)
    till.journal.reverse(back.number, NOW, by="李娜", reason="一个相当长的撤销原因" * 8)
    torn(till, RedeemingCard())
    sheet = till.day_sheet(TODAY, NOW).with_counted([10_000, -10_000])
    text = slip_text(day_lines(sheet, language))
    assert max(map(columns, text.splitlines())) <= COLUMNS
    for word in ("100.00", "-100.00", back.receipt, {"zh": "结果未知", "en": "Not certain"}[language]):
        assert word in text


def test_the_paper_has_every_line_both_languages_and_room_to_sign(till: CounterRedemptions) -> None:
    redeemed(till, RedeemingCard())
    sheet = till.day_sheet(TODAY, NOW)
    many = tuple(replace(sheet.cashiers[0], cashier=f"收银员{number:02d}") for number in range(40))
    text = pages(day_pdf(replace(sheet, cashiers=many)))
    assert len(text) > 1
    whole = "".join(text)
    assert all(whole.count(f"收银员{number:02d}") == 1 for number in range(40))
    for words in ("核销日结单", "End-of-daysheet", "公园年票", "Parkpass", "100.00", "Cashierincharge", "第2页"):
        assert words in whole
    assert NUMBER not in whole
