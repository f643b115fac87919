"""The demo's merchant: three payments with the payment application of issued cards, and a test bank."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from membercard import settings
from membercard.errors import SettingsError
from membercard.language import sentence, text
from membercard.wiring.issuer_http import HttpIssuer
from membercard.wiring.profile import profile_in_use
from membercard.wiring.readers import card_in
from membercard.wiring.terminal import own_authorities, terminal_config
from personalize.payment.elements import aip
from personalize.profiles.payment import PaymentApplication
from registry.store import Registry
from terminal.apdu import Command, Sender, stack
from terminal.emv.data.elements.codes import price
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F5B_SCRIPT_RESULTS,
    TAG_9F10_IAD,
    TAG_9F26_AC,
    TAG_9F27_CID,
    TAG_9F36_ATC,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_82_AIP,
    TAG_95_TVR,
)
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.protocols import Choice, OnlineHost, OnlineRequest, OnlineResponse, Pin
from terminal.emv.transaction.step import KernelStage, Step
from terminal.emv.transaction.transaction import Transaction
from terminal.keys import Algorithm, KeyCustody, MemoryCustody, Purpose
from terminal.secret import Secret

BANK: Final = "bank.json"
_PURPOSES: Final = (("ac", Purpose.AC), ("smi", Purpose.SMI), ("smc", Purpose.SMC))
_PIN_TRIES: Final = Command(0x80, 0xCA, 0x9F, 0x17, ne=256)
_WITHOUT_PIN, _WITH_PIN = "E028C8", "E0B8C8"
"""Terminal capabilities (9F33) without a PIN pad, and with one for offline PINs. EMV 4.4 Book 4, Annex A2."""
_ACCEPTED: Final = b"00"
_SHOWN: Final = (
    KernelStage.AUTHENTICATION,
    KernelStage.CARDHOLDER,
    KernelStage.TERMINAL_ACTION,
    KernelStage.CARD_ACTION,
    KernelStage.ONLINE,
    KernelStage.ISSUER,
    KernelStage.SCRIPTS,
    KernelStage.COMPLETION,
)


class Issued(NamedTuple):
    """A card from the line: its file, and the sequence of the member card, which grows when it is made again."""

    chip: Path
    sequence: int


class ForgetfulCardholder:
    """A cardholder who types the PIN of another card: four digits where the card has six."""

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        return 0

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        return Pin(b"2580")


@dataclass(frozen=True, slots=True)
class _DemoAccount:
    """One card's account at the bank. The sequence is the PAN's, 5F34."""

    chip: Path
    pan: str = field(repr=False)
    sequence: int


@dataclass(frozen=True, slots=True)
class _DemoPayment:
    """A payment and its expected result and response code. ``account`` is its entry in the bank's file."""

    title: str
    amount: int
    account: Mapping[str, object]
    cardholder: ForgetfulCardholder | None
    ends: tuple[Result, str]


_PAYMENTS: Final = (
    _DemoPayment("coffee, nobody is asked", 3600, {}, None, (Result.APPROVED_OFFLINE, "Y1")),
    _DemoPayment(
        "a PIN forgotten three times",
        12800,
        {"scripts": ["pin-unblock"]},
        ForgetfulCardholder(),
        (Result.APPROVED_ONLINE, "00"),
    ),
    _DemoPayment("a card that was reported stolen", 99900, {"status": "stolen"}, None, (Result.DECLINED_ONLINE, "43")),
)


def share_masters(keys: MemoryCustody, out: Path) -> None:
    """Import the master keys that issuer and bank share into custody, and write them to the bank's file, which only its
    owner may read. Does nothing for a profile without a payment application.

    A real bank would deliver them in components: membercard keys import.
    """
    payment = profile_in_use().payment
    if payment is None:
        return
    masters = dict[str, dict[str, str]]()
    for cipher, algorithm, names in (
        ("3des", Algorithm.TDES, payment.keys.tdes),
        ("sm4", Algorithm.SM4, payment.keys.sm4),
    ):
        masters[cipher] = {}
        for field_name, purpose in _PURPOSES:
            value = secrets.token_bytes(16)
            keys.import_key(getattr(names, field_name), purpose, algorithm, Secret(value), by="bank")
            masters[cipher][field_name] = value.hex()
    masters["3des"]["option"] = payment.keys.option
    path = out / BANK
    path.touch(mode=0o600)
    path.write_text(json.dumps({"masters": masters, "fold": payment.sm4_fold}), encoding="utf-8")


