"""The MSR605 driver against the simulated writer, which was written apart: swipes, damaged lines, wrong cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.msr605 import Coercivity, Msr605, Msr605Options, open_msr605
from personalize.machines.protocols import StripeTracks
from simulators.machines.clock import VirtualClock
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.machines.msr605 import Msr605Manner, SimulatedMsr605
from simulators.machines.port import DevicePort
from simulators.machines.stripe.formats import ISO_FORMATS
from simulators.machines.stripe.stripe import HIGH, LOW, StripeFile
from terminal.errors import ReaderNotFound
from tests.support.thorough import repeats

TRACKS = StripeTracks("B6210971300000000016^ /^361122000000123", "6210971300000000016=361122000000123")
ALL = StripeTracks(TRACKS.track1, TRACKS.track2, "016210971300000000016==156" + "0" * 30)
WRITING = len("1B771B731B01") // 2 + len(TRACKS.track1) + 2 + len(TRACKS.track2) + 2 + 2
"""Bytes of the command."""
BEFORE = 8
"""Bytes that the host sends before it: reset, test, query of the coercivity."""


@dataclass
class Bench:
    """An encoder, the card that its person swipes when told, and how the swipes are."""

    card: Path
    device: SimulatedMsr605
    swipes: list[str]

    def encoder(self, options: Msr605Options | None = None) -> Msr605:
        link = MemoryLine(self.device)
        clock = self.device.clock
        return Msr605(link, "msr605:test", options, self.swipe, clock=clock.now)

    def swipe(self, sentence: str) -> None:
        manner = self.swipes.pop(0) if self.swipes else "good"
        if manner != "none":
            self.device.swipe(self.card, bad=manner == "bad", coercivity=LOW if manner == "low" else HIGH)

    def on_card(self) -> StripeTracks:
        tracks = StripeFile(self.card).read().tracks
        texts = (ISO_FORMATS[n].decode(tracks[n].bits) if n in tracks else "" for n in (1, 2, 3))
        return StripeTracks(*texts)


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    def of(*swipes: str, faults: WireFaults | None = None, marks: bool = False) -> Bench:
        device = SimulatedMsr605(Msr605Manner(marks=marks), faults=faults, clock=VirtualClock())
        return Bench(tmp_path / "chip-01.card", device, list(swipes))

    return of


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("tracks", [TRACKS, ALL, StripeTracks(track2="12=")])
def test_what_is_written_is_on_the_card_and_read_back(
    bench: Callable[..., Bench], tracks: StripeTracks, marks: bool
) -> None:
    one = bench(marks=marks)
    encoder = one.encoder()
    encoder.write_stripe(tracks)
    assert one.on_card() == tracks
    assert encoder.read_stripe() == tracks


def test_bad_swipes_are_repeated(bench: Callable[..., Bench]) -> None:
    one = bench("bad", "bad", "good", "bad")
    encoder = one.encoder()
    encoder.write_stripe(TRACKS)
    assert encoder.read_stripe() == TRACKS
    never = bench(*["bad"] * 3)
    with pytest.raises(MachineFault) as caught:
        never.encoder().read_stripe()
    assert caught.value.code is MachineFaultCode.STRIPE_READ


def test_an_order_that_nobody_follows_is_not_there_for_the_next_card(bench: Callable[..., Bench]) -> None:
    one = bench("none")
    encoder = one.encoder(Msr605Options(swipe=30))
    with pytest.raises(MachineFault, match="no card was swiped within 30 seconds"):
        encoder.write_stripe(TRACKS)
    assert not one.device.waiting
    assert not one.device.swipe(one.card)
    assert one.on_card() == StripeTracks()
    assert encoder.read_stripe() == StripeTracks()


def test_a_card_of_low_coercivity_is_written_low_and_one_of_high_is_not(bench: Callable[..., Bench]) -> None:
    low = bench("low", "good")
    encoder = low.encoder(Msr605Options(coercivity=Coercivity.LOW))
    encoder.write_stripe(TRACKS)
    assert encoder.read_stripe() == TRACKS
    low.card.with_suffix(".stripe").unlink(missing_ok=True)
    with pytest.raises(MachineFault) as caught:
        bench().encoder(Msr605Options(coercivity=Coercivity.LOW, tries=1)).write_stripe(TRACKS)
    assert caught.value.code is MachineFaultCode.STRIPE_WRITE


def stripe_agrees(one: Bench, encoder: Msr605) -> bool | None:
    """What a lane concludes after writing and reading back; None for a fault."""
    try:
        encoder.write_stripe(TRACKS)
        return encoder.read_stripe() == TRACKS
    except MachineFault:
        return None


@pytest.mark.parametrize("kind", ["lose-in", "double-in", "flip-in", "lose-out", "double-out", "flip-out"])
def test_a_damaged_byte_never_ends_in_a_wrong_stripe_that_seems_right(bench: Callable[..., Bench], kind: str) -> None:
    for at in range(0, BEFORE + WRITING, repeats(5, 1)):
        one = bench(faults=WireFaults([WireFault.parse(f"{kind}:{at}")]))
        one.card.with_suffix(".stripe").unlink(missing_ok=True)
        encoder = one.encoder(Msr605Options(swipe=5))
        for _ in range(2):  # the fault strikes in the first order, or at the beginning of the second
            assert not stripe_agrees(one, encoder) or one.on_card() == TRACKS
        assert stripe_agrees(one, encoder) is True


def test_an_encoder_at_a_port(tmp_path: Path) -> None:
    device = SimulatedMsr605()
    card = tmp_path / "chip-01.card"
    with DevicePort(device) as at_port:
        encoder = open_msr605(f"{at_port.port}?swipe=60", lambda sentence: device.swipe_next(card))
        try:
            encoder.write_stripe(TRACKS)
            assert encoder.read_stripe() == TRACKS
        finally:
            encoder.close()


def test_a_port_that_is_not_there_is_named() -> None:
    with pytest.raises(ReaderNotFound, match="/dev/ttyABSENT"):
        open_msr605("/dev/ttyABSENT")
