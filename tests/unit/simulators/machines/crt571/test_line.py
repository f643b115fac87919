"""The line of the simulated CRT-571: acknowledgement, retransmission, damage, faults on demand, time."""

from __future__ import annotations

import pytest

from simulators.machines.crt571.options import Crt571Options
from tests.unit.simulators.machines.crt571.conftest import Host, Start

STATUS, CONTACTS, EXIT = "F200000343313003B0", "F200000343323103B2", "F200000343323903BA"
INITIALIZE = "F200000343303303B2"
READY = "F20000065031303031300397"
"""The answer to STATUS of a machine without a card, and with few in its feeder."""
FED = "F20000065032313231300397"


def test_a_good_command_is_acknowledged_at_once_and_answered_when_the_move_is_over(start: Start) -> None:
    host = start(seconds=1.5)
    host.initialize()
    clock, line = host.machine.clock, host.line
    began = clock.now()
    line.write(bytes.fromhex(CONTACTS))
    assert line.read(0.1) == b"\x06"
    assert line.read(1.3) == b""
    assert host.machine.busy
    assert line.read(5.0).hex().upper() == FED
    assert clock.now() - began == pytest.approx(1.5)


@pytest.mark.parametrize(
    "damaged",
    [
        "F200000343313003B1",  # BCC
        "F200000343313004B7",  # no ETX
        "F200000353313003A0",  # no command
        "F20000024331038B",  # too short
    ],
)
def test_a_damaged_command_is_refused(host: Host, damaged: str) -> None:
    assert host.send(damaged, 0.1) == "15"
    assert host.exchange(STATUS) == READY


def test_a_command_that_is_not_complete_is_refused_after_a_silence(host: Host) -> None:
    host.line.write(bytes.fromhex(STATUS[:8]))
    assert host.line.read(0.4) == b""
    assert host.line.read(0.2) == b"\x15"
    assert host.exchange(STATUS) == READY


def test_a_slow_host_may_send_byte_by_byte(host: Host) -> None:
    for byte in bytes.fromhex(STATUS)[:-1]:
        host.line.write(bytes((byte,)))
        assert host.line.read(0.4) == b""
    assert host.send(STATUS[-2:]) == "06" + READY


def test_another_address_is_not_answered(start: Start) -> None:
    host = start(options=Crt571Options(address=2))
    assert host.send(INITIALIZE, 30) == ""
    assert host.send("F202000343303303B0", 30)[:12] == "06F202001350"


def test_bytes_between_frames_belong_to_nothing(host: Host) -> None:
    assert host.exchange("0043FF" + STATUS) == READY


def test_an_answer_is_sent_again_at_nak_and_three_times_without_an_acknowledgement(host: Host) -> None:
    assert host.send(STATUS) == "06" + READY
    assert host.send("15", 0.1) == READY
    assert [host.listen(2.1) for _ in range(3)] == [READY, READY, ""], "the third one was at NAK"
    assert host.send("15", 30) == ""


def test_an_acknowledged_answer_is_not_sent_again(host: Host) -> None:
    assert host.exchange(STATUS) == READY
    assert host.listen(30) == ""
    assert host.send("15", 30) == ""


def test_a_machine_may_send_again_at_nak_only(start: Start) -> None:
    host = start(options=Crt571Options(repeat_after=0))
    host.initialize()
    assert host.send(STATUS) == "06" + READY
    assert host.listen(60) == ""
    assert host.send("15") == READY


def test_the_next_command_acknowledges_too(host: Host) -> None:
    host.send(STATUS)
    assert host.send(CONTACTS) == "06" + FED


def test_eot_clears_the_line_and_not_the_move(start: Start) -> None:
    host = start(seconds=2)
    host.initialize()
    host.line.write(bytes.fromhex(CONTACTS))
    assert host.line.read(0.5) == b"\x06"
    assert host.send("04", 60) == ""
    assert host.exchange(STATUS) == "F20000065031303231300395"


def test_a_command_that_comes_during_a_move_waits(start: Start) -> None:
    host = start(seconds=2)
    host.initialize()
    host.line.write(bytes.fromhex(CONTACTS))
    assert host.line.read(0.5) == b"\x06"
    host.line.write(bytes.fromhex(STATUS))
    assert host.line.read(1) == b""
    assert host.line.read(1).hex().upper() == FED + "06" + "F20000065031303231300395"


def test_data_may_hold_the_characters_that_frame(host: Host) -> None:
    """A SELECT of the name 03F2: only the length ends the frame. It runs into the reset that was not done."""
    assert host.exchange("F200000A43513900A404000203F20383") == "F20000054E5139363503D1"


# -- faults on demand -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("nak:1", "15"),
        ("no-ack:1", READY),
        ("noise:1", "06" + "00FF5503" + READY),
        ("check:1", "06" + READY[:-2] + "96"),
        ("twice:1", "06" + READY + READY),
        ("silent:1", "06"),
        ("fail:1:12", "06" + "F20000054E3130313203B8"),
    ],
)
def test_one_command_goes_wrong_and_the_next_does_not(start: Start, fault: str, answer: str) -> None:
    host = start(fault)
    host.initialize()
    assert host.send(STATUS) == answer
    host.line.discard()
    assert host.exchange(STATUS) == READY


def test_a_wrong_check_byte_is_wrong_once(start: Start) -> None:
    host = start("check:1")
    host.initialize()
    host.send(STATUS)
    assert host.send("15") == READY


def test_a_late_answer(start: Start) -> None:
    host = start("late:1:30")
    host.initialize()
    assert host.send(STATUS, 29) == "06"
    assert host.listen(2) == READY


def test_a_late_answer_does_not_come_after_eot(start: Start) -> None:
    host = start("late:1:30")
    host.initialize()
    assert host.send(STATUS, 20) == "06"
    assert host.send("04", 60) == ""


def test_a_jam_on_demand(start: Start) -> None:
    host = start("jam:1")
    host.initialize()
    assert host.exchange(CONTACTS) == "F20000054E3231313003B8"
    host.machine.body.repair()
    assert host.exchange(CONTACTS)[8:10] == "50"


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("lose-out:27", "06" + READY[2:]),
        ("double-out:28", "06" + "F2" + "0000" + READY[4:]),
        ("flip-out:27", "06" + "E2" + READY[2:]),
        ("flip-in:14", "15"),
        ("double-in:13", "15"),
    ],
)
def test_single_bytes_go_wrong(start: Start, fault: str, answer: str) -> None:
    """The first command is 9 bytes, its acknowledgement 1, its answer 26 with that of the machine."""
    host = start(fault)
    host.initialize()
    assert host.send(STATUS, 1.0) == answer


def test_a_lost_byte_of_a_command_leaves_it_incomplete(start: Start) -> None:
    host = start("lose-in:12")
    host.initialize()
    assert host.send(STATUS, 1.0) == "15"


def test_a_drawn_plan_is_the_same_for_its_seed(start: Start) -> None:
    def conversation(seed: int) -> list[str]:
        host = start(f"random:{seed}:40")
        return [host.send(INITIALIZE if number == 0 else STATUS, 30) for number in range(8)]

    first = conversation(3)
    assert conversation(3) == first
    assert conversation(4) != first
    assert first != conversation(1_000_000)
