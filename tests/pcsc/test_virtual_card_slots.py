"""Virtual cards in real slots: pulled, after a restart of pcscd, fed from a stock, attached by the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.card.content import CardLifeCycle
from simulators.readers.feeder import CardFeeder
from simulators.readers.stock import StockDirectory, blank, make_stock
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, open_reader
from terminal.errors import CardGone
from tests.support.cards import member_specimen
from tests.support.foreign import host as foreign_host
from tests.support.pcsc.pcscd import Pcscd
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

SELECT = bytes.fromhex("00A4040000")
CPLC = bytes.fromhex("80CA9F7F00")


def card() -> VirtualCard:
    return VirtualCard.create(None, CardConfig(blank()))


def test_a_card_pulled_in_the_middle(pcscd: Pcscd) -> None:
    slot = pcscd.next_slot()
    slot.wait(present=False)
    reader = open_reader(f"pcsc:{slot.reader_name}")
    with VpcdSlot(slot.host, slot.port) as virtual:
        virtual.insert(card())
        assert reader.wait_for_card(10)
        transport = reader.connect()
        assert transport.exchange(SELECT)[-2:] == b"\x90\x00"
        pulled = virtual.pull()
        assert pulled is not None
        with pytest.raises(CardGone):
            transport.exchange(SELECT)
        transport.close()
        slot.wait(present=False)
        virtual.insert(pulled)
        assert reader.wait_for_card(10)
        again = reader.connect()
        assert again.exchange(SELECT)[-2:] == b"\x90\x00"
        reader.close()


def test_a_restarted_pcscd_finds_the_card_again(pcscd: Pcscd) -> None:
    if not pcscd.ours:
        pytest.skip("this pcscd was started by somebody else")
    slot = pcscd.next_slot()
    slot.wait(present=False)
    lines: list[str] = []
    with VpcdSlot(slot.host, slot.port, report=lines.append) as virtual:
        virtual.insert(card())
        slot.wait(present=True)
        pcscd.restart()
        slot.wait(present=True)
        reader = open_reader(f"pcsc:{slot.reader_name}")
        assert reader.connect().exchange(SELECT)[-2:] == b"\x90\x00"
        reader.close()
    assert "went away" in lines[0]


def test_a_line_runs_on_a_fed_slot(pcscd: Pcscd, tmp_path: Path) -> None:
    """Three blanks through one fed slot; the second job is interrupted once and resumed."""
    slot = pcscd.next_slot()
    slot.wait(present=False)
    list(make_stock(tmp_path, 3, CardConfig(blank())))
    specimen = member_specimen.specimen(1024)
    feeder = CardFeeder(VpcdSlot(slot.host, slot.port), StockDirectory(tmp_path), settle=1.0)
    ended = threading.Event()

    def feed() -> None:
        while not ended.wait(0.05):
            feeder.tick()

    thread = threading.Thread(target=feed)
    thread.start()
    reader = open_reader(f"pcsc:{slot.reader_name}")
    seen = []
    try:
        for job in range(4):
            assert reader.wait_for_card(PATIENCE), job
            transport = reader.connect()
            if job == 1:
                host = foreign_host.open_domain(transport)
                aid = member_specimen.MEMBER_AID
                foreign_host.install(host, foreign_host.MEMBER_PACKAGE, aid, aid)
            elif job == 2:
                host = foreign_host.open_domain(transport)
                foreign_host.store(host, member_specimen.MEMBER_AID, specimen)
                for state in (0x07, 0x0F):
                    host.send_apdu(0x80, 0xF0, 0x80, state)
            else:
                foreign_host.issue(transport, specimen)
            transport.exchange(SELECT)
            seen.append(transport.exchange(CPLC))
            transport.close()
            reader.release(Disposition.DONE)
        assert not reader.wait_for_card(2)
    finally:
        reader.close()
        ended.set()
        thread.join()
        feeder.close()
    assert seen[1] == seen[2]
    assert len(set(seen)) == 3
    issued = list((tmp_path / "issued").iterdir())
    assert [VirtualCard.open(path).state for path in issued] == [CardLifeCycle.SECURED] * 3
    assert list(tmp_path.glob("*.card")) == []


def test_attach_from_the_command_line(pcscd: Pcscd, tmp_path: Path) -> None:
    slot = pcscd.next_slot()
    slot.wait(present=False)
    (path,) = make_stock(tmp_path, 1, CardConfig(blank()))
    command = [sys.executable, "-c", "from simulators.cli import app; app()"]
    address = f"{slot.host}:{slot.port}"
    attached = subprocess.Popen(
        [*command, "attach", str(path), "--vpcd", address, "--trace"], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        slot.wait(present=True)
        reader = open_reader(f"pcsc:{slot.reader_name}")
        assert reader.connect().exchange(SELECT)[-2:] == b"\x90\x00"
        reader.close()
    finally:
        attached.send_signal(signal.SIGINT)
        _, lines = attached.communicate(timeout=PATIENCE)
    assert attached.returncode == 0
    assert "is in the slot" in lines
    assert "00A40400" in lines
    assert "link" in lines
    slot.wait(present=False)
