"""The demo's merchant: three payments with the bank's half of the cards just issued, and a test bank that answers."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from membercard.card_commands import card_in
from membercard.emv_till import configuration, own_authorities
from membercard.errors import SettingsError
from membercard.issuer_link import HttpIssuer
from terminal.apdu import Command, Sender, stack
from terminal.emv.elements.codes import price
from terminal.emv.kernel import run_transaction
from terminal.emv.outcome import Outcome, Result
from terminal.emv.seams import Choice, OnlineHost, Pin
from terminal.emv.steps import Stage, Step
from terminal.emv.transaction import Transaction
from terminal.keys import Algorithm, KeyCustody, MemoryCustody, Purpose
from terminal.secret import Secret

BANK: Final = "bank.json"
_MASTERS: Final = {"ac": Purpose.AC, "smi": Purpose.SMI, "smc": Purpose.SMC}
_PIN_TRIES: Final = Command(0x80, 0xCA, 0x9F, 0x17, ne=256)
_SHOWN: Final = (
    Stage.AUTHENTICATION,
    Stage.CARDHOLDER,
    Stage.TERMINAL_ACTION,
    Stage.CARD_ACTION,
    Stage.ONLINE,
    Stage.ISSUER,
    Stage.SCRIPTS,
    Stage.COMPLETION,
)


class Forgetful:
    """A cardholder who remembers another card's PIN: four digits where the card has six."""

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        return 0

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        return Pin(b"2580")


@dataclass(frozen=True, slots=True)
class _Payment:
    title: str
    amount: int
    card: Path
    cardholder: Forgetful | None
    expected: Result


def share_masters(keys: MemoryCustody, out: Path) -> None:
    """Put the master keys that house and bank share into custody, and tell them to the bank: a file that only its owner
    may read.

    Two officers of a real bank would bring them in parts: membercard keys import.
    """
    masters = {}
    for name, purpose in _MASTERS.items():
        value = secrets.token_bytes(16)
        keys.import_key(f"pay-{name}", purpose, Algorithm.TDES, Secret(value), by="bank")
        masters[name] = value.hex()
    path = out / BANK
    path.touch(mode=0o600)
    path.write_text(json.dumps({"masters": {"3des": masters}}), encoding="utf-8")


def write_bank(out: Path, accounts: Sequence[Mapping[str, object]]) -> Path:
    """Open these accounts at the bank; its file."""
    path = out / BANK
    told = json.loads(path.read_bytes())
    path.write_text(json.dumps(told | {"accounts": accounts}, indent=1), encoding="utf-8")
    return path


def pay(console: Console, bank: Path, custody: KeyCustody, cards: Sequence[Path]) -> bool:
    """Pay with three cards, showing how each payment came to its end; whether each ended as it has to."""
    near, forgotten, stolen = cards
    payments = (
        _Payment("coffee, nobody is asked", 3600, near, None, Result.APPROVED_OFFLINE),
        _Payment("a PIN forgotten three times", 12800, forgotten, Forgetful(), Result.APPROVED_ONLINE),
        _Payment("a card that was reported stolen", 99900, stolen, None, Result.DECLINED_ONLINE),
    )
    config, keys, ended = configuration(None), own_authorities(custody), []
    with _bank(bank) as host:
        for number, payment in enumerate(payments, 1):
            with card_in(f"sim:{payment.card}", 0) as transport:
                sender = stack(transport)
                outcome = run_transaction(
                    sender,
                    config,
                    Transaction(payment.amount, datetime.now(UTC).astimezone()),
                    keys=keys,
                    cardholder=payment.cardholder,
                    host=host,
                    pin_pad=payment.cardholder is not None,
                    draw=lambda: 99,  # nobody is picked at random, so that each payment tells its own story
                )
                tries = _tries(sender) if outcome.scripts else None
            amount = price(payment.amount, config.terminal.currency, config.terminal.currency_exponent)
            _show(console, f"{number}. {payment.title}", amount, outcome, tries)
            ended.append(outcome.result is payment.expected)
    return all(ended)


@contextmanager
def _bank(keys: Path) -> Iterator[OnlineHost]:
    """The test bank as a process of its own, reached over HTTP. Raises SettingsError when it does not start."""
    program = [sys.executable, "-c", "from membercard.cli import main; main()"]
    command = [*program, "sim", "issuer", "--keys", str(keys), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            said = process.stderr.readline() if process.stderr is not None else ""
            url = re.search(r"http://\S+/authorize", said)
            if url is None:
                raise SettingsError(f"the test bank did not start: {said.strip()}")
            yield HttpIssuer(url[0])
        finally:
            process.terminate()


def _tries(sender: Sender) -> int:
    """The PIN tries that the card has left. EMV 4.4 Book 3, 6.5.7."""
    return sender.send(_PIN_TRIES).data[-1]


def _show(console: Console, title: str, amount: str, outcome: Outcome, tries: int | None) -> None:
    colour = "green" if outcome.approved else "red"
    head = Text(f"   {title}", "bold").append(f"  {amount}  ", "not bold")
    console.print(head.append(outcome.result.value.upper(), f"bold {colour}"))
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for stage, steps in groupby(outcome.steps, lambda step: step.stage):
        if stage in _SHOWN:
            grid.add_row(stage.value, _told(list(steps)))
    if tries is not None:
        grid.add_row("the card now", f"{tries} PIN tries left: the bank's script unblocked its PIN")
    console.print(Padding(grid, (0, 0, 1, 6)))


def _told(steps: Sequence[Step]) -> Text:
    """What a function decided at last, or each thing that happened with the cardholder; and the bits it set."""
    told = Text()
    for step in steps:
        if step is steps[-1] or step.stage is Stage.CARDHOLDER:
            told.append(f"{step.text}\n")
        for _, _, words in step.tvr.places():
            told.append(f"▲ {words}\n", "yellow")
    told.rstrip()
    return told
