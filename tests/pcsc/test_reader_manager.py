"""The service's readers over a real pcscd: cards inserted and removed, hanging drivers, a restart of pcscd."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from reader_service.errors import ReaderOut
from reader_service.readers.manager import ReaderManager
from reader_service.readers.names import slug
from reader_service.readers.values import Mode, ReaderState
from reader_service.services.counter.counter import CounterService
from reader_service.services.developer import DeveloperService
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import open_reader
from terminal.apdu.pcsc.names import base_name
from tests.support import issuer
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.pcsc.vpcd_echo import ATR, VpcdCard, echo
from tests.support.service.reader_rig import COUNTER, DEVELOPER, ReaderRig, reader_rig
from tests.support.waiting import eventually

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

MUTE = b"\x00\xee\x00\x00"


@pytest.fixture
def rig(tmp_path: Path) -> ReaderRig:
    return reader_rig(tmp_path, pcsc=True)


@pytest.fixture
def manager(rig: ReaderRig, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReaderManager]:
    monkeypatch.setattr("reader_service.readers.manager.PCSC_DEADLINE", 3)
    with rig.manager() as running:
        yield running


@pytest.fixture
def reader_id(pcscd: Pcscd, manager: ReaderManager) -> str:
    """The reader of the first slot, once the service lists it."""
    wanted = slug(base_name(pcscd.slots[0].reader_name))
    assert eventually(lambda: wanted in [view.id for view in manager.views()])
    return wanted


def in_state(manager: ReaderManager, reader_id: str, state: ReaderState) -> bool:
    return eventually(lambda: manager.view(reader_id).state is state)


def test_readers_are_listed_and_cards_reported(
    pcscd: Pcscd, manager: ReaderManager, rig: ReaderRig, reader_id: str
) -> None:
    slot = pcscd.slots[0]
    slot.wait(present=False)
    # The card of an earlier test may have been in the slot when the service looked first.
    assert in_state(manager, reader_id, ReaderState.EMPTY)
    before = len(rig.bus.events)
    assert manager.view(reader_id).device == base_name(slot.reader_name)
    with VpcdCard(slot.host, slot.port):
        assert in_state(manager, reader_id, ReaderState.CARD)
        assert manager.view(reader_id).atr == ATR.hex().upper()
        assert (
            manager.ask(reader_id, lambda session: session.powered().exchange(b"\x00\xa4\x04\x00"))
            == b"\x00\xa4\x04\x00\x90\x00"
        )
        manager.ask(reader_id, lambda session: session.drop())
    assert in_state(manager, reader_id, ReaderState.EMPTY)
    with pytest.raises(ReaderOut) as empty:
        manager.ask(reader_id, lambda session: session.connect())
    assert empty.value.params["code"] == "no-card"
    events = [event for event in rig.bus.events[before:] if event.kind.startswith("card") and event.topic == reader_id]
    assert [event.kind for event in events] == ["card.inserted", "card.removed"]


def test_a_driver_that_hangs_is_cut_and_the_reader_goes_on(
    pcscd: Pcscd, manager: ReaderManager, rig: ReaderRig, reader_id: str
) -> None:
    slot, service = pcscd.slots[0], DeveloperService(rig.parts, rig.bus, manager)
    slot.wait(present=False)
    lease = manager.leases.take(DEVELOPER, reader_id).token
    with VpcdCard(slot.host, slot.port, lambda apdu: None if apdu == MUTE else echo(apdu)):
        assert in_state(manager, reader_id, ReaderState.CARD)
        (hung,) = service.transmit(DEVELOPER, reader_id, lease, [MUTE])
        assert "no answer within 3 seconds" in hung.fault
    slot.wait(present=False)
    with VpcdCard(slot.host, slot.port):
        assert in_state(manager, reader_id, ReaderState.CARD)
        (exchange,) = service.transmit(DEVELOPER, reader_id, lease, [b"\x00\xa4\x04\x00"])
        assert exchange.sw == "9000"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_pcscd_is_survived_and_shown(
    pcscd: Pcscd, manager: ReaderManager, rig: ReaderRig, reader_id: str, how: signal.Signals
) -> None:
    if not pcscd.ours:
        pytest.skip("this pcscd was started by somebody else and is not restarted")
    assert manager.ask(reader_id, lambda session: session.wait_for_card(0)) is False
    pcscd.halt(how)
    try:
        assert in_state(manager, reader_id, ReaderState.LOST)
        with pytest.raises(ReaderOut, match="unplugged"):
            manager.ask(reader_id, lambda session: session.wait_for_card(0))
        assert rig.bus.of("service.fault", "pcsc")[-1].data["sentence"]
    finally:
        pcscd.restart()
    assert in_state(manager, reader_id, ReaderState.EMPTY)
    assert eventually(lambda: rig.bus.of("service.fault", "pcsc")[-1].data["sentence"] == "")
    assert manager.ask(reader_id, lambda session: session.wait_for_card(0)) is False


def test_a_member_card_in_a_real_slot_is_verified_as_it_is_put_in(
    pcscd: Pcscd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.services.counter.counter._PACE", 0.02)
    slot: Slot = pcscd.slots[1]
    slot.wait(present=False)
    counters = {f"pcsc:{base_name(slot.reader_name)}": "柜台 1"}
    rig = reader_rig(tmp_path, pcsc=True, counters=counters)
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    list(make_stock(tmp_path / "stock", 1, CardConfig(blank())))
    PersonalizationLine(issuer.job(rig.registry, batch), remake=lambda: None).run(
        [open_reader(f"sim:{tmp_path / 'stock'}")]
    )
    path = shutil.copy(next((tmp_path / "stock" / "issued").iterdir()), tmp_path / "card.card")
    manager = ReaderManager(rig.parts, rig.bus)
    service = CounterService(rig.parts, rig.bus, manager)
    manager.on_added = service.reader_added
    service.start()
    manager.start()
    virtual = VpcdSlot(slot.host, slot.port)
    try:
        wanted = slug(base_name(slot.reader_name))
        assert eventually(lambda: any(view.id == wanted and view.mode is Mode.COUNTER for view in manager.views()))
        assert manager.view(wanted).name == "柜台 1"
        virtual.insert(VirtualCard.open(Path(path)))
        assert eventually(lambda: rig.bus.of("verdict", wanted))
        verdict = rig.bus.of("verdict", wanted)[0].data
        assert (verdict["verdict"], verdict["reader_name"]) == ("ACTIVE", "柜台 1")
        assert service.verify(COUNTER, wanted).verdict.code == "ACTIVE"
    finally:
        virtual.close()
        service.close()
        manager.close()
    slot.wait(present=False)
