"""Readers in this process: one card, a shared stock, options, and cards of a process that was killed."""

from __future__ import annotations

import os
import time
from itertools import count
from pathlib import Path

import pytest
from yubikit.core.smartcard import SmartCardProtocol

from simulators.card.config import CardConfig
from simulators.card.content import CardLifeCycle
from simulators.readers.reader import SimReader, open_reader
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Reader, Transport
from terminal.errors import CardGone, DeadlineExceeded, NoCard, ReaderFault, ReaderNotFound
from tests.support.cards import member_specimen
from tests.support.foreign import host as foreign_host

SELECT_ISD = bytes.fromhex("00A4040000")
CPLC = bytes.fromhex("80CA9F7F00")


def stock(path: Path, number: int = 3, protocol: LinkProtocol = LinkProtocol.T1) -> list[Path]:
    return list(make_stock(path, number, CardConfig(blank(), protocol=protocol)))


def serial(transport: Transport) -> bytes:
    """The card asked who it is; 6Cxx comes at T=0 only."""
    answer = transport.exchange(CPLC)
    return answer if answer[-2:] == b"\x90\x00" else transport.exchange(CPLC[:4] + answer[-1:])


def test_one_card(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1)
    reader = open_reader(str(path))
    assert isinstance(reader, Reader)
    assert (reader.name, reader.url) == (str(path), f"sim:{path}")
    assert reader.wait_for_card(0)
    card = reader.connect()
    assert isinstance(card, Transport)
    assert card.atr == VirtualCard.open(path).atr
    assert (card.protocol, card.extended_length) == (LinkProtocol.T1, True)
    assert serial(card)[-2:] == b"\x90\x00"
    assert card.reset() == card.atr
    reader.release(Disposition.KEEP)
    assert reader.wait_for_card(None)
    with pytest.raises(CardGone):
        card.exchange(SELECT_ISD)
    with pytest.raises(CardGone):
        card.reset()
    reader.connect().close()
    reader.release(Disposition.DONE)
    assert not reader.wait_for_card(None)
    with pytest.raises(NoCard):
        reader.connect()
    reader.close()
    assert path.exists()


def test_t0_cards(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1, LinkProtocol.T0)
    card = open_reader(str(path)).connect()
    assert (card.protocol, card.extended_length) == (LinkProtocol.T0, False)
    assert card.exchange(CPLC)[-2] == 0x6C


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/nowhere",
        "{path}?timing=fast",
        "{path}?fault=tear-apdu",
        "{path}?speed=9",
        "{path}?fault=mute:1&fault=slow:1:1",
    ],
)
def test_urls_that_mean_nothing(tmp_path: Path, rest: str) -> None:
    (path,) = stock(tmp_path, 1)
    with pytest.raises(ReaderNotFound):
        open_reader(rest.format(path=path))


def test_the_feeder_hands_out_each_card_once(tmp_path: Path) -> None:
    paths = stock(tmp_path, 6)
    readers = [open_reader(str(tmp_path)) for _ in range(3)]
    first = [serial_after_connect(reader) for reader in readers]
    assert len(set(first)) == 3
    for reader, disposition in zip(readers, (Disposition.DONE, Disposition.REJECT, Disposition.ASIDE), strict=True):
        reader.release(disposition)
    second = [serial_after_connect(reader) for reader in readers]
    assert len({*first, *second}) == 6
    assert not open_reader(str(tmp_path)).wait_for_card(0)
    for reader in readers:
        reader.release(Disposition.DONE)
        assert not reader.wait_for_card(None)
        reader.close()
    assert len(list((tmp_path / "issued").iterdir())) == 4
    assert [p.name for p in (tmp_path / "rejects").iterdir()] == [paths[1].name]
    assert [p.name for p in (tmp_path / "aside").iterdir()] == [paths[2].name]
    assert list((tmp_path / ".begun").iterdir()) == []


def serial_after_connect(reader: SimReader) -> bytes:
    assert reader.wait_for_card(0)
    return serial(reader.connect())


def test_keep_leaves_the_card_in_the_slot(tmp_path: Path) -> None:
    stock(tmp_path, 2)
    reader = open_reader(str(tmp_path))
    first = serial_after_connect(reader)
    reader.release(Disposition.KEEP)
    assert serial_after_connect(reader) == first
    reader.close()
    assert list((tmp_path / ".begun").iterdir()) == [], "an unchanged card is a blank like any other"


def test_what_was_broken_off_comes_first(tmp_path: Path) -> None:
    paths = stock(tmp_path, 4)
    readers = [open_reader(str(tmp_path)) for _ in range(3)]
    for reader in readers:
        reader.wait_for_card(0)
    host = foreign_host.open_domain(readers[2].connect())
    foreign_host.install(host, foreign_host.MEMBER_PACKAGE, member_specimen.MEMBER_AID, member_specimen.MEMBER_AID)
    for reader in readers:
        reader.close()
    again = open_reader(str(tmp_path))
    again.wait_for_card(0)
    again.connect()
    assert again.chip is not None
    assert again.chip.chip_serial in paths[2].name
    again.release(Disposition.DONE)
    again.wait_for_card(0)
    again.connect()
    assert again.chip.chip_serial in paths[0].name
    again.close()