def pay(console: Console, registry: Registry, custody: KeyCustody, out: Path, cards: Mapping[str, Issued]) -> bool:
    """Open accounts for three of the cards, by card number, and pay with them, showing the course of each payment and
    the bank's check of its cryptogram. Whether each ended as expected."""
    profile = profile_in_use()
    if profile.payment is None:
        nobody = text("the profile {name} has no payment application: nobody pays", name=profile.profile)
        console.print(f"   {nobody}", style="dim")
        return True
    accounts = _accounts(registry, profile.payment, cards)
    bank = _write_bank(out, accounts)
    terminal, ended = _MerchantTerminal(terminal_config(None), profile.payment, custody), []
    with _bank(bank) as host:
        for number, (payment, account) in enumerate(zip(_PAYMENTS, accounts, strict=True), 1):
            paid = terminal.pay(payment, account, host)
            _show(console, f"{number}. {text(payment.title)}", terminal.price(payment), paid)
            ended.append(paid.accepted and (paid.outcome.result, paid.outcome.response_code) == payment.ends)
    return all(ended)


def _accounts(registry: Registry, profile: PaymentApplication, cards: Mapping[str, Issued]) -> list[_DemoAccount]:
    chosen = sorted(cards)[: len(_PAYMENTS)]
    numbers = registry.pans.of_cards(chosen)
    first = profile.pan.first_sequence - 1
    return [_DemoAccount(cards[one].chip, numbers[one], cards[one].sequence + first) for one in chosen]


def _write_bank(out: Path, accounts: Sequence[_DemoAccount]) -> Path:
    """Open these accounts at the bank; returns its file."""
    path = out / BANK
    content = json.loads(path.read_bytes())
    content["accounts"] = [
        {"pan": account.pan, "sequence": account.sequence, "balance": "5000.00", **payment.account}
        for payment, account in zip(_PAYMENTS, accounts, strict=True)
    ]
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


class _Paid(NamedTuple):
    """One payment: outcome, whether the bank accepted its last cryptogram, PIN tries left after a script."""

    outcome: Outcome
    accepted: bool
    tries: int | None


class _MerchantTerminal:
    """A merchant's payment terminal."""

    def __init__(self, config: TerminalConfig, profile: PaymentApplication, custody: KeyCustody) -> None:
        self._config, self._profile, self._keys = config, profile, own_authorities(custody)

    def price(self, payment: _DemoPayment) -> str:
        terminal = self._config.terminal
        return price(payment.amount, terminal.currency, terminal.currency_exponent)

    def pay(self, payment: _DemoPayment, account: _DemoAccount, host: OnlineHost) -> _Paid:
        """Run the transaction, then present its last cryptogram to the bank."""
        drawn: list[bytes] = []

        def random(count: int) -> bytes:
            drawn.append(secrets.token_bytes(count))
            return drawn[-1]

        wanted = _WITH_PIN if payment.cardholder is not None else _WITHOUT_PIN
        terminal = self._config.terminal.model_copy(update={"capabilities": wanted})
        config = self._config.model_copy(update={"terminal": terminal})
        transaction = Transaction(payment.amount, settings.load().now())
        with card_in(f"sim:{account.chip}", 0) as transport:
            sender = stack(transport)
            outcome = run_transaction(
                sender,
                config,
                transaction,
                keys=self._keys,
                cardholder=payment.cardholder,
                host=host,
                draw=lambda: 99,  # no random selection for online, so that each payment takes its own course
                random=random,
            )
            tries = _tries(sender) if outcome.scripts else None
        # The unpredictable number of the transaction is drawn first.
        known = {**config.data(), **transaction.data(drawn[0]), TAG_82_AIP: aip(self._profile)}
        return _Paid(outcome, _presented(outcome, known, account, host), tries)


