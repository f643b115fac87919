"""The developer's tools: bytes and what they mean under a lease, a live trace without data, and virtual cards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reader_service.errors import Conflict, Forbidden, Invalid, LeaseHeld, LeaseLost, NotFound, ReaderOut
from reader_service.principal import Principal, Role
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import ReaderState
from reader_service.services.developer import DeveloperService
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from tests.support.service.reader_rig import DEVELOPER, OPERATOR, ReaderRig, reader_rig
from tests.support.waiting import eventually

SELECT_ISD = bytes.fromhex("00A4040000")
CPLC = bytes.fromhex("80CA9F7F00")
SECOND = Principal("second dev", frozenset({Role.DEVELOPER}))


@dataclass
class DeveloperRig:
    station: ReaderRig
    manager: ReaderManager
    service: DeveloperService
    card_folder: Path

    def lease(self, p: Principal = DEVELOPER, reader_id: str = "a") -> str:
        return self.manager.leases.take(p, reader_id).token


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeveloperRig]:
    card_folder = tmp_path / "drawer"
    list(make_stock(card_folder / "blanks", 2, CardConfig(blank())))
    (card_folder / "notes.txt").write_text("no card")
    (card_folder / "link.card").symlink_to("/etc/passwd")
    readers = reader_rig(
        tmp_path, "sim:slot/A", "sim:slot/B", f"sim:{next((card_folder / 'blanks').iterdir())}", card_folder=card_folder
    )
    with readers.manager() as manager:
        assert eventually(lambda: all(view.drawer for view in manager.views()[:2]))
        yield DeveloperRig(readers, manager, DeveloperService(readers.parts, readers.bus, manager), card_folder)


def names(rig: DeveloperRig) -> list[str]:
    return [file.name for file in rig.service.virtual_cards(DEVELOPER)]


def test_bytes_go_to_the_card_and_come_back_with_their_meaning(rig: DeveloperRig) -> None:
    rig.service.insert(DEVELOPER, "a", names(rig)[0])
    token = rig.lease()
    atr = rig.service.connect(DEVELOPER, "a", token)
    assert bytes.fromhex(atr) == VirtualCard.open(rig.card_folder / names(rig)[0]).atr
    select, cplc = rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD, CPLC])
    assert (select.number, select.command, select.sw, select.fault) == (1, "00A4040000", "9000", "")
    assert (select.meaning, cplc.meaning) == ("SELECT (by name)", "GET DATA (tag 9F7F)")
    assert select.said[0].name
    assert cplc.response.startswith("9F7F")
    (unknown,) = rig.service.transmit(DEVELOPER, "a", token, [bytes.fromhex("00FE0000")])
    assert (unknown.sw, unknown.number) == ("6D00", 3)
    assert "6D00" in unknown.sw_text
    assert [exchange.number for exchange in rig.service.history(DEVELOPER, "a", token)] == [1, 2, 3]
    assert rig.service.connect(DEVELOPER, "a", token, reset=True) == atr
    rig.service.disconnect(DEVELOPER, "a", token)
    rig.service.disconnect(DEVELOPER, "a", token)
    assert not VirtualCard.open(rig.card_folder / names(rig)[0]).powered


def test_a_session_lasts_as_long_as_its_lease(rig: DeveloperRig) -> None:
    rig.service.insert(DEVELOPER, "a", names(rig)[0])
    token = rig.lease()
    rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD])
    for who, lease in ((SECOND, token), (DEVELOPER, "guessed")):
        with pytest.raises(LeaseLost):
            rig.service.transmit(who, "a", lease, [SELECT_ISD])
        with pytest.raises(LeaseLost):
            rig.service.history(who, "a", lease)
    rig.manager.leases.give_back(DEVELOPER, "a", token)
    second = rig.lease(SECOND)
    assert rig.service.history(SECOND, "a", second) == []
    (exchange,) = rig.service.transmit(SECOND, "a", second, [SELECT_ISD])
    assert exchange.number == 1


def test_what_goes_wrong_on_the_way(rig: DeveloperRig) -> None:
    token = rig.lease()
    with pytest.raises(ReaderOut) as empty:
        rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD])
    assert empty.value.params["code"] == "no-card"
    for wrong in ([], [SELECT_ISD, b"\x00"], [SELECT_ISD] * 257):
        with pytest.raises(Invalid) as refused:
            rig.service.transmit(DEVELOPER, "a", token, wrong)
        assert refused.value.fields
    rig.service.insert(DEVELOPER, "a", names(rig)[0])
    rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD])
    rig.service.tear(DEVELOPER, "a")
    first, *rest = rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD, SELECT_ISD])
    assert rest == []
    assert (first.sw, first.response) == ("", "")
    assert "taken out" in first.fault
    for call in (
        lambda: rig.service.connect(OPERATOR, "a", token),
        lambda: rig.service.transmit(OPERATOR, "a", token, [SELECT_ISD]),
        lambda: rig.service.decode(OPERATOR, b""),
        lambda: rig.service.trace(OPERATOR, "a", True),
        lambda: rig.service.virtual_cards(OPERATOR),
        lambda: rig.service.insert(OPERATOR, "a", "x"),
        lambda: rig.service.eject(OPERATOR, "a"),
        lambda: rig.service.tear(OPERATOR, "a"),
    ):
        with pytest.raises(Forbidden):
            call()


def test_a_live_trace_tells_what_happens_and_no_data(rig: DeveloperRig) -> None:
    rig.service.insert(DEVELOPER, "a", names(rig)[0])
    token = rig.lease()
    rig.service.trace(DEVELOPER, "a", True)
    rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD, CPLC])
    lines = [str(event.data["line"]) for event in rig.station.bus.of("trace", "a")]
    assert len(lines) == 2
    assert "GET DATA (tag 9F7F)" in lines[1]
    (cplc,) = [e.response for e in rig.service.history(DEVELOPER, "a", token) if e.command == CPLC.hex().upper()]
    assert cplc not in lines[1]
    assert f"[{len(cplc) // 2} bytes]" in lines[1]
    assert "b" not in rig.service.traces
    rig.service.trace(DEVELOPER, "a", False)
    rig.service.transmit(DEVELOPER, "a", token, [SELECT_ISD])
    assert len(rig.station.bus.of("trace")) == 2
    with pytest.raises(NotFound):
        rig.service.trace(DEVELOPER, "nowhere", True)


def test_data_objects_in_words(rig: DeveloperRig) -> None:
    (template,) = rig.service.decode(DEVELOPER, bytes.fromhex("70065F2403311231"))
    assert "Expiration" in template.children[0].name
    (element,) = rig.service.decode(DEVELOPER, bytes.fromhex("8000048000"), tag=0x95)
    assert element.children
    (number,) = rig.service.decode(DEVELOPER, bytes.fromhex("5A086228480012345670"))
    assert "6228480012345670" not in str(number)
    for wrong in (bytes.fromhex("7005"), bytes.fromhex("5F")):
        with pytest.raises(Invalid):
            rig.service.decode(DEVELOPER, wrong)


def test_cards_of_the_folder_are_put_in_and_taken_out(rig: DeveloperRig) -> None:
    cards = names(rig)
    assert len(cards) == 2
    assert all(name.startswith("blanks/chip-") for name in cards)
    assert rig.service.insert(DEVELOPER, "a", cards[0]).state is ReaderState.CARD
    with pytest.raises(Conflict, match="lies in slot a"):
        rig.service.insert(DEVELOPER, "b", cards[0])
    with pytest.raises(Conflict, match="take it out first"):
        rig.service.insert(DEVELOPER, "a", cards[1])
    assert rig.service.eject(DEVELOPER, "a").state is ReaderState.EMPTY
    rig.service.insert(DEVELOPER, "b", cards[0])
    assert rig.service.tear(DEVELOPER, "b").state is ReaderState.EMPTY
    for take_out in (rig.service.eject, rig.service.tear):
        with pytest.raises(Conflict, match="no card"):
            take_out(DEVELOPER, "a")
    kinds = [event.kind for event in rig.station.bus.events if event.kind.startswith("card") and event.topic in "ab"]
    assert kinds == ["card.inserted", "card.removed"] * 2


@pytest.mark.parametrize(
    "name", ["../registry.db", "/etc/passwd", "notes.txt", "link.card", "blanks/../notes.txt", "", "blanks/none.card"]
)
def test_nothing_but_a_card_of_the_folder_goes_in(rig: DeveloperRig, name: str) -> None:
    with pytest.raises(NotFound):
        rig.service.insert(DEVELOPER, "a", name)
    assert rig.manager.view("a").state is ReaderState.EMPTY


def test_a_slot_that_somebody_leased_is_theirs(rig: DeveloperRig) -> None:
    rig.lease(SECOND)
    for call in (
        lambda: rig.service.insert(DEVELOPER, "a", names(rig)[0]),
        lambda: rig.service.eject(DEVELOPER, "a"),
        lambda: rig.service.tear(DEVELOPER, "a"),
    ):
        with pytest.raises(LeaseHeld, match="second dev"):
            call()
    rig.service.insert(SECOND, "a", names(rig)[0])
    with pytest.raises(Conflict, match="no virtual slot"):
        rig.service.insert(DEVELOPER, rig.manager.views()[2].id, names(rig)[1])


def test_where_nothing_is_simulated_there_is_no_card_folder(tmp_path: Path) -> None:
    rig = reader_rig(tmp_path)
    with rig.manager() as manager:
        service = DeveloperService(rig.parts, rig.bus, manager)
        assert service.virtual_cards(DEVELOPER) == []
        with pytest.raises(NotFound):
            service.insert(DEVELOPER, "a", "x.card")
