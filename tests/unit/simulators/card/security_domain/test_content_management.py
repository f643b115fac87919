"""Load files, instances, keys, life cycles and data of the security domain."""

from __future__ import annotations

import hashlib

import pytest

from simulators.applets.rom import DIRECTORY, MEMBER, PAYMENT, ROM
from simulators.card.config import CardConfig, ProductionData
from simulators.card.content import CARD_RESET, CardLifeCycle
from simulators.card.security_domain.cap import LoadFileError, parse
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Response
from terminal.crypto import kcv
from terminal.tlv import decode, dgi, tlv
from tests.support.cards.gp_host import TEST_KEY, GpHost, lv
from tests.support.cards.toy_applet import toy_card

ISD = bytes.fromhex("A000000151000000")
PACKAGE, MODULE = bytes.fromhex("F00102030405"), bytes.fromhex("F0010203040501")
TOY = bytes.fromhex("F04D454D4245520101")
NEW = tuple(bytes((n,)) * 16 for n in (0x11, 0x22, 0x33))


def component(tag: int, info: bytes) -> bytes:
    return bytes((tag,)) + len(info).to_bytes(2, "big") + info


def cap(package: bytes = PACKAGE, modules: tuple[bytes, ...] = (MODULE,), code: int = 700) -> bytes:
    """A load file data block as a converter would write it: header, directory, applet, method."""
    header = bytes.fromhex("DECAFFED010204") + bytes((3, 1)) + lv(package)
    applets = bytes((len(modules),)) + b"".join(lv(aid) + b"\x00\x08" for aid in modules)
    parts = [(1, header), (2, bytes(31)), (3, applets), (7, bytes(code))]
    return b"".join(component(tag, info) for tag, info in parts)


def load_file(block: bytes) -> bytes:
    return tlv(0xC4, block).encode()


def hosted(level: int = 1, **config: object) -> tuple[GpHost, VirtualCard]:
    card = toy_card(**config)
    host = GpHost(card)
    assert host.open(level) == 0x9000
    return host, card


def announce(host: GpHost, aid: bytes = PACKAGE, digest: bytes = b"", domain: bytes = ISD) -> int:
    return host.send(0x80, 0xE6, 0x02, 0, lv(aid, domain, digest, b"", b""), 256).sw


def load(host: GpHost, data: bytes, *, size: int = 200) -> list[int]:
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    answers = []
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        answers.append(int(host.send(0x80, 0xE8, 0x80 * last, number, block, 256 if last else None).sw))
    return answers


def listing(host: GpHost, scope: int, data: bytes = b"\x4f\x00") -> list[dict[int, bytes]]:
    """GET STATUS in TLV form, as often as the card says there is more."""
    response = host.send(0x80, 0xF2, scope, 0x02, data, 256)
    entries = response.data
    while response.sw == 0x6310:
        response = host.send(0x80, 0xF2, scope, 0x03, data, 256)
        entries += response.data
    assert response.sw == 0x9000
    return [{int(item.tag): item.value for item in entry.children} for entry in decode(entries)]


# ---- loading


def test_a_cap_file_is_loaded_and_installed() -> None:
    host, card = hosted(3)
    block = cap()
    assert announce(host, digest=hashlib.sha256(block).digest()) == 0x9000
    assert set(load(host, load_file(block))) == {0x9000}
    files = {entry[0x4F]: entry for entry in listing(host, 0x10)}
    assert files[PACKAGE][0x84] == MODULE
    assert files[PACKAGE][0xCE] == b"\x01\x03"
    assert set(files) == {PACKAGE, MEMBER.package, DIRECTORY.package, PAYMENT.package}
    assert host.install(PACKAGE, MODULE, MODULE).sw == 0x9000
    fci = card.exchange(bytes.fromhex("00A4040007") + MODULE + b"\x00")
    assert fci.hex().upper() == f"6F0B8407{MODULE.hex().upper()}A5009000"
    assert card.exchange(bytes.fromhex("00B2010C00")) == b"\x6d\x00"


