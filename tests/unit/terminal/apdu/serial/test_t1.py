"""T=1: exact conversations with the rules of ISO/IEC 7816-3:2006, 11.6.3, from the terminal's side."""

from __future__ import annotations

import pytest

from terminal.apdu import Atr
from terminal.apdu.serial.blocks import Block, ErrorDetection, encode
from terminal.apdu.serial.characters import Characters
from terminal.apdu.serial.parameters import LinkParameters
from terminal.apdu.serial.t1 import BlockLink
from terminal.errors import CardGone, CardTooSlow, LineFault
from tests.support.serial.line import LineCard, VirtualLine

ATR = "3BF81800008131FE454A434F5076323431BC"
COMMAND, ANSWER = bytes.fromhex("00B2010C00"), bytes.fromhex("AABB9000")
SILENCE, GARBAGE = "silence", "garbage"
IFS = ("00C101FE", "00E101FE")


class BlockScript:
    """Holds exactly one conversation of blocks, in hex without their check codes; SILENCE and GARBAGE are no block."""

    inverse = False

    def __init__(self, *turns: tuple[str, str], detection: ErrorDetection = ErrorDetection.LRC) -> None:
        self.turns, self.detection = list(turns), detection
        self.raw = bytearray()

    def reset(self) -> bytes:
        return b""

    def receive(self, value: int, damaged: bool) -> bytes:
        self.raw.append(value)
        return b""

    def quiet(self) -> bytes:
        if not self.raw:
            return b""
        raw = bytes(self.raw)
        self.raw.clear()
        assert self.turns, f"beyond the end: {raw.hex()}"
        wanted, answer = self.turns.pop(0)
        assert raw[: -self.detection.length].hex().upper() == wanted.replace(" ", "")
        if answer in (SILENCE, GARBAGE):
            return b"" if answer == SILENCE else bytes.fromhex("00000400")
        block = bytes.fromhex(answer)
        return encode(Block(block[1], block[3:]), self.detection)


def started(
    *turns: tuple[str, str], deadline: float = 30.0, atr: str = ATR
) -> tuple[BlockLink, VirtualLine, BlockScript]:
    card = BlockScript(IFS, *turns)
    link, line = on(card, atr, deadline)
    link.start()
    return link, line, card


def on(card: LineCard, atr: str = ATR, deadline: float = 30.0) -> tuple[BlockLink, VirtualLine]:
    line = VirtualLine(card)
    line.configure(9600, odd=False, stop_bits=2)
    parameters = LinkParameters(Atr.parse(bytes.fromhex(atr)), 3.5712e6)
    return BlockLink(Characters(line, unit=parameters.unit, echo=False), parameters, deadline), line


def inf(pcb: str, data: bytes) -> str:
    return f"00{pcb}{len(data):02X}{data.hex().upper()}"


SEND0, SEND1 = inf("00", COMMAND), inf("40", COMMAND)
TAKE0, TAKE1 = inf("00", ANSWER), inf("40", ANSWER)
REPEATED: list[tuple[str, list[tuple[str, str]]]] = [
    ("a silent card is asked for its block", [(SEND0, SILENCE), ("008200", TAKE0)]),
    ("so is one whose block is damaged", [(SEND0, GARBAGE), ("008100", TAKE0)]),
    ("so is one that repeats an old block", [(SEND0, inf("40", ANSWER)), ("008200", TAKE0)]),
    ("an R-block is sent again", [(SEND0, GARBAGE), ("008100", SILENCE), ("008100", TAKE0)]),
    ("a block that the card asks for is sent again", [(SEND0, "008100"), (SEND0, TAKE0)]),
    ("also after a request of the terminal", [(SEND0, SILENCE), ("008200", "008000"), (SEND0, TAKE0)]),
    ("more time is granted", [(SEND0, "00C30105"), ("00E30105", TAKE0)]),
    ("more time is granted twice", [(SEND0, "00C30105"), ("00E30105", "00C30101"), ("00E30101", TAKE0)]),
    ("a lost response to an S-block is asked after", [(SEND0, "00C30105"), ("00E30105", SILENCE), ("008200", TAKE0)]),
    ("the card changes its longest field", [(SEND0, "00C10110"), ("00E10110", TAKE0)]),
]


@pytest.mark.parametrize(("turns"), [turns for _, turns in REPEATED], ids=[name for name, _ in REPEATED])
def test_a_block_that_does_not_fit_is_repeated(turns: list[tuple[str, str]]) -> None:
    link, _, card = started(*turns, (SEND1, TAKE1))
    assert link.exchange(COMMAND) == ANSWER
    assert link.exchange(COMMAND) == ANSWER
    assert card.turns == []


def test_sequence_numbers_alternate() -> None:
    link, _, card = started((SEND0, TAKE0), (SEND1, TAKE1), (SEND0, TAKE0))
    assert [link.exchange(COMMAND) for _ in range(3)] == [ANSWER] * 3
    assert card.turns == []


def test_chains_go_both_ways() -> None:
    """The card of this answer to reset takes 254 bytes (TA3), and its response comes in three blocks."""
    command = bytes(600)
    link, _, card = started(
        (inf("20", bytes(254)), "009000"),
        (inf("60", bytes(254)), "008000"),
        (inf("00", bytes(92)), inf("20", b"\xaa" * 200)),
        ("009000", inf("60", b"\xbb" * 200)),
        ("008000", inf("00", b"\x90\x00")),
        (inf("40", COMMAND), TAKE1),
    )
    assert link.exchange(command) == b"\xaa" * 200 + b"\xbb" * 200 + b"\x90\x00"
    assert link.exchange(COMMAND) == ANSWER
    assert card.turns == []


