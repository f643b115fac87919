"""Any character lost, doubled or flipped at any place ends in the right answer or in a named fault."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.apdu.serial.activation import activate
from terminal.apdu.serial.options import SerialOptions
from terminal.errors import MembercardError, TransportError
from tests.support.serial.line import BlockCard, LineCard, Mishap, ScriptedCard, VirtualLine
from tests.support.thorough import repeats

T0_ATR = "3B171886602222278001"
T1_ATR = "3BF81800008131FE454A434F5076323431BC"
PPS = ("FF1018F7", "FF1018F7")
KINDS = ("lost", "doubled", "flipped")


@dataclass(frozen=True)
class Outcome:
    """How a conversation ended: its answers, and the fault that ended it early."""

    answers: tuple[bytes, ...]
    fault: MembercardError | None
    characters: int
    """How many passed on the line."""


def outcome(card: LineCard, commands: list[bytes], mishap: Mishap | None = None, *, echo: bool = False) -> Outcome:
    line = VirtualLine(card, echo=echo, mishap=mishap)
    answers: list[bytes] = []
    try:
        link = activate(line, SerialOptions()).link
        for command in commands:
            answers.append(link.exchange(command))
    except TransportError as fault:
        return Outcome(tuple(answers), fault, line.passed)
    return Outcome(tuple(answers), None, line.passed)


@dataclass(frozen=True)
class Turn:
    """One command at T=0 with its answer, and the conversation on the line."""

    command: bytes
    answer: bytes
    talk: tuple[tuple[str, str], ...]


def received(header: bytes, data: bytes, status: bytes, *, singly: bool, waits: int) -> Turn:
    """Case 2: the data come at once, or each after a procedure byte of its own. No NULL follows the data: see the last
    test."""
    nulls = b"\x60" * waits
    ins = header[1]
    if singly:
        body = b"".join(bytes((ins ^ 0xFF, value)) for value in data)
    else:
        body = bytes((ins,)) + data
    command = header + bytes((len(data) & 0xFF,))
    return Turn(command, data + status, ((command.hex(), (nulls + body + status).hex()),))


def delivered(header: bytes, data: bytes, status: bytes, *, singly: bool, waits: int) -> Turn:
    """Cases 3 and 4: the data go at once, or each after a procedure byte of its own."""
    nulls, command = b"\x60" * waits, header + bytes((len(data),))
    ins = bytes((header[1] ^ (0xFF if singly else 0),))
    parts = [bytes((value,)) for value in data] if singly else [data]
    answers = [nulls + ins] * len(parts) + [nulls + status]
    talk = tuple((wanted.hex(), answer.hex()) for wanted, answer in zip([command, *parts], answers, strict=True))
    return Turn(command + data, status, talk)


headers = st.builds(
    lambda cla, ins, p: bytes((cla, ins)) + p,
    st.sampled_from([0x00, 0x80, 0x84]),
    st.sampled_from([0xA4, 0xB2, 0xC0, 0x88, 0xE2, 0x20]),
    st.binary(min_size=2, max_size=2),
)
statuses = st.sampled_from(["9000", "6A82", "6283", "63C2", "6110", "6190", "6C10", "6C6C", "9060", "6B00"]).map(
    bytes.fromhex
)
without_nulls = st.lists(st.integers(0, 255).filter(lambda value: value != 0x60), min_size=1, max_size=24).map(bytes)
"""Data of a response. A byte 60 may be taken for a NULL: see the last test."""
turns = st.one_of(
    st.builds(received, headers, without_nulls, statuses, singly=st.booleans(), waits=st.integers(0, 2)),
    st.builds(
        delivered, headers, st.binary(min_size=1, max_size=24), statuses, singly=st.booleans(), waits=st.integers(0, 2)
    ),
)


@settings(max_examples=repeats(80, 3000))
@given(talk=st.lists(turns, min_size=1, max_size=3), data=st.data(), echo=st.booleans())
def test_a_damaged_character_at_t0_never_makes_a_wrong_answer(
    talk: list[Turn], data: st.DataObject, echo: bool
) -> None:
    lines = [PPS, *(line for turn in talk for line in turn.talk)]
    commands, right = [turn.command for turn in talk], tuple(turn.answer for turn in talk)
    sound = outcome(ScriptedCard(T0_ATR, *lines), commands, echo=echo)
    assert (sound.fault, sound.answers) == (None, right)
    mishap = data.draw(
        st.builds(Mishap, st.integers(0, sound.characters - 1), st.sampled_from(KINDS), st.integers(1, 255))
    )
    damaged = outcome(ScriptedCard(T0_ATR, *lines), commands, mishap, echo=echo)
    assert damaged.answers == right[: len(damaged.answers)]
    assert damaged.fault is not None or damaged.answers == right


exchanges = st.dictionaries(
    st.binary(min_size=4, max_size=100), st.binary(min_size=2, max_size=600), min_size=1, max_size=3
)


@settings(max_examples=repeats(80, 3000))
@given(table=exchanges, data=st.data(), echo=st.booleans(), noticed=st.booleans())
def test_a_damaged_character_at_t1_never_makes_a_wrong_answer(
    table: dict[bytes, bytes], data: st.DataObject, echo: bool, noticed: bool
) -> None:
    commands, right = list(table), tuple(table.values())
    sound = outcome(BlockCard(T1_ATR, table), commands, echo=echo)
    assert (sound.fault, sound.answers) == (None, right)
    places = st.integers(0, sound.characters - 1)
    mishap = data.draw(st.builds(Mishap, places, st.sampled_from(KINDS), st.integers(1, 255), st.just(noticed)))
    card = BlockCard(T1_ATR, table)
    damaged = outcome(card, commands, mishap, echo=echo)
    assert damaged.answers == right[: len(damaged.answers)]
    assert damaged.fault is not None or damaged.answers == right
    assert card.executed == commands[: len(card.executed)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_at_t1_goes_on_after_one_damaged_character_anywhere(kind: str) -> None:
    """Each is repaired but one: an answer to reset that lost a byte 00 has a right check byte."""
    table = {bytes.fromhex("00A4040007A0000000031010"): bytes(range(60)) + b"\x90\x00", bytes(90): b"\x6a\x80"}
    characters = outcome(BlockCard(T1_ATR, table), list(table)).characters
    faults = []
    for at in range(characters):
        card = BlockCard(T1_ATR, table)
        ended = outcome(card, list(table), Mishap(at, kind, 0x10))
        if ended.fault is not None:
            faults.append(str(ended.fault))
        else:
            assert (ended.answers, card.executed) == (tuple(table.values()), list(table))
    assert set(faults) <= {"the card's first protocol is T=14; T=0 and T=1 are possible"}
    assert kind == "lost" or not faults


def test_at_t0_a_null_looks_like_a_data_byte_60() -> None:
    """What T=0 as such cannot tell: a byte came twice, and the last one, 60, is a NULL then; or a byte was lost, and a
    NULL after the data is the last one."""
    talk = (PPS, ("00B2010C03", "B2 010260 9000"))
    doubled = [
        outcome(ScriptedCard(T0_ATR, *talk), [bytes.fromhex("00B2010C03")], Mishap(at, "doubled")).answers
        for at in range(outcome(ScriptedCard(T0_ATR, *talk), [bytes.fromhex("00B2010C03")]).characters)
    ]
    wrong = {answers[0].hex() for answers in doubled if answers} - {"0102609000"}
    assert wrong == {"b201029000", "0101029000", "0102029000"}
    talk = (PPS, ("00B2010C02", "B2 0102 60 9000"))
    command = [bytes.fromhex("00B2010C02")]
    last = outcome(ScriptedCard(T0_ATR, *talk), command).characters - 4
    assert outcome(ScriptedCard(T0_ATR, *talk), command, Mishap(last, "lost")).answers == (bytes.fromhex("01609000"),)
