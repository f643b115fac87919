"""Card files written by an earlier version of this program (tests/data/cards) open and answer as they did then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulators.card.memory import PowerLost, TearAt
from simulators.readers.inspect import inspect_card
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, LinkProtocol, Response
from tests.support.cards.gp_host import GpHost
from tests.support.cards.member_till import CDA, PUT, TC, MemberTill
from tests.support.paths import ROOT

CARDS = ROOT / "tests" / "data" / "cards"
RECORDED: dict[str, Any] = json.loads((CARDS / "personalized.json").read_text())

REDEMPTIONS = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def copied(name: str, directory: Path) -> Path:
    return Path(shutil.copy(CARDS / name, directory / name))


def test_a_blank_card_can_be_personalized(tmp_path: Path) -> None:
    card = VirtualCard.open(copied("blank.card", tmp_path))
    assert card.config.protocol is LinkProtocol.T0
    card.power_on()
    host = GpHost(card)
    assert host.open().ok
    member, module = bytes.fromhex("F04D454D424552"), bytes.fromhex("F04D454D4245520101")
    assert host.install(member, module, module).sw.ok
    assert host.for_personalization(module).sw.ok
    card.power_off()


def test_a_personalized_card_shows_what_it_holds(tmp_path: Path) -> None:
    view = inspect_card(copied("personalized.card", tmp_path)).as_json()
    del view["file"]
    assert json.loads(json.dumps(view)) == RECORDED["view"]


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_personalized_card_answers_as_before(tmp_path: Path, rounds: int) -> None:
    path = copied("personalized.card", tmp_path)
    for _ in range(rounds):
        card = VirtualCard.open(path)
        card.power_on()
        for command, response in RECORDED["exchanges"]:
            assert card.exchange(bytes.fromhex(command)).hex().upper() == response, command
        card.power_off()


def test_a_personalized_card_goes_on_paying(tmp_path: Path) -> None:
    """The counters, marks and log of the payment application are those of the last transaction."""
    card = VirtualCard.open(copied("personalized.card", tmp_path))
    card.power_on()
    card.exchange(bytes.fromhex("00A4040008A00000033301010100"))
    assert card.exchange(bytes.fromhex("80A800000C830A0000000000123401560000")).endswith(b"\x90\x00")
    answer = card.exchange(bytes.fromhex("80AE400034" + "00" * 52 + "00"))
    assert answer.hex().upper().startswith("771F9F2701809F36020003"), "an ARQC, the third ATC"
    card.power_off()


def member_till(card: VirtualCard) -> MemberTill:
    """A terminal at the member application of a powered card, with the keys that are in its memory."""

    def exchange(command: Command) -> Response:
        response = Response.decode(card.exchange(command.encode()))
        while int(response.sw) >> 8 == 0x61:
            more = Response.decode(card.exchange(bytes((0x00, 0xC0, 0x00, 0x00, int(response.sw) & 0xFF))))
            response = Response(response.data + more.data, more.sw)
        if int(response.sw) >> 8 == 0x6C:
            return Response.decode(card.exchange(command.header + bytes((int(response.sw) & 0xFF,))))
        return response

    memory = card._nvm.scope("app/f04d454d4245520101")  # the applet's own view gives no keys
    q, p = (int.from_bytes(memory[name], "big") for name in ("8204", "8205"))
    return MemberTill(exchange, p * q, memory["8000"])


@REDEMPTIONS
@pytest.mark.parametrize("protocol", [LinkProtocol.T0, LinkProtocol.T1])
def test_a_member_card_redeems(tmp_path: Path, protocol: LinkProtocol) -> None:
    """It has CDOL1, entitlements by year, no day of activation, and the category in a signed record."""
    path = copied("member.card", tmp_path)
    card = VirtualCard.open(path, protocol=protocol)
    card.power_on()
    till = member_till(card)
    answers = [till.redeem(CDA, t9A="261130", t9F37=f"{n:08X}") for n in range(13)]
    assert [(a.cid, a.atc, a.cvr, a.count) for a in answers] == [
        *((0x40, n, "400000", f"{n:02X}0C260101") for n in range(1, 13)),
        (0x00, 12, "004000", "0C0C260101"),
    ]
    assert till.redeem(TC, t9A="270101").cvr == "400080"
    assert till.data(0xDF28) == "01010C0104270101" + "0201040004260101" + "0301340004260101"
    assert len(till.log()) == 10
    assert till.exchange(Command(0x80, 0xCA, 0xDF, 0x2D, ne=256)).sw == 0x6A88
    assert [till.run(PUT + tag, "01") for tag in ("DF26", "DF2D")] == [0x6A88] * 2
    assert till.run(PUT + "DF27", "361130") == 0x9000
    card.power_off()
    again = VirtualCard.open(path, protocol=protocol)
    again.power_on()
    assert member_till(again).redeem(t9A="270102").atc == 14
    again.power_off()


@REDEMPTIONS
def test_a_member_card_is_redeemed_on_any_channel(tmp_path: Path) -> None:
    card = VirtualCard.open(copied("member.card", tmp_path))
    card.power_on()
    assert card.exchange(bytes.fromhex("0070000001")).hex() == "019000"
    till = member_till(card)
    basic = till.exchange
    till.exchange = lambda c: basic(Command(c.cla | 1, c.ins, c.p1, c.p2, c.data, c.ne))
    assert till.redeem(t9A="261130").atc == 1
    assert till.run(PUT + "DF27", "361130") == 0x9000, "the MAC covers the class without its channel"
    card.power_off()


@REDEMPTIONS
def test_a_member_card_survives_every_torn_page(tmp_path: Path) -> None:
    torn = 0
    for page in range(20):
        for late in (False, True):
            card = VirtualCard.open(copied("member.card", tmp_path))
            card.power_on()
            till = member_till(card)
            till.begin()
            card.tear = TearAt(page, after=late)
            try:
                till.generate(t9A="261130")
                late = True
            except PowerLost:
                torn += 1
            card.tear = None
            card.power_on()
            till.begin()
            assert len(till.log()) == late
            assert till.redeem(t9A="261130").count == "010C260101"
            assert till.data(0x9F36) == "0001"
            card.power_off()
    assert torn >= 8


def test_a_full_disk_redeems_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = VirtualCard.open(copied("member.card", tmp_path))
    card.power_on()
    till = member_till(card)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    till.begin()
    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        assert till.generate(t9A="261130").sw == 0x6581
    assert (till.data(0x9F36), till.log()) == ("0000", [])
    assert till.generate(t9A="261130").sw == 0x9000, "it was not this one that GENERATE AC is once for"
    card.power_off()
