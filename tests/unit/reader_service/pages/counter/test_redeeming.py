"""Redemptions on the counter page: offers, result and receipt in both languages, rendered from their events."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from typer import BadParameter

from membercard.commands.counter.amounts import fen
from programme.wording import Sentence
from reader_service.errors import Invalid
from reader_service.events import Event
from reader_service.pages.counter import amounts as typed
from reader_service.pages.counter import redeeming
from reader_service.pages.counter.counter import CounterBoard
from reader_service.pages.counter.redeeming import TONES
from reader_service.pages.shell import Shell
from reader_service.pages.words import words
from reader_service.redemptions.counter import PinRefused
from reader_service.redemptions.receipt import COLUMNS, columns, receipt_text
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.services.redeeming.redemptions import refusal_sentence
from tests.support.service.reader_rig import COUNTER

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECORD = CounterRecord(
    number=12, intent=11, at=AT, outcome=CounterOutcome.DONE, benefit="park-pass", product="pass", benefit_class="0101",
    title=Sentence("公园年票", "Park pass"), quantity=2, amount=20_000, list_price=40_000, saved=20_000,
    card="621226******0000012", cashier="王芳", merchant="PARK-EAST", terminal="T0000001", transaction=66, used=5,
    limit=12,
)  # fmt: skip
OFFER: dict[str, Any] = {
    "benefit": "park-pass", "product": "pass", "benefit_class": "0101", "counted": "card",
    "title": {"zh": "公园年票", "en": "Park pass"}, "possible": True, "at_once": False, "price": 10_000,
    "list_price": 20_000, "most": 9, "left": 9, "asks": [], "basis": None, "questions": {}, "places": {},
    "show": [{"zh": "身份证", "en": "ID card"}], "pin": False, "reason": None, "again_on": None,
    "sentence": {"zh": "可以办理", "en": "allowed"},
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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_union_counts_says_so_and_is_scanned_by_its_code(language: str) -> None:
    online = OFFER | {"benefit": "concert", "benefit_class": None, "counted": "office", "left": None}
    html = rendered(language, "redemption.offers", CARD | {"offers": [online]})
    assert words(language)("redeem.online") in html
    assert 'data-scan="concert"' in html
    assert "None" not in html
    sentence = {"zh": "目前无法连接", "en": "cannot be reached"}
    away = online | {"possible": False, "reason": "offline", "sentence": sentence}
    html = rendered(language, "redemption.offers", CARD | {"offers": [away]})
    assert sentence[language] in html
    assert words(language)("redeem.online") not in html


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_the_union_has_counted_shows_what_is_left(language: str) -> None:
    record = replace(RECORD, transaction=None, used=None, limit=None, grant=31, left=1)
    html = rendered(language, "redemption.result", record.to_json())
    assert f'{words(language)("redeem.left-after")}</dt><dd class="number">1<' in html
    receipt = receipt_text(record, "东公园", language)
    assert "31" in receipt
    assert {"zh": "工会计次号", "en": "Union count no."}[language] in receipt


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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_receipt_has_no_character_that_a_printer_obeys(language: str) -> None:
    title = Sentence("年票\x1bi\x1dV0", "Pass\x1bi\x1dV0")
    text = receipt_text(replace(RECORD, title=title, cashier="王\x1b@\u202e芳"), "东\x07园\r\n", language)
    assert "\\u001bi V0" in text
    assert all(letter.isprintable() for letter in text.replace("\n", ""))


@pytest.mark.parametrize("price", ["1e999999", "1e99999999999999999999", "-1", "NaN", "1.005", "10000000.01", "", "x"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(Invalid) as refused:
        typed.fen(price, "list_price")
    assert refused.value.fields == {"list_price": "write 12 or 12.50"}
    with pytest.raises(BadParameter):
        fen(price)


def test_a_price_is_in_fen() -> None:
    assert [typed.fen(text, "price") for text in ("0", "12", " 12.5 ", "10000000")] == [0, 1200, 1250, 1_000_000_000]


@pytest.mark.parametrize("quantity", ["0", "00", "100", "9" * 5000, "-1", "１", "1.0"])
def test_what_is_no_quantity_is_refused(quantity: str) -> None:
    with pytest.raises(Invalid):
        redeeming._units(quantity)


@pytest.mark.parametrize(("left", "words_of"), [(0, ("窗口", "window")), (2, ("2 次", "2 tries"))])
def test_a_wrong_pin_says_what_is_left_to_do(left: int, words_of: tuple[str, str]) -> None:
    sentence = refusal_sentence(PinRefused(left))
    assert words_of[0] in sentence["zh"]
    assert words_of[1] in sentence["en"]
