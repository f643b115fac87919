"""The simulated stripe writer, with byte strings of the MSR605 Programmer's Manual, revision B, sections 6 to 9."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.msr605 import Msr605Manner, SimulatedMsr605
from simulators.machines.stripe.formats import ISO_FORMATS
from simulators.machines.stripe.stripe import LOW, RecordedTrack, StripeFile
from terminal.errors import ReaderFault

WRITE = bytes.fromhex("1B77 1B73 1B01 414243313233 1B02 3132333435 1B03 3132333435 3F1C")
READ = bytes.fromhex("1B73 1B01 254142433132333F 1B02 3B31323334353F 1B03 3B31323334353F 3F1C 1B30")


class Host:
    """A program at the other end of the line, and the person who swipes."""

    def __init__(self, directory: Path, manner: Msr605Manner | None = None) -> None:
        self.card = directory / "chip-01.card"
        self.device = SimulatedMsr605(manner or Msr605Manner())

    def ask(self, data: bytes) -> bytes:
        self.device.receive(data)
        return self.got()

    def got(self) -> bytes:
        return self.device.tick()

    def swiped(self, data: bytes, *, bad: bool = False, coercivity: str = "high") -> bytes:
        """The answer once a card was swiped; there is none before."""
        assert self.ask(data) == b""
        assert self.device.swipe(self.card, bad=bad, coercivity=coercivity)
        return self.got()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("1B65", "1B79"),
        ("1B61", ""),
        ("1B78", "1B30"),
        ("1B64", "1B48"),
        ("1B79 1B64", "1B30 1B4C"),
        ("1B61 1B65", "1B79"),
        ("1B79 1B78 1B64", "1B30 1B30 1B48"),
        ("1B74", "1B3353"),
        ("1B76", "1B52455655322E3430"),
        ("1B62D2", "1B30"),
        ("1B6200", "1B41"),
        ("1B6F070505", "1B30070505"),
        ("1B6F040505", "1B32"),
        ("1B6C", "1B3D16"),
        ("1B7A1020 1B6C", "1B30 1B1020"),
        ("1B6308", "1B41"),
        ("1B87", "1B30"),
        ("1B81 1B85", ""),
        ("1B51", "1B34"),
        ("000A1B65", "1B79"),
    ],
)
def test_commands_that_need_no_card(host: Host, command: str, answer: str) -> None:
    assert host.ask(bytes.fromhex(command)) == bytes.fromhex(answer)


def test_three_tracks_are_written_and_read_as_in_the_manual(host: Host) -> None:
    assert host.swiped(WRITE) == b"\x1b0"
    assert host.swiped(b"\x1br") == READ


def test_bytes_may_come_one_by_one(host: Host) -> None:
    for byte in WRITE:
        assert host.ask(bytes((byte,))) == b""
    assert host.device.swipe(host.card)
    assert host.got() == b"\x1b0"


def test_a_track_without_data_is_read_as_its_number_only(host: Host) -> None:
    assert host.swiped(bytes.fromhex("1B77 1B73 1B01 1B02 3132 1B03 3F1C")) == b"\x1b0"
    assert host.swiped(b"\x1br") == bytes.fromhex("1B73 1B01 1B02 3B31323F 1B03 3F1C 1B30")
    assert host.swiped(b"\x1bm") == bytes.fromhex("1B73 1B01 00 1B02 05 1A1008 1F1C 1B03 00 3F1C 1B30"), (
        "; 1 2 ? and the check character, the first bit of each as the highest of five"
    )


def test_raw_characters_of_eight_bits_are_those_of_the_manual(host: Host) -> None:
    assert host.ask(bytes.fromhex("1B6F080808")) == bytes.fromhex("1B30080808")
    raw = bytes.fromhex("1B6E 1B73 1B01 08 C5B07814954E3E2A 1B02 05 2B8849EAAF 1B03 05 2B8849EAAF 3F1C")
    assert host.swiped(raw) == b"\x1b0"
    assert host.swiped(b"\x1br") == READ
    mirrored = "A30D1E28A9727C54"
    assert host.swiped(b"\x1bm").startswith(bytes.fromhex(f"1B73 1B01 08 {mirrored} 1B02 05 D41192 57F5"))


def test_raw_characters_of_seven_and_five_bits_are_those_of_the_manual(host: Host) -> None:
    raw = bytes.fromhex("1B6E 1B73 1B01 09 456162235152131F2A 1B02 08 0B01021304151F15 1B03 08 0B01021304151F15 3F1C")
    assert host.swiped(raw) == b"\x1b0"
    assert host.swiped(b"\x1br") == READ


def test_raw_data_may_be_read_in_the_order_they_are_written(tmp_path: Path) -> None:
    host = Host(tmp_path, Msr605Manner(mirrored=False))
    host.swiped(WRITE)
    expected = "1B73 1B01 09 456162235152131F2A 1B02 08 0B01021304151F15 1B03 08 0B01021304151F15 3F1C 1B30"
    assert host.swiped(b"\x1bm") == bytes.fromhex(expected)


def test_reset_ends_the_wait_for_a_card(host: Host) -> None:
    assert host.ask(b"\x1br") == b""
    assert host.device.waiting
    assert host.ask(b"\x1be") == b"", "a device that waits answers nothing"
    assert host.ask(b"\x1ba") == b""
    assert not host.device.swipe(host.card)
    assert host.ask(b"\x1be") == b"\x1by"


def test_a_bad_swipe_spoils_what_is_written(host: Host) -> None:
    assert host.swiped(WRITE, bad=True) == b"\x1b9"
    assert host.swiped(b"\x1br").endswith(b"\x1b1")
    assert host.swiped(WRITE) == b"\x1b0"
    assert host.swiped(b"\x1br", bad=True) == bytes.fromhex("1B73 1B01 1B02 1B03 3F1C 1B31")
    assert host.swiped(b"\x1br") == READ


def test_a_weak_field_does_not_change_a_stripe_of_high_coercivity(host: Host) -> None:
    host.swiped(WRITE)
    host.ask(b"\x1by")
    assert host.swiped(bytes.fromhex("1B77 1B73 1B01 1B02 39 1B03 3F1C")) == b"\x1b1"
    assert host.swiped(b"\x1br") == READ
    other = Host(host.card.parent / "none")
    other.card = host.card.with_name("chip-02.card")
    other.ask(b"\x1by")
    assert other.swiped(WRITE, coercivity=LOW) == b"\x1b0"


def test_erasing_takes_the_tracks_of_the_mask(host: Host) -> None:
    host.swiped(WRITE)
    assert host.swiped(bytes.fromhex("1B6305")) == b"\x1b0"
    assert host.swiped(b"\x1br") == bytes.fromhex("1B73 1B01 1B02 3B31323334353F 1B03 3F1C 1B30")


def test_a_damaged_track_is_an_error_and_the_others_are_read(tmp_path: Path) -> None:
    for marks, seen in ((False, ""), (True, "1B2A")):
        host = Host(tmp_path, Msr605Manner(marks=marks))
        host.swiped(WRITE)
        file = StripeFile(host.card)
        bits = file.read().tracks[2].bits
        file.write(file.read().with_track(2, RecordedTrack(bits[:12] + "1" + bits[13:], 75)).with_track(3, None))
        third = "1B2B" if marks else ""
        expected = f"1B73 1B01 254142433132333F 1B02 {seen} 1B03 {third} 3F1C 1B31"
        assert host.swiped(b"\x1br") == bytes.fromhex(expected)


def test_a_track_of_another_density_is_an_error(host: Host) -> None:
    assert host.ask(bytes.fromhex("1B62D2")) == b"\x1b0"
    host.swiped(WRITE)
    assert StripeFile(host.card).read().tracks[2] == RecordedTrack(ISO_FORMATS[2].encode("12345"), 210)
    assert host.ask(bytes.fromhex("1B624B")) == b"\x1b0"
    assert host.swiped(b"\x1br").endswith(b"\x1b1")
    assert host.swiped(b"\x1bm").endswith(b"\x1b1")


@pytest.mark.parametrize(
    "block",
    [
        "1B77 1B73 1B02 31 3F1C",
        "1B77 3F1C",
        "1B77 1B73 1B01 1B02 41 1B03 3F1C",
        "1B77 1B73 1B01 1B02 1B03 3F1C",
        "1B6E 1B73 1B02 00 1B01 00 1B03 00 3F1C",
        "1B6E 1B73 1B01 01 45 1B02 00 1B03 00 3F1D",
        "1B6E 1B01",
    ],
    ids=["order", "start", "character", "nothing", "raw-order", "raw-end", "raw-start"],
)
def test_a_block_of_another_form_is_refused_without_a_card(host: Host, block: str) -> None:
    assert host.ask(bytes.fromhex(block)) == b"\x1b2"
    assert host.ask(b"\x1be") == b"\x1by"


def test_a_block_without_an_end_is_refused_at_last(host: Host) -> None:
    assert host.ask(b"\x1bw" + b"7" * 1100) == b"\x1b2"


def test_cards_may_be_put_by_for_the_next_commands(host: Host) -> None:
    host.device.swipe_next(host.card)
    host.device.swipe_next(host.card, bad=True)
    assert host.ask(WRITE) == b"\x1b0"
    assert host.ask(b"\x1br").endswith(b"\x1b1")


def test_the_sensor_test_waits_for_a_card(host: Host) -> None:
    assert host.swiped(b"\x1b\x86") == b"\x1b0"


def test_power_forgets_what_was_set(host: Host) -> None:
    host.ask(bytes.fromhex("1B79 1B62D2 1B6F080808"))
    host.ask(b"\x1br")
    host.device.power_off()
    assert host.ask(b"\x1be") == b""
    host.device.power_on()
    assert (host.device.coercivity, host.device.density[2], host.device.bits[1]) == ("high", 75, 7)
    assert not host.device.swipe(host.card)


def test_bytes_are_lost_and_altered_as_planned(tmp_path: Path) -> None:
    host = Host(tmp_path)
    plan = [WireFault.parse(text) for text in ("lose-in:1", "flip-out:0", "double-out:3")]
    host.device = SimulatedMsr605(faults=WireFaults(plan))
    assert host.ask(b"\x1be") == b""
    assert host.ask(b"e\x1be") == b"\x0by\x1byy", "the first escape was left over and takes the next letter"
    assert host.ask(b"\x1bd") == b"\x1bH"


def test_a_stripe_file_that_is_none_is_not_readable_and_the_person_hears_why(host: Host) -> None:
    host.card.with_suffix(".stripe").write_text("no stripe")
    host.device.swipe_next(host.card)
    assert host.ask(b"\x1br") == b"\x1b1"
    host.ask(b"\x1br")
    with pytest.raises(ReaderFault, match="holds no stripe"):
        host.device.swipe(host.card)
    assert host.got() == b"\x1b1"