@pytest.mark.parametrize(
    "block",
    [
        b"",
        cap()[:-1],
        cap()[1:],
        cap() + b"\x00",
        cap() + component(7, b""),
        component(2, bytes(3)) + cap(),
        cap(package=bytes(4)),
        cap(modules=(b"\x01\x02",)),
        component(1, bytes.fromhex("CAFEBABE010204") + bytes((3, 1)) + lv(PACKAGE)),
        component(1, bytes.fromhex("DECAFFED010204") + bytes((3, 1, 16)) + PACKAGE),
        cap() + component(16, b""),
    ],
)
def test_what_is_no_cap_file(block: bytes) -> None:
    with pytest.raises(LoadFileError):
        parse(block)
    host, card = hosted()
    assert announce(host) == 0x9000
    if block:
        assert load(host, load_file(block))[-1] == 0x6A80
    assert card.registry.file(PACKAGE) is None


def test_nothing_is_registered_unless_complete() -> None:
    host, card = hosted()
    whole = load_file(cap())
    assert host.send(0x80, 0xE8, 0, 0, whole[:100]).sw == 0x6985  # not announced
    for broken in (whole + b"\x00", whole[:-1], b"\xc5" + whole[1:], tlv(0xC4, cap(package=b"\xf0other")).encode()):
        assert announce(host) == 0x9000
        assert load(host, broken)[-1] == 0x6A80
    assert announce(host, digest=bytes(20)) == 0x9000
    assert load(host, whole)[-1] == 0x6A80
    assert announce(host) == 0x9000
    assert host.send(0x80, 0xE8, 0, 0, whole[:100]).sw == 0x9000
    assert host.send(0x80, 0xE8, 0, 2, whole[100:200]).sw == 0x6A86
    assert host.send(0x80, 0xE8, 0, 1, whole[100:200]).sw == 0x6985  # a wrong block ends the loading
    assert announce(host) == 0x9000
    assert host.send(0x80, 0xE8, 0, 0, whole[:100]).sw == 0x9000
    host.open()
    assert host.send(0x80, 0xE8, 0x80, 1, whole[100:]).sw == 0x6985
    assert card.registry.file(PACKAGE) is None
    assert announce(host, digest=bytes(19)) == 0x6A80
    assert announce(host, aid=b"\xf0") == 0x6A80
    assert announce(host, domain=b"\xf0\x01\x02\x03\x04") == 0x6A88
    assert announce(host, aid=MEMBER.package) == 0x6A89


def test_a_load_file_with_a_signature_block_in_front() -> None:
    host, card = hosted()
    dap = tlv(0xE2, [tlv(0x4F, ISD), tlv(0xC3, bytes(8))]).encode()
    assert announce(host) == 0x9000
    assert load(host, dap + load_file(cap()))[-1] == 0x9000
    assert card.registry.file(PACKAGE) is not None


# ---- installing and deleting


def test_install_in_two_steps() -> None:
    host, card = hosted()
    data = lv(MEMBER.package, MEMBER.module, TOY, b"\x00", b"\xc9\x02\xab\xcd", b"")
    assert host.send(0x80, 0xE6, 0x04, 0, data, 256).data == b"\x00"
    assert listing(host, 0x40)[0][0x9F70] == b"\x03"
    assert card.registry.instances[0].parameters == b"\xab\xcd"
    host.card.exchange(bytes.fromhex("00A4040009") + TOY + b"\x00")
    host.open()
    make = lv(b"", b"", TOY, b"\x00", b"", b"")
    assert host.send(0x80, 0xE6, 0x08, 0, make, 256).sw == 0x9000
    assert host.send(0x80, 0xE6, 0x08, 0, make, 256).sw == 0x6985
    assert card.exchange(bytes.fromhex("00A4040009") + TOY + b"\x00")[-2:] == b"\x90\x00"


