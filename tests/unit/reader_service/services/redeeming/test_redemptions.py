"""Redemptions at readers: in the insertion of the verdict, by whoever may, on the card that is in the reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from programme.outcome import Refused
from reader_service.errors import Conflict, Forbidden, LeaseLost, NotFound
from reader_service.redemptions.errors import JournalBusy
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.service import ReaderService
from reader_service.services.redeeming.redemptions import CardOffers
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.registry import databases
from tests.support.service.merchant import choice, place
from tests.support.service.reader_rig import COUNTER, OPERATOR, ReaderRig, reader_rig
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """The URL of a registry with two cards issued, and their files."""
    home = tmp_path_factory.mktemp("issued")
    url = databases.fresh(home)
    readers = reader_rig(home, url=url)
    batch = issuer.prepared(readers.registry, 2, home)
    list(make_stock(home / "stock", 2, CardConfig(blank())))
    results = PersonalizationLine(issuer.job(readers.registry, batch), remake=lambda: None).run(
        [open_reader(f"sim:{home / 'stock'}")]
    )
    assert not results[0].fault
    readers.registry.close()
    return url, sorted((home / "stock" / "issued").iterdir())


@dataclass
class MerchantRig:
    """A running service of a merchant with two slots, and two cards."""

    station: ReaderRig
    service: ReaderService
    cards: list[Path]

    def insert(self, card: int = 0, reader: str = "counter") -> CardOffers:
        """Insert a card and wait for what its member can have."""
        before = len(self.station_events("redemption.offers", reader))
        self.service.readers.slot(reader).insert(self.cards[card])
        assert eventually(lambda: len(self.station_events("redemption.offers", reader)) > before)
        return self.service.redemptions.offers(COUNTER, reader)

    def station_events(self, kind: str, reader: str) -> list[object]:
        return [event for event in self.station.bus.of(kind) if event.topic == reader]

    def redeem(self, card: CardOffers, **more: object) -> CounterRecord:
        record = self.service.redemptions.redeem(COUNTER, card.reader, card.insertion, choice(**more))  # type: ignore[arg-type]
        assert isinstance(record, CounterRecord)
        return record


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[MerchantRig]:
    url = databases.copy(issued[0], tmp_path)
    cards = []
    for number, path in enumerate(issued[1]):
        cards.append(tmp_path / f"{number}.card")
        cards[-1].write_bytes(path.read_bytes())
    counters = {"sim:slot/Counter": "柜台 1", "sim:slot/Second": "柜台 2"}
    station = reader_rig(tmp_path, url=url, counters=counters, place=place())
    service = ReaderService(station.parts)
    service.bus = station.bus
    for part in (service.readers, service.counter, service.redemptions):
        part._bus = station.bus  # type: ignore[attr-defined]
    service.start()
    assert eventually(lambda: len(service.readers.views()) == 2)
    try:
        yield MerchantRig(station, service, cards)
    finally:
        service.close()
        station.registry.close()


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
