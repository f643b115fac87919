"""The card as a reader sees it: answers to reset, T=0 and T=1, channels, selection, chaining, power."""

from __future__ import annotations

from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from simulators.applets.rom import MEMBER
from simulators.card.cardfile import CardInUse
from simulators.card.config import TEST_KEY, CardConfig, KeyDiversification, ProductionData
from simulators.card.memory import MemoryDamaged, PowerLost, TearAt
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.apdu.atr import Atr
from terminal.crypto import aes
from terminal.secret import Secret
from tests.support.cards.gp_host import GpHost
from tests.support.cards.toys.toy_applet import TOY_ROM, toy_card

T0, T1, CL = LinkProtocol.T0, LinkProtocol.T1, LinkProtocol.CONTACTLESS
TOY, OTHER = bytes.fromhex("F04D454D4245520101"), bytes.fromhex("F04D454D4245520102")


def ask(card: VirtualCard, apdu: str) -> str:
    return card.exchange(bytes.fromhex(apdu)).hex().upper()


def with_toys(protocol: LinkProtocol = T1, *aids: bytes) -> VirtualCard:
    card = toy_card(protocol=protocol)
    host = GpHost(card)
    assert host.open() == 0x9000
    for aid in aids or (TOY,):
        assert host.install(MEMBER.package, MEMBER.module, aid).sw == 0x9000
    card.reset()
    return card


def selected(protocol: LinkProtocol = T1) -> VirtualCard:
    card = with_toys(protocol)
    assert ask(card, f"00A40400{len(TOY):02X}{TOY.hex()}").endswith(("9000", "610D"))
    return card


@pytest.mark.parametrize("protocol", [T0, T1, CL])
def test_answer_to_reset(protocol: LinkProtocol) -> None:
    atr = CardConfig(ProductionData(1), protocol=protocol).atr
    assert atr[0] == 0x3B
    if protocol is T0:
        assert atr[1:3] == bytes((0x1D, 0x96))
        assert len(atr) == 3 + 13
    else:
        assert reduce(xor, atr[1:]) == 0
        assert atr[1] == (0x9D if protocol is T1 else 0x8D)
    assert b"UNION" in atr


def test_chip_identity() -> None:
    chip = ProductionData(0x12345678, batch=0xABCD)
    assert len(chip.encode()) == 42
    assert chip.chip_serial == "600112345678ABCD4790"
    assert chip.key_data.hex().upper() == "0000ABCD123456786001"
    with pytest.raises(ValueError, match="serial number of 4 bytes"):
        ProductionData(1 << 32)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scp": 1},
        {"scp": 2, "i": 0x70},
        {"scp": 3, "i": 0x40},
        {"scp": 2, "key_size": 32},
        {"key_version": 0x80},
        {"ta1": 256},
    ],
)
def test_chips_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"SCP|key version|TA1"):
        CardConfig(ProductionData(1), **wrong)  # type: ignore[arg-type]


def test_stock_keys_are_diversified() -> None:
    """EMV CPS 1.1, 4.1 and VISA2 by hand: K = 3DES(KMC, part F0 c, part 0F c)."""
    from terminal.crypto import des

    kmc, chip = bytes(range(1, 17)), ProductionData(0x11223344, batch=0x5566, fabrication_date=0x7788)
    parts = {KeyDiversification.EMV_CPS: "112233447788", KeyDiversification.VISA2: "000011223344"}
    for method, part in parts.items():
        keys = CardConfig(chip, scp=2, kmc=Secret(kmc), diversification=method).stock_keys()
        for c, key in enumerate((keys.enc, keys.mac, keys.dek), 1):
            assert key == des.ecb_encrypt(kmc, bytes.fromhex(f"{part}F00{c}{part}0F0{c}"))
    keys = CardConfig(chip, kmc=Secret(kmc), diversification=KeyDiversification.KDF3, key_size=32).stock_keys()
    assert len({keys.enc, keys.mac, keys.dek}) == 3
    assert len(keys.enc) == 32
    assert CardConfig(chip).stock_keys().dek == TEST_KEY


def test_config_survives_and_tells_no_key() -> None:
    config = CardConfig(ProductionData(9), protocol=T0, scp=2, kmc=Secret(bytes(range(16))))
    assert CardConfig.decode(config.encode()) == config
    assert bytes(range(16)).hex() not in config.encode().decode()
    assert "00010203" not in repr(config)


