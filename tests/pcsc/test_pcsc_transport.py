"""The PC/SC transport against a real pcscd with virtual slots."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from terminal.apdu import (
    Command,
    Disposition,
    EventKind,
    LinkProtocol,
    Reader,
    ReaderEvent,
    Transport,
    list_readers,
    open_reader,
    stack,
    watch_readers,
)
from terminal.apdu.pcsc.names import base_name
from terminal.apdu.pcsc.transport import PcscReader, PcscService
from terminal.errors import CardGone, DeadlineExceeded, NoCard, ReaderBusy, ReaderFault, ReaderNotFound
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.pcsc.vpcd_echo import ATR, VpcdCard, echo
from tests.support.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

MUTE = b"\x00\xee\x00\x00"


def mute_on_ee(apdu: bytes) -> bytes | None:
    return None if apdu == MUTE else echo(apdu)


@contextlib.contextmanager
def opened(slot: Slot, options: str = "") -> Iterator[Reader]:
    reader = open_reader(f"pcsc:{slot.reader_name}{options}")
    try:
        yield reader
    finally:
        reader.close()


@contextlib.contextmanager
def plugged(slot: Slot, answer: Callable[[bytes], bytes | None] = echo) -> Iterator[VpcdCard]:
    slot.wait(present=False)
    with VpcdCard(slot.host, slot.port, answer) as card:
        slot.wait(present=True)
        yield card


@pytest.fixture
def slot(pcscd: Pcscd) -> Slot:
    return pcscd.next_slot()


@pytest.fixture
def card(slot: Slot) -> Iterator[VpcdCard]:
    with plugged(slot, mute_on_ee) as card:
        yield card


def test_connect_exchange_reset_close(slot: Slot, card: VpcdCard) -> None:
    with opened(slot) as reader:
        assert isinstance(reader, Reader)
        assert reader.name == base_name(slot.reader_name)
        assert reader.wait_for_card(PATIENCE)
        session = reader.connect()
        assert isinstance(session, Transport)
        assert session.atr == ATR
        assert session.protocol is LinkProtocol.T1
        assert session.extended_length
        assert session.exchange(b"\x00\xa4\x04\x00") == b"\x00\xa4\x04\x00\x90\x00"
        assert session.reset() == ATR
        assert card.resets == 1
        assert stack(session).send(Command(0, 0xB0, data=bytes(1000), ne=65536)).sw.ok
        session.close()
        session.close()
        with pytest.raises(CardGone, match="closed"):
            session.exchange(b"\x00\xa4\x04\x00")


@pytest.mark.usefixtures("card")
def test_a_command_to_a_closed_session_leaves_no_deadline_behind(slot: Slot) -> None:
    with opened(slot, "?deadline=0.3") as reader:
        session = reader.connect()
        session.close()
        with pytest.raises(CardGone, match="closed"):
            session.exchange(b"\x00\xa4\x04\x00")
        time.sleep(0.8)
        assert reader.connect().exchange(b"\x00\xa4\x04\x00").endswith(b"\x90\x00")


@pytest.mark.usefixtures("card")
def test_a_second_session_finds_the_reader_busy(slot: Slot) -> None:
    with opened(slot) as first, opened(slot) as second:
        session = first.connect()
        with pytest.raises(ReaderBusy, match="another program"):
            second.connect()
        session.close()
        second.connect().close()


@pytest.mark.usefixtures("card")
def test_shared_sessions_are_transactions(slot: Slot) -> None:
    with opened(slot, "?share=1") as first, opened(slot, "?share=1&deadline=2") as second:
        session = first.connect()
        with pytest.raises(ReaderBusy, match="transaction"):
            second.connect()
        session.reset()
        with pytest.raises(ReaderBusy, match="transaction"):
            second.connect()
        assert session.exchange(b"\0\0\0\0") == b"\0\0\0\0\x90\0"
        session.close()
        other = second.connect()
        assert other.exchange(b"\0\0\0\1") == b"\0\0\0\1\x90\0"


def test_no_card(slot: Slot) -> None:
    slot.wait(present=False)
    with opened(slot) as reader:
        assert not reader.wait_for_card(0)
        with pytest.raises(NoCard):
            reader.connect()


def test_a_card_without_atr_is_no_card(slot: Slot) -> None:
    slot.wait(present=False)
    with VpcdCard(slot.host, slot.port, atr=b""), opened(slot) as reader, pytest.raises(NoCard):
        reader.connect()


def test_a_pulled_card_is_gone(slot: Slot, card: VpcdCard) -> None:
    with opened(slot) as reader:
        session = reader.connect()
        assert session.exchange(b"\0\0\0\0")
        card.pull()
        with pytest.raises(CardGone):
            session.exchange(b"\0\0\0\0")
        session.close()
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)
            assert reader.connect().exchange(b"\0\0\0\0") == b"\0\0\0\0\x90\0"


def test_a_card_pulled_while_it_thinks_is_gone(slot: Slot, card: VpcdCard) -> None:
    with opened(slot) as reader:
        session = reader.connect()
        pull = threading.Timer(0.3, card.pull)
        pull.start()
        with pytest.raises(CardGone):
            session.exchange(MUTE)
        pull.join()


def test_a_mute_card_meets_the_deadline_and_the_reader_recovers(slot: Slot, card: VpcdCard) -> None:
    with opened(slot, "?deadline=3") as reader:
        session = reader.connect()
        with pytest.raises(DeadlineExceeded, match=r"within 3 seconds"):
            session.exchange(MUTE)
        session.close()
        card.pull()
        with plugged(slot):
            assert eventually(lambda: _answers(reader))


def _answers(reader: Reader) -> bool:
    try:
        return reader.wait_for_card(1) and reader.connect().exchange(b"\0\0\0\0") == b"\0\0\0\0\x90\0"
    except (ReaderFault, ReaderBusy, CardGone, NoCard, DeadlineExceeded):
        return False


def test_deadline_without_the_socket_runs_each_call_on_a_thread(
    slot: Slot, card: VpcdCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminal.apdu.pcsc.service_socket.service_sockets", dict)
    with opened(slot, "?deadline=3") as reader:
        session = reader.connect()
        assert session.exchange(b"\0\0\0\0") == b"\0\0\0\0\x90\0"
        with pytest.raises(DeadlineExceeded):
            session.exchange(MUTE)
        card.pull()
        with plugged(slot):
            assert eventually(lambda: _answers(reader))


def test_the_service_restarts_mid_session(pcscd: Pcscd, slot: Slot, card: VpcdCard) -> None:
    if not pcscd.ours:
        pytest.skip("pcscd was started by somebody else")
    with opened(slot) as reader:
        session = reader.connect()
        assert session.exchange(b"\0\0\0\0")
        pcscd.halt()
        with pytest.raises(ReaderFault) as caught:
            session.exchange(b"\0\0\0\0")
        assert caught.value.retryable
        with pytest.raises(ReaderFault, match="pcscd"):
            reader.connect()
        pcscd.restart()
        card.pull()
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)
            assert reader.connect().exchange(b"\0\0\0\0") == b"\0\0\0\0\x90\0"


def test_two_slots_at_once(pcscd: Pcscd) -> None:
    first, second = pcscd.slots[:2]

    def named(tag: bytes) -> Callable[[bytes], bytes]:
        return lambda apdu: tag + apdu + b"\x90\x00"

    results: dict[str, set[bytes]] = {}

    def work(slot: Slot) -> None:
        with opened(slot) as reader:
            session = reader.connect()
            results[slot.reader_name] = {session.exchange(b"\0\0\0\0") for _ in range(200)}

    with plugged(first, named(b"1")), plugged(second, named(b"2")):
        threads = [threading.Thread(target=work, args=(slot,)) for slot in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {first.reader_name: {b"1\0\0\0\0\x90\0"}, second.reader_name: {b"2\0\0\0\0\x90\0"}}


def test_a_released_card_must_be_taken_out_first(slot: Slot) -> None:
    with opened(slot) as reader:
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)
            reader.connect()
            reader.release(Disposition.KEEP)
            assert reader.wait_for_card(1)
            reader.release(Disposition.DONE)
            assert not reader.wait_for_card(0.6)
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)


def test_a_card_rejected_without_a_session_must_be_taken_out_too(slot: Slot) -> None:
    with opened(slot) as reader:
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)
            reader.release(Disposition.REJECT)
            assert not reader.wait_for_card(0.6)
        with plugged(slot):
            assert reader.wait_for_card(PATIENCE)


def test_a_card_swapped_before_its_release_is_a_new_one(slot: Slot) -> None:
    with opened(slot) as reader:
        with plugged(slot):
            reader.connect()
        with plugged(slot):
            reader.release(Disposition.DONE)
            assert reader.wait_for_card(1)


def test_a_wait_ends_when_the_reader_is_closed(slot: Slot) -> None:
    reader = open_reader(f"pcsc:{slot.reader_name}")
    slot.wait(present=False)
    timer = threading.Timer(0.2, reader.close)
    timer.start()
    assert not reader.wait_for_card(None)
    timer.join()


def test_a_closed_reader_stays_closed(slot: Slot) -> None:
    reader = open_reader(f"pcsc:{slot.reader_name}")
    reader.close()
    with pytest.raises(ReaderFault, match="was closed"):
        reader.connect()
    assert not reader.wait_for_card(None)


@pytest.mark.usefixtures("pcscd")
def test_calls_on_a_closed_connection_are_faults() -> None:
    service = PcscService()
    service.close()
    service.close()
    with pytest.raises(ReaderFault, match="forgotten this connection"):
        service.readers()
    with pytest.raises(ReaderFault, match="forgotten this connection"):
        service.states({"any": 0}, 0)


@pytest.mark.usefixtures("pcscd")
def test_concurrent_connections_each_have_their_own_socket() -> None:
    services: list[PcscService] = []
    threads = [threading.Thread(target=lambda: services.append(PcscService())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(services) == 8
    try:
        sockets = [service._socket for service in services]
        assert None not in sockets
        assert len({os.fstat(end.fileno()).st_ino for end in sockets if end is not None}) == 8
        services[0]._interrupt()
        with pytest.raises(ReaderFault):
            services[0].readers()
        assert all(service.readers() for service in services[1:])
    finally:
        for service in services:
            service.close()


class TestOpening:
    def test_by_index_name_and_part(self, pcscd: Pcscd) -> None:
        name = base_name(pcscd.slots[0].reader_name)
        by_name = open_reader(f"pcsc:{name}")
        assert by_name.url == f"pcsc:{name}"
        service = PcscService()
        index = service.readers().index(pcscd.slots[0].reader_name)
        service.close()
        assert open_reader(f"pcsc:{index}").name == name
        second = base_name(pcscd.slots[1].reader_name)
        assert open_reader(f"pcsc:{second.lower()}?share=1&deadline=5").url == f"pcsc:{second}?share=1&deadline=5"

    def test_ambiguity_lists_the_candidates(self, pcscd: Pcscd) -> None:
        with pytest.raises(ReaderNotFound, match="more than one") as caught:
            open_reader("pcsc:virtual")
        assert base_name(pcscd.slots[1].reader_name) in str(caught.value)

    @pytest.mark.usefixtures("pcscd")
    def test_absent(self) -> None:
        with pytest.raises(ReaderNotFound, match="present: 0: Virtual"):
            open_reader("pcsc:Omnikey")

    @pytest.mark.usefixtures("pcscd")
    def test_a_reader_that_went_away_is_a_fault_to_retry(self) -> None:
        reader = PcscReader("Gone Reader")
        with pytest.raises(ReaderFault, match="plug it in again") as caught:
            reader.connect()
        assert caught.value.retryable
        reader.close()

    @pytest.mark.parametrize("option", ["share=2", "deadline=0", "deadline=x", "speed=1"])
    def test_unknown_options(self, option: str) -> None:
        with pytest.raises(ReaderNotFound, match="not an option"):
            open_reader(f"pcsc:0?{option}")


@pytest.mark.usefixtures("card")
def test_list_shows_readers_cards_and_who_is_busy(slot: Slot) -> None:
    with opened(slot) as reader:
        before = {info.system_name: info for info in list_readers()}[slot.reader_name]
        assert (before.name, before.atr, before.busy) == (reader.name, ATR, False)
        assert before.url == reader.url
        reader.connect()
        after = {info.system_name: info for info in list_readers()}
        assert after[slot.reader_name].busy
        assert any(info.atr is None for info in after.values())


class Watcher:
    """Collects the events of a watch on a thread of its own."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.events: list[ReaderEvent] = []
        self._thread = threading.Thread(target=self._collect)

    def _collect(self) -> None:
        for event in watch_readers(self.stop):
            self.events.append(event)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(PATIENCE)

    def saw(self, event: ReaderEvent) -> bool:
        return eventually(lambda: event in self.events)


