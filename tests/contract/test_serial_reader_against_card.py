"""The serial reader against the virtual card at a pseudo-terminal: each half was written from ISO/IEC 7816-3 alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulators.card.config import CardConfig
from simulators.readers.protocols import CardInSlot
from simulators.readers.serial.contact import ContactManner, SerialContact
from simulators.readers.serial.pty import SerialSlot
from simulators.readers.stock import blank
from simulators.virtual_card import VirtualCard
from terminal.apdu import OK, Command, LinkProtocol, Sender, stack
from terminal.apdu.serial.reader import SerialCard, open_reader
from terminal.errors import CardGone, MembercardError, NoCard, TransportError
from tests.support.pcsc.pcsc_line import Trap

T0, T1 = LinkProtocol.T0, LinkProtocol.T1
GET_CPLC, SELECT = Command(0x80, 0xCA, 0x9F, 0x7F, ne=45), Command(0x00, 0xA4, 0x04, 0x00, b"", 256)
MANNERS = {
    "usual": (T0, ContactManner()),
    "inverse": (T0, ContactManner(inverse=True)),
    "one by one": (T0, ContactManner(one_by_one=True, nulls=2)),
    "one rate at T=0": (T0, ContactManner(refuses_pps=True)),
    "blocks": (T1, ContactManner()),
    "inverse blocks": (T1, ContactManner(inverse=True)),
    "small blocks": (T1, ContactManner(ifsc=16)),
    "cyclic code": (T1, ContactManner(by_crc=True)),
    "more time": (T1, ContactManner(extend=3)),
    "one rate at T=1": (T1, ContactManner(refuses_pps=True)),
}
EVERY = pytest.mark.parametrize(("protocol", "manner"), MANNERS.values(), ids=MANNERS)


def chip_of(protocol: LinkProtocol, ta1: int = 0x96) -> VirtualCard:
    return VirtualCard.create(None, CardConfig(chip=blank(), protocol=protocol, ta1=ta1))


@contextmanager
def attached(
    card: CardInSlot, protocol: LinkProtocol, manner: ContactManner, *, echo: bool = True, ta1: int = 0x96
) -> Iterator[tuple[SerialSlot, list[str]]]:
    lines: list[str] = []
    with SerialSlot(SerialContact(card, protocol, ta1, manner), echo=echo, report=lines.append) as slot:
        yield slot, lines


@contextmanager
def connected(slot: SerialSlot, options: str = "") -> Iterator[tuple[SerialCard, Sender]]:
    reader = open_reader(f"{slot.port}?rts=none{options}")
    try:
        card = reader.connect()
        yield card, stack(card)
    finally:
        reader.close()


@EVERY
def test_commands_over_the_line_are_answered_as_without_it(protocol: LinkProtocol, manner: ContactManner) -> None:
    chip = chip_of(protocol)
    with attached(chip, protocol, manner) as (slot, lines), connected(slot) as (card, sender):
        assert card.protocol is protocol
        cplc, selected = sender.send(GET_CPLC), sender.send(SELECT)
        again = card.reset()
        assert (again, sender.send(SELECT)) == (card.atr, selected)
    assert (cplc.sw, len(cplc.data), selected.sw) == (OK, 45, OK)
    assert lines == [], "no side was at another rate"


@pytest.mark.parametrize("protocol", [T0, T1])
@pytest.mark.parametrize("echo", ["auto", "0"])
def test_a_reader_that_does_not_return_what_it_is_sent(protocol: LinkProtocol, echo: str) -> None:
    with attached(chip_of(protocol), protocol, ContactManner(), echo=False) as (slot, lines):
        with connected(slot, f"&echo={echo}") as (_, sender):
            assert sender.send(GET_CPLC).sw == OK
    assert lines == []


@pytest.mark.parametrize("ta1", [0x11, 0x13, 0x94, 0x95, 0x18])
def test_both_sides_agree_on_a_rate_that_the_port_can_do(ta1: int) -> None:
    with attached(chip_of(T1, ta1), T1, ContactManner(), ta1=ta1) as (slot, lines), connected(slot) as (_, sender):
        assert sender.send(GET_CPLC).sw == OK
    assert lines == []


@pytest.mark.parametrize("protocol", [T0, T1])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_card_that_is_pulled_is_a_fault_and_the_next_connection_works(protocol: LinkProtocol, late: bool) -> None:
    trap = Trap(chip_of(protocol), [2], late)
    with attached(trap, protocol, ContactManner()) as (slot, _):
        with connected(slot, "&deadline=0.3") as (_, sender):
            assert sender.send(GET_CPLC).sw == OK
            with pytest.raises(TransportError):
                sender.send(SELECT)
        with connected(slot) as (_, sender):
            assert sender.send(SELECT).sw == OK


class _Mute:
    """A card that gives no answer to reset."""

    atr = b""

    def power_on(self) -> bytes:
        raise CardGone("mute")

    reset = power_on

    def power_off(self) -> None:
        """It has no power."""

    def exchange(self, apdu: bytes) -> bytes:
        raise AssertionError(apdu.hex())


def test_a_card_that_does_not_answer_to_reset_is_none() -> None:
    with attached(_Mute(), T0, ContactManner()) as (slot, _), pytest.raises(NoCard), connected(slot):
        raise MembercardError("unreachable")