@pytest.mark.parametrize(
    ("p1", "fields", "sw"),
    [
        (0x0C, lv(PACKAGE, MODULE, TOY, b"\x00", b"", b""), 0x6A88),
        (0x0C, lv(MEMBER.package, MODULE, TOY, b"\x00", b"", b""), 0x6A88),
        (0x0C, lv(MEMBER.package, MEMBER.module, ISD, b"\x00", b"", b""), 0x6A89),
        (0x0C, lv(MEMBER.package, MEMBER.module, MEMBER.package, b"\x00", b"", b""), 0x6A89),
        (0x0C, lv(MEMBER.package, MEMBER.module, b"\xf0", b"\x00", b"", b""), 0x6A80),
        (0x0C, lv(MEMBER.package, MEMBER.module, TOY, b"\x00\x00", b"", b""), 0x6A80),
        (0x0C, lv(MEMBER.package, MEMBER.module, TOY, b"\x00", b"\xca\x00", b""), 0x6A80),
        (0x0C, lv(MEMBER.package, MEMBER.module, TOY, b"\x00", b"", b"\x01"), 0x6A80),
        (0x0C, lv(MEMBER.package, MEMBER.module, TOY), 0x6A80),
        (0x0C, lv(MEMBER.package, MEMBER.module, TOY)[:-1], 0x6A80),
        (0x0C, b"", 0x6A80),
        (0x01, lv(b""), 0x6A86),
        (0x8C, lv(b""), 0x6A86),
        (0x08, lv(b"", b"", TOY, b"\x00", b"", b""), 0x6A88),
        (0x20, lv(b"", b"", TOY, b"", b"", b""), 0x6A88),
        (0x10, lv(ISD, b"", TOY, b"", b"", b""), 0x6A88),
        (0x40, lv(b"", b"", TOY, b"\x00", b"", b""), 0x6A88),
    ],
)
def test_installs_that_are_refused(p1: int, fields: bytes, sw: int) -> None:
    host, card = hosted()
    assert host.send(0x80, 0xE6, p1, 0, fields, 256).sw == sw
    assert card.registry.instances == []


def test_an_aid_is_taken_once() -> None:
    host, _ = hosted()
    assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x9000
    assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x6A89
    assert announce(host, aid=TOY) == 0x6A89


def test_delete_and_dependents() -> None:
    host, card = hosted()
    announce(host)
    load(host, load_file(cap()))
    instances = (MODULE, MODULE + b"\x01")
    for aid in instances:
        assert host.install(PACKAGE, MODULE, aid).sw == 0x9000

    def delete(data: bytes, p2: int = 0) -> int:
        return host.send(0x80, 0xE4, 0, p2, data, 256).sw

    assert delete(tlv(0x4F, PACKAGE).encode()) == 0x6985
    assert delete(tlv(0x4F, instances[0]).encode()) == 0x9000
    assert delete(tlv(0x4F, instances[0]).encode()) == 0x6A88
    assert delete(tlv(0x4F, PACKAGE).encode(), 0x80) == 0x9000
    assert card.registry.instances == []
    assert card.registry.file(PACKAGE) is None
    assert delete(tlv(0x4F, ISD).encode()) == 0x6985
    assert delete(tlv(0x4F, MEMBER.package).encode()) == 0x6985  # in ROM
    assert delete(b"\x4f\x05\x01") == 0x6A80
    assert delete(b"") == 0x6A80
    assert host.send(0x80, 0xE4, 1, 0, b"", 256).sw == 0x6A86


def test_delete_takes_the_data_and_spares_what_is_in_use() -> None:
    host, card = hosted()
    host.install(MEMBER.package, MEMBER.module, TOY)
    assert card.exchange(bytes.fromhex("0070000001")) == b"\x01\x90\x00"
    card.exchange(bytes.fromhex("01A4040009") + TOY)
    assert card.exchange(bytes.fromhex("0104000002BEEF")) == b"\x90\x00"
    assert host.send(0x80, 0xE4, 0, 0, tlv(0x4F, TOY).encode(), 256).sw == 0x6985
    assert card.exchange(bytes.fromhex("00708001")) == b"\x90\x00"
    assert host.send(0x80, 0xE4, 0, 0, tlv(0x4F, TOY).encode(), 256).sw == 0x9000
    host.install(MEMBER.package, MEMBER.module, TOY)
    card.reset()
    card.exchange(bytes.fromhex("00A4040009") + TOY)
    assert dict(card._nvm.scope(f"app/{TOY.hex()}")) == {}


