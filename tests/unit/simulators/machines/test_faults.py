"""Faults of a line as they are written."""

from __future__ import annotations

import pytest

from simulators.machines.faults import WireFault, WireFaultKind, WireFaults
from terminal.errors import CodecError


@pytest.mark.parametrize(
    "text",
    [
        "lose-in:0",
        "flip-out:12",
        "nak:3",
        "late:2:1.5",
        "fail:4:A0",
        "power-during:7",
        "power-page:1:inf",
        "random:9:40",
    ],
)
def test_a_fault_is_written_as_it_is_read(text: str) -> None:
    assert str(WireFault.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nak",
        "nak:",
        "nak:x",
        "nak:-1",
        "nak:1:2",
        "late:1",
        "late:1:x",
        "fail:1",
        "fail:1:A",
        "random:1:0",
        "melt:1",
    ],
)
def test_no_other_text_is_a_fault(text: str) -> None:
    with pytest.raises(CodecError, match="is no fault of a machine"):
        WireFault.parse(text)


@pytest.mark.parametrize(
    ("first", "second"), [("nak:1", "twice:1"), ("lose-in:3", "flip-in:3"), ("power-page:1", "power-page:2")]
)
def test_two_faults_at_one_place_are_refused(first: str, second: str) -> None:
    with pytest.raises(CodecError, match="can strike only by itself"):
        WireFaults([WireFault.parse(first), WireFault.parse(second)])


def test_bytes_are_counted_in_each_direction() -> None:
    faults = WireFaults(WireFault.parse(text) for text in ("lose-in:1", "double-in:4", "flip-out:0"))
    assert faults.incoming(b"abc") == b"ac"
    assert faults.incoming(b"def") == b"deef"
    assert faults.outgoing(b"abc") == b"qbc"
    assert faults.incoming(b"abc") == b"abc"


def test_a_power_cut_lasts_two_seconds_unless_it_says_otherwise() -> None:
    assert WireFault(WireFaultKind.POWER_AFTER, 0).seconds == 2.0
    assert WireFault.parse("power-after:0:0.5").seconds == 0.5


def test_drawn_faults_strike_as_often_as_wanted() -> None:
    faults = WireFaults([WireFault.parse("random:5:100")])
    data = bytes(10_000)
    received = faults.incoming(data)
    assert received != data
    flipped = sum(byte != 0 for byte in received)
    assert 15 <= flipped <= 60