def test_a_shorter_field_of_the_card_holds_for_the_rest_of_a_chain() -> None:
    link, _, card = started(
        (inf("20", bytes(254)), "00C10110"),
        ("00E10110", "009000"),
        (inf("60", bytes(16)), "008000"),
        (inf("00", bytes(10)), TAKE0),
    )
    assert link.exchange(bytes(280)) == ANSWER
    assert card.turns == []


def test_after_three_tries_both_get_in_step_and_the_command_is_not_repeated() -> None:
    """The card may have executed it."""
    link, _, card = started(
        (SEND0, TAKE0),
        (SEND1, GARBAGE),
        ("009100", GARBAGE),
        ("009100", GARBAGE),
        ("00C000", "00E000"),
        IFS,
        (SEND0, TAKE0),
    )
    link.exchange(COMMAND)
    with pytest.raises(LineFault, match="whether the card executed the command is not known"):
        link.exchange(COMMAND)
    link.start()
    assert link.exchange(COMMAND) == ANSWER
    assert card.turns == []


def test_a_command_whose_end_was_not_sent_is_sent_again_after_resynch() -> None:
    link, _, card = started(
        (inf("20", bytes(254)), GARBAGE),
        ("008100", GARBAGE),
        ("008100", GARBAGE),
        ("00C000", GARBAGE),
        ("00C000", "00E000"),
        IFS,
        (inf("20", bytes(254)), "009000"),
        (inf("40", bytes(46)), TAKE0),
    )
    assert link.exchange(bytes(300)) == ANSWER
    assert card.turns == []


def test_resynch_is_given_up_after_three_tries() -> None:
    turns = [(SEND0, GARBAGE), ("008100", GARBAGE), ("008100", GARBAGE), *[("00C000", GARBAGE)] * 3]
    link, _, card = started(*turns)
    with pytest.raises(LineFault, match="do not get in step again"):
        link.exchange(COMMAND)
    assert card.turns == []


def test_a_card_that_stays_silent_is_gone() -> None:
    turns = [(SEND0, SILENCE), ("008200", SILENCE), ("008200", SILENCE), *[("00C000", SILENCE)] * 3]
    link, line, card = started(*turns)
    before = line.clock
    with pytest.raises(CardGone, match="taken out or stopped answering"):
        link.exchange(COMMAND)
    assert card.turns == []
    # BWI is 4: 16 x 960 x 372 clock cycles each time, and the tolerance.
    assert line.clock - before == pytest.approx(6 * 1.86, abs=0.1)


def test_a_first_block_without_an_answer_ends_the_start() -> None:
    link, _ = on(BlockScript(*[("00C101FE", SILENCE)] * 3))
    with pytest.raises(CardGone, match="does not answer its first block"):
        link.start()
    link, _ = on(BlockScript(*[("00C101FE", GARBAGE)] * 3))
    with pytest.raises(LineFault, match="no block of the card is readable"):
        link.start()


def test_a_card_that_refuses_the_longest_field_keeps_to_32_bytes() -> None:
    card = BlockScript(*[("00C101FE", "008200")] * 3, (SEND0, TAKE0))
    link, _ = on(card)
    link.start()
    assert link.exchange(COMMAND) == ANSWER
    assert card.turns == []


def test_a_chain_that_the_card_aborts_is_a_fault() -> None:
    link, _, card = started((inf("20", bytes(254)), "00C200"), ("00E200", "009000"))
    with pytest.raises(LineFault, match="aborted the chain"):
        link.exchange(bytes(300))
    assert card.turns == []


def test_a_card_that_asks_for_time_without_end_is_too_slow() -> None:
    turns = [(SEND0, "00C30101"), *[("00E30101", "00C30101")] * 100]
    link, line, card = started(*turns, deadline=20.0)
    line.card = card
    quiet = card.quiet

    def slowly() -> bytes:
        line.clock += 1.5
        return quiet()

    card.quiet = slowly  # type: ignore[method-assign]
    with pytest.raises(CardTooSlow, match="has had 20 s"):
        link.exchange(COMMAND)
    assert 20 <= line.clock < 25


def test_a_response_without_a_status_word_is_a_fault() -> None:
    link, _, _ = started((SEND0, inf("00", b"\x90")))
    with pytest.raises(LineFault, match="no status word"):
        link.exchange(COMMAND)


@pytest.mark.parametrize("detection", [ErrorDetection.CRC, ErrorDetection.CRC_PLAIN])
def test_blocks_end_in_a_crc_where_the_card_says_so(detection: ErrorDetection) -> None:
    """A card with the other form reads no block, and shows its form by saying so."""
    refusal = [] if detection is ErrorDetection.CRC else [("00C101FE", "008100")]
    card = BlockScript(*refusal, IFS, (SEND0, TAKE0), detection=detection)
    atr = "3B8081410141"
    assert Atr.parse(bytes.fromhex(atr)).checks_by_crc
    link, _ = on(card, atr)
    link.start()
    assert link.exchange(COMMAND) == ANSWER
    assert card.turns == []
