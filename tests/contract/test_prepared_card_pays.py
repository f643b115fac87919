"""From a profile to a settled payment: prepared, personalized onto a virtual chip, paid with, checked by a bank that
knows nothing but the master keys. Custody derives and prepares, the chip computes, the bank verifies: three codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files

import pytest

from membercard.wiring.issuer_http import field_data
from personalize.line.execute import process
from personalize.line.outcome import CardOutcome as LineOutcome
from personalize.profiles.profile import Profile
from simulators.cryptograms.algorithms import IssuerMasters
from simulators.cryptograms.schemes import PBOC_SM4, Cipher, Fold
from simulators.issuer.accounts import BankAccount, BankAccounts
from simulators.issuer.host import VERSIONS, IssuerHost, IssuerKeys
from simulators.issuer.scripts import pin_change, put_data
from simulators.readers.reader import SimCard
from terminal.apdu import Command, stack
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.kernel.logs import electronic_cash
from terminal.emv.transaction.config import RandomSelection, parse_config
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.emv.transaction.transaction import Transaction
from terminal.keys import Algorithm, Purpose
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support import bank, issuer
from tests.support.cards.card_bench import Bench, fast_directory

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
PURPOSES = {"ac": Purpose.AC, "smi": Purpose.SMI, "smc": Purpose.SMC}
VALUES = {name: bytes(range(at, at + 16)) for name, at in (("ac", 0x11), ("smi", 0x31), ("smc", 0x51))}
RID = bytes.fromhex("A000000333")
NO_PIN, ANY_PIN = "E028C8", "E0F8C8"
"""Terminal capabilities (9F33): a terminal without PIN pad, and one that takes every PIN."""


@cache
def key_names() -> dict[str, dict[str, str]]:
    """The bank's masters under names of their own in the custody of the test issuer."""
    custody, named = issuer.custody(), dict[str, dict[str, str]]()
    for cipher, algorithm in (("tdes", Algorithm.TDES), ("sm4", Algorithm.SM4)):
        named[cipher] = {name: f"paying-{cipher}-{name}" for name in VALUES}
        for name, value in VALUES.items():
            custody.import_key(named[cipher][name], PURPOSES[name], algorithm, Secret(value), by="tests")
    return named


def profile(**changes: object) -> Profile:
    keys = changes.pop("keys", {})
    assert isinstance(keys, dict)
    return bank.profile(keys={**key_names(), **keys}, **changes)


def authorities() -> CaStore:
    known = bank.authorities()
    assert known.rsa
    assert known.sm
    return ca_store([CaKey(RID, 1, known.rsa), SmCaKey(RID, 2, known.sm)])


class Bank:
    """The simulated bank behind the terminal's seam. ``option`` is how its 3DES card keys are derived."""

    def __init__(self, pan: str, fold: Fold, option: str = "A", script_mac: int = 4) -> None:
        known = {**VERSIONS, 0x99: VERSIONS[0x01]}
        masters = IssuerMasters(Secret(VALUES["ac"]), Secret(VALUES["smi"]), Secret(VALUES["smc"]), option)
        self.account = BankAccount(pan, 1, date(2040, 1, 1), balance=10_000_000)
        keys = IssuerKeys(
            {Cipher.TDES: masters, Cipher.SM4: masters},
            versions={number: replace(scheme, mac_length=script_mac) for number, scheme in known.items()},
            sm4_scheme=replace(PBOC_SM4, fold=fold, mac_length=script_mac),
        )
        self.host = IssuerHost(keys, BankAccounts((self.account,)))

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        objects = decode(self.host.answer(field_data(request)).data)
        scripts = tuple(item.encode() for item in objects if item.tag in (0x71, 0x72))
        return OnlineResponse(objects.need(0x8A), objects.get(0x91), scripts)


