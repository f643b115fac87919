"""A reversal at a counter whose issuer is elsewhere: two services, HTTP between them in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from membercard.wiring.api_client import ApiClient
from membercard.wiring.http_receiver import HttpReceiver
from reader_service.service import ReaderService
from registry.members.wanted import UpdateKind
from tests.support.service.distant_rig import COVER, VALIDITY, DistantRig, distant_rig
from tests.support.service.merchant import place
from tests.support.service.merchant_rig import MerchantRig, issued_cards
from tests.support.service.reader_rig import COUNTER, reader_rig
from tests.support.waiting import eventually


@dataclass
class Two:
    """The issuer, and the service of a merchant without a registry of its own."""

    issuer: DistantRig
    till: MerchantRig

    def inserted(self) -> None:
        """The card again, once the line is known to be as it is."""
        self.till.service.readers.slot("counter").eject()
        self.till.service.counter._insertions.reach()
        self.till.insert()

    def left(self) -> int | None:
        return self.till.service.redemptions.offers(COUNTER, "counter").offers[0].left


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def two(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[Two]:
    (tmp_path / "issuer").mkdir()
    with distant_rig(tmp_path / "issuer", issued) as issuer, _till(tmp_path, issuer) as till:
        yield Two(issuer, till)


@contextmanager
def _till(folder: Path, issuer: DistantRig) -> Iterator[MerchantRig]:
    token = folder / "token"
    token.write_text("mc-not-read-here")
    receiver = HttpReceiver("http://127.0.0.1:1", token)
    receiver._api = cast(ApiClient, issuer.east.line)
    counter = replace(place(), receiver=receiver)
    station = reader_rig(
        folder, counters={"sim:slot/Counter": "柜台 1"}, place=counter, script_issuer=issuer.east.issuer
    )
    service = ReaderService(station.parts)
    service.bus = station.bus
    for part in (service.readers, service.counter, service.redemptions):
        part._bus = station.bus  # type: ignore[attr-defined]
    service.start()
    assert eventually(lambda: len(service.readers.views()) == 1)
    try:
        yield MerchantRig(station, service, [issuer.east.path])
    finally:
        service.close()
        station.registry.close()


def test_the_card_has_its_uses_again_in_the_same_insertion(two: Two) -> None:
    record = two.till.redeem(two.till.insert(), quantity=3)
    done = two.till.service.reversals.reverse(COUNTER, record.receipt, "买错")
    assert (done.credited, done.record.reversed, two.left()) == (True, True, 12)
    assert two.issuer.states() == [("credit", "done")]
    (verdict,) = [event for event in two.till.station_events("verdict", "counter") if event.data["updates"]]  # type: ignore[attr-defined]
    assert (verdict.data["updates"], verdict.data["update_unfinished"]) == (["credit"], False)  # type: ignore[attr-defined]
    two.till.redeem(two.till.service.redemptions.offers(COUNTER, "counter"), quantity=1)
    two.inserted()
    assert two.left() == 11


def test_without_a_line_the_uses_come_back_at_the_next_insertion_with_one(two: Two) -> None:
    record = two.till.redeem(two.till.insert(), quantity=3)
    two.issuer.east.line.down = True
    done = two.till.service.reversals.reverse(COUNTER, record.receipt, "买错")
    assert (done.credited, two.left()) == (False, 9)
    two.issuer.east.line.down = False
    two.till.service.redemptions.upload(COUNTER)
    assert eventually(lambda: two.till.service.redemptions.queue(COUNTER).waiting == 0)
    two.inserted()
    assert (two.left(), two.issuer.states()) == (12, [("credit", "done")])


def test_a_verdict_names_what_ran_and_a_card_redeems_after_it(two: Two) -> None:
    two.issuer.want({UpdateKind.VALIDITY: VALIDITY, UpdateKind.COVER: COVER})
    two.till.service.counter._insertions.reach()
    record = two.till.redeem(two.till.insert(), quantity=2)
    last = two.till.station_events("verdict", "counter")[-1].data  # type: ignore[attr-defined]
    assert (last["updates"], last["member"]["valid_through"]) == (["validity", "cover"], VALIDITY.isoformat())
    two.inserted()
    assert (record.quantity, two.left()) == (2, 10)


def test_a_lost_outcome_is_finished_once_whatever_the_counter_does_meanwhile(two: Two) -> None:
    record = two.till.redeem(two.till.insert(), quantity=3)
    line = two.issuer.east.line
    ask = line.ask

    def without_outcomes(request):  # type: ignore[no-untyped-def]
        reply = ask(request)
        if request.target.endswith("/outcome"):
            line.lost = f"{len(line.sent)}+"
            return ask(request)
        return reply

    line.ask = without_outcomes  # type: ignore[method-assign]
    two.till.service.reversals.reverse(COUNTER, record.receipt, "买错")
    line.ask, line.lost = ask, ""  # type: ignore[method-assign]
    two.inserted()
    assert (two.left(), two.issuer.states()) == (12, [("credit", "done")])
