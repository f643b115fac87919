"""The transport over a pseudo-terminal, and its reader."""

from __future__ import annotations

import threading

import pytest

from terminal.apdu import Command, Disposition, LinkProtocol, Reader, Transport, open_reader, stack
from terminal.apdu.serial.options import SerialOptions
from terminal.apdu.serial.reader import SerialCard, SerialReader
from terminal.errors import (
    CardGone,
    LineFault,
    NoCard,
    ReaderBusy,
    ReaderFault,
    ReaderNotFound,
    TransportError,
)
from tests.support.serial.line import BlockCard, Mishap, ScriptedCard, VirtualLine
from tests.support.serial.pseudo_terminal import PtyCard

PLAIN = "3B67000086602222278001"
T1 = "3BF81800008131FE454A434F5076323431BC"
COMMAND = bytes.fromhex("00B2010C00")
LONG = bytes([0xFF, 0x00, 0xFE, 0x03, 0x13, 0x11]) * 200 + b"\x90\x00"
"""Bytes that a terminal treats specially."""


def test_a_card_at_t0_through_all_senders() -> None:
    talk = (
        ("00A4040002", "A4"),
        ("FF00", "6103"),
        ("00C0000003", "C0 FF 00 0A 9000"),
        ("00B2010C00", "6C02"),
        ("00B2010C02", "B2 FFFF 9000"),
    )
    with PtyCard(ScriptedCard(PLAIN, *talk)) as port:
        reader = open_reader(f"serial:{port.device}")
        assert isinstance(reader, Reader)
        assert (reader.name, reader.url) == (port.device, f"serial:{port.device}")
        card = reader.connect()
        assert isinstance(card, Transport)
        assert (card.atr.hex().upper(), card.protocol, card.extended_length) == (PLAIN, LinkProtocol.T0, False)
        sender = stack(card)
        assert sender.send(Command(0x00, 0xA4, 0x04, data=b"\xff\x00", ne=256)).data == b"\xff\x00\x0a"
        assert sender.send(Command(0x00, 0xB2, 0x01, 0x0C, ne=256)).data == b"\xff\xff"
        reader.close()


def test_a_card_at_t1_carries_extended_commands() -> None:
    command = Command(0x80, 0xE2, data=LONG[:300], ne=65536)
    with PtyCard(BlockCard(T1, {command.encode(): LONG})) as port:
        reader = open_reader(f"serial:{port.device}?echo=0&rts=none&rate=9600")
        card = reader.connect()
        assert (card.protocol, card.extended_length) == (LinkProtocol.T1, True)
        assert stack(card).send(command).encode() == LONG
        assert card.reset().hex().upper() == T1
        assert card.exchange(command.encode()) == LONG
        reader.close()
        with pytest.raises(CardGone, match="closed"):
            card.exchange(COMMAND)
        with pytest.raises(ReaderFault, match="was closed"):
            reader.connect()


def test_a_finished_card_is_taken_out_before_the_next_one() -> None:
    with PtyCard(ScriptedCard(PLAIN)) as port:
        reader = open_reader(f"serial:{port.device}")
        assert reader.wait_for_card(0)
        reader.connect()
        assert reader.wait_for_card(0)
        reader.release(Disposition.KEEP)
        assert reader.wait_for_card(0)
        reader.connect()
        reader.release(Disposition.DONE)
        assert not reader.wait_for_card(0)
        port.pull()
        assert not reader.wait_for_card(0)
        with pytest.raises(NoCard, match=f"connecting to the card in {port.device}: the card does not answer to reset"):
            reader.connect()
        port.card = ScriptedCard(PLAIN)
        assert reader.wait_for_card(None)
        reader.close()


def test_a_reader_that_is_closed_ends_the_wait() -> None:
    with PtyCard(None) as port:
        reader = open_reader(f"serial:{port.device}")
        threading.Timer(0.05, reader._ended.set).start()
        assert not reader.wait_for_card(None)
        reader.close()


