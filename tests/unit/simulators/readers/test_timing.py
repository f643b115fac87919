"""The timing model against figures calculated by hand from ISO/IEC 7816-3."""

from __future__ import annotations

import pytest

from simulators.readers.timing import ChipTiming, Cost, TimingModel, Wire
from terminal.apdu import LinkProtocol
from terminal.tlv import tlv

READ, RECORD = bytes.fromhex("00B2010C00"), bytes(250) + b"\x90\x00"


@pytest.mark.parametrize(
    ("ta1", "clock", "rate"),
    [(0x11, 3.5712e6, 9600), (0x18, 4e6, 129_032), (0x96, 4e6, 250_000), (0x97, 4e6, 500_000)],
)
def test_bit_rates(ta1: int, clock: float, rate: int) -> None:
    assert round(Wire(ta1=ta1, clock=clock).bit_rate) == rate


@pytest.mark.parametrize("ta1", [0x71, 0x10, 0x9F, 0xE1])
def test_reserved_rates(ta1: int) -> None:
    with pytest.raises(ValueError, match="reserved"):
        Wire(ta1=ta1)


@pytest.mark.parametrize(
    ("protocol", "command", "answer", "etu"),
    [
        # T=0, case 2: 5 header bytes, INS back, 250 + 2 bytes; one turn of the line
        (LinkProtocol.T0, READ, RECORD, 12 * (5 + 1 + 252) + 4),
        # case 1: header with P3 = 00, status word
        (LinkProtocol.T0, bytes.fromhex("00440000"), b"\x90\x00", 12 * (5 + 2) + 4),
        # case 3: header, INS back, 8 bytes, status word; three turns
        (LinkProtocol.T0, bytes.fromhex("0020008008") + bytes(8), b"\x90\x00", 12 * (5 + 1 + 8 + 2) + 12),
        # case 4: Le is not sent
        (LinkProtocol.T0, bytes.fromhex("0088000004") + bytes(5), b"\x61\x90", 12 * (5 + 1 + 4 + 2) + 12),
        # T=1: one block each way, prologue and epilogue of 4 bytes, two turns
        (LinkProtocol.T1, READ, RECORD, 11 * (5 + 252 + 8) + 44),
        # T=1, 261 bytes there: two blocks and an R-block between, four turns
        (LinkProtocol.T1, bytes(261), b"\x90\x00", 11 * (261 + 2 + 3 * 4 + 4) + 88),
    ],
)
def test_etu_on_the_wire(protocol: LinkProtocol, command: bytes, answer: bytes, etu: int) -> None:
    wire = Wire(protocol=protocol, ta1=0x18)
    assert wire.seconds(command, answer) == pytest.approx(etu * wire.etu)


def test_small_blocks_cost_more() -> None:
    assert Wire(ifsc=32, ifsd=32).seconds(READ, RECORD) > 1.1 * Wire().seconds(READ, RECORD)


@pytest.mark.parametrize(
    ("command", "answer", "operations", "least", "most"),
    [
        ("00A4040009F04D454D424552010100", 50, {}, 0.012, 0.064),  # SELECT
        ("8050000008010203040506070800", 34, {"aes": 15}, 0.045, 0.078),  # INITIALIZE UPDATE
        ("8482330010" + "00" * 16, 2, {"aes": 10}, 0.044, 0.054),  # EXTERNAL AUTHENTICATE
        ("80CA9F7F00", 47, {}, 0.002, 0.020),  # GET DATA
    ],
)
def test_commands_take_what_they_take_in_the_field(
    command: str, answer: int, operations: dict[str, int], least: float, most: float
) -> None:
    timing = TimingModel(Wire(ta1=0x18))
    assert least <= timing.exchange(bytes.fromhex(command), bytes(answer), 0, operations).total <= most


def test_a_session_adds_up() -> None:
    timing = TimingModel(Wire(ta1=0x96), ChipTiming(page_write=5e-3))
    timing.power_on(bytes(20))
    one = timing.exchange(READ, RECORD, 0)
    two = timing.exchange(bytes.fromhex("84E2080010") + bytes(16), b"\x90\x00", 3)
    assert two.eeprom == pytest.approx(15e-3)
    assert one.eeprom == 0
    assert timing.session.total == pytest.approx(one.total + two.total + timing.start_up.total)
    assert str(Cost(link=1, eeprom=2, computing=1)) == "4.000 s (link 25%, EEPROM 50%, computing 25%)"
    assert str(timing.exchanges[0]).startswith("00B2010C      5 B >   252 B <   0 pages")


def test_real_delay_sleeps_just_as_long() -> None:
    slept: list[float] = []
    timing = TimingModel(real=True, sleep=slept.append)
    timing.power_on(bytes(20))
    timing.exchange(READ, RECORD, 1)
    assert sum(slept) == pytest.approx(timing.session.total)
    silent = TimingModel(sleep=slept.append)
    silent.exchange(READ, RECORD, 1)
    assert len(slept) == 2


def test_rsa_grows_with_the_third_power() -> None:
    chip = ChipTiming()
    short = chip.computing(bytes.fromhex("0088000004"), bytes(128 + 9), {"rsa": 1})
    long = chip.computing(bytes.fromhex("0088000004"), bytes(248 + 9), {"rsa": 1})
    assert (long - chip.command) / (short - chip.command) == pytest.approx((248 / 128) ** 3)


def test_a_key_takes_as_long_for_a_pin_and_a_cryptogram_as_for_a_proof() -> None:
    chip = ChipTiming()
    proof = chip.computing(bytes.fromhex("0088000004") + bytes(4), bytes(144 + 9), {"rsa": 1})
    assert proof == pytest.approx(chip.command + chip.rsa_1152)
    assert chip.computing(bytes.fromhex("0020008890") + bytes(144), bytes(2), {"rsa": 1}) == pytest.approx(proof)
    for issuer_data in (8, 14):
        objects = tlv(0x9F27, b"\x40"), tlv(0x9F36, bytes(2)), tlv(0x9F4B, bytes(144)), tlv(0x9F10, bytes(issuer_data))
        answer = tlv(0x77, objects).encode() + b"\x90\x00"
        assert chip.computing(bytes.fromhex("80AE500034") + bytes(52), answer, {"rsa": 1}) == pytest.approx(proof)
    assert chip.computing(bytes.fromhex("80AE500034") + bytes(52), bytes.fromhex("6985"), {}) == chip.command


def test_chinese_algorithms_take_their_time() -> None:
    chip = ChipTiming()
    assert chip.computing(bytes.fromhex("0088000004"), bytes(80), {"sm2": 1, "sm3": 2, "sm4": 3}) == pytest.approx(
        chip.command + 40e-3 + 2 * 150e-6 + 3 * 80e-6
    )