def test_a_dead_process_lets_go_and_leaves_its_mark(tmp_path: Path) -> None:
    paths = stock(tmp_path, 3)
    child = os.fork()
    if not child:
        one, two = open_reader(str(tmp_path)), open_reader(str(tmp_path))
        one.wait_for_card(0)
        two.wait_for_card(0)
        foreign_host.open_domain(two.connect())
        os._exit(0)
    os.waitpid(child, 0)
    reader = open_reader(str(tmp_path))
    order = []
    while reader.wait_for_card(0):
        reader.connect()
        assert reader.chip is not None
        order.append(reader.chip.chip_serial)
        reader.release(Disposition.DONE)
    assert order == [paths[n].name[5:-5] for n in (1, 0, 2)], "the card that was at work, the one held, the blank"
    assert list((tmp_path / ".begun").iterdir()) == []


def test_a_full_bin_is_never_overwritten(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1)
    (tmp_path / "issued").mkdir()
    (tmp_path / "issued" / path.name).write_bytes(b"another card")
    reader = open_reader(str(tmp_path))
    reader.wait_for_card(0)
    with pytest.raises(ReaderFault, match="putting"):
        reader.release(Disposition.DONE)
    assert path.exists()
    assert (tmp_path / "issued" / path.name).read_bytes() == b"another card"


def test_a_move_that_was_cut_is_finished(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1)
    (tmp_path / "issued").mkdir()
    os.link(path, tmp_path / "issued" / path.name)
    reader = open_reader(str(tmp_path))
    reader.wait_for_card(0)
    reader.release(Disposition.DONE)
    assert not path.exists()


def test_a_whole_card_by_a_foreign_host(tmp_path: Path) -> None:
    specimen = member_specimen.specimen()
    for protocol in (LinkProtocol.T0, LinkProtocol.T1):
        (path,) = stock(tmp_path / protocol[-1], 1, protocol)
        reader = open_reader(f"{path}?timing=report")
        foreign_host.issue(reader.connect(), specimen)
        reader.close()
        assert reader.timing is not None
        cost = reader.timing.session
        assert 0.5 < cost.total < 5
        assert min(cost.link, cost.eeprom, cost.computing) > cost.total / 20
        assert VirtualCard.open(path).state is CardLifeCycle.SECURED
        card = open_reader(str(path)).connect()
        terminal = SmartCardProtocol(foreign_host.OverTransport(card))
        assert terminal.select(member_specimen.MEMBER_AID)[0] == 0x6F
        assert terminal.send_apdu(0x00, 0xB2, 2, 0x0C) == specimen.groups[0x0102]
        card.close()


@pytest.mark.parametrize("after", ["", "+"])
@pytest.mark.parametrize("where", ["tear-apdu", "tear-page"])
def test_a_tear_at_every_point_then_go_on(tmp_path: Path, where: str, after: str) -> None:
    """Whatever command or page write the power fails at, the card can be finished, and comes out the same."""
    specimen = member_specimen.specimen(1024)
    for at in count():
        (path,) = stock(tmp_path / str(at), 1)
        reader = open_reader(f"{path}?fault={where}:{at}{after}")
        try:
            foreign_host.issue(reader.connect(), specimen)
        except CardGone:
            finish(reader, specimen)
        else:
            assert at > 15
            break
        reader.close()
        card = VirtualCard.open(path)
        assert card.state is CardLifeCycle.SECURED
        assert [instance.state for instance in card.registry.instances] == [0x0F]


def finish(reader: SimReader, specimen: member_specimen.Specimen) -> None:
    """As a personalization line does: the card says how far it came."""
    assert reader.chip is not None
    host = foreign_host.open_domain(reader.connect())
    instances = reader.chip.registry.instances
    if not instances:
        foreign_host.install(host, foreign_host.MEMBER_PACKAGE, member_specimen.MEMBER_AID, member_specimen.MEMBER_AID)
    if not instances or instances[0].state != 0x0F:
        foreign_host.store(host, member_specimen.MEMBER_AID, specimen)
    for state in (0x07, 0x0F):
        if reader.chip.state < state:
            host.send_apdu(0x80, 0xF0, 0x80, state)


def test_a_mute_card_talks_after_reset(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1)
    card = open_reader(f"{path}?fault=mute:1").connect()
    assert card.exchange(SELECT_ISD)[-2:] == b"\x90\x00"
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            card.exchange(SELECT_ISD)
    card.reset()
    assert card.exchange(SELECT_ISD)[-2:] == b"\x90\x00"


def test_real_delay(tmp_path: Path) -> None:
    (path,) = stock(tmp_path, 1)
    reader = open_reader(f"{path}?timing=real")
    card = reader.connect()
    start = time.perf_counter()
    assert card.exchange(bytes.fromhex("8050000008010203040506070800"))[-2:] == b"\x90\x00"
    elapsed = time.perf_counter() - start
    assert reader.timing is not None
    assert elapsed >= reader.timing.exchanges[0].cost.total >= 0.04
