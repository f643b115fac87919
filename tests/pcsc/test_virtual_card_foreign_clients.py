"""Foreign programs with the virtual card in a real PC/SC slot: OpenSC, pcsc-tools and yubikit."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from smartcard.CardConnection import CardConnection
from smartcard.System import readers
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ApduError, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from simulators.card.config import CardConfig, ProductionData
from simulators.card.content import CardLifeCycle
from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.cards import member_specimen
from tests.support.foreign import host as foreign_host
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.pcsc, pytest.mark.xdist_group("pcsc")]

SERIAL = 0x00C0FFEE
PROTOCOLS = [LinkProtocol.T0, LinkProtocol.T1]


def blank(protocol: LinkProtocol, path: Path | None = None, serial: int = SERIAL) -> VirtualCard:
    return VirtualCard.create(path, CardConfig(ProductionData(serial), protocol=protocol))


@contextlib.contextmanager
def plugged(slot: Slot, card: VirtualCard) -> Iterator[VpcdSlot]:
    slot.wait(present=False)
    with VpcdSlot(slot.host, slot.port) as virtual:
        virtual.insert(card)
        slot.wait(present=True)
        yield virtual


def run(*command: str, timeout: float = PATIENCE) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def opensc(slot: Slot, *options: str) -> str:
    return run("opensc-tool", "--reader", slot.reader_name, *options)


@pytest.fixture(params=PROTOCOLS, ids=str)
def protocol(request: pytest.FixtureRequest) -> LinkProtocol:
    value: LinkProtocol = request.param
    return value


class PyscardConnection(SmartCardConnection):
    """yubikit's connection over pyscard."""

    def __init__(self, slot: Slot, protocol: LinkProtocol) -> None:
        (reader,) = [reader for reader in readers() if str(reader) == slot.reader_name]
        wanted = CardConnection.T0_protocol if protocol is LinkProtocol.T0 else CardConnection.T1_protocol
        self._connection = reader.createConnection()
        self._connection.connect(wanted)

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        data, sw1, sw2 = self._connection.transmit(list(apdu))
        if sw1 == 0x6C:
            data, sw1, sw2 = self._connection.transmit([*apdu[:4], sw2])
        return bytes(data), sw1 << 8 | sw2

    def close(self) -> None:
        self._connection.disconnect()
        self._connection.release()

    @property
    def atr(self) -> bytes:
        return bytes(self._connection.getATR())