@pytest.mark.parametrize(
    ("apdu", "answer"),
    [
        ("00A4", "6700"),
        ("00A404000201", "6700"),
        ("A0A4040000", "6E00"),
        ("FFA4040000", "6E00"),
        ("40A4040000", "6881"),
        ("01A4040000", "6881"),
        ("00B2010C00", "6D00"),
        ("80CA9F7E00", "6A88"),
        ("80CB9F7F00", "6D00"),
        ("80F0800700", "6982"),
        ("0070050000", "6A86"),
        ("8050000007010203040506", "6700"),
        ("8050120008010203040506070800", "6A88"),
        ("8050000108010203040506070800", "6A86"),
        ("00A4010000", "6A82"),
        ("00A40000023F00", "6A82"),
        ("00A4000C023F00", "6A82"),
        ("00A40800023F0000", "6A82"),
        ("00A40900022F0000", "6A82"),
        ("00A4020000", "6A82"),
        ("00A4050000", "6A86"),
        ("00A4FF0000", "6A86"),
        ("00A404000AF0F0F0F0F0F0F0F0F0F0", "6A82"),
        ("00C0000000", "6985"),
        ("10A4040000", "6884"),
        ("84CA9F7F00", "6982"),
    ],
)
def test_what_the_card_answers_a_stranger(apdu: str, answer: str) -> None:
    assert ask(toy_card(i=0x00), apdu) == answer


def test_files_are_absent_while_an_application_is_selected_too() -> None:
    card = selected()
    assert ask(card, "00A40000023F00") == "6A82"
    assert ask(card, "0001000000") == "019000"  # still selected


def test_the_card_says_that_it_has_no_master_file() -> None:
    """Card service data, tag 3: by full and partial name, and b1 card without MF. ISO/IEC 7816-4:2020, 12.2.2.2."""
    objects = Atr.parse(CardConfig(ProductionData(1)).atr).history.objects
    assert objects is not None
    assert {item.tag: item.value for item in objects}[3] == b"\xc1"


def test_select_by_name_partial_and_next() -> None:
    card = with_toys(T1, TOY, OTHER)
    assert TOY.hex().upper() in ask(card, "00A4040007F04D454D42455200")
    assert OTHER.hex().upper() in ask(card, "00A4040207F04D454D42455200")
    assert ask(card, "00A4040207F04D454D42455200") == "6A82"
    assert ask(card, "00A4040C07F04D454D424552") == "9000"
    assert ask(card, "00A4040007F04D454D424553") == "6A82"
    assert ask(card, "0001000000") == "019000"
    assert ask(card, "00A4040000").startswith("6F")
    assert ask(card, "0001000000") == "6D00"


@pytest.mark.parametrize(("p2", "occurrence"), [("04", "00"), ("06", "02"), ("0E", "02")])
def test_the_control_parameters_of_an_application_are_its_fci(p2: str, occurrence: str) -> None:
    """UICC hosts (pySim) select every application with P2 = 04."""
    answer, expected = (ask(with_toys(T1, TOY), f"00A404{way}09{TOY.hex()}00") for way in (p2, occurrence))
    assert expected.startswith("6F0B8409")
    assert answer == ("9000" if p2 == "0E" else expected)
    domain = "08A00000015100000000"
    assert ask(toy_card(), f"00A40404{domain}") == ask(toy_card(), f"00A40400{domain}")


@pytest.mark.parametrize("p2", ["01", "03", "05", "08", "0A", "10", "24", "84"])
def test_other_selections_by_name_are_refused(p2: str) -> None:
    assert ask(with_toys(T1, TOY), f"00A404{p2}09{TOY.hex()}00") == "6A86"


def test_selection_forgets_volatile_state() -> None:
    card = selected()
    assert ask(card, "0001000000") == "019000"
    assert ask(card, "0001000000") == "029000"
    card.reset()
    ask(card, f"00A4040009{TOY.hex()}00")
    assert ask(card, "0001000000") == "019000"
    ask(card, "00A4040000")
    ask(card, f"00A4040009{TOY.hex()}00")
    assert ask(card, "0001000000") == "019000"


def test_t1_gives_data_at_once() -> None:
    card = selected(T1)
    assert ask(card, "000300000301020300") == "0102039000"
    assert ask(card, "0002000504") == "6C05"
    assert ask(card, "0002000505") == "AAAAAAAAAA9000"
    assert ask(card, "0002000500") == "AAAAAAAAAA9000"