def test_watch_tells_of_readers_and_cards(slot: Slot) -> None:
    name = base_name(slot.reader_name)
    slot.wait(present=False)
    with Watcher() as watcher:
        assert watcher.saw(ReaderEvent(EventKind.READER_ADDED, name))
        with plugged(slot):
            assert watcher.saw(ReaderEvent(EventKind.CARD_INSERTED, name, ATR))
        assert watcher.saw(ReaderEvent(EventKind.CARD_REMOVED, name))
    assert [event.kind for event in watcher.events if event.reader == name] == [
        EventKind.READER_ADDED,
        EventKind.CARD_INSERTED,
        EventKind.CARD_REMOVED,
    ]


def test_watch_outlives_the_service(pcscd: Pcscd, slot: Slot) -> None:
    if not pcscd.ours:
        pytest.skip("pcscd was started by somebody else")
    name = base_name(slot.reader_name)
    with Watcher() as watcher:
        assert watcher.saw(ReaderEvent(EventKind.READER_ADDED, name))
        pcscd.halt()
        assert eventually(lambda: watcher.events[-1].kind is EventKind.SERVICE_LOST)
        assert ReaderEvent(EventKind.READER_REMOVED, name) in watcher.events
        with pytest.raises(ReaderFault, match="pcscd"):
            list_readers()
        pcscd.restart()
        assert watcher.saw(ReaderEvent(EventKind.SERVICE_BACK))
        assert eventually(lambda: watcher.events.count(ReaderEvent(EventKind.READER_ADDED, name)) == 2)


@pytest.mark.usefixtures("card")
def test_opensc_finds_the_card(slot: Slot) -> None:
    done = subprocess.run(
        ["opensc-tool", "-r", slot.reader_name, "-a"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.strip().replace(":", "").upper() == ATR.hex().upper()
