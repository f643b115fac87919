"""T=0 in exact conversations."""

from __future__ import annotations

import pytest

from terminal.apdu import Atr
from terminal.apdu.serial.characters import Characters
from terminal.apdu.serial.parameters import LinkParameters
from terminal.apdu.serial.t0 import CharacterLink, Tpdu, tpdu
from terminal.errors import CardGone, CardTooSlow, LineFault, TransportError
from tests.support.serial.line import Mishap, ScriptedCard, VirtualLine

ATR = "3B00"


def link(*turns: tuple[str, str], deadline: float = 30.0, **settings: object) -> tuple[CharacterLink, VirtualLine]:
    line = VirtualLine(ScriptedCard(ATR, *turns), **settings)  # type: ignore[arg-type]
    line.configure(9600, odd=False, stop_bits=2)
    line.release_reset()
    line.discard()
    parameters = LinkParameters(Atr.parse(bytes.fromhex(ATR)), 3.5712e6)
    characters = Characters(line, unit=parameters.unit, echo=line.echo)
    return CharacterLink(characters, parameters, deadline), line


def exchanged(apdu: str, *turns: tuple[str, str], echo: bool = False) -> str:
    link_, line = link(*turns, echo=echo)
    answer = link_.exchange(bytes.fromhex(apdu)).hex().upper()
    assert isinstance(line.card, ScriptedCard)
    assert line.card.left == 0
    return answer


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize(
    ("apdu", "turns", "answer"),
    [
        ("00700000", [("0070000000", "9000")], "9000"),
        ("0070000000", [("0070000000", "6D00")], "6D00"),
        ("00B2010C04", [("00B2010C04", "B2 01020304 9000")], "010203049000"),
        ("00B2010C00", [("00B2010C00", f"B2 {'AB' * 256} 9000")], f"{'AB' * 256}9000"),
        ("00B2010C02", [("00B2010C02", "4D 01 60 B2 02 6282")], "01026282"),
        ("00B2010C00", [("00B2010C00", "6C14")], "6C14"),
        ("002000800411223344", [("0020008004", "20"), ("11223344", "60 60 63C2")], "63C2"),
        ("002000800211 22", [("0020008002", "DF"), ("11", "20"), ("22", "9000")], "9000"),
        ("00A4040002AABB00", [("00A4040002", "A4"), ("AABB", "6112")], "6112"),
        ("00A4040002AABB", [("00A4040002", "6A82")], "6A82"),
    ],
)
def test_procedure_bytes_lead_through_the_four_cases(
    apdu: str, turns: list[tuple[str, str]], answer: str, echo: bool
) -> None:
    assert exchanged(apdu, *turns, echo=echo) == answer


def test_a_command_becomes_a_tpdu() -> None:
    assert tpdu(bytes.fromhex("00B20100")) == Tpdu(bytes.fromhex("00B2010000"), b"", 256)
    assert tpdu(bytes.fromhex("00A4040002AABB00")) == Tpdu(bytes.fromhex("00A4040002"), b"\xaa\xbb", 0)


@pytest.mark.parametrize(
    "apdu", ["00B201", "00A4040003AABB", "00A40400000002AABB", "00A404000000", "006000000", "009C000000"]
)
def test_what_t0_cannot_carry_is_refused_unsent(apdu: str) -> None:
    link_, line = link()
    with pytest.raises(TransportError, match="T=0 carries"):
        link_.exchange(bytes.fromhex(apdu.ljust(len(apdu) + len(apdu) % 2, "0")))
    assert line.sent == b""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("FF", "the card sent FF to INS B2"),
        ("B2 0102", "1 characters of the answer are missing"),
        ("B2 010203", "1 characters of the answer are missing"),
        ("B2 010203 90", "1 characters of the answer are missing"),
        ("B2 010203 B2", "asks for more than the command has"),
        ("4D 01 9000", "ends before its data are complete"),
        ("6F 0A 84 03 90 00", "characters follow the end"),
        ("B2 010203 9090 00", "characters follow the end"),
    ],
)
def test_an_answer_out_of_step_is_a_fault(answer: str, reason: str) -> None:
    with pytest.raises(LineFault, match=reason):
        link(("00B2010C03", answer))[0].exchange(bytes.fromhex("00B2010C03"))


def test_characters_that_came_between_two_commands_are_a_fault() -> None:
    link_, _ = link(("00B2010C01", "B2 01 9000 00"), ("00B2010C01", "B2 01 9000"))
    assert link_.exchange(bytes.fromhex("00B2010C01")) == bytes.fromhex("019000")
    with pytest.raises(LineFault, match="belong to no answer"):
        link_.exchange(bytes.fromhex("00B2010C01"))


def test_wrong_parity_is_a_fault() -> None:
    link_, _ = link(("00B2010C01", "B2 01 9000"), mishap=Mishap(8, "flipped"))
    with pytest.raises(LineFault, match="wrong parity"):
        link_.exchange(bytes.fromhex("00B2010C01"))


def test_an_echo_that_differs_is_a_fault() -> None:
    link_, _ = link(("00B2010C01", "B2 01 9000"), echo=True, mishap=Mishap(3, "flipped", noticed=False))
    with pytest.raises(LineFault, match="other characters than were sent"):
        link_.exchange(bytes.fromhex("00B2010C01"))


def test_silence_is_a_card_that_is_gone() -> None:
    link_, line = link()
    with pytest.raises(CardGone, match="taken out or stopped answering"):
        link_.exchange(bytes.fromhex("00B2010C01"))
    # WI is 10: 10 x 960 x 372 clock cycles, and the tolerance.
    assert line.clock == pytest.approx(1.25, abs=0.01)


def test_a_card_that_asks_for_time_without_end_is_too_slow() -> None:
    link_, line = link(("00B2010C01", "60"), deadline=5.0)

    class Busy(ScriptedCard):
        def quiet(self) -> bytes:
            line.clock += 0.9
            return b"\x60"

    line.card = Busy(ATR, ("00B2010C01", "60"))
    line.release_reset()
    line.discard()
    with pytest.raises(CardTooSlow, match="no whole answer within 5 s"):
        link_.exchange(bytes.fromhex("00B2010C01"))
    assert 5 <= line.clock < 7