@pytest.mark.parametrize("protocol", [T1, CL])
def test_a_command_without_le_has_its_data_at_once_but_at_t0(protocol: LinkProtocol) -> None:
    card = selected(protocol)
    assert ask(card, "0003000003010203") == "0102039000"
    assert ask(card, "00C0000003") == "6985"
    assert ask(card, "00020005") == "AAAAAAAAAA9000"
    assert ask(card, "00A4040008A000000151000000").startswith("6F")
    assert ask(card, "80500000080102030405060708").endswith("9000")
    data = bytes(range(250)) * 2
    assert selected(protocol).exchange(bytes.fromhex("000300000001F4") + data) == data + b"\x90\x00"
    assert selected(protocol).exchange(bytes.fromhex("00020100"))[-2:] == b"\x61\x00"


def test_t1_extended_and_long_answers() -> None:
    card = selected(T1)
    long = bytes(range(256)) * 10
    assert card.exchange(bytes.fromhex("00020100000000")) == long + b"\x90\x00"
    first = card.exchange(bytes.fromhex("0002010000"))
    assert first == long[:256] + b"\x61\x00"
    collected = first[:-2]
    while first[-2] == 0x61:
        first = card.exchange(bytes((0, 0xC0, 0, 0, first[-1])))
        collected += first[:-2]
    assert (collected, first[-2:]) == (long, b"\x90\x00")
    data = bytes(1000)
    assert card.exchange(bytes.fromhex("000300000003E8") + data + b"\x00\x00") == data + b"\x90\x00"


def test_a_mac_covers_the_length_as_it_was_sent() -> None:
    """A host may use extended lengths throughout: its MAC covers Lc in three bytes. Amendment D 1.2, 6.2.4."""
    card = VirtualCard.create(None, CardConfig(ProductionData(1)))
    card.power_on()
    host = GpHost(card)
    host.initialize_update()
    body = host.host_cryptogram
    head = bytes.fromhex("84820100 000010")
    raw = head + body + aes.cmac(host.s_mac, bytes(16) + head + body)[:8]
    assert card.exchange(raw) == b"\x90\x00"


def test_t0_takes_two_steps() -> None:
    card = selected(T0)
    assert ask(card, "0003000003010203") == "6103"
    assert ask(card, "00C0000004") == "6C03"
    assert ask(card, "00C0000002") == "01026101"
    assert ask(card, "00C0000001") == "039000"
    assert ask(card, "000300000301020300") == "6103"
    assert ask(card, "0002000500") == "6C05"
    assert ask(card, "0002000505") == "AAAAAAAAAA9000"
    assert ask(card, "0001000000") == "6C01"
    assert ask(card, "0001000001") == "019000"  # the first answer, not a second count
    assert ask(card, "0001000001") == "029000"
    assert ask(card, "000300000003010203") == "6700"
    assert ask(card, "00040000020102") == "9000"


def test_t0_forgets_an_answer_nobody_fetched() -> None:
    card = selected(T0)
    assert ask(card, "0003000003010203") == "6103"
    assert ask(card, "0001000001") == "019000"
    assert ask(card, "00C0000003") == "6985"
    assert ask(card, "0001000000") == "6C01"
    assert ask(card, "00040000020102") == "9000"
    assert ask(card, "0001000001") == "039000"


def test_logical_channels() -> None:
    card = with_toys(T1, TOY, OTHER)
    assert ask(card, "0070000001") == "019000"
    assert ask(card, "00700003") == "9000"
    assert ask(card, "0070000001") == "029000"
    assert ask(card, "0070000001") == "6A81"
    assert ask(card, "00700003") == "6A86"
    assert TOY.hex().upper() in ask(card, f"01A4040009{TOY.hex()}00")
    assert ask(card, f"02A4040009{TOY.hex()}00") == "6985"
    assert OTHER.hex().upper() in ask(card, f"02A4040009{OTHER.hex()}00")
    assert ask(card, "0101000000") == "019000"
    assert ask(card, "0201000000") == "019000"
    assert ask(card, "0101000000") == "029000"
    assert ask(card, "0001000000") == "6D00"
    assert ask(card, "00708001") == "9000"
    assert ask(card, "0101000000") == "6881"
    assert ask(card, "00708001") == "6881"
    assert ask(card, "00708000") == "6A86"
    assert ask(card, f"02A4040009{TOY.hex()}00").endswith("9000")
    card.reset()
    assert ask(card, "0201000000") == "6881"


def test_a_session_belongs_to_its_channel() -> None:
    card = toy_card()
    assert ask(card, "0070000001") == "019000"
    host = GpHost(card, channel=1)
    assert host.open(0x33) == 0x9000
    assert host.send(0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256).sw == 0x9000
    assert ask(card, "80F28002024F0000") == "6982"
    assert host.send(0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256).sw == 0x9000


