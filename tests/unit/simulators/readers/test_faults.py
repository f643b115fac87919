"""Faults strike once, at the given command, page or byte."""

from __future__ import annotations

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.card.memory import PowerLost, TearAt
from simulators.readers.faults import FaultKind, Faults, InjectedFault
from simulators.virtual_card import VirtualCard
from terminal.errors import CodecError, DeadlineExceeded

SELECT = bytes.fromhex("00A4040000")
UPDATE = bytes.fromhex("8050000008010203040506070800")


def chip() -> VirtualCard:
    card = VirtualCard.create(None, CardConfig(ProductionData(1)))
    card.power_on()
    return card


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tear-apdu:3", InjectedFault(FaultKind.TEAR_APDU, 3)),
        ("tear-apdu:3+", InjectedFault(FaultKind.TEAR_APDU, 3, after=True)),
        ("tear-page:0", InjectedFault(FaultKind.TEAR_PAGE, 0)),
        ("tear-byte:640+", InjectedFault(FaultKind.TEAR_BYTE, 640, after=True)),
        ("mute:7", InjectedFault(FaultKind.MUTE, 7)),
        ("corrupt:0", InjectedFault(FaultKind.CORRUPT, 0)),
        ("slow:2:1.5", InjectedFault(FaultKind.SLOW, 2, seconds=1.5)),
    ],
)
def test_texts(text: str, fault: InjectedFault) -> None:
    assert InjectedFault.parse(text) == fault
    assert str(fault) == text


@pytest.mark.parametrize(
    "text", ["", "mute", "mute:", "mute:-1", "mute:1+", "slow:1", "mute:1:2", "tear:1", "tear-apdu:x"]
)
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(CodecError, match="is no fault"):
        InjectedFault.parse(text)


def test_two_at_once_are_refused() -> None:
    with pytest.raises(CodecError, match="two faults"):
        Faults([InjectedFault(FaultKind.MUTE, 1), InjectedFault(FaultKind.CORRUPT, 1)])
    with pytest.raises(CodecError, match="two faults"):
        Faults([InjectedFault(FaultKind.TEAR_PAGE, 1), InjectedFault(FaultKind.TEAR_BYTE, 900)])


def test_a_corrupted_answer_differs_in_one_bit() -> None:
    plain, card = chip(), chip()
    faulty = Faults([InjectedFault(FaultKind.CORRUPT, 1)]).on(card, card)
    expected = plain.exchange(SELECT)
    answers = [faulty.exchange(SELECT) for _ in range(3)]
    assert answers[0] == answers[2] == expected
    difference = int.from_bytes(answers[1], "big") ^ int.from_bytes(expected, "big")
    assert difference.bit_count() == 1


def test_a_slow_answer() -> None:
    slept: list[float] = []
    card = chip()
    faulty = Faults([InjectedFault(FaultKind.SLOW, 1, seconds=2.5)], sleep=slept.append).on(card, card)
    answers = {faulty.exchange(SELECT) for _ in range(3)}
    assert len(answers) == 1
    assert slept == [2.5]


def test_silence_lasts_until_power_comes_again() -> None:
    card = chip()
    faulty = Faults([InjectedFault(FaultKind.MUTE, 0)]).on(card, card)
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            faulty.exchange(SELECT)
    assert faulty.power_on() == card.atr
    assert faulty.exchange(SELECT)[-2:] == b"\x90\x00"


def test_a_fault_counts_over_all_cards_of_a_reader() -> None:
    faults = Faults([InjectedFault(FaultKind.TEAR_APDU, 3)])
    one, two = chip(), chip()
    first, second = faults.on(one, one), faults.on(two, two)
    for _ in range(3):
        first.exchange(SELECT)
    with pytest.raises(PowerLost):
        second.exchange(SELECT)
    assert one.powered
    assert not two.powered


def test_byte_faults_fall_into_pages() -> None:
    for at, page in ((0, 0), (63, 0), (64, 1), (1000, 15)):
        tear = Faults([InjectedFault(FaultKind.TEAR_BYTE, at)]).tear
        assert isinstance(tear, TearAt)
        assert tear.left == page


@pytest.mark.parametrize("after", [False, True])
def test_a_tear_in_the_memory(after: bool) -> None:
    card = chip()
    faulty = Faults([InjectedFault(FaultKind.TEAR_PAGE, 0, after=after)]).on(card, card)
    faulty.exchange(SELECT)
    torn = False
    for _ in range(20):
        try:
            answer = faulty.exchange(UPDATE)
            assert answer[-2:] == b"\x90\x00"
            wrong = faulty.exchange(bytes.fromhex("8482330010") + bytes(16))
            assert wrong[-2:] != b"\x90\x00"
        except PowerLost:
            torn = True
            break
    assert torn
    assert faulty.power_on() == card.atr
    assert faulty.exchange(SELECT)[-2:] == b"\x90\x00"
