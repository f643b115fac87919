"""From the reset to the rate and protocol in use."""

from __future__ import annotations

import pytest

from terminal.apdu import Atr
from terminal.apdu.serial import pps
from terminal.apdu.serial.activation import activate, answers, atr_length
from terminal.apdu.serial.options import Echo, SerialOptions, WantedProtocol
from terminal.apdu.serial.parameters import LinkParameters, offered, speed_byte
from terminal.errors import NoCard, ReaderFault
from tests.support.serial.line import BlockCard, Mishap, ScriptedCard, VirtualLine

PLAIN = "3B67000086602222278001"
FAST = "3B171886602222278001"
T1 = "3BF81800008131FE454A434F5076323431BC"
COMMAND, ANSWER = bytes.fromhex("00B2010C01"), bytes.fromhex("AA9000")
READ = ("00B2010C01", "B2 AA 9000")
SLOW, QUICK = (9600, False, 2), (115200, False, 2)


def exchanged(line: VirtualLine, options: SerialOptions | None = None) -> bytes:
    return activate(line, options or SerialOptions()).link.exchange(COMMAND)


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("resettable", [False, True])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("fast", [False, True])
def test_a_card_is_read_whatever_its_convention_and_its_line(
    echo: bool, parity: bool, resettable: bool, inverse: bool, fast: bool
) -> None:
    atr = ("3F" if inverse else "3B") + (FAST if fast else PLAIN)[2:]
    card = ScriptedCard(atr, *([("FF1018F7", "FF1018F7")] if fast else []), READ, inverse=inverse)
    line = VirtualLine(card, echo=echo, parity=parity, resettable=resettable)
    active = activate(line, SerialOptions())
    assert active.atr == bytes.fromhex(atr)
    assert active.link.exchange(COMMAND) == ANSWER
    assert line.settings[-1] == (115200 if fast else 9600, inverse, 2)
    assert card.left == 0
    assert active.echo in (echo, None)
    assert active.echo is echo or not (resettable or fast)


def test_an_option_says_what_the_line_returns() -> None:
    line = VirtualLine(ScriptedCard(PLAIN, READ), echo=True)
    assert exchanged(line, SerialOptions(echo=Echo.YES)) == ANSWER
    with pytest.raises(ReaderFault, match="echo=0 is for a line without echo"):
        exchanged(VirtualLine(ScriptedCard(PLAIN)), SerialOptions(echo=Echo.YES))


class TestAnswerToReset:
    @pytest.mark.parametrize("atr", [PLAIN, FAST, T1, "3B00", "3B800181", "3B90181080", "3B80800101"])
    def test_its_length_shows_as_it_comes(self, atr: str) -> None:
        raw = bytes.fromhex(atr)
        assert Atr.parse(raw).raw == raw
        assert atr_length(raw) == len(raw)
        assert all(count < atr_length(raw[:count]) <= len(raw) for count in range(len(raw)))

    def test_a_damaged_one_is_read_again(self) -> None:
        for kind in ("lost", "doubled", "flipped"):
            for at in range(1, 12):
                line = VirtualLine(ScriptedCard(PLAIN, READ), mishap=Mishap(at, kind))
                assert exchanged(line) == ANSWER
                assert line.resets == 2

    def test_a_break_before_it_is_no_character_of_it(self) -> None:
        line = VirtualLine(ScriptedCard(PLAIN, READ))
        release = line.release_reset

        def with_break() -> None:
            line.waiting.append((0, True))
            release()

        line.release_reset = with_break  # type: ignore[method-assign]
        assert exchanged(line) == ANSWER

    def test_a_card_without_one_is_tried_twice(self) -> None:
        line = VirtualLine(None)
        with pytest.raises(NoCard, match="does not answer to reset; turn it or clean its contacts"):
            activate(line, SerialOptions())
        assert line.resets == 2

    @pytest.mark.parametrize(
        ("atr", "reason"),
        [
            ("55", "TS is 55"),
            ("3B67000086", "it ends after 5 of 11 characters"),
            ("3B6700008660222227800100", "characters follow its end"),
            (T1[:-2] + "00", "TCK is 00, BC is right"),
        ],
    )
    def test_one_that_stays_wrong_is_refused(self, atr: str, reason: str) -> None:
        line = VirtualLine(ScriptedCard(atr))
        with pytest.raises(NoCard, match=reason):
            activate(line, SerialOptions())
        assert line.resets == 3

    def test_a_look_for_a_card_is_one_reset(self) -> None:
        line = VirtualLine(ScriptedCard(PLAIN))
        assert answers(line, SerialOptions())
        assert (line.resets, line.held) == (1, True)
        assert not answers(VirtualLine(None), SerialOptions())


