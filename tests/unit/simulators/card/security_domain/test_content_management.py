"""INSTALL, LOAD and DELETE of the security domain: load files, instances, extradition."""

from __future__ import annotations

import hashlib

import pytest

from simulators.applets.rom import DIRECTORY, MEMBER, PAYMENT
from simulators.card.config import CardConfig, ProductionData
from simulators.card.content import CARD_RESET
from simulators.card.security_domain.cap import LoadFileError, parse
from simulators.virtual_card import VirtualCard
from terminal.tlv import tlv
from tests.support.cards.gp_host import GpHost, lv
from tests.support.cards.toys.toy_host import ISD, TOY, hosted, listing

PACKAGE, MODULE = bytes.fromhex("F00102030405"), bytes.fromhex("F0010203040501")


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


def announce(host: GpHost, aid: bytes = PACKAGE, digest: bytes = b"", domain: bytes = ISD) -> int:
    return host.send(0x80, 0xE6, 0x02, 0, lv(aid, domain, digest, b"", b""), 256).sw


def load(host: GpHost, data: bytes, *, size: int = 200) -> list[int]:
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    answers = []
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        answers.append(int(host.send(0x80, 0xE8, 0x80 * last, number, block, 256 if last else None).sw))
    return answers


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