def test_default_selected() -> None:
    host, card = hosted()
    assert host.install(MEMBER.package, MEMBER.module, TOY, privileges=b"\x04").sw == 0x9000
    assert host.install(MEMBER.package, MEMBER.module, TOY + b"\x01", privileges=b"\x04").sw == 0x6985
    assert card.registry.instances[0].privileges == CARD_RESET
    card.reset()
    assert card.exchange(bytes.fromhex("0001000000")) == b"\x01\x90\x00"
    card.exchange(bytes.fromhex("00A4040000"))
    assert host.open() == 0x9000
    assert host.send(0x80, 0xE6, 0x40, 0, lv(b"", b"", TOY, b"\x00", b"", b""), 256).sw == 0x9000
    card.reset()
    assert card.exchange(bytes.fromhex("0001000000")) == b"\x6d\x00"


def test_a_default_application_that_does_not_answer_leaves_the_card_to_its_security_domain() -> None:
    """The member application refuses its selection until it is personalized: the card must start all the same."""
    card = VirtualCard.create(None, CardConfig(ProductionData(7)))
    card.power_on()
    host = GpHost(card)
    assert host.open() == 0x9000
    assert host.install(MEMBER.package, MEMBER.module, TOY, privileges=b"\x04").sw == 0x9000
    assert card.exchange(bytes.fromhex("0070000001")) == b"\x01\x90\x00"
    assert card.reset() == card.atr
    assert GpHost(card).open() == 0x9000


def test_extradition() -> None:
    host, _ = hosted()
    domain = bytes.fromhex("F0010203040599")
    announce(host)
    load(host, load_file(cap()))
    assert host.install(PACKAGE, MODULE, domain, privileges=b"\x80").sw == 0x9000
    assert host.install(MEMBER.package, MEMBER.module, TOY).sw == 0x9000
    assert host.send(0x80, 0xE6, 0x10, 0, lv(domain, b"", TOY, b"", b"", b""), 256).sw == 0x9000
    assert next(e for e in listing(host, 0x40) if e[0x4F] == TOY)[0xCC] == domain
    assert host.for_personalization(TOY).sw == 0x6985
    assert host.send(0x80, 0xE6, 0x10, 0, lv(ISD, b"", TOY, b"", b"", b""), 256).sw == 0x6985


# ---- status and life cycle


def test_status_in_both_forms_and_pages() -> None:
    host, _ = hosted(0x33)
    for n in range(25):
        assert host.install(MEMBER.package, MEMBER.module, TOY + bytes((n,))).sw == 0x9000
    entries = listing(host, 0x40)
    assert [e[0x4F] for e in entries] == [TOY + bytes((n,)) for n in range(25)]
    assert entries[3] == {
        0x4F: TOY + b"\x03", 0x9F70: b"\x07", 0xC5: b"\x00\x00\x00", 0xC4: MEMBER.package, 0xCC: ISD,
    }  # fmt: skip
    assert listing(host, 0x40, b"\x4f\x0a" + TOY + b"\x07\x5c\x03\x4f\x9f\x70") == [
        {0x4F: TOY + b"\x07", 0x9F70: b"\x07"}
    ]
    assert len(listing(host, 0xF0)) == 1 + 25 + len(ROM)
    legacy = host.send(0x80, 0xF2, 0x80, 0x00, b"\x4f\x00", 256).data
    assert legacy.hex().upper() == "08A000000151000000019E"
    files = host.send(0x80, 0xF2, 0x10, 0x00, b"\x4f\x00", 256).data
    assert files == lv(MEMBER.package) + b"\x01\x00\x01" + lv(MEMBER.module) + lv(DIRECTORY.package) + (
        b"\x01\x00\x01" + lv(DIRECTORY.module) + lv(PAYMENT.package) + b"\x01\x00\x01" + lv(PAYMENT.module)
    )
    assert host.send(0x80, 0xF2, 0x20, 0x00, b"\x4f\x00", 256).data == (
        lv(MEMBER.package) + b"\x01\x00" + lv(DIRECTORY.package) + b"\x01\x00" + lv(PAYMENT.package) + b"\x01\x00"
    )


