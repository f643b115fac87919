"""Frames of the CRT-571, byte by byte. Check bytes were worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.machines.crt571.frames import (
    AnswerDecoder,
    FrameDamage,
    LineSignal,
    MachineAnswer,
    MachineOrder,
    Received,
    check_byte,
)
from tests.support.machines.crt571_line import framed

STATUS_ANSWER = "F2 00 0006 50 31 30 303230 03 94"
DAMAGED = FrameDamage.DAMAGED


def decoded(raw: bytes, *, address: int = 0, most: int = 512) -> list[Received]:
    decoder = AnswerDecoder(address, most)
    decoder.feed(raw)
    events = []
    while (event := decoder.next()) is not None:
        events.append(event)
    return events


@pytest.mark.parametrize(
    ("order", "address", "frame"),
    [
        (MachineOrder(0x31, 0x30), 0, "F2 00 0003 43 31 30 03 B0"),
        (MachineOrder(0x32, 0x31), 0, "F2 00 0003 43 32 31 03 B2"),
        (MachineOrder(0x51, 0x34, bytes.fromhex("00A4040000")), 5, "F2 05 0008 43 51 34 00A4040000 03 7A"),
    ],
)
def test_a_command_is_encoded(order: MachineOrder, address: int, frame: str) -> None:
    assert order.encode(address) == bytes.fromhex(frame)


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (STATUS_ANSWER, MachineAnswer(0x31, 0x30, b"020", "", b"")),
        ("F2 00 0005 4E 32 31 3130 03 B8", MachineAnswer(0x32, 0x31, b"", "10", b"")),
        ("F2 00 0005 45 32 31 3130 03 B3", MachineAnswer(0x32, 0x31, b"", "10", b"")),
    ],
)
def test_an_answer_is_decoded(frame: str, answer: MachineAnswer) -> None:
    assert decoded(bytes.fromhex(frame)) == [answer]


def test_data_may_hold_every_byte() -> None:
    every = bytes(range(256)) + b"\xf2\x00\x00\x05\x03\x06\x15\x04\x90\x00"
    (answer,) = decoded(framed("50", "51", "33", "323230", every.hex()))
    assert answer == MachineAnswer(0x51, 0x33, b"220", "", every)


def test_signals_and_noise_around_frames() -> None:
    raw = b"\x06\x00\xaa\xf2" + bytes.fromhex(STATUS_ANSWER) + b"\x15\x04"
    sound = MachineAnswer(0x31, 0x30, b"020", "", b"")
    assert decoded(raw) == [LineSignal.ACK, sound, LineSignal.NAK, LineSignal.EOT]


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        ("F2 00 0006 50 31 30 303230 03 95", [DAMAGED]),
        ("F2 00 0006 50 31 30 303230 04 93", [DAMAGED]),
        ("F2 00 0006 51 31 30 303230 03 95", [DAMAGED]),  # no CMT
        ("F2 00 0005 50 31 30 3032 03 A7", [DAMAGED]),  # a success without ST2
        ("F2 01 0006 50 31 30 303230 03 95", [LineSignal.ACK]),  # another machine's: LEN looks like ACK
        ("F2 00 0000 03 F1", []),  # LEN is shorter than any
        ("F2 00 0201 50", []),  # LEN is longer than any
    ],
)
def test_what_is_no_answer_of_this_machine(raw: str, events: list[Received]) -> None:
    assert decoded(bytes.fromhex(raw)) == events


def test_after_a_damaged_frame_nothing_is_believed_that_was_in_it() -> None:
    inner = bytes.fromhex(STATUS_ANSWER)
    damaged = bytearray(framed("50", "51", "33", "323230", inner.hex()))
    damaged[-1] ^= 1
    assert decoded(bytes(damaged) + inner) == [DAMAGED]


def test_an_answer_with_a_doubled_byte_may_look_whole() -> None:
    """DATA 31 31 AA 03 with the check byte 31: a third 31 moves 03 to the end and the check byte behind it."""
    sound = bytes.fromhex("F2 00 000A 50 31 30 303230 31 31 AA 03 03 31")
    assert check_byte(sound) == 0
    shifted = sound[:11] + sound[10:]
    decoder = AnswerDecoder(0)
    decoder.feed(shifted)
    assert isinstance(decoder.next(), MachineAnswer)
    assert decoder.doubtful
    assert decoder.unfinished


@given(
    answers=st.lists(
        st.tuples(st.binary(min_size=3, max_size=3), st.binary(max_size=300), st.booleans()), min_size=1, max_size=4
    ),
    data=st.data(),
)
def test_answers_survive_however_they_are_cut(answers: list[tuple[bytes, bytes, bool]], data: st.DataObject) -> None:
    raw = b"".join(
        framed("50", "51", "34", sensors.hex(), body.hex()) if sound else framed("4E", "51", "34", "3637", body.hex())
        for sensors, body, sound in answers
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    decoder, events = AnswerDecoder(0), []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        decoder.feed(raw[start:end])
        while (event := decoder.next()) is not None:
            events.append(event)
    assert events == [
        MachineAnswer(0x51, 0x34, sensors if sound else b"", "" if sound else "67", body)
        for sensors, body, sound in answers
    ]
    assert not decoder.unfinished


@given(st.binary(max_size=70_000))
def test_the_check_byte_is_the_exclusive_or_of_all_bytes(raw: bytes) -> None:
    value = 0
    for byte in raw:
        value ^= byte
    assert check_byte(raw) == value


def test_reprs_hold_no_data() -> None:
    order, answer = MachineOrder(0x51, 0x33, b"secret"), MachineAnswer(0x51, 0x33, b"220", "", b"secret")
    assert repr(order) == "<MachineOrder 51 33, 6 bytes>"
    assert repr(answer) == "<MachineAnswer 51 33 220, 6 bytes>"
    assert str(order) == "command 51 33"
