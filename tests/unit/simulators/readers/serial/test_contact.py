"""A card at a bare contact: reset, PPS, both protocols, both conventions; a card that lost its power says nothing."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from simulators.card.config import CardConfig
from simulators.card.memory import PowerLost
from simulators.readers.serial.characters import inverse
from simulators.readers.serial.contact import ContactManner, SerialContact
from simulators.readers.stock import blank
from simulators.virtual_card import VirtualCard
from terminal.apdu import Atr, LinkProtocol

SELECT = bytes.fromhex("00A4040000")
GET_CPLC = bytes.fromhex("80CA9F7F2D")
T0, T1 = LinkProtocol.T0, LinkProtocol.T1


class Echo:
    """A card that answers what its script says; None: it loses its power."""

    def __init__(self, *answers: str | None, protocol: LinkProtocol = T0) -> None:
        self.atr = VirtualCard.create(None, CardConfig(chip=blank(), protocol=protocol)).atr
        self.answers, self.commands = list(answers), list[str]()

    def power_on(self) -> bytes:
        return self.atr

    reset = power_on

    def power_off(self) -> None:
        self.commands.append("off")

    def exchange(self, apdu: bytes) -> bytes:
        self.commands.append(apdu.hex().upper())
        answer = self.answers.pop(0)
        if answer is None:
            raise PowerLost("pulled")
        return bytes.fromhex(answer)


def block(pcb: int, inf: bytes = b"") -> bytes:
    raw = bytes((0, pcb, len(inf))) + inf
    return raw + bytes((reduce(xor, raw),))


def ppss(*body: int) -> bytes:
    return bytes((0xFF, *body, reduce(xor, (0xFF, *body))))


def t0(*answers: str | None, **manner: object) -> tuple[SerialContact, Echo]:
    card = Echo(*answers)
    contact = SerialContact(card, T0, 0x94, ContactManner(**manner))  # type: ignore[arg-type]
    contact.power_on()
    return contact, card


@pytest.mark.parametrize("protocol", [T0, T1])
def test_a_virtual_card_answers_to_reset_and_to_commands(protocol: LinkProtocol) -> None:
    chip = VirtualCard.create(None, CardConfig(chip=blank(), protocol=protocol))
    contact = SerialContact(chip, protocol, chip.config.ta1)
    assert contact.power_on() == chip.atr
    answer = contact.receive(GET_CPLC if protocol is T0 else block(0x00, GET_CPLC))
    assert answer[:1] == (b"\xca" if protocol is T0 else b"\x00")
    contact.power_off()
    assert not chip.powered
    assert contact.receive(GET_CPLC) == b""


def test_each_case_of_command_at_t_0() -> None:
    contact, card = t0("9000", "01020390 00", "6103", "616C")
    assert contact.receive(bytes.fromhex("0084000000")[:4]) == b""
    assert contact.receive(b"\x00") == bytes.fromhex("9000")
    assert contact.receive(bytes.fromhex("00B0000003")) == bytes.fromhex("B0 010203 9000")
    assert contact.receive(bytes.fromhex("00A4040002")) == b"\xa4"
    assert contact.receive(b"\x3f\x00") == bytes.fromhex("6103")
    assert contact.receive(bytes.fromhex("00D6000000")) == bytes.fromhex("616C")
    assert card.commands == ["0084000000", "00B0000003", "00A40400023F00", "00D60000"]


def test_bytes_one_by_one_and_waiting_time_at_t_0() -> None:
    contact, card = t0("9000", "AABB9000", one_by_one=True, nulls=2)
    assert contact.receive(bytes.fromhex("0020008002")) == b"\xdf"
    assert contact.receive(b"\x12") == b"\xdf"
    assert contact.receive(b"\x34") == bytes.fromhex("60609000")
    assert contact.receive(bytes.fromhex("00B2010C02")) == bytes.fromhex("6060 4DAA 4DBB 9000")
    assert card.commands == ["00200080021234", "00B2010C02"]


def test_data_of_another_length_than_le_wait_for_the_right_one() -> None:
    contact, card = t0("01026282", "9000")
    assert contact.receive(bytes.fromhex("00B0000000")) == bytes.fromhex("6C02")
    assert contact.receive(bytes.fromhex("00B0000002")) == bytes.fromhex("B001026282")
    assert contact.receive(bytes.fromhex("00B0000002")) == bytes.fromhex("9000")
    assert card.commands == ["00B0000000", "00B0000002"]


def test_data_of_a_command_that_brought_none_follow_by_get_response() -> None:
    contact, card = t0("6C03", "0102039000", "6C02", "AABB6283")
    assert contact.receive(SELECT) == bytes.fromhex("6103")
    assert contact.receive(bytes.fromhex("00C0000004")) == bytes.fromhex("6C03")
    assert contact.receive(bytes.fromhex("00C0000001")) == bytes.fromhex("C0016102")
    assert contact.receive(bytes.fromhex("00C0000002")) == bytes.fromhex("C002039000")
    assert contact.receive(SELECT) == bytes.fromhex("6102")
    assert contact.receive(bytes.fromhex("00C0000002")) == bytes.fromhex("C0AABB6283")
    assert card.commands == ["00A40400", "00A4040003", "00A40400", "00A4040002"]


@pytest.mark.parametrize("cla", ["04", "0C", "84", "60"])
def test_a_command_under_secure_messaging_brings_its_mac(cla: str) -> None:
    contact, card = t0("6108")
    assert contact.receive(bytes.fromhex(f"{cla}B2012C02")) == b"\xb2"
    assert contact.receive(b"\xaa\xbb") == bytes.fromhex("6108")
    assert card.commands == [f"{cla}B2012C02AABB"]


def test_an_instruction_that_could_be_a_status_is_refused() -> None:
    contact, card = t0("9000")
    assert contact.receive(bytes.fromhex("0060000000")) == bytes.fromhex("6D00")
    assert card.commands == []


def test_inverse_convention() -> None:
    contact, card = t0("9000", inverse=True)
    answer = contact.power_on()
    assert (answer[0], Atr.parse(inverse(answer)).inverse) == (0x03, True)
    assert inverse(contact.receive(inverse(bytes.fromhex("00D6000000")))) == bytes.fromhex("9000")
    assert card.commands == ["00D60000"]
    assert inverse(inverse(bytes(range(256)))) == bytes(range(256))


def test_a_lost_card_and_a_wrong_parity_end_in_silence_until_the_next_reset() -> None:
    contact, _ = t0(None, "9000")
    assert contact.receive(SELECT) == b""
    assert contact.receive(SELECT) == b""
    assert contact.reset() == contact.power_on() != b""
    assert contact.receive(SELECT[:2]) == b""
    assert contact.receive(SELECT[2:3], sound=False) == b""
    assert contact.receive(SELECT[3:] + SELECT) == b""


def test_the_rate_that_pps_agrees_on() -> None:
    contact, card = t0("9000", "9000")
    assert contact.rate == pytest.approx(9600)
    assert contact.receive(ppss(0x10, 0x94)) == ppss(0x10, 0x94)
    assert contact.rate == pytest.approx(3.5712e6 * 8 / 512)
    assert contact.receive(bytes.fromhex("00D6000000")) == bytes.fromhex("9000")
    contact.reset()
    assert contact.rate == pytest.approx(9600)
    assert contact.receive(bytes.fromhex("00D6000000")) == bytes.fromhex("9000")
    assert len(card.commands) == 2


@pytest.mark.parametrize(
    "request_",
    [ppss(0x11, 0x94), ppss(0x10, 0x97), ppss(0x10, 0x7F), ppss(0x12), ppss(0x10, 0x94)[:-1] + b"\x00"],
    ids=str,
)
def test_a_pps_request_that_cannot_be_met_is_not_answered(request_: bytes) -> None:
    contact, _ = t0("9000")
    assert contact.receive(request_) == b""
    assert contact.receive(SELECT) == b""


def test_a_rate_below_the_one_that_is_offered() -> None:
    contact, _ = t0("9000")
    assert contact.receive(ppss(0x10, 0x93)) == ppss(0x10, 0x93)
    assert contact.rate == pytest.approx(3.5712e6 * 4 / 512)


def test_a_card_that_stays_with_its_first_rate_and_fields_that_it_does_not_know() -> None:
    contact, _ = t0("9000", refuses_pps=True)
    assert contact.receive(ppss(0x10, 0x94)) == ppss(0x00)
    assert contact.rate == pytest.approx(9600)
    contact.reset()
    assert contact.receive(ppss(0x30, 0x94, 0x01)) == ppss(0x00)
    contact.reset()
    assert contact.receive(ppss(0x00)) == ppss(0x00)


@pytest.mark.parametrize("by_crc", [False, True])
def test_the_answer_of_a_card_at_t_1_says_its_blocks(by_crc: bool) -> None:
    card = Echo(protocol=T1)
    contact = SerialContact(card, T1, manner=ContactManner(ifsc=64, by_crc=by_crc))
    answer = Atr.parse(contact.power_on())
    assert (answer.ifsc, answer.checks_by_crc, answer.protocols) == (64, by_crc, (1,))


def test_pps_then_blocks_at_t_1() -> None:
    contact = SerialContact(Echo("9000", protocol=T1), T1, 0x95)
    contact.power_on()
    assert contact.receive(ppss(0x11, 0x95)) == ppss(0x11, 0x95)
    assert contact.receive(block(0x00, SELECT)) == block(0x00, b"\x90\x00")


def test_a_first_block_with_a_wrong_parity_is_requested_again() -> None:
    contact = SerialContact(Echo("9000", protocol=T1), T1)
    contact.power_on()
    raw = block(0x00, SELECT)
    assert contact.receive(raw[:1], sound=False) + contact.receive(raw[1:]) == block(0x81)
    assert contact.receive(raw) == block(0x00, b"\x90\x00")
    contact.power_on()
    assert contact.receive(raw[:6]) == b""
    assert contact.silence() == block(0x81)
    assert contact.silence() == b""


def test_a_contactless_card_has_no_contact() -> None:
    with pytest.raises(ValueError, match="contact"):
        SerialContact(Echo(), LinkProtocol.CONTACTLESS)
