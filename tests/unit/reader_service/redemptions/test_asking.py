"""Benefits that the office counts, at a counter: request, grant and result in the journal, one use whatever tears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from programme.outcome import RefusalCode, Refused
from programme.programme import parse_programme
from reader_service.redemptions.asking import IssuerLine
from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.errors import ReversalFault, ReversalRefused
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadRefused
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from registry.programme.grants import REPEATED_FOR, GrantRefused, GrantRequest, OnlineGrant
from terminal.apdu import stack
from terminal.member.journal_rows import RowKind
from tests.support.cards.member_issuer import NOW
from tests.support.cards.redeeming_card import RedeemingCard
from tests.support.service.merchant import PROGRAMME, Edition, choice, place
from tests.support.service.receiver import ReceiverInMemory
from tests.unit.reader_service.redemptions.test_counter import kinds, verdict_on

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
CONCERT = """\
  concert:
    name: {zh: 音乐会, en: Concert}
    merchants: [park]
    counted: office
    limits: [{count: 2, per: month}]
    products: {seat: {name: {zh: 座位, en: seat}, price: {list: 100, percent: 50}}}
"""
TICKET = choice("concert", "seat")


@dataclass
class Issuer(ReceiverInMemory):
    """An office that counts each request once. ``faults`` come before it counts, ``lost`` answers after it."""

    counted: dict[tuple[str, int], GrantRequest] = field(default_factory=dict)
    lost: list[Exception] = field(default_factory=list)
    price: int = 5000
    online: bool = True
    over: bool = False
    most: int = 2
    early_faults: list[Exception] = field(default_factory=list)

    def through(self, journal: str) -> int:
        if not self.online:
            raise ReceiverAway("down")
        return super().through(journal)

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        if self.early_faults:
            raise self.early_faults.pop(0)
        key = wanted.journal, wanted.intent
        known = key in self.counted
        if not known and len(self.counted) == self.most:
            return GrantRefused("limit-reached", "limits.0", date(2026, 12, 1), "每月限2次", "at most 2 a month")
        assert self.counted.setdefault(key, wanted) == wanted, "the same request with other values"
        if self.lost:
            raise self.lost.pop(0)
        number = list(self.counted).index(key) + 1
        left = self.most - number
        return OnlineGrant(number, self.price, 5000, left, NOW.date(), NOW, known=known, reversed=self.over)


def till_of(folder: Path, issuer: Issuer | None) -> CounterRedemptions:
    edition = Edition(parse_programme(PROGRAMME + CONCERT, "test.yaml").programme)
    line = None if issuer is None else IssuerLine(issuer, lambda: issuer.online)
    return CounterRedemptions(RedemptionJournal.open(folder, NOW), place(edition), NOW.tzinfo, line)  # type: ignore[arg-type]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def till(tmp_path: Path, issuer: Issuer) -> Iterator[CounterRedemptions]:
    opened = till_of(tmp_path / "redemptions", issuer)
    yield opened
    opened.journal.close()


def ticket(till: CounterRedemptions, card: RedeemingCard) -> CounterRecord | Refused:
    record = till.redeem(stack(card), verdict_on(card), TICKET, NOW, cashier="王芳")
    assert isinstance(record, CounterRecord | Refused)
    return record


def recovered(till: CounterRedemptions, card: RedeemingCard) -> CounterRecord:
    record = till.recover(stack(card), verdict_on(card), NOW)
    assert record is not None
    return record


def test_a_use_is_requested_granted_and_given_and_no_card_counts_it(till: CounterRedemptions, issuer: Issuer) -> None:
    card = RedeemingCard()
    verdict, before = verdict_on(card), len(card.log)
    record = till.redeem(stack(card), verdict, TICKET, NOW, cashier="王芳")
    assert isinstance(record, CounterRecord)
    assert (record.outcome, record.amount, record.saved, record.grant, record.left) == (
        CounterOutcome.DONE, 5000, 5000, 1, 1
    )  # fmt: skip
    assert kinds(till) == ["intent", "granted", "given"]
    assert len(card.log) == before
    (wanted,) = issuer.counted.values()
    assert (wanted.benefit, wanted.product, wanted.quantity) == ("concert", "seat", 1)
    assert (wanted.price, wanted.intent) == (5000, 2)
    assert till.record(record.number) == record


def test_the_price_is_the_issuers(till: CounterRedemptions, issuer: Issuer) -> None:
    issuer.price = 4000
    record = ticket(till, RedeemingCard())
    assert isinstance(record, CounterRecord)
    assert record.amount == 4000
    assert till.day_sheet(NOW.date(), NOW).total.due == 4000


def test_what_the_issuer_refuses_has_its_sentence_and_nothing_is_open(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    ticket(till, card), ticket(till, card)
    refused = ticket(till, card)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.LIMIT_REACHED, date(2026, 12, 1))
    assert (refused.sentence.zh, refused.sentence.en) == ("每月限2次", "at most 2 a month")
    assert kinds(till)[-2:] == ["intent", "refused"]
    assert till.journal.open_intents == ()


def test_offline_it_is_refused_in_both_languages_and_nothing_is_written(
    till: CounterRedemptions, issuer: Issuer
) -> None:
    issuer.online = False
    card = RedeemingCard()
    refused = ticket(till, card)
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.OFFLINE
    assert "目前无法连接工会；未扣次数" in refused.sentence.zh
    assert "nothing was counted. Check the line" in refused.sentence.en
    assert refused.sentence.zh.startswith("音乐会：由工会联网计次")
    assert refused.sentence.en.startswith("Concert: counted online by the union")
    assert kinds(till) == []
    (offer,) = [one for one in till.offers(verdict_on(card), NOW) if one.benefit == "concert"]
    assert (offer.possible, isinstance(offer.decision, Refused)) == (False, True)
    assert isinstance(till.redeem(stack(card), verdict_on(card), choice(), NOW, cashier=""), CounterRecord)


def test_online_it_is_offered_with_price_and_the_most_that_a_rule_allows(till: CounterRedemptions) -> None:
    (offer,) = [one for one in till.offers(verdict_on(RedeemingCard()), NOW) if one.benefit == "concert"]
    assert (offer.possible, offer.most, offer.benefit_class, offer.to_json()["price"]) == (True, 2, None, 5000)


@pytest.mark.parametrize("counted", [True, False], ids=["after the office counted", "before it"])
def test_a_torn_line_asks_again_with_the_same_row_and_is_counted_once(
    till: CounterRedemptions, issuer: Issuer, counted: bool
) -> None:
    (issuer.lost if counted else issuer.early_faults).append(ReceiverAway("cut"))
    card = RedeemingCard()
    torn = ticket(till, card)
    assert isinstance(torn, CounterRecord)
    assert torn.outcome is CounterOutcome.TORN
    result = recovered(till, card)
    assert (result.outcome, result.grant, result.amount) == (CounterOutcome.RECOVERED, 1, 5000)
    assert len(issuer.counted) == 1
    assert kinds(till) == ["intent", "torn", "granted", "given"]


def test_a_request_stays_open_while_the_issuer_is_away(till: CounterRedemptions, issuer: Issuer) -> None:
    issuer.lost.append(ReceiverAway("cut"))
    card = RedeemingCard()
    ticket(till, card)
    issuer.early_faults.append(ReceiverAway("cut"))
    assert recovered(till, card).outcome is CounterOutcome.TORN
    assert recovered(till, card).outcome is CounterOutcome.RECOVERED
    assert len(issuer.counted) == 1


def test_an_answer_of_something_else_is_no_refusal(till: CounterRedemptions, issuer: Issuer) -> None:
    issuer.lost.append(UploadRefused(UploadFaultCode.ANSWER))
    card = RedeemingCard()
    ticket(till, card)
    assert recovered(till, card).outcome is CounterOutcome.RECOVERED


def test_a_token_that_is_refused_later_says_nothing_of_what_was_counted(
    till: CounterRedemptions, issuer: Issuer
) -> None:
    issuer.lost.append(ReceiverAway("lost"))
    card = RedeemingCard()
    ticket(till, card)
    issuer.early_faults.append(UploadRefused(UploadFaultCode.TOKEN))
    assert recovered(till, card).outcome is CounterOutcome.TORN
    assert recovered(till, card).outcome is CounterOutcome.RECOVERED
    assert len(issuer.counted) == 1


def test_a_token_that_is_refused_ends_the_request_with_what_to_do(till: CounterRedemptions, issuer: Issuer) -> None:
    issuer.early_faults.append(UploadRefused(UploadFaultCode.TOKEN))
    refused = ticket(till, RedeemingCard())
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.ISSUER
    assert "office-token" in refused.sentence.zh
    assert "office-token" in refused.sentence.en
    assert kinds(till) == ["intent", "refused"]


@pytest.mark.parametrize("rows", [1, 2, 3], ids=["intent", "granted", "given"])
def test_a_kill_after_any_row_gives_it_once(tmp_path: Path, issuer: Issuer, rows: int) -> None:
    folder, card = tmp_path / "redemptions", RedeemingCard()
    till = till_of(folder, issuer)
    journal, append = till.journal, till.journal._log.append
    written: list[RowKind] = []

    def dying(row: object) -> None:
        if len(written) == rows:
            raise KeyboardInterrupt
        append(row)  # type: ignore[arg-type]
        written.append(row.kind)  # type: ignore[attr-defined]

    journal._log.append = dying  # type: ignore[method-assign]
    if rows < 3:
        with pytest.raises(KeyboardInterrupt):
            ticket(till, card)
    else:
        ticket(till, card)
    journal.close()
    with till_of(folder, None if rows == 2 else issuer).journal as opened:
        line = None if rows == 2 else IssuerLine(issuer, lambda: True)  # after the grant nobody is asked
        again = CounterRedemptions(
            opened, till.place, till.zone, line or IssuerLine(Issuer(online=False), lambda: False)
        )
        result = again.recover(stack(card), verdict_on(card), NOW)
        assert (result is None) is (rows == 3)
        assert kinds(again)[-1] == "given"
        assert len(issuer.counted) == 1
        assert again.journal.open_intents == ()


@pytest.mark.parametrize("later", [REPEATED_FOR, REPEATED_FOR + timedelta(minutes=1)], ids=["in time", "too late"])
def test_what_was_granted_is_given_without_a_line_for_two_days_and_then_requested_again(
    till: CounterRedemptions, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, later: timedelta
) -> None:
    card = RedeemingCard()
    with monkeypatch.context() as patch:
        patch.setattr(RedemptionJournal, "give", _killed)
        with pytest.raises(KeyboardInterrupt):
            ticket(till, card)
    issuer.early_faults.append(ReceiverAway("cut"))
    result = till.recover(stack(card), verdict_on(card), NOW + later)
    assert result is not None
    assert result.outcome is (CounterOutcome.RECOVERED if later == REPEATED_FOR else CounterOutcome.TORN)


def test_what_the_issuer_has_returned_is_not_given(
    till: CounterRedemptions, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = RedeemingCard()
    with monkeypatch.context() as patch:
        patch.setattr(RedemptionJournal, "give", _killed)
        with pytest.raises(KeyboardInterrupt):
            ticket(till, card)
    issuer.over = True
    result = till.recover(stack(card), verdict_on(card), NOW + timedelta(days=4))
    assert result is not None
    assert (result.outcome, result.reasons) == (CounterOutcome.REFUSED, ("given-back",))
    assert till.journal.open_intents == ()


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_it_is_taken_back_by_its_receipt_on_the_same_day(till: CounterRedemptions) -> None:
    card = RedeemingCard()
    record = ticket(till, card)
    assert isinstance(record, CounterRecord)
    back = till.reverse(verdict_on(card), record.receipt, NOW, by="王芳", reason="买错")
    assert back.reversed
    assert kinds(till)[-1] == "reversed"
    later = ticket(till, card)
    assert isinstance(later, CounterRecord)
    with pytest.raises(ReversalRefused) as refused:
        till.reversible(later.receipt, NOW + timedelta(days=1))
    assert refused.value.fault is ReversalFault.DAY