def _presented(outcome: Outcome, known: Mapping[int, bytes], account: _DemoAccount, host: OnlineHost) -> bool:
    """Submit a payment with its script results; whether the bank accepts the last cryptogram. EMV 4.4 Book 4, 12.1."""
    last = outcome.second or outcome.first
    if last is None:
        return False
    data = {
        tag: known[tag]
        for tag in (
            TAG_9F02_AMOUNT,
            TAG_9F03_AMOUNT_OTHER,
            TAG_9F1A_TERMINAL_COUNTRY,
            TAG_5F2A_CURRENCY,
            TAG_9A_TRANSACTION_DATE,
            TAG_9C_TRANSACTION_TYPE,
            TAG_9F37_UNPREDICTABLE_NUMBER,
            TAG_82_AIP,
        )
    }
    data |= {TAG_95_TVR: outcome.tvr.encode(), TAG_9F26_AC: last.ac, TAG_9F27_CID: bytes((last.cid,))}
    data |= {TAG_9F36_ATC: last.atc, TAG_9F10_IAD: last.issuer_data}
    if outcome.script_results:
        data[TAG_9F5B_SCRIPT_RESULTS] = outcome.script_results
    answer = host.authorize(OnlineRequest(account.pan, account.sequence, data))
    return isinstance(answer, OnlineResponse) and answer.response_code == _ACCEPTED


@contextmanager
def _bank(keys: Path) -> Iterator[OnlineHost]:
    """Run the test bank as a process of its own, reached over HTTP. Raises SettingsError when it does not start."""
    program = [sys.executable, "-c", "from membercard.cli import main; main()"]
    command = [*program, "sim", "issuer", "--keys", str(keys), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            line = process.stderr.readline() if process.stderr is not None else ""
            url = re.search(r"http://\S+/authorize", line)
            if url is None:
                raise SettingsError(f"the test bank did not start: {line.strip()}")
            yield HttpIssuer(url[0])
        finally:
            process.terminate()


def _tries(sender: Sender) -> int:
    """The PIN tries that the card has left. EMV 4.4 Book 3, 6.5.7."""
    return sender.send(_PIN_TRIES).data[-1]


def _show(console: Console, title: str, amount: str, paid: _Paid) -> None:
    outcome = paid.outcome
    colour = "green" if outcome.approved else "red"
    head = Text(f"   {title}", "bold").append(f"  {amount}  ", "not bold")
    console.print(head.append(sentence(outcome.result.value).upper(), f"bold {colour}"))
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for stage, steps in groupby(outcome.steps, lambda step: step.stage):
        course = _stage_text(stage, list(steps))
        if course:
            grid.add_row(sentence(stage.value), course)
    if paid.tries is not None:
        unblocked = text("{tries} PIN tries left: the bank's script unblocked its PIN", tries=paid.tries)
        grid.add_row(text("the card now"), unblocked)
    grid.add_row(text("the bank afterwards"), _bank_text(paid))
    console.print(Padding(grid, (0, 0, 1, 6)))


def _stage_text(stage: KernelStage, steps: Sequence[Step]) -> Text:
    """The last decision of a function, or every step with the cardholder; and the TVR bits set."""
    course = Text()
    for step in steps:
        bits = [words for _, _, words in step.tvr.places()]
        with_cardholder = stage is KernelStage.CARDHOLDER and not step.text.startswith("rule ")
        if bits or (stage in _SHOWN and (with_cardholder or step is steps[-1])):
            decision = sentence(step.text).removeprefix(f"{stage.value}: ").removeprefix(f"{sentence(stage.value)}：")
            course.append(f"{decision}\n")
        for words in bits:
            course.append(f"▲ {sentence(words)}\n", "yellow")
    course.rstrip()
    return course


def _bank_text(paid: _Paid) -> Text:
    kinds = [one.kind.value for one in (paid.outcome.first, paid.outcome.second) if one is not None]
    if not paid.accepted or not kinds:
        return Text("✗ " + text("the bank does not accept the card's cryptogram"), "red")
    settled = text("the payment is settled") if paid.outcome.approved else text("nothing was paid")
    if len(kinds) == 1:
        checked = text("{cryptogram} is of this card's key: {settled}", cryptogram=kinds[0], settled=settled)
    else:
        first, second = kinds
        checked = text(
            "{first} and {second} are of this card's key: {settled}", first=first, second=second, settled=settled
        )
    return Text(f"✓ {checked}", "green")
