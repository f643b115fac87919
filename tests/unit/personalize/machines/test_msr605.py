"""The MSR605 driver on scripted links: every byte by hand, swipes that fail, and people who do not swipe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.msr605 import (
    Coercivity,
    Msr605,
    Msr605Options,
    parse_rest,
)
from personalize.machines.protocols import SWIPE_AGAIN, SWIPE_TO_READ, SWIPE_TO_WRITE, StripeEncoder, StripeTracks
from terminal.errors import ReaderNotFound
from tests.support.thorough import repeats

START = (("3F1C1B61", ""), ("1B65", "1B79"))
HIGH = (("1B64", "1B68"),)
TRACKS = StripeTracks("B6210971300000000016^ /^3611220", "6210971300000000016=3611220")
WRITE = (
    "1B77 1B73 1B01 42363231303937313330303030303030303031365E202F5E33363131323230"
    " 1B02 363231303937313330303030303030303031363D33363131323230 1B03 3F1C"
)
STRIPE = (
    "1B73 1B01 2542363231303937313330303030303030303031365E202F5E333631313232303F"
    " 1B02 3B363231303937313330303030303030303031363D333631313232303F 1B03 1B2B 3F1C"
)
"""The answer to reading, without its status: tracks with sentinels, the third blank."""


class EncoderScript:
    """The far end of a link: commands that must come, in order, and what they are answered, seven bytes at a time. Its
    clock goes on where nothing comes."""

    def __init__(self, *turns: tuple[str, str]) -> None:
        self.turns = [(bytes.fromhex(command), bytes.fromhex(answer)) for command, answer in turns]
        self.waiting, self.open, self.now, self.prompts = b"", True, 0.0, list[str]()

    def write(self, data: bytes) -> None:
        command, answer = self.turns.pop(0)
        assert data.hex(" ") == command.hex(" ")
        self.waiting += answer

    def read(self, seconds: float) -> bytes:
        data, self.waiting = self.waiting[:7], self.waiting[7:]
        self.now += 0.01 if data else seconds
        return data

    def discard(self) -> None:
        self.waiting = b""

    def close(self) -> None:
        self.open = False

    def encoder(self, options: Msr605Options | None = None) -> Msr605:
        return Msr605(self, "msr605:/dev/ttyUSB1", options, self.prompts.append, clock=lambda: self.now)


def fault(script: EncoderScript, action: str, options: Msr605Options | None = None) -> MachineFault:
    encoder = script.encoder(options)
    with pytest.raises(MachineFault) as caught:
        encoder.write_stripe(TRACKS) if action == "write" else encoder.read_stripe()
    assert script.turns == []
    assert "62109713" not in str(caught.value)
    return caught.value


def test_a_stripe_is_written_and_read_back() -> None:
    script = EncoderScript(*START, *HIGH, (WRITE, "1B30"), ("1B72", f"{STRIPE} 1B30"))
    encoder: StripeEncoder = script.encoder()
    encoder.write_stripe(TRACKS)
    assert encoder.read_stripe() == TRACKS
    assert script.turns == []
    assert script.prompts == [SWIPE_TO_WRITE, SWIPE_TO_READ]


def test_the_coercivity_is_set_where_it_is_another_one() -> None:
    low = Msr605Options(coercivity=Coercivity.LOW)
    script = EncoderScript(*START, ("1B64", "1B68"), ("1B79", "1B30"), ("1B64", "1B6C"), (WRITE, "1B30"))
    script.encoder(low).write_stripe(TRACKS)
    stuck = EncoderScript(*START, ("1B64", "1B68"), ("1B79", "1B30"), ("1B64", "1B68"))
    refused = fault(stuck, "write", low)
    assert refused.code is MachineFaultCode.COMMAND
    assert "does not switch to low coercivity" in str(refused)
    assert stuck.prompts == []


@pytest.mark.parametrize("status", ["31", "39"])
def test_a_swipe_that_failed_is_repeated(status: str) -> None:
    script = EncoderScript(*START, *HIGH, (WRITE, f"1B{status}"), (WRITE, "1B30"))
    script.encoder().write_stripe(TRACKS)
    assert script.prompts == [SWIPE_TO_WRITE, SWIPE_AGAIN]
    reading = EncoderScript(*START, ("1B72", f"1B{status}"), ("1B72", f"{STRIPE} 1B30"))
    assert reading.encoder().read_stripe() == TRACKS
    assert reading.prompts == [SWIPE_TO_READ, SWIPE_AGAIN]


def test_after_the_last_try_the_fault_says_what_the_encoder_reported() -> None:
    refused = fault(EncoderScript(*START, *HIGH, *[(WRITE, "1B39")] * 2), "write", Msr605Options(tries=2))
    assert refused.code is MachineFaultCode.STRIPE_WRITE
    assert "the card was not swiped evenly; clean the stripe head" in str(refused)
    unread = fault(EncoderScript(*START, *[("1B72", "1B31")] * 3), "read")
    assert (unread.code, unread.detail) == (MachineFaultCode.STRIPE_READ, "the encoder reports a read or write error")


@pytest.mark.parametrize(
    ("status", "code", "detail"),
    [
        ("32", MachineFaultCode.COMMAND, "does not take the form"),
        ("34", MachineFaultCode.COMMAND, "does not know the command"),
        ("41", MachineFaultCode.COMMAND, "does not take the setting"),
        ("77", MachineFaultCode.LINK, "unknown status 77"),
    ],
)
def test_what_a_swipe_does_not_mend_is_not_repeated(status: str, code: MachineFaultCode, detail: str) -> None:
    refused = fault(EncoderScript(*START, *HIGH, (WRITE, f"1B{status}")), "write")
    assert refused.code is code
    assert detail in refused.detail


@pytest.mark.parametrize("action", ["write", "read"])
def test_an_order_that_nobody_follows_is_withdrawn(action: str) -> None:
    """The next card that somebody swipes must not be written with it."""
    order = (*HIGH, (WRITE, "")) if action == "write" else (("1B72", ""),)
    script = EncoderScript(*START, *order, ("3F1C1B61", ""))
    refused = fault(script, action, Msr605Options(swipe=30))
    assert refused.code is MachineFaultCode.NO_ANSWER
    assert "no card was swiped within 30 seconds" in str(refused)
    assert script.now >= 30


def test_a_damaged_answer_is_a_fault_of_the_link() -> None:
    for answer in ("30", "1B", f"{STRIPE[:-10]}", "41" * 420):
        refused = fault(EncoderScript(*START, ("1B72", answer), ("3F1C1B61", "")), "read")
        assert (refused.code, refused.detail) == (MachineFaultCode.LINK, "the encoder's answer is damaged")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1B73 1B01 1B2B 1B02 1B2B 1B03 1B2B 3F1C 1B31", StripeTracks()),
        ("1B73 1B01 1B02 1B03 3F1C 1B30", StripeTracks()),
        ("1B73 1B01 1B02 3B31323F 1B03 3F1C 1B30", StripeTracks(track2="12")),
        ("1B73 1B01 1B2B 1B02 3132 1B03 1B2B 3F1C 1B31", StripeTracks(track2="12")),
        ("1B73 1B01 253F 1B02 3B3F 1B03 3B313D323F 3F1C 1B30", StripeTracks(track3="1=2")),
    ],
)
def test_blank_tracks_are_empty(answer: str, expected: StripeTracks) -> None:
    assert EncoderScript(*START, ("1B72", answer)).encoder().read_stripe() == expected


@pytest.mark.parametrize(
    "answer",
    [
        "1B73 1B01 1B2A 1B02 3132 1B03 1B2B 3F1C 1B31",
        "1B73 1B01 1B02 3132 1B03 3F1C 1B31",
        "1B73 1B01 1B2B 1B02 3B31413F 1B03 1B2B 3F1C 1B30",
        f"1B73 1B01 1B2B 1B02 3B{'31' * 38}3F 1B03 1B2B 3F1C 1B30",
    ],
)
def test_a_track_that_is_not_readable_is_a_fault(answer: str) -> None:
    unread = fault(EncoderScript(*START, *[("1B72", answer)] * 3), "read")
    assert unread.code is MachineFaultCode.STRIPE_READ


def test_a_text_that_no_track_holds_is_refused_before_anybody_swipes() -> None:
    script = EncoderScript(*START)
    with pytest.raises(MachineFault, match="track 2: character 1 is not one") as caught:
        script.encoder().write_stripe(StripeTracks(track2="X"))
    assert caught.value.code is MachineFaultCode.STRIPE_WRITE
    assert script.prompts == []


def test_an_empty_stripe_is_not_written() -> None:
    script = EncoderScript(*START)
    script.encoder().write_stripe(StripeTracks())
    assert (script.turns, script.prompts) == ([], [])


def test_a_port_without_an_encoder_is_refused() -> None:
    script = EncoderScript(*[("3F1C1B61", ""), ("1B65", "")] * 3)
    with pytest.raises(MachineFault, match="there is no MSR605 at this port") as caught:
        script.encoder()
    assert caught.value.code is MachineFaultCode.NO_ANSWER
    late = EncoderScript(("3F1C1B61", ""), ("1B65", "FF"), *START)
    assert late.encoder().name == "msr605:/dev/ttyUSB1"


def test_closing_the_encoder_closes_its_link() -> None:
    script = EncoderScript(*START)
    script.encoder().close()
    assert not script.open


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("/dev/ttyUSB1", Msr605Options()),
        ("/dev/ttyUSB1?coercivity=low&swipe=5&tries=1", Msr605Options(Coercivity.LOW, 5, 1)),
    ],
)
def test_a_url_has_port_and_options(rest: str, expected: Msr605Options) -> None:
    assert parse_rest(rest) == ("/dev/ttyUSB1", expected)


@pytest.mark.parametrize(
    "rest", ["", "?tries=1", "/dev/a?tries=0", "/dev/a?swipe=0", "/dev/a?coercivity=hi", "/dev/a?x=1"]
)
def test_a_wrong_url_is_refused(rest: str) -> None:
    with pytest.raises(ReaderNotFound):
        parse_rest(rest)


CHANGES = st.tuples(st.sampled_from(("lost", "doubled", "flipped")), st.integers(0, 90), st.integers(0, 7))


@settings(max_examples=repeats(80, 3000))
@given(CHANGES)
def test_no_damaged_status_passes_for_a_written_stripe(change: tuple[str, int, int]) -> None:
    """One byte of the answer lost, doubled or altered: a fault, unless the status itself became another one."""
    damaged = _damaged(bytes.fromhex("1B31"), change)
    script = EncoderScript(*START, *HIGH, (WRITE, damaged.hex()), ("3F1C1B61", ""))
    try:
        script.encoder(Msr605Options(tries=1)).write_stripe(TRACKS)
    except MachineFault:
        return
    assert damaged[:2] == b"\x1b0"  # only reading back tells then


@settings(max_examples=repeats(150, 5000))
@given(CHANGES)
def test_a_damaged_answer_never_passes_for_the_stripe_that_was_written(change: tuple[str, int, int]) -> None:
    whole = bytes.fromhex(f"{STRIPE} 1B30")
    damaged = _damaged(whole, change)
    script = EncoderScript(*START, ("1B72", damaged.hex()), ("3F1C1B61", ""))
    try:
        read = script.encoder(Msr605Options(tries=1)).read_stripe()
    except MachineFault:
        return
    assert read != TRACKS or all(text.encode() in damaged for text in (TRACKS.track1, TRACKS.track2))


def _damaged(data: bytes, change: tuple[str, int, int]) -> bytes:
    kind, place, bit = change
    at = place % len(data)
    match kind:
        case "lost":
            return data[:at] + data[at + 1 :]
        case "doubled":
            return data[: at + 1] + data[at:]
        case _:
            return data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
