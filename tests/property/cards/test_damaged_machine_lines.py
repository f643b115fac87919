"""Any byte between host and CRT-571 lost, doubled, flipped or late: the right answer or a named fault, no second move,
and no APDU executed twice."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.machines.crt571.conversation import Crt571Conversation
from personalize.machines.crt571.frames import MachineOrder
from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import Crt571Settings
from personalize.machines.faults import OUT_OF_SIGHT, MachineFault
from personalize.machines.protocols import MachineBin, MachinePlace
from terminal.errors import TransportError
from tests.support.machines.crt571_line import CardMover, LineMishap, ModelLink, ScriptedLink, framed
from tests.support.thorough import repeats

OPTIONS = Crt571Settings()
KINDS = ("lost", "doubled", "flipped", "late")
PLACES = {"none": MachinePlace.NONE, "exit": MachinePlace.EXIT, "inside": MachinePlace.INSIDE}


@dataclass
class Passage:
    """What one card's way through the machine came to."""

    mover: CardMover
    link: ModelLink
    machine: Crt571Machine
    answers: list[bytes]
    fault: TransportError | None = None


def answer_to(apdu: bytes) -> bytes:
    return apdu[::-1] + b"\x90\x00"


class ChattyLink(ScriptedLink):
    """Sends its replies to whatever the host writes."""

    def __init__(self, replies: tuple[bytes | float, ...]) -> None:
        super().__init__()
        self._replies.extend(replies)
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)


def passage(commands: list[bytes], bin: MachineBin, mishap: LineMishap | None = None) -> Passage:
    """One card from the stacker through some commands into a bin, as far as it comes."""
    mover = CardMover(answer_to=answer_to)
    link = ModelLink(mover, mishap)
    one = Passage(mover, link, Crt571Machine("machine", OPTIONS, lambda: link, link.now), [])
    try:
        assert one.machine.take(0)
        one.machine.to_chip()
        card = one.machine.reader.connect()
        for command in commands:
            one.answers.append(card.exchange(command))
        one.machine.give(bin)
    except TransportError as fault:
        one.fault = fault
    return one


def check(commands: list[bytes], bin: MachineBin, mishap: LineMishap) -> Passage:
    one = passage(commands, bin, mishap)
    mover = one.mover
    right = [answer_to(command) for command in commands]
    assert one.answers == right[: len(one.answers)]
    assert one.fault is not None or one.answers == right
    assert mover.executed == commands[: len(mover.executed)], "each once, in order"
    assert mover.fed <= 1
    assert mover.out + mover.rejected <= 1
    if one.fault is None:
        assert (mover.out, mover.rejected) == ((1, 0) if bin is MachineBin.OUTPUT else (0, 1))
        assert mover.pms.count((0x32, 0x39 if bin is MachineBin.OUTPUT else 0x33)) == 1
    one.link.clock += 60  # What was late has arrived.
    assert one.machine.status().place in (PLACES[mover.place], MachinePlace.CHIP)
    return one


commands = st.lists(st.binary(min_size=4, max_size=60).map(lambda raw: raw + b"\x00"), min_size=1, max_size=3)
"""No command ends in 03: see the last test."""


@settings(max_examples=repeats(100, 6000))
@given(commands=commands, bin=st.sampled_from(MachineBin), data=st.data())
def test_a_damaged_byte_moves_no_card_and_executes_no_command_twice(
    commands: list[bytes], bin: MachineBin, data: st.DataObject
) -> None:
    sound = passage(commands, bin)
    assert (sound.fault, sound.answers) == (None, [answer_to(command) for command in commands])
    check(
        commands,
        bin,
        data.draw(
            st.builds(
                LineMishap,
                st.integers(0, sound.link.passed - 1),
                st.sampled_from(KINDS),
                st.integers(1, 255),
                st.sampled_from([0.01, 0.3, 1.5, 4.0, 30.0]),
            )
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_byte_of_one_passage(kind: str) -> None:
    """All is well in the end, except for a chip whose command or answer was lost on the way."""
    talk = [bytes.fromhex("00A4040007A0000000031010"), bytes.fromhex("80CA9F7F00")]
    faults = set()
    for at in range(passage(talk, MachineBin.OUTPUT).link.passed):
        one = check(talk, MachineBin.OUTPUT, LineMishap(at, kind, 0x13, 0.1))
        if one.fault is not None:
            faults.add(type(one.fault).__name__)
            one.machine.give(MachineBin.REJECT)
            assert (one.mover.out, one.mover.rejected, one.mover.fed) == (0, 1, 1)
    assert faults <= ({"MachineFault"} if kind != "late" else set())


replies = st.lists(
    st.one_of(
        st.floats(0, 30),
        st.binary(max_size=20),
        st.sampled_from([b"\x06", b"\x15", b"\x04", b"\xf2", framed("50", "32", "31", "323230")]),
    ),
    max_size=12,
).map(tuple)


@settings(max_examples=repeats(50, 5000))
@given(replies=replies, asking=st.booleans())
def test_whatever_a_machine_sends_ends_in_its_answer_or_a_named_fault(
    replies: tuple[bytes | float, ...], asking: bool
) -> None:
    link = ChattyLink(replies)
    conversation = Crt571Conversation(link, "machine", OPTIONS, link.now)
    order = MachineOrder(0x32, 0x31)
    try:
        answer = conversation.query(order) if asking else conversation.exchange(order)
        ended = answer.sensors.decode()
    except MachineFault as fault:
        ended = fault.code
    assert ended in {"220", *OUT_OF_SIGHT}
    assert link.sent.count(order.encode(0)) <= (3 if asking else 1)
    assert link.clock < 400


def test_a_doubled_byte_of_a_command_that_ends_in_03_may_stay_unseen() -> None:
    """What an exclusive-or as such cannot tell: F2 00 0008 43 51 34 00B0006C03 03 00 with a second 00 is whole before
    its last byte."""
    talk = [bytes.fromhex("00B0006C03")]
    executed = {
        command.hex().upper()
        for at in range(passage(talk, MachineBin.OUTPUT).link.passed)
        for command in passage(talk, MachineBin.OUTPUT, LineMishap(at, "doubled")).mover.executed
    }
    assert executed == {"00B0006C03", "0000B0006C", "00B000006C"}