class TestPorts:
    def test_one_that_is_absent_is_named_with_those_present(self) -> None:
        with pytest.raises(ReaderNotFound, match=r"there is no port /dev/ttyNONE; plug the reader in \(present: "):
            open_reader("serial:/dev/ttyNONE")

    @pytest.mark.parametrize("device", ["/dev/null", "/dev"])
    def test_one_that_is_none_is_named(self, device: str) -> None:
        with pytest.raises(ReaderNotFound, match=f"{device} does not open: it is not a serial port"):
            open_reader(f"serial:{device}")

    def test_one_in_use_is_busy(self) -> None:
        with PtyCard(ScriptedCard(PLAIN)) as port:
            reader = open_reader(f"serial:{port.device}")
            with pytest.raises(ReaderBusy, match="another program holds its lock; close that program"):
                open_reader(f"serial:{port.device}")
            reader.close()
            open_reader(f"serial:{port.device}").close()

    def test_one_without_permission_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*arguments: object, **named: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("serial.serialposix.os.open", refused)
        with pytest.raises(ReaderBusy, match=r"no permission to use it; add the user .* dialout"):
            open_reader("serial:/dev/ttyS0")

    def test_one_without_modem_lines_has_no_presence_line(self) -> None:
        with PtyCard(ScriptedCard(PLAIN)) as port:
            reader = open_reader(f"serial:{port.device}?present=cts")
            with pytest.raises(ReaderFault, match="has no modem lines; leave out present="):
                reader.wait_for_card(0)
            reader.close()

    def test_one_unplugged_in_use_is_named_and_comes_back(self) -> None:
        port = PtyCard(ScriptedCard(PLAIN))
        reader = open_reader(f"serial:{port.device}")
        card = reader.connect()
        port.unplug()
        with pytest.raises(ReaderFault, match=r"was unplugged or failed .*; plug the reader in again"):
            card.exchange(COMMAND)
        with pytest.raises(ReaderFault, match="there is no port"):
            reader.wait_for_card(0)
        card.close()
        reader.close()


class TestSessions:
    def card(self, line: VirtualLine) -> SerialCard:
        return SerialCard(line, "slot", SerialOptions(), None)

    def test_a_fault_ends_the_session_until_a_reset(self) -> None:
        talk = ("00B2010C01", "B2 AA 9000")
        line = VirtualLine(ScriptedCard(PLAIN, talk), mishap=Mishap(18, "lost"))
        card = self.card(line)
        with pytest.raises(LineFault, match="the card in slot: reading a procedure byte: the card sent 00 to INS B2"):
            card.exchange(bytes.fromhex("00B2010C01"))
        assert not card.usable
        with pytest.raises(CardGone, match="over after a fault; connect again"):
            card.exchange(bytes.fromhex("00B2010C01"))
        assert card.reset().hex().upper() == PLAIN
        assert card.exchange(bytes.fromhex("00B2010C01")) == bytes.fromhex("AA9000")

    def test_a_command_that_cannot_be_sent_ends_nothing(self) -> None:
        card = self.card(VirtualLine(ScriptedCard(PLAIN, ("00B2010C01", "B2 AA 9000"))))
        with pytest.raises(TransportError, match="T=0 carries"):
            card.exchange(b"\x00\xb2")
        assert card.exchange(bytes.fromhex("00B2010C01")) == bytes.fromhex("AA9000")

    def test_a_pulled_card_is_gone_whatever_the_line_says(self) -> None:
        line = VirtualLine(ScriptedCard(PLAIN, ("00B2010C01", "B2")), present=True)
        card = self.card(line)
        line.present = False
        with pytest.raises(CardGone, match="exchanging with the card in slot: the card was taken out"):
            card.exchange(bytes.fromhex("00B2010C01"))

    def test_a_closed_card_is_held_in_reset(self) -> None:
        line = VirtualLine(ScriptedCard(PLAIN))
        card = self.card(line)
        card.close()
        card.close()
        assert line.held
        with pytest.raises(CardGone, match="closed"):
            card.reset()

    def test_a_presence_line_shows_the_card(self) -> None:
        with PtyCard(ScriptedCard(PLAIN)) as port:
            reader = SerialReader(port.device, SerialOptions())
            assert reader._port is not None
            reader._port.card_present = lambda: False  # type: ignore[method-assign]
            assert not reader.wait_for_card(0)
            with pytest.raises(NoCard, match="no card in the reader"):
                reader.connect()
            reader.close()