@pytest.mark.parametrize(
    ("p1", "p2", "data", "sw"),
    [
        (0x40, 2, b"\x4f\x00", 0x6A88),
        (0x80, 2, b"\x4f\x05\xf0\x01\x02\x03\x04", 0x6A88),
        (0x00, 2, b"\x4f\x00", 0x6A86),
        (0x81, 2, b"\x4f\x00", 0x6A86),
        (0x80, 4, b"\x4f\x00", 0x6A86),
        (0x80, 3, b"\x4f\x00", 0x6985),
        (0x80, 2, b"", 0x6A80),
        (0x80, 2, b"\x4f\x02\x01", 0x6A80),
        (0x80, 2, b"\x5c\x01\x4f", 0x6A80),
    ],
)
def test_status_questions_that_are_refused(p1: int, p2: int, data: bytes, sw: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xF2, p1, p2, data, 256).sw == sw


def test_life_cycle_of_the_card() -> None:
    host, card = hosted()

    def move(state: int) -> int:
        return host.send(0x80, 0xF0, 0x80, state, ISD).sw

    host.install(MEMBER.package, MEMBER.module, TOY)
    assert [move(s) for s in (0x01, 0x0F, 0x7F, 0x33)] == [0x6985, 0x6985, 0x6985, 0x6A86]
    assert [move(s) for s in (0x07, 0x07, 0x01, 0x0F, 0x07)] == [0x9000, 0x6985, 0x6985, 0x9000, 0x6985]
    assert listing(host, 0x80)[0][0x9F70] == b"\x0f"
    card.power_off()
    assert card.state is CardLifeCycle.SECURED
    card.power_on()
    host.open()
    assert host.send(0x80, 0xE2, 0x80, 0, b"\x42\x01\x01").sw == 0x6985
    assert card.exchange(bytes.fromhex("0070000001")) == b"\x01\x90\x00"
    assert card.exchange(bytes.fromhex("01A4040009") + TOY + b"\x00")[-2:] == b"\x90\x00"
    assert move(0x7F) == 0x9000
    assert card.exchange(bytes.fromhex("0101000000")) == b"\x6d\x00"
    assert host.install(MEMBER.package, MEMBER.module, TOY + b"\x01").sw == 0x6985
    assert host.put_keys(0, 1, NEW).sw == 0x6985
    assert host.send(0x80, 0xF0, 0x40, 0x80, TOY).sw == 0x6985
    assert card.exchange(bytes.fromhex("00A4040009") + TOY) == b"\x6a\x82"
    assert card.exchange(bytes.fromhex("00A4040000"))[-2:] == b"\x62\x83"
    host.open()
    assert move(0x0F) == 0x9000
    assert card.exchange(bytes.fromhex("00A4040009") + TOY + b"\x00")[-2:] == b"\x90\x00"
    card.exchange(bytes.fromhex("00A4040000"))
    host.open()
    assert move(0xFF) == 0x9000
    assert card.exchange(bytes.fromhex("00A4040000")) == b"\x69\x85"
    card.reset()
    assert host.initialize_update().sw == 0x6985
    assert card.exchange(bytes.fromhex("80CA9F7F00"))[-2:] == b"\x90\x00"