def test_opensc_lists_the_reader_with_its_card(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot = pcscd.next_slot()
    with plugged(slot, blank(protocol)):
        lines = run("opensc-tool", "-l").splitlines()
    (line,) = [line for line in lines if slot.reader_name in line]
    assert re.match(r"\d+\s+Yes\s", line)


def test_opensc_prints_the_atr(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot, card = pcscd.next_slot(), blank(protocol)
    with plugged(slot, card):
        assert opensc(slot, "-a").strip().replace(":", "") == card.atr.hex()


def test_opensc_sends_commands(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot = pcscd.next_slot()
    with plugged(slot, blank(protocol)):
        selected = opensc(slot, "-s", "00A4040000")
        cplc = opensc(slot, "-s", "80CA9F7F2D" if protocol is LinkProtocol.T0 else "80CA9F7F00")
        unknown = opensc(slot, "-s", "00A4040005A000000999")
    assert "SW1=0x90, SW2=0x00" in selected
    assert "6F " in selected
    assert "A0 00 00 01 51 00 00 00" in selected
    assert f"{SERIAL:08X}" in "".join(re.findall(r"\b[0-9A-F]{2}\b", cplc))
    assert "SW1=0x6A, SW2=0x82" in unknown


def test_opensc_selects_without_le_and_finds_no_file(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot = pcscd.next_slot()
    with plugged(slot, blank(protocol)):
        selected = opensc(slot, "-s", "00A4040008A000000151000000")
        master_file = opensc(slot, "-s", "00A40000023F00")
    assert "SW1=0x90, SW2=0x00" in selected
    # Over T=0 the card answers 61xx, and opensc-tool does not fetch what it did not ask for.
    assert ("6F " in selected) is (protocol is LinkProtocol.T1)
    assert "SW1=0x6A, SW2=0x82" in master_file


def test_pcsc_scan_knows_an_answer_to_reset(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot, card = pcscd.next_slot(), blank(protocol)
    atr = card.atr.hex(" ").upper()
    seen = ""
    with plugged(slot, card):
        # It scans until it is stopped; -t is the limit if the card never appears.
        with subprocess.Popen(["pcsc_scan", "-n", "-t", "10"], stdout=subprocess.PIPE, text=True) as scan:
            assert scan.stdout is not None
            while atr not in seen and (line := scan.stdout.readline()):
                seen += line
            scan.terminate()
    assert slot.reader_name in seen
    assert atr in seen
    assert "Card inserted" in seen


def test_yubikit_opens_scp03_and_reads_in_the_channel(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot, card = pcscd.next_slot(), blank(protocol)
    with plugged(slot, card), contextlib.closing(PyscardConnection(slot, protocol)) as connection:
        assert connection.atr == card.atr
        host = SmartCardProtocol(connection)
        host.select(foreign_host.ISD_AID)
        host.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys.default()))
        assert host.send_apdu(0x80, 0xCA, 0x00, 0xE0) == bytes.fromhex("E012 C00401308810 C00402308810 C00403308810")
        cplc = host.send_apdu(0x80, 0xCA, 0x9F, 0x7F)
        assert cplc[:3] == bytes.fromhex("9F7F2A")
        assert SERIAL.to_bytes(4, "big") in cplc
        with pytest.raises(ApduError) as refused:
            host.send_apdu(0x80, 0xCA, 0x00, 0x5A)
        assert refused.value.sw == 0x6A88
        host.send_apdu(0x80, 0xCA, 0x00, 0x66)


def test_yubikit_with_wrong_keys(pcscd: Pcscd, protocol: LinkProtocol) -> None:
    slot = pcscd.next_slot()
    with plugged(slot, blank(protocol)), contextlib.closing(PyscardConnection(slot, protocol)) as connection:
        host = SmartCardProtocol(connection)
        host.select(foreign_host.ISD_AID)
        with pytest.raises(ValueError, match="SCP"):
            host.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys(bytes(16), bytes(16), bytes(16))))


def test_a_foreign_host_personalizes_and_a_foreign_terminal_reads(
    pcscd: Pcscd, protocol: LinkProtocol, tmp_path: Path
) -> None:
    slot, card = pcscd.next_slot(), blank(protocol, tmp_path / "one.card")
    specimen = member_specimen.specimen()
    with plugged(slot, card):
        with contextlib.closing(PyscardConnection(slot, protocol)) as connection:
            foreign_host.issue_over(connection, specimen)
        record = f"00B2020C{len(specimen.groups[0x0102]):02X}"
        read = opensc(slot, "-s", "00A4040009F04D454D424552010100", "-s", record)
    dump = "".join(re.findall(r"\b[0-9A-F]{2}(?= )", read))
    assert read.count("SW1=0x90, SW2=0x00") == 2
    assert specimen.groups[0x9102].hex().upper() in dump
    assert specimen.groups[0x0102].hex().upper() in dump
    assert VirtualCard.open(tmp_path / "one.card").state is CardLifeCycle.SECURED


def test_two_cards_in_two_slots(pcscd: Pcscd) -> None:
    one, two = pcscd.slots[:2]
    with plugged(one, blank(LinkProtocol.T0, serial=1)), plugged(two, blank(LinkProtocol.T1, serial=2)):
        with (
            contextlib.closing(PyscardConnection(one, LinkProtocol.T0)) as first,
            contextlib.closing(PyscardConnection(two, LinkProtocol.T1)) as second,
        ):
            hosts = [SmartCardProtocol(connection) for connection in (first, second)]
            for host in hosts:
                host.select(foreign_host.ISD_AID)
                host.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys.default()))
            answers = [host.send_apdu(0x80, 0xCA, 0x9F, 0x7F) for _ in range(3) for host in hosts]
    serials = [int.from_bytes(cplc[15:19], "big") for cplc in answers]
    assert serials == [1, 2] * 3