@dataclass
class Issued:
    """A verified chip in a reader, and the number of its account."""

    card: SimCard
    pan: str

    def pay(self, host: Bank, *, sm: bool) -> Outcome:
        return self.transact(Transaction(12_345, AT, force_online=True), host, sm=sm)

    def transact(self, paid: Transaction, host: Bank | None, capabilities: str = NO_PIN, **entry: object) -> Outcome:
        """At a terminal whose entry for the application is the shipped one with these changes."""
        self.card.reset()
        text = (files("terminal.emv.transaction") / "terminals" / "counter.yaml").read_text(encoding="utf-8")
        config = parse_config(text, "counter.yaml")
        mine = config.applications[0].model_copy(update={"aid": "A000000333010101", "partial": False, **entry})
        terminal = config.terminal.model_copy(update={"capabilities": capabilities})
        config = config.model_copy(update={"applications": (mine,), "terminal": terminal})
        return run_transaction(stack(self.card), config, paid, keys=authorities(), host=host, pin_pad=False)

    def balance(self) -> int | None:
        return electronic_cash(stack(self.card)).balance

    def ask(self, command: str) -> bytes:
        answer = stack(self.card).send(Command.decode(bytes.fromhex(command)))
        return answer.data if answer.sw.ok else int(answer.sw).to_bytes(2, "big")


@contextmanager
def issued(wanted: Profile) -> Iterator[Issued]:
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=wanted)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        report = process(card, bench.job(), "lane 1", lambda serial: True)
        assert report.outcome is LineOutcome.VERIFIED, report.reason
        (row,) = bench.registry.cards.of_batch(bench.batch)
        (pan,) = bench.registry.pans.of_cards([row.card_number]).values()
        yield Issued(card, pan)
        card.close()
        bench.registry.close()


SCHEMES: dict[str, dict[str, object]] = {
    "pboc-des": {},
    "a bank's own version": {"issuer_data": "07019903000000010A01"},
    "cvn10": {"cryptogram": "cvn10"},
    "cvn17": {"cryptogram": "cvn17"},
    "cvn18": {"cryptogram": "cvn18", "keys": {"option": "B"}},
    "cvn22": {"cryptogram": "cvn22", "keys": {"option": "B"}},
    "cvn22, long MAC": {"cryptogram": "cvn22", "keys": {"option": "B"}, "script_mac": 8},
    "sm4": {"algorithms": "sm"},
    "sm4-left": {"algorithms": "sm", "sm4_fold": "left", "script_mac": 6},
}


@pytest.mark.parametrize("name", SCHEMES)
def test_each_scheme_from_profile_to_script(name: str) -> None:
    """The ARQC is verified, the ARPC believed, a limit and the PIN changed by script, and the end settled."""
    changes = SCHEMES[name]
    sm = changes.get("algorithms") == "sm"
    keys = changes.get("keys", {})
    assert isinstance(keys, Mapping)
    with issued(profile(**dict(changes))) as chip:
        fold, script_mac = Fold(str(changes.get("sm4_fold", "xor"))), int(str(changes.get("script_mac", 4)))
        host = Bank(chip.pan, fold, keys.get("option", "A"), script_mac)
        host.account.queue(put_data(0x9F58, b"\x09"), pin_change(Secret(b"314159")))
        outcome = chip.pay(host, sm=sm)
        assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
        assert outcome.tsi & TSI.ISSUER_AUTHENTICATION_PERFORMED
        assert outcome.tvr & (TVR.ISSUER_AUTHENTICATION_FAILED | TVR.CDA_FAILED | TVR.DDA_FAILED) == TVR(0)
        assert [script.performed for script in outcome.scripts] == [True]
        assert chip.ask("80CA9F5800") == bytes.fromhex("9F580109")
        assert chip.ask("0020008008" + "26314159FFFFFFFF") == b""
        assert outcome.first
        assert chip.ask("80CA9F1300")[3:] == outcome.first.atc, "the card takes this for its last online payment"


def test_a_bank_that_folds_otherwise_does_not_know_the_card() -> None:
    with issued(profile(algorithms="sm", sm4_fold="left")) as chip:
        outcome = chip.pay(Bank(chip.pan, Fold.XOR), sm=True)
        assert (outcome.result, outcome.response_code) == (Result.DECLINED_ONLINE, "88")


def test_both_algorithms_on_one_chip_each_by_its_own_rules() -> None:
    with issued(profile(algorithms="both", sm4_fold="left", pdol=bank.SM_PDOL)) as chip:
        host = Bank(chip.pan, Fold.LEFT)
        for sm in (True, False, True):
            outcome = chip.pay(host, sm=sm)
            assert outcome.result is Result.APPROVED_ONLINE, outcome.reason
            assert outcome.first
            assert outcome.first.issuer_data[7:8] == (b"\x04" if sm else b"\x01")


