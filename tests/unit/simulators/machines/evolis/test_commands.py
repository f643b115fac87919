"""Commands in a stream of bytes, in which only lengths end the data of panels."""

from __future__ import annotations

import pytest

from simulators.machines.evolis.commands import CommandReader, HostCommand

PANEL = b"\x0d\x1b;" * 27_432
"""A panel of two levels, all of it CR, ESC and semicolons."""


def test_fields_stand_between_semicolons() -> None:
    reader = CommandReader()
    assert reader.receive(b"\x1bRfv\r\x1bPos;=;1158\r\x1bDm;1;\r") == [
        HostCommand("Rfv"), HostCommand("Pos", ("=", "1158")), HostCommand("Dm", ("1", ""))
    ]  # fmt: skip
    assert not reader.waiting


def test_escape_may_be_left_out_and_nul_is_padding() -> None:
    assert CommandReader().receive(b"\0\0\x1bSs\rSe\r" + bytes(64)) == [HostCommand("Ss"), HostCommand("Se")]


def test_data_of_a_panel_may_hold_any_byte() -> None:
    assert len(PANEL) == 82_296
    reader = CommandReader()
    stream = b"\x1bDb;k;2;" + PANEL + b"\r\x1bDbc;o;2;5;\r\x1b\r\x1b\r\r\x1bSe\r"
    expected = [
        HostCommand("Db", ("k", "2"), PANEL), HostCommand("Dbc", ("o", "2"), b"\r\x1b\r\x1b\r"), HostCommand("Se")
    ]  # fmt: skip
    assert reader.receive(stream) == expected
    parts = [stream[place : place + 1000] for place in range(0, len(stream), 1000)]
    assert [command for part in parts for command in reader.receive(part)] == expected


def test_bytes_may_come_one_by_one() -> None:
    reader = CommandReader()
    got = [command for byte in b"\x1bDbc;k;2;3;\r\r\r\r\x1bRlr\r" for command in reader.receive(bytes((byte,)))]
    assert got == [HostCommand("Dbc", ("k", "2"), b"\r\r\r"), HostCommand("Rlr")]


def test_a_command_that_is_not_complete_is_waited_for_and_can_be_dropped() -> None:
    reader = CommandReader()
    assert reader.receive(b"\x1bDb;k;2;" + bytes(100)) == []
    assert reader.waiting
    reader.forget()
    assert not reader.waiting
    assert reader.receive(b"\x1bSe\r") == [HostCommand("Se")]


def test_a_panel_that_does_not_end_where_it_should_is_damaged_and_the_rest_is_skipped() -> None:
    reader = CommandReader()
    stream = b"\x1bDbc;k;2;3;abcdef\r\x1bSe\r"
    assert reader.receive(stream) == [HostCommand("Dbc", ("k", "2"), b"abc", damaged=True), HostCommand("Se")]


@pytest.mark.parametrize("header", ["Db;k;3;", "Db;x;2;", "Dbc;k;2;x;", "Dbc;k;2;99999999;", "Db;km;2;", "Db;;;"])
def test_a_panel_that_cannot_be_measured_is_skipped(header: str) -> None:
    reader = CommandReader()
    first, last = reader.receive(b"\x1b" + header.encode() + b"abc\r\x1bSe\r")
    assert (first.damaged, first.data, last) == (True, b"", HostCommand("Se"))


def test_a_panel_without_data_is_a_command_of_its_own() -> None:
    assert CommandReader().receive(b"\x1bDb;k\r\x1bSe\r") == [HostCommand("Db", ("k",)), HostCommand("Se")]


def test_bytes_that_are_no_command_have_no_name() -> None:
    reader = CommandReader()
    assert reader.receive(b"\x1b\xc8\xff\r") == [HostCommand("")]
    assert reader.receive(b"\x1b" + b"R" * 600) == [HostCommand("")]
    assert reader.receive(b"RR\r\x1bSs\r") == [HostCommand("Ss")]


def test_a_command_shows_no_text_of_a_track() -> None:
    assert repr(HostCommand("Dm", ("2", "6210971300000000016"))) == "<HostCommand Dm, 2 fields, 0 bytes>"
