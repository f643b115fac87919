"""What the terminal tells the card of itself, and where it says another thing for each application or card."""

from __future__ import annotations

import pytest

from terminal.emv.data.bits import TVR
from tests.support.cards.toys.emv_toy_card import AID, DATA, ToyCard
from tests.support.cards.toys.emv_toy_terminal import config_with, run


def options(card: ToyCard) -> bytes:
    """The data of GET PROCESSING OPTIONS, without the template around them."""
    return next(apdu for apdu in card.seen if apdu[1] == 0xA8)[7:-1]


def test_the_aid_of_the_terminal_is_the_whole_name_of_what_was_selected() -> None:
    """The terminal knows only A000000333. EMV 4.4 Book 1, 12.4: 9F06 takes the value of 84 before the PDOL is used."""
    card = ToyCard(pdol="9F37049F0608")
    outcome = run(card)
    assert outcome.aid == AID
    assert options(card)[4:] == AID


@pytest.mark.parametrize(("capabilities", "shown"), [("6000F0A001", "PAYMENT"), ("6000F0A011", "ПЛАТА")])
def test_a_preferred_name_is_shown_where_the_display_knows_its_letters(capabilities: str, shown: str) -> None:
    """Only the code tables that 9F40 declares count. EMV 4.4 Book 1, 12.4; Book 4, Annex A3."""
    names: dict[str, str | bytes] = {"50": b"PAYMENT", "9F12": "ПЛАТА".encode("iso8859-5"), "9F11": b"\x05"}
    outcome = run(ToyCard(fci=names), config=config_with(f"additional_capabilities: {capabilities}"))
    assert outcome.receipt is not None
    assert outcome.receipt.application == shown


def test_the_chip_was_read() -> None:
    """Point-of-service entry mode 05. ISO 8583:1987, field 22."""
    card = ToyCard(pdol="9F37049F3901")
    run(card)
    assert options(card)[4:] == b"\x05"


@pytest.mark.parametrize(("index", "expected"), [("01", "01"), ("02", "00")])
def test_the_card_receives_the_index_of_the_scheme_key_used(index: str, expected: str) -> None:
    """9F22 is the index of the key that was used; without a proof it is not there, and its byte zero."""
    card = ToyCard(data={**DATA, "8C": "9F220195059F3704"})
    card.records[2, 1] = card.records[2, 1].replace(b"\x8f\x01\x01", b"\x8f\x01" + bytes.fromhex(index))
    outcome = run(card)
    generate_ac = next(apdu for apdu in card.seen if apdu[1] == 0xAE)
    assert generate_ac[5:6].hex() == expected
    assert bool(outcome.tvr & TVR.CDA_FAILED) is (expected == "00")