@pytest.mark.parametrize("sm", [False, True], ids=["rsa", "sm2"])
def test_a_card_of_the_shipped_profile_pays_nobody_whose_pin_pad_fails(sm: bool) -> None:
    """Its CVM list ends in "no CVM", but its action codes name what led there: the issuer decides, else it is declined.
    A terminal that has no PIN pad, and says so, takes it without a PIN."""
    with issued(profile(algorithms="sm" if sm else "rsa")) as chip:
        small = Transaction(1_234, AT)
        failed = chip.transact(small, None, ANY_PIN, sm=sm, random=RandomSelection())
        assert (failed.result, failed.response_code) == (Result.DECLINED_OFFLINE, "Z3")
        assert failed.cvm_results.hex() == "1f0302"
        assert failed.tvr & TVR.PIN_PAD_NOT_WORKING
        host = Bank(chip.pan, Fold.XOR)
        assert chip.transact(small, host, ANY_PIN, sm=sm).result is Result.APPROVED_ONLINE
        allowed = chip.transact(small, host, NO_PIN, sm=sm, random=RandomSelection())
        assert (allowed.result, int(allowed.tvr)) == (Result.APPROVED_OFFLINE, 0)


def test_e_cash_is_loaded_by_script_and_read_back_on_the_line() -> None:
    """The line reads the e-cash options back from the empty purse; the bank loads it; the load is in its log."""
    with issued(profile(e_cash=bank.ECASH, pdol=bank.ECASH_PDOL)) as chip:
        host = Bank(chip.pan, Fold.XOR)
        host.account.queue(put_data(0x9F79, bytes.fromhex("000000030000")))
        outcome = chip.pay(host, sm=False)
        assert [script.performed for script in outcome.scripts] == [True]
        assert chip.ask("80CA9F7900") == bytes.fromhex("9F7906000000030000")
        assert chip.ask("00B2016400")[:14] == bytes.fromhex("9F79 000000000000 000000030000")
        chip.card.reset()
        assert chip.ask("00A4040008A000000333010101")
        options = chip.ask("80A800000C830A" + "01" + "000000012345" + "0156" + "00")
        assert options.endswith(b"\x20\x01\x01\x00"), "the AFL leads to 9F74"
        assert chip.ask("00B2012400") == b"\x70\x09\x9f\x74\x06ECC001"


@pytest.mark.parametrize("sm", [False, True], ids=["rsa", "sm2"])
def test_a_terminal_that_takes_e_cash_pays_from_the_balance_offline(sm: bool) -> None:
    """Of one card and one terminal: what the balance covers is paid from it, what not, or not to be, by debit."""
    with issued(profile(e_cash=bank.ECASH, pdol=bank.ECASH_PDOL, algorithms="sm" if sm else "rsa")) as chip:
        host = Bank(chip.pan, Fold.XOR)
        host.account.queue(put_data(0x9F79, bytes.fromhex("000000030000")))
        till = {"sm": sm, "e_cash_limit": 40_000}
        chip.transact(Transaction(100, AT, force_online=True), host, **till)
        assert chip.balance() == 30_000

        def pay(amount: int, **other: object) -> tuple[Result, bool]:
            outcome = chip.transact(Transaction(amount, AT), None, **{**till, **other})
            assert outcome.first
            return outcome.result, "the card pays from its e-cash balance" in [step.text for step in outcome.steps]

        assert pay(12_345) == (Result.APPROVED_OFFLINE, True)
        assert chip.balance() == 17_655
        assert pay(17_656)[1] is False, "one fen more than the balance"
        assert chip.balance() == 17_655
        assert pay(12_345, e_cash_limit=0)[1] is False, "this terminal takes no e-cash"
        assert pay(12_345, e_cash_limit=12_344)[1] is False, "one fen more than the terminal's limit"
        assert chip.balance() == 17_655
        assert pay(17_655) == (Result.APPROVED_OFFLINE, True)
        assert chip.balance() == 0
        assert host.account.balance == 10_000_000 - 100, "the bank heard of the first payment alone"