def test_locking_an_application() -> None:
    host, card = hosted()
    host.install(MEMBER.package, MEMBER.module, TOY)

    def lock(p2: int, aid: bytes = TOY) -> int:
        return host.send(0x80, 0xF0, 0x40, p2, aid).sw

    assert lock(0x00) == 0x6985
    assert lock(0x80) == 0x9000
    assert listing(host, 0x40)[0][0x9F70] == b"\x87"
    assert card.exchange(bytes.fromhex("00A4040009") + TOY) == b"\x6a\x82"
    assert lock(0x07) == 0x9000
    assert listing(host, 0x40)[0][0x9F70] == b"\x07"
    assert lock(0x80, TOY + b"\x01") == 0x6A88
    assert host.send(0x80, 0xF0, 0x20, 0x80, TOY).sw == 0x6A86


# ---- keys


@pytest.mark.parametrize(("scp", "version"), [(2, 0x20), (3, 0x31)])
def test_key_rotation(scp: int, version: int) -> None:
    host, card = hosted(3, scp=scp)
    check = kcv.des_kcv if scp == 2 else kcv.aes_kcv
    old = 0x00 if scp == 2 else 0x30
    answer = host.put_keys(old, version, NEW)
    assert answer.data == bytes((version,)) + b"".join(check(key) for key in NEW)
    assert card.key_versions == [version]
    information = host.transmit(Command(0x80, 0xCA, 0, 0xE0, ne=256))
    assert information.sw == 0x6982  # the session asks for a MAC on everything
    assert host.open(1, version=card.config.key_version) == 0x6A88
    fresh = GpHost(card, keys=NEW)
    assert fresh.open(0x03, version) == 0x9000
    keys = decode(fresh.send(0x80, 0xCA, 0, 0xE0, ne=256).data)[0].children
    kind = "8010" if scp == 2 else "8810"
    assert [item.value.hex() for item in keys] == [f"{n:02x}{version:02x}{kind}" for n in (1, 2, 3)]


def test_adding_a_key_set_keeps_the_numbered_ones() -> None:
    host, card = hosted()
    assert host.put_keys(0, 0x31, NEW).sw == 0x9000
    assert card.key_versions == [0x30, 0x31]
    assert host.put_keys(0, 0x31, NEW).sw == 0x6A80
    assert GpHost(card, keys=NEW).open(1, 0x31) == 0x9000
    assert GpHost(card).open(1) == 0x9000


@pytest.mark.parametrize("size", [24, 32])
def test_long_aes_keys(size: int) -> None:
    card = toy_card(key_size=size)
    host = GpHost(card, keys=((TEST_KEY * 2)[:size],) * 3)
    assert host.open(0x33) == 0x9000
    keys = (bytes(range(size)),) * 3
    assert host.put_keys(0x30, 0x31, keys).sw == 0x9000
    assert GpHost(card, keys=keys).open(0x33, 0x31) == 0x9000


def test_one_key_of_a_set_is_replaced() -> None:
    host, card = hosted()
    assert host.send(0x80, 0xD8, 0x30, 0x03, b"\x30" + host.key_field(NEW[2]), 256).sw == 0x9000
    assert GpHost(card, keys=(TEST_KEY, TEST_KEY, NEW[2])).open(3, 0x30) == 0x9000


