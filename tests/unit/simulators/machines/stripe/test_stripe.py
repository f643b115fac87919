"""The stripe of a virtual card in the file beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulators.machines.stripe.formats import ISO_FORMATS, TrackFault, TrackUnreadable
from simulators.machines.stripe.stripe import LOW, RecordedTrack, Stripe, StripeFile, write_text
from simulators.readers.stock import move_card
from terminal.errors import CodecError, ReaderFault


def test_a_card_without_the_file_has_a_blank_stripe(tmp_path: Path) -> None:
    stripe = StripeFile(tmp_path / "chip-01.card", LOW).read()
    assert (stripe.coercivity, stripe.tracks, stripe.text(2)) == (LOW, {}, "")


def test_what_one_machine_writes_another_reads(tmp_path: Path) -> None:
    card = tmp_path / "chip-01.card"
    stripe = write_text(Stripe(LOW), 2, "6210971300000000016=2812220", ISO_FORMATS[2])
    StripeFile(card).write(stripe)
    assert (tmp_path / "chip-01.stripe").stat().st_mode & 0o777 == 0o600
    read = StripeFile(card).read()
    assert (read, read.text(2), read.text(1)) == (stripe, "6210971300000000016=2812220", "")
    assert [path.name for path in tmp_path.iterdir()] == ["chip-01.stripe"]


def test_a_track_is_replaced_and_erased_apart() -> None:
    stripe = write_text(write_text(Stripe(), 1, "A", ISO_FORMATS[1]), 3, "3", ISO_FORMATS[3])
    stripe = write_text(stripe, 1, "B", ISO_FORMATS[1]).with_track(3, None)
    assert (stripe.text(1), stripe.text(3), sorted(stripe.tracks)) == ("B", "", [1])


def test_a_track_of_another_density_is_not_readable() -> None:
    stripe = Stripe().with_track(2, RecordedTrack(ISO_FORMATS[2].encode("1"), 210))
    with pytest.raises(TrackUnreadable) as error:
        stripe.text(2)
    assert error.value.fault is TrackFault.DENSITY
    assert stripe.text(2, density=210) == "1"


def test_there_is_no_fourth_track() -> None:
    with pytest.raises(CodecError, match="no track 4"):
        write_text(Stripe(), 4, "1", ISO_FORMATS[1])


@pytest.mark.parametrize("content", [b"", b"[]", b'{"tracks": {}}', b'{"coercivity": "high", "tracks": {"2": {}}}'])
def test_a_file_that_holds_no_stripe_is_a_fault(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chip-01.stripe").write_bytes(content)
    with pytest.raises(ReaderFault, match=r"chip-01\.stripe holds no stripe"):
        StripeFile(tmp_path / "chip-01.card").read()


def test_a_stripe_prints_no_digit_of_its_tracks() -> None:
    assert repr(write_text(Stripe(), 2, "6210", ISO_FORMATS[2])) == "<Stripe high, tracks [2]>"


def test_a_stripe_and_the_faces_go_where_their_card_goes(tmp_path: Path) -> None:
    names = ["chip-01.card", "chip-01.stripe", "chip-01.front.png", "chip-01.back.png", "chip-01.front-overlay.png"]
    for name in [*names, "chip-02.card", "chip-02.stripe"]:
        (tmp_path / name).write_text(name)
    move_card(tmp_path / "chip-01.card", tmp_path / "issued")
    assert sorted(path.name for path in (tmp_path / "issued").iterdir()) == sorted(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chip-02.card", "chip-02.stripe", "issued"]


def test_a_move_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    card, target = tmp_path / "chip-01.card", tmp_path / "issued"
    target.mkdir()
    card.touch()
    os.link(card, target / card.name)
    (target / "chip-01.stripe").write_text("moved")
    (tmp_path / "chip-01.front.png").write_text("left behind")
    move_card(card, target)
    assert sorted(path.name for path in target.iterdir()) == ["chip-01.card", "chip-01.front.png", "chip-01.stripe"]
    assert not card.exists()
