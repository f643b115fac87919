"""Reversals at readers: the card gets its uses back in the same insertion, or at the next one that is online."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reader_service.errors import Conflict, Forbidden, Invalid
from reader_service.principal import Role
from reader_service.redemptions.record import CounterRecord
from terminal.secret import Secret
from tests.support.registry.redeemed import PARK
from tests.support.service.merchant_rig import MerchantRig, issued_cards, merchant_rig
from tests.support.service.reader_rig import COUNTER, OPERATOR
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    with merchant_rig(tmp_path, issued) as running:
        yield running


def left(rig: MerchantRig) -> int | None:
    """What the counter offers of the park pass for the card in its reader."""
    return rig.service.redemptions.offers(COUNTER, "counter").offers[0].left


def redeemed(rig: MerchantRig, quantity: int = 3) -> CounterRecord:
    return rig.redeem(rig.insert(), quantity=quantity)


def refused(rig: MerchantRig, receipt: str, reader: str = "") -> str:
    with pytest.raises(Conflict) as conflict:
        rig.service.reversals.reverse(COUNTER, receipt, "买错", reader_id=reader)
    return str(conflict.value.params["reason"])


def test_the_card_has_its_uses_again_in_the_same_insertion(rig: MerchantRig) -> None:
    rig.station.registry.merchants.put(PARK, by="test")
    record = redeemed(rig)
    done = rig.service.reversals.reverse(COUNTER, record.receipt, "买错")
    assert (done.record.number, done.record.reversed, done.credited) == (record.number, True, True)
    assert left(rig) == 12
    (verdict,) = [event for event in rig.station_events("verdict", "counter") if event.data["updates"]]  # type: ignore[attr-defined]
    assert verdict.data["updates"] == ["credit"]  # type: ignore[attr-defined]
    (booked,) = rig.station.registry.redemptions.page().items
    assert booked.reversed_at is not None
    assert refused(rig, record.receipt) == "reversal-twice"
    assert left(rig) == 12


def test_without_the_issuer_the_card_gets_them_at_its_next_insertion(rig: MerchantRig) -> None:
    record = redeemed(rig)
    done = rig.service.reversals.reverse(COUNTER, record.receipt, "买错")
    assert (done.credited, left(rig)) == (False, 9)
    rig.station.registry.merchants.put(PARK, by="test")
    rig.service.redemptions.upload(COUNTER)
    assert eventually(lambda: rig.service.redemptions.queue(COUNTER).waiting == 0)
    rig.service.readers.slot("counter").eject()
    rig.insert()
    assert left(rig) == 12


def test_who_reverses_and_with_what(rig: MerchantRig) -> None:
    record = redeemed(rig)
    with pytest.raises(Forbidden):
        rig.service.reversals.reverse(OPERATOR, record.receipt, "买错")
    with pytest.raises(Invalid):
        rig.service.reversals.reverse(COUNTER, record.receipt, " ")
    assert refused(rig, "T0000002-3") == "reversal-receipt"
    rig.service.readers.slot("counter").eject()
    rig.insert(1)
    assert refused(rig, record.receipt) == "reversal-card"
    assert refused(rig, record.receipt, "counter") == "reversal-card"
    assert not rig.service.redemptions.record(COUNTER, record.number).reversed


def test_the_cashier_who_takes_back_stands_in_the_journal(rig: MerchantRig) -> None:
    record = redeemed(rig)
    rig.service.cashiers.store.set_pin("王芳", Secret(b"4071"), by="root", manager=True)
    assert refused(rig, record.receipt) == "no-cashier"
    rig.service.cashiers.sign_in(COUNTER, "counter", "王芳", Secret(b"4071"))
    rig.service.reversals.reverse(COUNTER, record.receipt, "买错")
    (taken,) = rig.service.redemptions.day(COUNTER).reversals
    assert (taken.by, taken.reason, taken.record.receipt) == ("王芳", "买错", record.receipt)


def test_a_card_that_leaves_before_its_uses_are_back_is_finished_at_the_next_insertion(rig: MerchantRig) -> None:
    rig.station.registry.merchants.put(PARK, by="test")
    record = redeemed(rig)
    insertions = rig.service.counter._insertions
    at_counter, insertions.at_counter = insertions.at_counter, _leaves(rig, insertions.at_counter)  # type: ignore[method-assign]
    done = rig.service.reversals.reverse(COUNTER, record.receipt, "买错")
    assert (done.credited, done.record.reversed) == (False, True)
    insertions.at_counter = at_counter  # type: ignore[method-assign]
    rig.insert()
    assert left(rig) == 12


def _leaves(rig: MerchantRig, at_counter: object) -> object:
    def run(*insertion: object) -> object:
        rig.service.readers.slot("counter").eject()
        return at_counter(*insertion)  # type: ignore[operator]

    return run


def test_a_cash_register_takes_back_over_http(rig: MerchantRig) -> None:
    rig.station.registry.merchants.put(PARK, by="test")
    record, client = redeemed(rig), rig.client(Role.COUNTER)
    wanted = {"receipt": record.receipt, "reason": "wrong benefit"}
    answer = client.post("/readers/counter/reversals", json=wanted)
    assert (answer.status_code, answer.json()["credited"]) == (200, True), answer.text
    assert answer.json()["redemption"]["reversed"]
    again = client.post("/readers/counter/reversals", json=wanted)
    assert (again.status_code, again.json()["params"]["reason"]) == (409, "reversal-twice")