def test_key_commands_that_are_refused_change_nothing() -> None:
    host, card = hosted()
    good = [host.key_field(key) for key in NEW]
    wrong_kcv = good[2][:-1] + bytes((good[2][-1] ^ 1,))
    des_type = b"\x80" + good[2][1:]
    cases: list[tuple[int, int, bytes, int]] = [
        (0x30, 0x81, b"\x31" + good[0] + good[1] + wrong_kcv, 0x9485),
        (0x30, 0x81, b"\x31" + good[0] + good[1] + des_type, 0x9484),
        (0x30, 0x81, b"\x31" + good[0] + good[1] + good[2][:-1], 0x6A80),
        (0x30, 0x81, b"\x31" + good[0] + good[1], 0x6A80),
        (0x30, 0x81, b"\x80" + b"".join(good), 0x6A80),
        (0x30, 0x81, b"\x00" + b"".join(good), 0x6A80),
        (0x30, 0x01, b"\x31" + b"".join(good), 0x6A80),
        (0x32, 0x81, b"\x31" + b"".join(good), 0x6A88),
        (0x30, 0x82, b"\x30" + b"".join(good), 0x6A88),
        (0xB0, 0x81, b"\x31" + b"".join(good), 0x6A86),
        (0x30, 0x80, b"\x31" + b"".join(good), 0x6A86),
        (0x30, 0x81, b"\x31", 0x6A80),
    ]
    for p1, p2, data, sw in cases:
        assert host.send(0x80, 0xD8, p1, p2, data, 256).sw == sw, (p1, p2, sw)
    assert card.key_versions == [0x30]
    assert host.open(0x33) == 0x9000


@pytest.mark.parametrize("old", [0x00, 0x30])
def test_no_key_set_is_put_that_leaves_the_card_without_a_channel(old: int) -> None:
    """Keys of three lengths make no channel: where they would be the only ones, the card refuses them."""
    host, card = hosted()
    sizes = (bytes(range(16)), bytes(range(24)), bytes(range(32)))
    assert host.put_keys(old, 0x31, sizes).sw == (0x6A80 if old else 0x9000)
    assert card.key_versions == ([0x30] if old else [0x30, 0x31])
    assert GpHost(card).open() == 0x9000


def test_delete_key() -> None:
    host, card = hosted()

    def delete(data: str) -> int:
        return host.send(0x80, 0xE4, 0, 0, bytes.fromhex(data), 256).sw

    assert delete("D20130") == 0x6985  # the last key set
    assert host.put_keys(0, 0x31, NEW).sw == 0x9000
    assert delete("D20132") == 0x6A88
    assert delete("D20130") == 0x9000
    assert delete("D00103D20131") == 0x6985
    assert card.key_versions == [0x31]
    assert GpHost(card, keys=NEW).open() == 0x9000


# ---- data


def test_card_data() -> None:
    host, card = hosted(scp=2)
    host.card.reset()

    def get(tag: int) -> Response:
        return host.transmit(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256))

    assert get(0x9F7F).data == b"\x9f\x7f\x2a" + card.config.chip.encode()
    assert "2A864886FC6B040255" in get(0x66).data.hex().upper()
    assert get(0xCF).data == b"\xcf\x0a" + card.config.chip.key_data
    assert get(0xC1).data.hex() == "c1020001"
    assert get(0x67).data.hex() == "6708a006800102810155"
    assert get(0x42).sw == 0x6A88
    assert get(0xE0).data.hex().startswith("e012c00401ff8010")


@pytest.mark.parametrize("p1", [0x80, 0x90, 0x88])
def test_issuer_and_card_numbers(p1: int) -> None:
    host, _ = hosted()
    objects = tlv(0x42, b"\x62\x12").encode() + tlv(0x45, b"\x01\x02\x03").encode()
    data = dgi.encode([(0x0070, objects)]) if p1 == 0x88 else objects
    assert host.send(0x80, 0xE2, p1, 0, data).sw == 0x9000
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).data == b"\x42\x02\x62\x12"
    assert host.send(0x80, 0xCA, 0, 0x45, ne=256).data == b"\x45\x03\x01\x02\x03"


@pytest.mark.parametrize(
    ("p1", "data", "sw"),
    [
        (0x10, "420162", 0x6A86),
        (0xF0, "420162", 0x6A86),
        (0x90, "4202", 0x6A80),
        (0x90, "", 0x6A80),
        (0x90, "4200", 0x6A80),
        (0x90, "430101", 0x6A88),
        (0x88, "007103420162", 0x6A88),
        (0x88, "007004420162", 0x6A80),
    ],
)
def test_store_data_that_is_refused(p1: int, data: str, sw: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xE2, p1, 0, bytes.fromhex(data)).sw == sw
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).sw == 0x6A88
