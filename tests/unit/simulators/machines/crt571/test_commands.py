"""The command table of the simulated CRT-571, byte for byte as the table of its protocol has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options, ResetAnswer
from simulators.machines.record import BodyPlace
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.unit.simulators.machines.crt571.conftest import Host, Start

INITIALIZE, INITIALIZE_HOLDING, CAPTURE = "F200000343303303B2", "F200000343303003B1", "F200000343303103B0"
STATUS, SENSORS = "F200000343313003B0", "F200000343313103B1"
HOLDING, CONTACTS, ANTENNA = "F200000343323003B3", "F200000343323103B2", "F200000343323203B1"
REJECT, EXIT = "F200000343323303B0", "F200000343323903BA"
ENABLE_ENTRY, DISABLE_ENTRY = "F200000343333003B2", "F200000343333103B3"
CHIP_KIND, ANTENNA_KIND = "F200000343503003D1", "F200000343503103D0"
COLD, COLD_AT_5_VOLT, OFF, CHIP_STATE, WARM = (
    "F200000343513003D0", "F20000044351303003E7", "F200000343513103D1", "F200000343513203D2", "F200000343513803D8",
)  # fmt: skip
START_ANTENNA = "F200000343603003E1"
COUNTER, RESET_COUNTER = "F200000343A5300324", "F200000343A5310325"
SELECT_T0, SELECT_T1, SELECT = (
    "F200000843513300A40400000378", "F200000843513400A4040000037F", "F200000843513900A40400000372"
)  # fmt: skip
SELECT_RF_A = "F200000843603400A4040000034E"


def state_of(answer: str) -> str:
    """ST0 ST1 ST2 of a positive answer."""
    assert answer[8:10] == "50", answer
    return answer[14:20]


def code_of(answer: str) -> str:
    assert answer[8:10] == "4E", answer
    return bytes.fromhex(answer[14:18]).decode()


def data_of(answer: str) -> bytes:
    assert answer[8:10] == "50", answer
    return bytes.fromhex(answer[20:-4])


def test_initialization_answers_with_model_and_version(start: Start) -> None:
    assert start().exchange(INITIALIZE) == "F20000135030333031304352542D3537312056312E303003B2"


def test_nothing_but_initialization_works_before_it(start: Start) -> None:
    host = start()
    assert host.exchange(STATUS) == "F20000054E3130423003C9"
    assert host.exchange("F200000343A2300323") == "F20000054EA2304230035A"
    host.initialize()
    assert host.exchange(STATUS) == "F20000065031303031300397"


def test_a_card_goes_from_the_feeder_to_the_contacts_and_out(host: Host, stock: Path) -> None:
    assert host.exchange(CONTACTS) == "F20000065032313231300397"
    assert host.exchange(EXIT) == "F2000006503239303130039D"
    body = host.machine.body
    assert (body.record.fed, body.record.output, body.record.reject) == (1, 1, 0)
    assert len(list((stock / "issued").glob("*.card"))) == 1
    assert len(list(stock.glob("*.card"))) == 1


def test_st1_counts_the_feeder_and_an_empty_one_is_an_error(start: Start) -> None:
    host = start(few=1)
    assert state_of(host.exchange(INITIALIZE)) == "303230"
    assert host.exchange(CONTACTS) == "F20000065032313231300397"
    assert host.exchange(EXIT) == "F2000006503239303130039D"
    assert state_of(host.exchange(CONTACTS)) == "323030"
    assert host.exchange(EXIT) == "F2000006503239303030039C"
    assert host.exchange(CONTACTS) == "F20000054E3231413003C8"


def test_the_error_bin_fills_and_its_counter_counts(start: Start, stock: Path) -> None:
    host = start(capacity=1)
    host.initialize()
    host.exchange(CONTACTS)
    assert state_of(host.exchange(REJECT)) == "303131"
    assert data_of(host.exchange(COUNTER)) == b"0001"
    assert state_of(host.exchange(CONTACTS)) == "323031"
    assert code_of(host.exchange(REJECT)) == "50"
    assert state_of(host.exchange(STATUS)) == "323031", "the card is where it was"
    host.machine.body.empty_reject()
    assert state_of(host.exchange(REJECT)) == "303031", "an emptied bin has room for one"
    assert data_of(host.exchange(COUNTER)) == b"0002"
    host.exchange(RESET_COUNTER)
    assert data_of(host.exchange(COUNTER)) == b"0000"
    assert len(list((stock / "rejects").glob("*.card"))) == 2


@pytest.mark.parametrize("pm", ["30", "31", "33"])
def test_initialization_does_with_the_card_inside_what_it_is_sent(host: Host, pm: str) -> None:
    host.exchange(CONTACTS)
    command = {"30": INITIALIZE_HOLDING, "31": CAPTURE, "33": INITIALIZE}[pm]
    assert data_of(host.exchange(command)) == b"CRT-571 V1.00"
    place = {"30": BodyPlace.HOLDING, "31": BodyPlace.NONE, "33": BodyPlace.CHIP}[pm]
    assert host.machine.body.place is place
    assert host.machine.body.record.reject == (pm == "31")
    assert data_of(host.exchange(COUNTER)) == b"0000"


def test_capture_with_the_counter_counts(host: Host) -> None:
    host.exchange(CONTACTS)
    host.exchange("F200000343303503B4")
    assert data_of(host.exchange(COUNTER)) == b"0001"


def test_the_holding_position_is_in_the_exit_for_some_machines(start: Start) -> None:
    for at_exit, st0 in ((False, "32"), (True, "31")):
        host = start(options=Crt571Options(holding_at_exit=at_exit))
        host.initialize()
        assert state_of(host.exchange(HOLDING))[:2] == st0


def test_an_exit_that_holds_its_card_waits_for_a_person(start: Start) -> None:
    host = start(options=Crt571Options(exit_holds=True))
    host.initialize()
    assert state_of(host.exchange(EXIT))[:2] == "31"
    assert host.machine.body.record.output == 0
    assert host.machine.body.take_from_exit()
    assert state_of(host.exchange(STATUS))[:2] == "30"
    assert host.machine.body.record.output == 1
    assert not host.machine.body.take_from_exit()


def test_the_entry_takes_a_card_only_while_it_is_enabled(host: Host, tmp_path: Path) -> None:
    first, second = make_stock(tmp_path / "hand", 2, CardConfig(blank()))
    assert not host.machine.insert(first)
    host.exchange(ENABLE_ENTRY)
    assert host.machine.insert(first)
    assert state_of(host.exchange(STATUS))[:2] == "32"
    assert not host.machine.insert(second), "a card is inside"
    host.exchange(EXIT)
    host.exchange(DISABLE_ENTRY)
    assert not host.machine.insert(second)


def test_sensors_say_where_the_card_is(host: Host) -> None:
    assert data_of(host.exchange(SENSORS)) == b"000010"
    host.exchange(CONTACTS)
    assert data_of(host.exchange(SENSORS)) == b"001010"


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("F20000034399300318", "F20000054E993030300313"),
        ("F200000343323803BB", "F20000054E3238303103B1"),
        ("F20000044332300003B4", "F20000054E3230303403BC"),
    ],
)
def test_unknown_commands_parameters_and_data(host: Host, command: str, answer: str) -> None:
    assert host.exchange(command) == answer


def test_some_firmware_marks_a_failure_with_45(start: Start) -> None:
    host = start(options=Crt571Options(failure_letter=0x45))
    assert host.exchange(STATUS) == "F2000005453130423003C2"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (BodyFault.JAM, "10"),
        (BodyFault.SENSOR, "12"),
        (BodyFault.LONG_CARD, "13"),
        (BodyFault.SHORT_CARD, "14"),
        (BodyFault.MAGNET, "41"),
        (BodyFault.CHIP_POSITION, "43"),
        (BodyFault.MOTOR, "51"),
        (BodyFault.COVER, "03"),
    ],
)
def test_what_is_wrong_with_the_body_ends_a_move(host: Host, fault: BodyFault, code: str) -> None:
    host.machine.body.damage(fault)
    assert code_of(host.exchange(CONTACTS)) == code
    host.machine.body.repair()
    assert state_of(host.exchange(CONTACTS))[:2] == "32"
    assert host.machine.body.record.fed == 1, "a card in the channel is moved on, and no second one is fed"


def test_contacts_that_do_not_let_go(host: Host) -> None:
    host.exchange(CONTACTS)
    host.machine.body.damage(BodyFault.STUCK_CONTACTS)
    assert code_of(host.exchange(EXIT)) == "05"
    assert host.machine.body.place is BodyPlace.CHIP


def test_a_card_moved_by_hand_needs_a_new_start(host: Host) -> None:
    host.exchange(CONTACTS)
    host.exchange(COLD)
    host.machine.body.damage(BodyFault.MOVED)
    assert code_of(host.exchange(SELECT_T0)) == "45"
    assert code_of(host.exchange(EXIT)) == "45"
    host.initialize()
    assert state_of(host.exchange(EXIT))[:2] == "30"


def test_a_card_pulled_at_in_the_exit_is_not_taken_back(start: Start) -> None:
    host = start(options=Crt571Options(exit_holds=True))
    host.initialize()
    host.exchange(EXIT)
    host.machine.body.damage(BodyFault.MOVED)
    assert code_of(host.exchange(REJECT)) == "40"


def test_a_jam_lasts_until_the_card_is_taken_out(host: Host) -> None:
    body = host.machine.body
    body.damage(BodyFault.JAM)
    assert code_of(host.exchange(CONTACTS)) == "10"
    assert body.card is None, "the next card did not leave the feeder"
    body.repair()
    host.exchange(CONTACTS)
    body.damage(BodyFault.JAM)
    assert code_of(host.exchange(EXIT)) == "10"
    assert code_of(host.exchange(INITIALIZE)) == "10"
    taken = body.remove_card()
    assert taken is not None
    assert taken.is_file()
    body.repair()
    host.initialize()
    assert state_of(host.exchange(STATUS)) == "303130"


# -- chips ------------------------------------------------------------------------------------------------------------


def test_a_chip_at_t0_answers_as_at_its_contacts(host: Host) -> None:
    """SELECT without data has its answer fetched by GET RESPONSE."""
    host.exchange(CONTACTS)
    assert host.exchange(CHIP_KIND) == "F2000008505030323130313003FB"
    assert code_of(host.exchange(SELECT_T0)) == "65"
    assert data_of(host.exchange(CHIP_STATE)) == b"0"
    atr = VirtualCard.open(next((host.machine.body.directory / "inside").glob("*.card"))).atr
    assert data_of(host.exchange(COLD_AT_5_VOLT)) == b"0" + atr
    assert data_of(host.exchange(CHIP_STATE)) == b"1"
    answer = data_of(host.exchange(SELECT_T0))
    assert answer[-2] in (0x61, 0x6C) or answer[-2:] == b"\x90\x00"
    assert data_of(host.exchange(WARM)) == b"0" + atr
    assert code_of(host.exchange(SELECT_T1)) == "62"
    assert data_of(host.exchange(SELECT)) == answer
    host.exchange(OFF)
    assert code_of(host.exchange(SELECT_T0)) == "65"
    assert code_of(host.exchange(WARM)) == "65"


def of_cards(tmp_path: Path, config: CardConfig, manner: BodyManner | None = None) -> Host:
    cards = make_stock(tmp_path / "cards", 1, config)
    body = MachineBody.of_cards(tmp_path / "machine", cards, manner or BodyManner())
    host = Host(SimulatedCrt571(body, clock=VirtualClock()))
    host.initialize()
    return host


def test_a_chip_at_t1(tmp_path: Path) -> None:
    host = of_cards(tmp_path, CardConfig(blank()))
    host.exchange(CONTACTS)
    assert data_of(host.exchange(CHIP_KIND)) == b"11"
    assert data_of(host.exchange(COLD))[:2] == b"\x31\x3b"
    assert data_of(host.exchange(CHIP_STATE)) == b"2"
    assert data_of(host.exchange(SELECT_T1)).endswith(b"\x90\x00")
    assert code_of(host.exchange(SELECT_T0)) == "62"
    host.exchange(EXIT)
    assert len(list((tmp_path / "machine" / "output").iterdir())) == 1


@pytest.mark.parametrize(("order", "first", "last"), [("atr-first", b"\x3b", b"\x30"), ("atr-only", b"\x3b", b"N")])
def test_the_order_of_the_answer_to_a_reset_is_an_option(start: Start, order: str, first: bytes, last: bytes) -> None:
    host = start(options=Crt571Options(reset_answer=ResetAnswer(order)))
    host.initialize()
    host.exchange(CONTACTS)
    answer = data_of(host.exchange(COLD))
    assert (answer[:1], answer[-1:]) == (first, last)


def test_a_chip_is_reached_only_where_the_card_is(host: Host) -> None:
    for command in (COLD, CHIP_KIND, ANTENNA_KIND, START_ANTENNA):
        assert code_of(host.exchange(command)) == "02"
    host.exchange(HOLDING)
    assert code_of(host.exchange(COLD)) == "02"


def test_data_that_no_command_has(host: Host) -> None:
    host.exchange(CONTACTS)
    assert code_of(host.exchange("F20000044351303303E4")) == "04", "a supply that there is not"
    host.exchange(COLD)
    assert code_of(host.exchange("F2000005435133000003D5")) == "04", "an APDU of two bytes"


def test_a_mute_chip_and_a_short_are_not_activated(host: Host) -> None:
    host.exchange(CONTACTS)
    body = host.machine.body
    body.damage(BodyFault.SHORT)
    assert code_of(host.exchange(COLD)) == "60"
    body.repair()
    card = body.card
    assert card is not None
    card.write_bytes(b"no chip")
    assert code_of(host.exchange(COLD)) == "61"
    assert data_of(host.exchange(CHIP_KIND)) == b"00"


def test_a_contactless_card_answers_only_at_the_antenna(tmp_path: Path) -> None:
    host = of_cards(tmp_path, CardConfig(blank(), protocol=LinkProtocol.CONTACTLESS))
    host.exchange(CONTACTS)
    assert code_of(host.exchange(COLD)) == "61"
    host.exchange(ANTENNA)
    assert data_of(host.exchange(ANTENNA_KIND)) == b"20"
    assert code_of(host.exchange(SELECT_RF_A)) == "65"
    answer = data_of(host.exchange(START_ANTENNA))
    assert answer[:1] == b"A"
    assert answer.endswith(b"UNION")
    assert data_of(host.exchange(SELECT_RF_A)).endswith(b"\x90\x00")


def test_a_card_with_contacts_answers_at_the_antenna_where_it_has_both(tmp_path: Path) -> None:
    for number, dual in enumerate((False, True)):
        host = of_cards(tmp_path / str(number), CardConfig(blank()), BodyManner(dual=dual))
        host.exchange(ANTENNA)
        answer = host.exchange(START_ANTENNA)
        assert (answer[8:10], host.machine.body.antenna.active) == (("50", True) if dual else ("4E", False))


def test_a_machine_without_an_antenna(start: Start) -> None:
    host = start(options=Crt571Options(antenna=False))
    host.initialize()
    assert code_of(host.exchange(ANTENNA)) == "03"
    assert code_of(host.exchange(START_ANTENNA)) == "03"


def test_an_antenna_that_is_disabled(host: Host) -> None:
    host.exchange(ANTENNA)
    assert data_of(host.exchange("F20000044360393103DE")) == b""
    assert code_of(host.exchange(START_ANTENNA)) == "66"
