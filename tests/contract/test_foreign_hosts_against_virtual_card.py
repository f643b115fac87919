"""Foreign GlobalPlatform hosts manage the virtual card: yubikit itself, and commands as others send them."""

from __future__ import annotations

import pytest
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

from simulators.applets.rom import MEMBER
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.tlv import dgi
from tests.support.cards import member_specimen
from tests.support.cards.gp_host import GpHost
from tests.support.foreign.host import OverTransport

NEW = StaticKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))


def blank(scp: int = 3) -> VirtualCard:
    return VirtualCard.create(None, CardConfig(ProductionData(7), scp=scp))


def domain_on(card: VirtualCard) -> SecurityDomainSession:
    """yubikit's session with a virtual card, without a reader between."""
    card.power_on()
    return SecurityDomainSession(OverTransport(card))  # type: ignore[arg-type]


@pytest.mark.parametrize("replaced", [0x00, 0x30])
def test_yubikit_puts_its_keys_and_opens_the_channel_with_them(replaced: int) -> None:
    """It sends every command with extended lengths, over which its MACs go."""
    card = blank()
    session = domain_on(card)
    session.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys.default()))
    session.put_key(KeyRef(ScpKid.SCP03, 0x31), NEW, replaced)
    assert card.key_versions == ([0x31] if replaced else [0x30, 0x31])
    again = domain_on(card)
    again.authenticate(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x31), NEW))
    assert bytes.fromhex("C00401318810") in again.get_data(0xE0)


@pytest.mark.parametrize("structure", [0x00, 0x01, 0x08, 0x09], ids="b5-b4 and b1: {:02X}".format)
@pytest.mark.parametrize("scp", [2, 3])
def test_a_member_application_is_personalized_with_each_way_to_write_p1(structure: int, scp: int) -> None:
    """GlobalPlatformPro and gpshell name no structure and allow a response, pySim names no structure."""
    card = blank(scp=scp)
    card.power_on()
    specimen = member_specimen.specimen()
    host = GpHost(card)
    assert host.open(3) == 0x9000
    assert host.install(MEMBER.package, MEMBER.module, MEMBER.module).sw == 0x9000
    assert host.for_personalization(MEMBER.module).sw == 0x9000
    number = 0
    groups = list(specimen.groups.items())
    for at, (group, value) in enumerate(groups):
        secret = group in specimen.secret
        data = dgi.encode([(group, host.secret(value + bytes(-len(value) % 16)) if secret else value)])
        pieces = [data[start : start + 200] for start in range(0, len(data), 200)]
        for piece, part in enumerate(pieces, 1):
            last = at == len(groups) - 1 and piece == len(pieces)
            p1 = structure | 0x60 * secret | 0x80 * last
            assert host.send(0x80, 0xE2, p1, number & 0xFF, part, 256).sw == 0x9000, f"DGI {group:04X}"
            number += 1
    assert card.registry.instances[0].personalized
