"""The simulated bank and the simulated card, each written from the specifications: whole online transactions."""

from __future__ import annotations

from datetime import date

import pytest

from simulators.cryptograms.algorithms import IssuerMasters, card_keys
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.accounts import BankAccount, BankAccounts
from simulators.issuer.host import IssuerHost, IssuerKeys, IssuerResponse
from simulators.issuer.scripts import (
    IssuerScriptCommand,
    application_block,
    pin_change,
    pin_unblock,
    put_data,
    update_record,
)
from terminal.apdu import Command, StatusWord
from terminal.crypto import sm4
from terminal.secret import Secret
from terminal.tlv import Tlvs, decode, tlv
from tests.support.cards.applet_host import send
from tests.support.cards.member_specimen import record
from tests.support.cards.payment_specimen import PaymentSpecimen, specimen
from tests.support.cards.payment_till import AAC, ARQC, TC, Given, Till

PAN, SEQUENCE = "6228480000000000", 1
TDES = IssuerMasters(Secret(b"\x13" * 16), Secret(b"\x25" * 16), Secret(b"\x37" * 16))
SM4 = IssuerMasters(Secret(bytes(range(16))), Secret(bytes(range(16, 32))), Secret(bytes(range(32, 48))))
SCHEMES = {
    "pboc-des": "0701010300000001",
    "pboc-sm4": "0701010300000001",
    "cvn10": "06010A03000000",
    "cvn17": "06011103000000",
    "cvn18": "06011203000000",
    "cvn22": "1F2201" + "00" * 29,
}


class Party:
    """A card, the bank that issued it, and a till between them."""

    def __init__(self, card: PaymentSpecimen, scheme: str) -> None:
        udks = card_keys(TDES, Cipher.TDES, PAN, SEQUENCE)
        keyed = card.with_keys(*udks, SCHEMES[scheme])
        chinese = b"".join(card_keys(SM4, Cipher.SM4, PAN, SEQUENCE))
        checks = b"".join(sm4.ecb_encrypt(chinese[at : at + 16], bytes(16))[:3] for at in (0, 16, 32))
        keyed = keyed.having(0x8020, chinese).having(0x9020, checks)
        _, self.applet = keyed.issued()
        self.account = BankAccount(PAN, SEQUENCE, date(2040, 1, 1), balance=10_000)
        self.bank = IssuerHost(IssuerKeys({Cipher.TDES: TDES, Cipher.SM4: SM4}), BankAccounts((self.account,)))
        self.till = Till(self.applet, tDF69="01" if scheme == "pboc-sm4" else "00")
        self.given: Given

    def tell(self, given: Given, **more: bytes) -> IssuerResponse:
        """What the till sends the bank of this cryptogram."""
        tags = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37)
        values = {0x5A: bytes.fromhex(PAN), 0x5F34: b"\x01", 0x82: self.till.options.aip}
        values |= {tag: bytes.fromhex(self.till.values[tag]) for tag in tags}
        values |= {0x9F36: given.atc, 0x9F26: given.ac, 0x9F27: bytes((given.cid,)), 0x9F10: given.issuer_data}
        values |= {int(tag[1:], 16): value for tag, value in more.items()}
        return self.bank.answer(b"".join(tlv(tag, value).encode() for tag, value in values.items()))

    def begin(self) -> Tlvs:
        """The card asks, the bank answers, the card takes the answer."""
        self.given = self.till.run(ARQC)
        assert self.given.kind == ARQC
        answer = self.tell(self.given)
        assert answer.approved, answer
        objects = decode(answer.data)
        assert send(self.applet, Command(0, 0x82, 0, 0, objects.need(0x91))).sw.ok, "issuer authentication"
        return objects

    def run_scripts(self, objects: Tlvs) -> list[StatusWord]:
        template = objects.find(0x72)
        assert template is not None
        return [send(self.applet, Command.decode(item.value)).sw for item in template.children if item.tag == 0x86]

    def end(self, results: bytes = b"") -> IssuerResponse:
        return self.tell(self.till.second(TC), **({"t9F5B": results} if results else {}))


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return specimen()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_card_and_bank_believe_each_other(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    party.begin()
    assert party.end().reason == "settled"
    assert party.account.balance == 10_000 - 1_234
    party.begin()
    assert party.account.highest_online == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_card_refuses_an_answer_that_was_changed(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    objects = decode(party.tell(party.till.run(ARQC)).data)
    bent = bytes((objects.need(0x91)[0] ^ 1,)) + objects.need(0x91)[1:]
    assert not send(party.applet, Command(0, 0x82, 0, 0, bent)).sw.ok


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_bank_refuses_a_cryptogram_that_was_changed(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    given = party.till.run(ARQC)
    party.till.values[0x9F02] = "000000000001"
    assert party.tell(given).code == "88"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_card_carries_out_the_banks_scripts(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    commands: list[IssuerScriptCommand] = [pin_change(Secret(b"314159")), put_data(0x9F58, b"\x02"), pin_unblock()]
    script = party.account.queue(*commands)
    assert [int(sw) for sw in party.run_scripts(party.begin())] == [0x9000] * 3
    party.end(b"\x20" + script.identifier.to_bytes(4, "big"))
    assert party.account.scripts == []
    assert party.till.begin().sw.ok
    assert send(party.applet, Command(0, 0x20, 0, 0x80, bytes.fromhex("26314159FFFFFFFF"))).sw.ok


@pytest.mark.parametrize("scheme", ["cvn10", "pboc-des", "pboc-sm4"])
def test_a_pin_is_changed_against_the_present_one(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    party.account.queue(pin_change(Secret(b"31415"), current=Secret(b"246810")))
    assert [int(sw) for sw in party.run_scripts(party.begin())] == [0x9000]
    assert send(party.applet, Command(0, 0x20, 0, 0x80, bytes.fromhex("2531415FFFFFFFFF"))).sw.ok


@pytest.mark.parametrize("scheme", SCHEMES)
def test_records_are_updated_and_the_application_blocked(card: PaymentSpecimen, scheme: str) -> None:
    party = Party(card, scheme)
    changed = record(bytes.fromhex("9F470103"))
    party.account.queue(update_record(2, 2, changed), application_block())
    assert [int(sw) for sw in party.run_scripts(party.begin())] == [0x9000] * 2
    assert party.applet.select_status == 0x6283
    assert party.till.second(TC).kind == AAC


def test_a_script_of_another_transaction_is_refused(card: PaymentSpecimen) -> None:
    party = Party(card, "pboc-des")
    party.account.queue(put_data(0x9F58, b"\x02"))
    objects = party.begin()
    party.end()
    party.begin()
    assert [int(sw) for sw in party.run_scripts(objects)] == [0x6988]
