"""Whole transactions with pyemv as the issuer, and with pyemv as the card: every Visa cryptogram version, both ways.

First kernel and payment applet are ours and the bank is pyemv; then the bank is ours and pyemv signs for the card.
EMV 4.4 Book 2, 8 and 9; Visa Integrated Circuit Card Specification, appendix D.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest
from pyemv.cvn import VisaCVN10, VisaCVN18, VisaCVN22

from simulators.cryptograms.algorithms import IssuerMasters
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.accounts import BankAccount, BankAccounts
from simulators.issuer.host import IssuerHost, IssuerKeys
from simulators.issuer.scripts import pin_unblock
from terminal.apdu import Command
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.transaction import Transaction
from terminal.secret import Secret
from terminal.tlv import decode, tlv
from tests.support.cards.certified_card import PAN, Wire, certified
from tests.support.cards.issuer_requests import IAD, message, purchase
from tests.support.cards.payment_issuer import rsa_store
from tests.support.cards.toys.emv_toy_terminal import config_with

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

MASTERS = (bytes(range(0x10, 0x20)), bytes(range(0x30, 0x40)), bytes(range(0x50, 0x60)))
ISSUER_DATA = {"cvn10": "06010A03000000", "cvn18": "06011203000000", "cvn22": "1F2201" + "00" * 29}
CLASSES = {"cvn10": VisaCVN10, "cvn18": VisaCVN18, "cvn22": VisaCVN22}
VERSIONS = pytest.mark.parametrize("version", CLASSES)
AC_TAGS = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36)
OVER = 60_000


def cryptogram(issuer: Any, version: str, values: Mapping[int, bytes]) -> bytes:
    """The application cryptogram over these data, by pyemv."""
    own = {"cvr": values[0x9F10][3:7]} if version == "cvn10" else {"tag_9f10": values[0x9F10]}
    return bytes(issuer.generate_ac(**{f"tag_{tag:02x}": values[tag] for tag in AC_TAGS}, **own))


@dataclass
class ForeignBank:
    """An issuer of pyemv behind the terminal's seam: checks every cryptogram, answers, sends a script with its MAC."""

    version: str
    approve: bool = True
    script: bytes = b""
    seen: list[OnlineRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.issuer = CLASSES[self.version](*MASTERS, PAN, "01")
        self.keys = (self.issuer.icc_mk_ac, self.issuer.icc_mk_smi, self.issuer.icc_mk_smc)

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        self.seen.append(request)
        values, arqc = request.data, request.data[0x9F26]
        assert arqc == cryptogram(self.issuer, self.version, values), "the card's ARQC"
        code = b"00" if self.approve else b"05"
        if self.version == "cvn10":
            proof = self.issuer.generate_arpc(arqc, code) + code
        else:
            status = bytes.fromhex("00800000" if self.approve else "00000000")
            proof = self.issuer.generate_arpc(arqc, values[0x9F36], status) + status
        return OnlineResponse(code, proof, (self._template(values),) if self.script else ())

    def _template(self, values: Mapping[int, bytes]) -> bytes:
        """The script with its MAC as pyemv makes it, all eight bytes."""
        mac = self.issuer.generate_command_mac(self.script, values[0x9F26], values[0x9F36])
        return tlv(0x72, [tlv(0x86, self.script + mac)]).encode()


def pay(bank: ForeignBank) -> tuple[Outcome, Wire]:
    """One transaction that has to go online, with a card under the bank's keys."""
    data = bytes.fromhex(ISSUER_DATA[bank.version])
    number = data[1] if data[0] == 0x1F else data[2]
    # Internal option of the card: script MACs of eight bytes.
    card = certified(ISSUER_DATA[bank.version], bank.keys).having(0x9201, bytes((number, 0, 8)))
    wire = Wire(card)
    paid, config = Transaction(OVER, datetime(2026, 11, 22, 10, 30)), config_with("sm: false")
    return run_transaction(wire, config, paid, keys=rsa_store(), host=bank, draw=lambda: 99), wire


def data_for_the_card(bank: ForeignBank, outcome: Outcome) -> dict[int, bytes]:
    """What the second cryptogram covers: the transaction as it stood when the card was asked again."""
    assert outcome.second is not None
    return dict(bank.seen[0].data) | {
        0x9F36: outcome.second.atc,
        0x9F10: outcome.second.issuer_data,
        0x95: outcome.tvr.encode(),
    }


@VERSIONS
def test_a_foreign_bank_approves_and_the_card_believes_it(version: str) -> None:
    bank = ForeignBank(version)
    outcome, _ = pay(bank)
    assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
    assert outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED
    assert not outcome.tvr & TVR.ISSUER_AUTHENTICATION_FAILED
    assert outcome.second is not None
    assert outcome.second.ac == cryptogram(bank.issuer, version, data_for_the_card(bank, outcome))


@VERSIONS
def test_a_foreign_bank_declines(version: str) -> None:
    bank = ForeignBank(version, approve=False)
    outcome, _ = pay(bank)
    assert (outcome.result, outcome.response_code) == (Result.DECLINED_ONLINE, "05")
    assert not outcome.tvr & TVR.ISSUER_AUTHENTICATION_FAILED
    assert outcome.second is not None
    assert outcome.second.ac == cryptogram(bank.issuer, version, data_for_the_card(bank, outcome))


@VERSIONS
def test_a_foreign_banks_script_is_carried_out(version: str) -> None:
    """PIN UNBLOCK after the last cryptogram; the card knows it by its MAC."""
    bank = ForeignBank(version, script=bytes.fromhex("8424000008"))
    outcome, wire = pay(bank)
    assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
    assert [script.failed_at for script in outcome.scripts] == [None]
    assert wire.send(Command(0x80, 0xCA, 0x9F, 0x17, ne=256)).data == bytes.fromhex("9F170103")


@VERSIONS
def test_a_foreign_card_pays_at_our_bank(version: str) -> None:
    """ARQC, answer, script and TC, with pyemv as the card."""
    card = CLASSES[version](*MASTERS, PAN, "01")
    account = BankAccount(PAN, 1, date(2040, 1, 1), balance=10_000)
    account.queue(pin_unblock())
    masters = IssuerMasters(*(Secret(key) for key in MASTERS), "A")
    bank = IssuerHost(IssuerKeys({Cipher.TDES: masters}), BankAccounts((account,)))
    values = purchase(IAD[version], amount=1_234)
    arqc = cryptogram(card, version, values)
    answer = bank.answer(message(values, arqc, PAN))
    assert answer.approved, answer.reason
    objects = decode(answer.data)
    proof = objects.need(0x91)
    if version == "cvn10":
        assert proof == card.generate_arpc(arqc, b"00") + b"00"
    else:
        assert proof == card.generate_arpc(arqc, values[0x9F36], proof[4:]) + proof[4:]
        assert proof[5] & 0x80, "the card status update approves"
    template = objects.find(0x72)
    assert template is not None
    command = template.children.need(0x86)
    assert command[5:] == card.generate_command_mac(command[:5], arqc, values[0x9F36])[:4]
    values = purchase(IAD[version], amount=1_234, kind=0x40)
    done = {"t9F5B": b"\x20" + template.children.need(0x9F18)}
    assert bank.answer(message(values, cryptogram(card, version, values), PAN, **done)).reason == "settled"
    assert (account.balance, account.scripts) == (10_000 - 1_234, [])


@VERSIONS
def test_a_foreign_card_with_another_key_is_detected(version: str) -> None:
    stranger = CLASSES[version](MASTERS[1], *MASTERS[1:], PAN, "01")
    masters = IssuerMasters(*(Secret(key) for key in MASTERS), "A")
    account = BankAccount(PAN, 1, date(2040, 1, 1), balance=10_000)
    bank = IssuerHost(IssuerKeys({Cipher.TDES: masters}), BankAccounts((account,)))
    values = purchase(IAD[version])
    answer = bank.answer(message(values, cryptogram(stranger, version, values), PAN))
    assert (answer.code, account.balance) == ("88", 10_000)
