"""Redemptions on the counter page: offers, result and receipt in both languages, rendered from their events."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from programme.wording import Sentence
from reader_service.events import Event
from reader_service.pages.counter.counter import CounterBoard
from reader_service.pages.counter.redeeming import TONES
from reader_service.pages.shell import Shell
from reader_service.pages.words import words
from reader_service.redemptions.receipt import COLUMNS, columns, receipt_text
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from tests.support.service.reader_rig import COUNTER

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECORD = CounterRecord(
    number=12, intent=11, at=AT, outcome=CounterOutcome.DONE, benefit="park-pass", product="pass", benefit_class="0101",
    title=Sentence("公园年票", "Park pass"), quantity=2, amount=20_000, list_price=40_000, saved=20_000,
    card="621226******0000012", cashier="王芳", merchant="PARK-EAST", terminal="T0000001", transaction=66, used=5,
    limit=12,
)  # fmt: skip
OFFER: dict[str, Any] = {
    "benefit": "park-pass", "product": "pass", "benefit_class": "0101", "title": {"zh": "公园年票", "en": "Park pass"},
    "possible": True, "at_once": False, "price": 10_000, "list_price": 20_000, "most": 9, "left": 9, "asks": [],
    "basis": None, "questions": {}, "places": {}, "show": [{"zh": "身份证", "en": "ID card"}], "pin": False,
    "reason": None, "again_on": None, "sentence": {"zh": "可以办理", "en": "allowed"},
}  # fmt: skip
CARD: dict[str, Any] = {
    "reader": "counter", "insertion": "0a1b", "offers": [OFFER], "accepted": True, "recovered": None, "reason": "",
    "fault": "",
}  # fmt: skip


def rendered(language: str, kind: str, data: object) -> str:
    """The parts that an event brings to the page."""
    queue = SimpleNamespace(enabled=False)
    readers = SimpleNamespace(readers=lambda who: [])
    service = SimpleNamespace(parts=SimpleNamespace(zone=UTC, now=lambda: AT), redemptions=queue, readers=readers)
    board = CounterBoard(Shell(service), COUNTER, language, "counter")  # type: ignore[arg-type]
    event = Event(1, "0a", AT, kind, "counter", data)  # type: ignore[arg-type]
    return asyncio.run(board.after([event]))


@pytest.mark.parametrize(
    ("language", "words_of"), [("zh", ("公园年票", "100.00 元")), ("en", ("Park pass", "ID card"))]
)
def test_an_offer_has_price_count_and_what_to_look_at(language: str, words_of: tuple[str, ...]) -> None:
    html = rendered(language, "redemption.offers", CARD)
    for word in (*words_of, 'data-scan="0101"', 'name="insertion" value="0a1b"', 'name="quantity"'):
        assert word in html


def test_one_unit_takes_one_press() -> None:
    html = rendered("zh", "redemption.offers", CARD | {"offers": [OFFER | {"at_once": True, "most": 1}]})
    assert "<dialog" not in html
    assert 'data-scan="0101"' in html


def test_what_is_not_possible_says_why_and_cannot_be_pressed() -> None:
    no = OFFER | {"possible": False, "price": None, "sentence": {"zh": "本年已用完，2027-01-01 起", "en": "used up"}}
    html = rendered("zh", "redemption.offers", CARD | {"offers": [no]})
    assert "2027-01-01" in html
    assert "data-scan" not in html


def test_a_fault_is_in_the_viewers_language() -> None:
    html = rendered("zh", "redemption.offers", CARD | {"offers": [], "reason": "journal-full", "fault": "disk full"})
    assert "磁盘已满" in html


def test_a_refused_choice_keeps_the_offers() -> None:
    data = {"card": CARD, "sentence": {"zh": "超出次数", "en": "too many"}}
    html = rendered("en", "redemption.refused", data)
    assert "too many" in html
    assert "Park pass" in html


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("outcome", list(CounterOutcome))
def test_each_outcome_has_its_word_and_tone(language: str, outcome: CounterOutcome) -> None:
    data = RECORD.to_json() | {"outcome": outcome.value, "proven": outcome.proven}
    html = rendered(language, "redemption.result", data)
    key = outcome.value.lower().replace("_", "-")
    assert words(language)(f"redeem.outcome.{key}") in html
    assert f"result {TONES[outcome.value]}" in html
    assert ("/counter/receipts/12" in html) == (outcome.proven or outcome is CounterOutcome.LOGGED)


def test_an_earlier_redemption_is_shown_before_what_can_be_chosen() -> None:
    earlier = RECORD.to_json() | {"outcome": "RECOVERED"}
    html = rendered("en", "redemption.offers", CARD | {"recovered": earlier})
    assert html.index("An earlier redemption of this card is settled") < html.index("data-scan")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_receipt_fits_its_paper(language: str) -> None:
    lines = receipt_text(RECORD, "北京市某某区某某街道职工文化体育活动中心东门售票处一号窗口", language).splitlines()
    assert max(map(columns, lines)) <= COLUMNS
    assert any("200.00" in line for line in lines)
    assert any("7 / 12" in line for line in lines)