def test_command_chaining() -> None:
    card = selected()
    assert ask(card, "10030000020102") == "9000"
    assert ask(card, "10030000020304") == "9000"
    assert ask(card, "0003000001FF00") == "01020304FF9000"
    assert ask(card, "1001000000") == "6884"
    assert ask(card, "10030000020102") == "9000"
    assert ask(card, "0001000000") == "6883"
    assert ask(card, "000300000109 00".replace(" ", "")) == "099000"


def test_power() -> None:
    card = selected()
    card.power_off()
    card.power_off()
    assert not card.powered
    with pytest.raises(PowerLost):
        card.exchange(b"\x00\xa4\x04\x00")
    with pytest.raises(PowerLost):
        card.reset()
    assert card.power_on() == card.atr
    assert ask(card, "0001000000") == "6D00"


def test_the_meter() -> None:
    card = selected()
    ask(card, "0003000003010203 00".replace(" ", ""))
    assert (card.meter.bytes_in, card.meter.bytes_out, card.meter.pages, card.meter.operations) == (9, 5, 0, {})
    ask(card, "00040000020102")
    assert card.meter.pages == 2
    ask(card, "0070000001")
    ask(card, "8150000008010203040506070800")
    assert card.meter.operations["aes"] > 5


def test_a_tear_inside_a_command() -> None:
    card = selected()
    ask(card, "00040000020102")
    for page in range(3):
        card.tear = TearAt(page)
        with_power = True
        try:
            ask(card, "00040000020304")
        except PowerLost:
            with_power = False
        card.tear = None
        assert card.powered == with_power
        card.power_on()
        ask(card, f"00A4040009{TOY.hex()}00")
        host_memory = card._nvm.scope(f"app/{TOY.hex()}")  # the applet's own view would need a command of its own
        assert dict(host_memory) == {n: b"\x03\x04" if with_power else b"\x01\x02" for n in ("one", "two")}


@pytest.mark.parametrize("sync", [False, True])
def test_card_file(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "one.card"
    card = VirtualCard.create(path, CardConfig(ProductionData(5)), rom=TOY_ROM, sync=sync)
    with pytest.raises(FileExistsError):
        VirtualCard.create(path, CardConfig(ProductionData(6)), rom=TOY_ROM)
    card.power_on()
    other = VirtualCard.open(path, rom=TOY_ROM)
    assert other.chip_serial == card.chip_serial == "6001000000050001" + "4790"
    with pytest.raises(CardInUse):
        other.power_on()
    host = GpHost(card)
    host.open()
    assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x9000
    card.power_off()
    other.power_on()
    assert TOY.hex().upper() in ask(other, f"00A4040009{TOY.hex()}00")
    other.power_off()
    card.power_on()
    assert [i.aid for i in card.registry.instances] == [TOY]
    card.power_off()


def test_one_chip_by_two_interfaces(tmp_path: Path) -> None:
    path = tmp_path / "one.card"
    contact = VirtualCard.create(path, CardConfig(ProductionData(5)), rom=())
    contactless = VirtualCard.open(path, rom=(), protocol=CL)
    assert contactless.power_on() == CardConfig(ProductionData(5), protocol=CL).atr != contact.atr
    assert contactless.config.contactless
    contactless.power_off()
    assert contact.power_on() == CardConfig(ProductionData(5)).atr
    contact.power_off()


def test_a_torn_card_file_opens(tmp_path: Path) -> None:
    path = tmp_path / "one.card"
    VirtualCard.create(path, CardConfig(ProductionData(5)), rom=())
    with path.open("ab") as file:
        file.write(b"\x00\x00\x00\x50 start")
    size = path.stat().st_size
    card = VirtualCard.open(path, rom=())
    card.power_on()
    assert path.stat().st_size < size
    assert GpHost(card).open() == 0x9000
    card.power_off()
    assert VirtualCard.open(path, rom=()).chip_serial == card.chip_serial


def test_a_full_disk_is_a_memory_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = VirtualCard.create(tmp_path / "one.card", CardConfig(ProductionData(5)), rom=TOY_ROM)
    card.power_on()
    host = GpHost(card)
    host.open()

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x6581
    assert card.registry.instances == []
    assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x9000
    card.power_off()


def test_a_memory_without_a_chip(tmp_path: Path) -> None:
    from simulators.card.cardfile import CardFile

    CardFile.create(tmp_path / "empty.card", b"")
    with pytest.raises(MemoryDamaged, match="no chip identity"):
        VirtualCard.open(tmp_path / "empty.card")
