"""APDUs at the contact station and the antenna, over a model of the machine in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import AtrForm
from personalize.machines.crt571.stations import reset_answer
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin
from terminal.apdu import Disposition, LinkProtocol, Reader, Transport
from terminal.errors import AtrError, CardGone, LineFault, NoCard, TransportError
from tests.support.machines.crt571_line import CardMover

Driver = Callable[..., Crt571Machine]
T1_ATR = bytes.fromhex("3BF81800008131FE454A434F5076323431BC")
T0_ATR = bytes.fromhex("3B67000086602222278001")
SELECT = bytes.fromhex("00A4040000")


def connected(machine: Crt571Machine) -> Transport:
    assert machine.take(0)
    return machine.reader.connect()


def test_an_apdu_goes_by_the_protocol_of_the_chip(mover: CardMover, driver: Driver) -> None:
    mover.answer_to = lambda apdu: apdu[:2] + b"\x6a\x82"
    card = connected(driver())
    assert (card.atr, card.protocol, card.extended_length) == (T1_ATR, LinkProtocol.T1, False)
    assert card.exchange(SELECT) == bytes.fromhex("00A46A82")
    assert mover.executed == [SELECT]
    assert mover.pms[-2:] == [(0x51, 0x30), (0x51, 0x34)]


@pytest.mark.parametrize(
    ("options", "reset", "pm"),
    [
        ("", b"0" + T0_ATR, 0x33),
        ("", b"1" + T1_ATR, 0x34),
        ("apdu=machine", b"1" + T1_ATR, 0x39),
        ("atr=protocol-last", T0_ATR + b"0", 0x33),
        ("atr=protocol-first", b"0" + T1_ATR, 0x33),
    ],
)
def test_which_command_carries_an_apdu(mover: CardMover, driver: Driver, options: str, reset: bytes, pm: int) -> None:
    mover.reset_data = reset
    connected(driver(options)).exchange(SELECT)
    assert mover.pms[-1] == (0x51, pm)


@pytest.mark.parametrize(
    ("data", "form", "protocol"),
    [
        (b"0" + T0_ATR, AtrForm.AUTO, LinkProtocol.T0),
        (T0_ATR + b"0", AtrForm.AUTO, LinkProtocol.T0),
        (T0_ATR, AtrForm.AUTO, LinkProtocol.T0),
        (b"1" + T1_ATR, AtrForm.AUTO, LinkProtocol.T1),
        (T1_ATR + b"1", AtrForm.AUTO, LinkProtocol.T1),
        (T1_ATR, AtrForm.AUTO, LinkProtocol.T1),
        (b"1" + T1_ATR, AtrForm.PROTOCOL_FIRST, LinkProtocol.T1),
        (T1_ATR + b"1", AtrForm.PROTOCOL_LAST, LinkProtocol.T1),
    ],
)
def test_the_answer_to_reset_is_recognized_in_any_order(data: bytes, form: AtrForm, protocol: LinkProtocol) -> None:
    assert reset_answer(data, form) == (T1_ATR if protocol is LinkProtocol.T1 else T0_ATR, protocol)


@pytest.mark.parametrize("data", [b"", b"1", T1_ATR[:-1] + b"\x00", b"0" + T0_ATR[:-1], b"9" + T0_ATR])
def test_an_answer_to_reset_that_is_none(mover: CardMover, driver: Driver, data: bytes) -> None:
    with pytest.raises(AtrError):
        reset_answer(data, AtrForm.AUTO)
    mover.reset_data = data
    with pytest.raises(
        NoCard, match=r"connecting to the card in crt571:/dev/ttyX: the card's answer to reset is not valid \("
    ):
        connected(driver())


def test_the_antenna_is_a_contactless_reader(mover: CardMover, driver: Driver) -> None:
    machine = driver("station=antenna")
    card = connected(machine)
    assert (card.atr.hex(), card.protocol) == ("3b80800101", LinkProtocol.CONTACTLESS)
    assert card.exchange(SELECT) == b"\x90\x00"
    assert mover.pms[-1] == (0x60, 0x34)
    assert card.reset() == card.atr
    assert mover.pms[-2:] == [(0x60, 0x31), (0x60, 0x30)]
    mover.place = "none"
    card = connected(driver("rf=b&station=antenna"))
    card.exchange(SELECT)
    assert mover.pms[-1] == (0x60, 0x35)


def test_a_reset_is_warm_and_keeps_the_session(mover: CardMover, driver: Driver) -> None:
    card = connected(driver())
    assert card.reset() == T1_ATR
    assert mover.pms[-1] == (0x51, 0x38)
    assert card.exchange(SELECT) == b"\x90\x00"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ("65", CardGone, r"the card in crt571:/dev/ttyX: the chip has no power \(error 65\)"),
        ("68", CardGone, r"the chip stopped answering \(error 68\)"),
        ("67", LineFault, r"lost or altered \(error 67\); whether the card executed the command is not known"),
        ("66", MachineFault, r"the chip does not take the command of the machine now \(error 66\)"),
        ("45", MachineFault, r"the card was moved by hand \(error 45\); leave the card where it is"),
    ],
)
def test_after_a_fault_the_session_is_over(
    mover: CardMover, driver: Driver, error: str, kind: type[TransportError], message: str
) -> None:
    machine = driver()
    card = connected(machine)
    mover.errors[0x51, 0x34] = error
    with pytest.raises(kind, match=message):
        card.exchange(SELECT)
    with pytest.raises(CardGone, match="the session with the card in crt571:/dev/ttyX is"):
        card.exchange(SELECT)
    assert mover.executed == []
    machine.to_chip()
    assert machine.reader.connect().exchange(SELECT) == b"\x90\x00"


@pytest.mark.parametrize("error", ["60", "61", "62", "69"])
def test_a_chip_that_does_not_answer_to_reset_is_no_card(mover: CardMover, driver: Driver, error: str) -> None:
    machine = driver()
    assert machine.take(0)
    mover.errors[0x51, 0x30] = error
    with pytest.raises(NoCard, match=rf"connecting to the card in crt571:/dev/ttyX: .* \(error {error}\)$"):
        machine.reader.connect()
    assert machine.reader.wait_for_card(0)


def test_a_station_that_fails_is_a_fault_of_the_machine(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    mover.errors[0x51, 0x30] = "41"
    with pytest.raises(MachineFault, match="the magnet of the contact station") as fault:
        machine.reader.connect()
    assert fault.value.code is MachineFaultCode.CONTACTS
    assert machine.status().faults == (MachineFaultCode.CONTACTS,)


def test_a_move_ends_the_session_and_takes_the_power(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    card = connected(machine)
    machine.give(MachineBin.REJECT)
    assert mover.pms[-3:] == [(0x31, 0x30), (0x51, 0x31), (0x32, 0x33)]
    with pytest.raises(CardGone, match="is closed"):
        card.exchange(SELECT)
    with pytest.raises(CardGone, match="is closed"):
        card.reset()
    card.close()
    assert mover.executed == []


def test_the_reader_moves_nothing(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    reader: Reader = machine.reader
    assert (reader.name, reader.url) == ("crt571:/dev/ttyX", "crt571:/dev/ttyX")
    assert not reader.wait_for_card(0)
    with pytest.raises(NoCard, match="no card at the station"):
        reader.connect()
    assert machine.take(0)
    assert reader.wait_for_card(0)
    reader.connect()
    reader.release(Disposition.REJECT)
    assert (mover.powered, mover.place, mover.rejected) == (False, "inside", 0)
    mover.place = "none"
    assert not reader.wait_for_card(0)
    reader.close()
    assert not reader.wait_for_card(None)


def test_an_answer_without_status_word_is_none(mover: CardMover, driver: Driver) -> None:
    mover.answer_to = lambda apdu: b"\x90"
    with pytest.raises(LineFault, match="has no status word"):
        connected(driver()).exchange(SELECT)


def test_long_commands_are_an_option(mover: CardMover, driver: Driver) -> None:
    long = bytes.fromhex("00D60000000200") + bytes(512)
    mover.answer_to = lambda apdu: apdu + b"\x90\x00"
    with pytest.raises(MachineFault, match=r"it carries short commands only \(extended=0\)"):
        connected(driver()).exchange(long)
    mover.place = "none"
    card = connected(driver("extended=1"))
    assert card.extended_length
    assert card.exchange(long) == long + b"\x90\x00"
