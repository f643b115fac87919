"""The terminal's kernel, the simulated payment card and the simulated bank: three readings of one specification meet.

None of them imports another; each was written from the books. EMV 4.4 Books 2 and 3; JR/T 0025 for SM2, SM3 and SM4.
"""

from __future__ import annotations

import threading
from datetime import date, datetime

import pytest

from membercard.wiring.issuer_http import HttpIssuer, field_data
from simulators.cryptograms.algorithms import IssuerMasters, card_keys
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.accounts import BankAccount, BankAccounts
from simulators.issuer.host import IssuerHost, IssuerKeys
from simulators.issuer.http import IssuerServer
from simulators.issuer.scripts import put_data
from terminal.apdu import Command
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.outcome import CryptogramType, Outcome, Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.transaction import Transaction
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support.cards.certified_card import PAN, Wire, certified
from tests.support.cards.kernel_state import Person
from tests.support.cards.payment_issuer import rsa_store, sm_store
from tests.support.cards.payment_specimen import AIP, CDOL2, CDOL2_WITH_ARPC, PaymentSpecimen
from tests.support.cards.toys.emv_toy_terminal import config_with

TDES = IssuerMasters(Secret(b"\x13" * 16), Secret(b"\x25" * 16), Secret(b"\x37" * 16))
SM4 = IssuerMasters(Secret(bytes(range(16))), Secret(bytes(range(16, 32))), Secret(bytes(range(32, 48))))
AT = datetime(2026, 11, 22, 10, 30)
UNDER, OVER = 1_234, 60_000
BOTH = pytest.mark.parametrize("chinese", [False, True], ids=["RSA and 3DES", "SM2, SM3 and SM4"])


class Bank:
    """The simulated bank behind the terminal's seam."""

    def __init__(self, balance: int) -> None:
        self.account = BankAccount(PAN, 1, date(2040, 1, 1), balance=balance)
        self.host = IssuerHost(IssuerKeys({Cipher.TDES: TDES, Cipher.SM4: SM4}), BankAccounts((self.account,)))

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        objects = decode(self.host.answer(field_data(request)).data)
        scripts = tuple(item.encode() for item in objects if item.tag in (0x71, 0x72))
        return OnlineResponse(objects.need(0x8A), objects.get(0x91), scripts)


def issued(aip: bytes = AIP, cdol2: bytes = CDOL2, rules: str = "1F00") -> PaymentSpecimen:
    """A card with both algorithms whose masters are known to the bank."""
    udks = card_keys(TDES, Cipher.TDES, PAN, 1)
    return certified("0701010300000001", udks, card_keys(SM4, Cipher.SM4, PAN, 1), aip=aip, cdol2=cdol2, rules=rules)


def pay(wire: Wire, amount: int, bank: Bank | None, *, chinese: bool = False, person: Person | None = None) -> Outcome:
    config = config_with(f"sm: {str(chinese).lower()}")
    store: CaStore = sm_store() if chinese else rsa_store()
    transaction = Transaction(amount, AT)
    return run_transaction(wire, config, transaction, keys=store, cardholder=person, host=bank, draw=lambda: 99)


@BOTH
def test_an_approval_offline_is_signed_by_the_card(chinese: bool) -> None:
    outcome = pay(Wire(issued()), UNDER, None, chinese=chinese)
    assert outcome.result is Result.APPROVED_OFFLINE, outcome.reason
    assert outcome.first is not None
    assert outcome.first.verified
    assert outcome.tvr == TVR(0)
    assert any(("SM2" if chinese else "RSA") in step.text for step in outcome.steps)


@BOTH
def test_an_approval_online_is_the_banks_and_the_card_believes_it(chinese: bool) -> None:
    bank = Bank(100_000)
    outcome = pay(Wire(issued()), OVER, bank, chinese=chinese)
    assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
    assert outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED
    assert not outcome.tvr & TVR.ISSUER_AUTHENTICATION_FAILED
    assert outcome.second is not None
    assert outcome.second.kind is CryptogramType.TC
    assert outcome.second.verified


@BOTH
def test_a_card_takes_the_banks_answer_through_cdol2(chinese: bool) -> None:
    card = issued(bytes.fromhex("7900"), CDOL2_WITH_ARPC)
    outcome = pay(Wire(card), OVER, Bank(100_000), chinese=chinese)
    assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
    assert not outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED


@BOTH
def test_a_bank_without_money_declines_and_the_card_says_so_too(chinese: bool) -> None:
    outcome = pay(Wire(issued()), OVER, Bank(10), chinese=chinese)
    assert outcome.result is Result.DECLINED_ONLINE
    assert outcome.response_code == "51"
    assert outcome.second is not None
    assert outcome.second.kind is CryptogramType.AAC
    assert not outcome.reversal


@BOTH
def test_a_script_of_the_bank_reaches_the_card_under_its_mac(chinese: bool) -> None:
    bank, wire = Bank(100_000), Wire(issued())
    bank.account.queue(put_data(0x9F58, b"\x07"))
    outcome = pay(wire, OVER, bank, chinese=chinese)
    assert outcome.result is Result.APPROVED_ONLINE
    assert [script.failed_at for script in outcome.scripts] == [None]
    assert outcome.tsi & TSI.SCRIPT_PERFORMED
    assert wire.send(Command(0x80, 0xCA, 0x9F, 0x58, ne=256)).data == bytes.fromhex("9F580107")


def test_a_bank_that_knows_other_keys_is_not_believed_by_the_card() -> None:
    bank = Bank(100_000)
    bank.host = IssuerHost(IssuerKeys({Cipher.TDES: SM4}), BankAccounts((bank.account,)))
    outcome = pay(Wire(issued()), OVER, bank, chinese=False)
    assert outcome.result is Result.DECLINED_ONLINE
    assert outcome.response_code == "88"


def test_the_bank_answers_over_http_as_it_does_in_person() -> None:
    bank = Bank(100_000)
    bank.account.queue(put_data(0x9F58, b"\x07"))
    config = config_with("sm: false")
    with IssuerServer(bank.host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        far = HttpIssuer(server.url)
        paid = Transaction(OVER, AT)
        outcome = run_transaction(Wire(issued()), config, paid, keys=rsa_store(), host=far, draw=lambda: 99)
        server.shutdown()
        thread.join()
    assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
    assert [script.performed for script in outcome.scripts] == [True]


@pytest.mark.parametrize("rule", ["4100", "4400"], ids=["in clear", "enciphered"])
def test_wrong_pins_are_counted_by_the_card_and_its_last_try_is_warned_of(rule: str) -> None:
    """Over four transactions with one card; a right PIN sets the count back, a limit that is reached asks nobody."""
    wire = Wire(issued(rules=rule + "1F00"))
    right, wrong = "246810", "8531"
    persons = Person(wrong, right), Person(wrong, None), Person(wrong, wrong), Person()
    outcomes = [pay(wire, UNDER, None, person=person) for person in persons]
    assert [person.pin_requests for person in persons] == [
        [(3, False), (2, False)],
        [(3, False), (2, False)],
        [(2, False), (1, True)],
        [],
    ]
    assert outcomes[0].cvm_results.hex() == f"{rule}02"
    limit = [bool(outcome.tvr & TVR.PIN_TRY_LIMIT_EXCEEDED) for outcome in outcomes]
    assert limit == [False, False, True, True]
    assert outcomes[1].tvr & TVR.PIN_NOT_ENTERED
    assert wrong not in str([step.text for outcome in outcomes for step in outcome.steps])