class TestPps:
    def test_requests_and_responses(self) -> None:
        sent = pps.request(0, 0x18)
        assert sent == bytes.fromhex("FF1018F7")
        assert pps.request(1, None) == bytes.fromhex("FF01FE")
        verdicts = {
            "FF1018F7": pps.PpsResult.ACCEPTED,
            "FF00FF": pps.PpsResult.DEFAULT_RATE,
            "FF01FE": pps.PpsResult.REFUSED,
            "FF1011FE": pps.PpsResult.REFUSED,
            "FF00FE": pps.PpsResult.REFUSED,
            "FF": pps.PpsResult.REFUSED,
            "": pps.PpsResult.REFUSED,
        }
        assert {text: pps.result(sent, bytes.fromhex(text)) for text in verdicts} == verdicts

    @pytest.mark.parametrize(
        ("answer", "rate", "resets"),
        [("FF1018F7", 115200, 1), ("FF00FF", 9600, 1), ("", 9600, 2), ("FF1018F6", 9600, 2), ("FF1018F7FF", 9600, 2)],
    )
    def test_a_card_that_refuses_a_rate_works_at_its_default(self, answer: str, rate: int, resets: int) -> None:
        selects = ("FF1018F7", answer)
        turns = [selects, READ] if resets == 1 else [selects, ("RESET", FAST), READ]
        line = VirtualLine(ScriptedCard(FAST, *turns))
        assert exchanged(line) == ANSWER
        assert (line.settings[-1][0], line.resets) == (rate, resets)

    @pytest.mark.parametrize(
        ("highest", "rates", "talk", "rate"),
        [
            (115200.0, (), "FF1018F7", 115200),
            (100000.0, (), "FF1014FB", 76800),
            (57600.0, (), "FF1013FC", 38400),
            (115200.0, (9600.0, 76800.0), "FF1014FB", 76800),
        ],
    )
    def test_the_rate_is_the_highest_that_port_and_option_allow(
        self, highest: float, rates: tuple[float, ...], talk: str, rate: int
    ) -> None:
        line = VirtualLine(ScriptedCard(FAST, (talk, talk), READ), rates=rates)
        assert exchanged(line, SerialOptions(rate=highest)) == ANSWER
        assert line.settings[-1][0] == rate

    def test_no_rate_is_offered_beyond_the_clock_of_the_card(self) -> None:
        atr = Atr.parse(bytes.fromhex(FAST))
        assert [one.d for one in offered(atr, 3.5712e6, 115200)] == [12, 8, 4, 2]
        assert offered(atr, 8e6, 4e6) == []
        assert [speed_byte(one) for one in offered(atr, 3.5712e6, 80000)] == [0x14, 0x13, 0x12]

    def test_another_protocol_than_the_first_is_selected(self) -> None:
        atr = "3B80800101"  # T=0 first, then T=1
        line = VirtualLine(_Selecting(atr, {COMMAND: ANSWER}))
        assert exchanged(line, SerialOptions(protocol=WantedProtocol.T1)) == ANSWER
        with pytest.raises(NoCard, match=r"does not offer T=1, but T=0; leave out protocol="):
            activate(VirtualLine(ScriptedCard(PLAIN)), SerialOptions(protocol=WantedProtocol.T1))
        with pytest.raises(NoCard, match="refuses T=1; leave out protocol="):
            activate(VirtualLine(ScriptedCard(atr)), SerialOptions(protocol=WantedProtocol.T1))


class _Selecting(BlockCard):
    """Answers PPS to T=1 before its first block."""

    def quiet(self) -> bytes:
        if bytes(self._raw) == bytes.fromhex("FF01FE"):
            self._raw.clear()
            return bytes.fromhex("FF01FE")
        return super().quiet()


class TestSpecificMode:
    """TA1 = 18, and TA2: 80 cannot be left, 00 can, 90 names a rate known elsewhere."""

    def test_the_rate_holds_at_once_without_pps(self) -> None:
        line = VirtualLine(ScriptedCard("3B90181080", READ))
        assert exchanged(line) == ANSWER
        assert line.settings[-1] == QUICK

    @pytest.mark.parametrize(("ta2", "resets"), [("80", 1), ("00", 2)])
    def test_a_rate_that_the_port_lacks_is_a_named_fault(self, ta2: str, resets: int) -> None:
        line = VirtualLine(ScriptedCard(f"3B901810{ta2}"))
        with pytest.raises(
            NoCard, match=r"at 115200 bit/s only, and this reader at no more than 57600 bit/s \(rate=\)"
        ):
            activate(line, SerialOptions(rate=57600.0))
        assert line.resets == resets

    def test_a_card_that_can_leaves_the_mode_after_another_reset(self) -> None:
        card = ScriptedCard("3B90181000", ("RESET", PLAIN), READ)
        line = VirtualLine(card)
        assert exchanged(line, SerialOptions(rate=57600.0)) == ANSWER
        assert line.settings[-1] == SLOW

    def test_a_rate_known_elsewhere_is_not_known_here(self) -> None:
        with pytest.raises(NoCard, match="at a rate of its own only"):
            activate(VirtualLine(ScriptedCard("3B90181090")), SerialOptions())


class TestTimes:
    def test_waiting_times_follow_the_rate(self) -> None:
        slow = LinkParameters(Atr.parse(bytes.fromhex(T1)), 3.5712e6)
        fast = LinkParameters(slow.atr, 3.5712e6, 372, 12)
        assert (round(slow.rate), round(fast.rate)) == (9600, 115200)
        # WI 10, BWI 4, CWI 5.
        assert slow.work_waiting_time == fast.work_waiting_time == pytest.approx(1.0)
        assert slow.block_waiting_time == pytest.approx(11 / 9600 + 1.6)
        assert fast.character_waiting_time == pytest.approx(43 / 115200)

    @pytest.mark.parametrize(
        ("tc1", "guard", "stop_bits"), [("00", 0.0, (2, 2)), ("FF", 0.0, (2, 1)), ("60", 0.01, (2, 2))]
    )
    def test_the_guard_time_is_tc1(self, tc1: str, guard: float, stop_bits: tuple[int, int]) -> None:
        parameters = LinkParameters(Atr.parse(bytes.fromhex(f"3B40{tc1}")), 3.5712e6)
        assert parameters.guard == pytest.approx(guard)
        assert (parameters.stop_bits(0), parameters.stop_bits(1)) == stop_bits

    def test_characters_keep_the_guard_time(self) -> None:
        line = VirtualLine(ScriptedCard("3B4060", READ))
        link = activate(line, SerialOptions()).link
        before = line.clock
        assert link.exchange(COMMAND) == ANSWER
        assert line.clock - before == pytest.approx(5 * 0.01)
