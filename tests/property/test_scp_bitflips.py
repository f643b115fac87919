"""A wrapped command in which one bit was changed in transit is refused by the card, whichever bit it is.

Le is not changed: neither protocol signs it, since a T=0 terminal may have to change it.
"""

from __future__ import annotations

import pytest

from simulators.card.config import CardConfig, ProductionData
from terminal.apdu import Command, Response, stack
from terminal.globalplatform import (
    Aid,
    AuthenticationGuard,
    HostAuthentication,
    SecurityDomain,
    SecurityLevel,
    StatusScope,
    content,
    inventory,
    keys_from_master,
    open_channel,
)
from terminal.keys import GP_TEST_KEY, Algorithm, Diversification, MemoryCustody, Purpose
from terminal.secret import Secret
from tests.support.cards.card_slot import Slot
from tests.support.cards.scp_card import CardEnd, host

COMMANDS = (
    Command(0x80, 0xF2, 0x80, 0x02),
    Command(0x80, 0xCA, 0x00, 0x66, ne=256),
    Command(0x80, 0xE2, 0x88, 0x00, bytes(range(40))),
    Command(0x80, 0xF2, 0x40, 0x02, bytes.fromhex("4F00"), 256),
    Command(0x80, 0xE2, 0x88, 0x01, bytes(239)),
)


class Flipper:
    """Offers every one-bit neighbour of each command to copies of the card before the command itself goes through."""

    def __init__(self, card: CardEnd) -> None:
        self.card = card
        self.tried = 0
        self.taken: list[str] = []

    def send(self, command: Command) -> Response:
        if self.card.session.authenticated:
            raw = command.encode()
            signed = len(raw) - (command.ne is not None)
            for bit in range(8 * signed):
                changed = bytearray(raw)
                changed[bit // 8] ^= 0x80 >> bit % 8
                self.tried += 1
                if self.card.accepts(bytes(changed)):
                    self.taken.append(f"{command}, byte {bit // 8}, bit {8 - bit % 8}")
            assert self.card.accepts(raw)
        return self.card.send(command)


@pytest.mark.parametrize(
    ("algorithm", "i", "level"),
    [
        (Algorithm.TDES, 0x15, 0x01),
        (Algorithm.TDES, 0x55, 0x03),
        (Algorithm.AES128, 0x70, 0x01),
        (Algorithm.AES128, 0x70, 0x33),
        (Algorithm.AES256, 0x71, 0x33),
    ],
)
def test_no_one_bit_neighbour_of_a_wrapped_command_is_taken(algorithm: Algorithm, i: int, level: int) -> None:
    custody, keys = host(algorithm)
    flipper = Flipper(CardEnd(algorithm, i))
    channel = open_channel(
        flipper, HostAuthentication(keys, SecurityLevel(level), scp02_i=i), custody, AuthenticationGuard()
    )
    for command in COMMANDS if channel.max_data >= 239 else COMMANDS[:-1]:
        assert channel.send(command).sw.ok
    assert flipper.taken == []
    assert flipper.tried > 8 * 100


PACKAGE, MEMBER = Aid("F04D454D424552"), Aid("F04D454D4245520101")
WORK = (
    inventory.get_status(StatusScope.ISSUER_DOMAIN),
    content.install_for_personalization(MEMBER),
    content.delete(MEMBER),
)


def signed_length(level: int, command: Command) -> int:
    """Bytes of a wrapped command without its Le: header, Lc, padded data where they are encrypted, MAC."""
    block = 8 if level == 0x03 else 16
    data = len(command.data)
    return 5 + (data + block - data % block if data else 0) + 8


class OneBit:
    """Passes everything on, but the n-th command of the session with one bit changed."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.extended_length, self.atr, self.protocol = slot.extended_length, slot.atr, slot.protocol
        self.reset, self.close = slot.reset, slot.close
        self.countdown = -1
        self.bit = 0

    def exchange(self, apdu: bytes) -> bytes:
        self.countdown -= 1
        if self.countdown == 0:
            changed = bytearray(apdu)
            changed[self.bit // 8] ^= 0x80 >> self.bit % 8
            apdu = bytes(changed)
        return self.slot.exchange(apdu)


@pytest.mark.parametrize(("scp", "level"), [(2, 0x03), (3, 0x33)])
def test_the_whole_card_refuses_every_one_bit_neighbour_and_does_nothing(scp: int, level: int) -> None:
    link = OneBit(Slot(CardConfig(ProductionData(serial=1), scp=scp)))
    custody = MemoryCustody(simulation=True)
    algorithm = Algorithm.TDES if scp == 2 else Algorithm.AES128
    kmc = custody.import_key("kmc", Purpose.KMC, algorithm, Secret(GP_TEST_KEY), by="test").ref
    wanted = HostAuthentication(keys_from_master(custody, kmc, Diversification.NONE), SecurityLevel(level))
    domain = SecurityDomain(stack(link), custody, AuthenticationGuard())

    def session() -> SecurityDomain:
        domain.select()
        domain.authenticate(wanted)
        return domain

    session().install(PACKAGE, MEMBER, MEMBER)
    refused = 0
    for command in WORK:
        for bit in range(8 * signed_length(level, command)):
            session()
            link.countdown, link.bit = 1, bit
            sw = domain.send(command).sw
            assert not sw.ok, f"{command}, byte {bit // 8}, bit {8 - bit % 8}"
            assert not sw.warning
            refused += 1
        assert MEMBER in [entry.aid for entry in session().status(StatusScope.APPLICATIONS)]
    assert refused > 8 * 60
