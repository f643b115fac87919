"""The payment application on a whole virtual card: installed from ROM, personalized through the ISD, used, blocked."""

from __future__ import annotations

import pytest

from simulators.applets.rom import PAYMENT
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Response
from terminal.crypto import des
from tests.support.cards.gp_host import GpHost
from tests.support.cards.payment_specimen import AID, KEYS, PaymentSpecimen, options, specimen
from tests.support.cards.payment_till import Given, given

SELECT = Command(0, 0xA4, 4, 0, AID, 256)
GPO = Command(0x80, 0xA8, 0, 0, bytes.fromhex("830A00000000001234015600"), 256)


@pytest.fixture(params=[2, 3])
def host(request: pytest.FixtureRequest) -> GpHost:
    """An issued card, selected. SCP02 and SCP03."""
    specimen_ = specimen()
    card = VirtualCard.create(None, CardConfig(chip=ProductionData(serial=7), scp=request.param))
    card.power_on()
    host = GpHost(card)
    assert host.open(1).ok
    assert host.install(PAYMENT.package, PAYMENT.module, AID).sw.ok
    assert host.for_personalization(AID).sw.ok
    personalize(host, specimen_)
    return host


def personalize(host: GpHost, card: PaymentSpecimen) -> None:
    groups = sorted(card.groups.items(), key=lambda item: item[0] in card.secret)
    for block, (number, value) in enumerate(groups):
        padded = value + bytes(-len(value) % 16) if number in card.secret and host.scp == 3 else value
        last = block == len(groups) - 1
        assert host.store([(number, padded)], block, last=last, secret=number in card.secret).sw.ok, f"{number:04X}"


def transact(host: GpHost, kind: int = 0x80) -> Given:
    assert host.transmit(GPO).data.endswith(options())
    return given(host.transmit(Command(0x80, 0xAE, kind, 0, bytes(52), 256)))


def script(host: GpHost, arqc: Given, ins: int) -> Response:
    counted = bytes(6) + arqc.atc + bytes(6) + bytes(b ^ 0xFF for b in arqc.atc)
    message = bytes((0x84, ins, 0, 0, 4)) + arqc.atc + arqc.ac + b"\x80"
    mac = des.retail_mac(des.ecb_encrypt(KEYS[16:32], counted), message + bytes(-len(message) % 8))
    return host.transmit(Command(0x84, ins, 0, 0, mac[:4]))


def test_a_transaction(host: GpHost) -> None:
    answer = host.transmit(SELECT)
    assert answer.sw.ok
    assert AID in answer.data
    assert transact(host).kind == 0x80
    host.card.reset()
    assert host.transmit(GPO).sw == 0x6D00, "after a reset the security domain is selected"
    assert host.transmit(SELECT).sw.ok
    assert transact(host).atc == b"\x00\x02"


def test_a_blocked_application_says_so_when_selected(host: GpHost) -> None:
    host.transmit(SELECT)
    assert script(host, transact(host), 0x1E).sw.ok
    answer = host.transmit(SELECT)
    assert (answer.sw, answer.data[:1]) == (0x6283, b"\x6f")


def test_a_blocked_card_selects_nothing_any_more(host: GpHost) -> None:
    """EMV 4.4 Book 3, 6.5.3: for good, through every reset."""
    host.transmit(SELECT)
    assert script(host, transact(host), 0x16).sw.ok
    for _ in range(2):
        for aid in (AID, b"1PAY.SYS.DDF01", bytes.fromhex("A000000151000000"), b""):
            assert host.transmit(Command(0, 0xA4, 4, 0, aid, 256)).sw == 0x6A81
        host.card.reset()
