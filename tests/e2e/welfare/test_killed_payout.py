"""Kill -9 at random moments while a bank batch is drawn up, signed, written and its return booked: every instruction is
paid once, and both sides have the same sum."""

from __future__ import annotations

import random
import time
from datetime import date
from pathlib import Path

from registry.paying.batches import BankBatchState
from registry.paying.instructions import InstructionState, PaymentKind, PaymentOrder, order
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.store import Registry
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.payouts import BANK, SECTION, bank_of
from tests.support.thorough import repeats

ROWS, AMOUNT = 600, 1234
ACCOUNT = "6210971300000000018"
DAY = date(2026, 11, 24)


def keystore_of(cli: Cli) -> SoftwareKeystore:
    return SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))


def registry_of(cli: Cli) -> Registry:
    return Registry.open(f"sqlite:///{cli.data}/membercard.db", keystore_of(cli))


def owing(home: IssuerDirectory, folder: Path) -> Cli:
    """An issuer that owes a merchant for many statements."""
    issuer = home.copy(folder / "home").cli
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    head = HEAD.replace("benefits:\n", f"{SECTION % 'fixed'}benefits:\n").replace('"110000"', '"130000"')
    (folder / "own.yaml").write_text(head + benefit, "utf-8")
    issuer.publish_programme(folder / "own.yaml")
    with registry_of(issuer) as registry:
        days = date(2026, 1, 1), date(2030, 1, 1)
        shop = NewMerchant("SHOP", "商户", *days, ("0101",), (NewOutlet("店"),), account=ACCOUNT)
        registry.merchants.put(shop, by="王芳")
        for change in registry.merchant_changes.page(state=ChangeState.WAITING).items:
            registry.merchant_changes.approve(change.number, by="李娜")
        context = registry.instructions._context
        with context.write() as conn:
            for number in range(ROWS):
                wanted = PaymentOrder(PaymentKind.MERCHANT, f"statement/{number}", AMOUNT, "结算", payee="SHOP")
                order(context, conn, wanted, by="王芳")
    return issuer


def killed(cli: Cli, chance: random.Random, *words: object) -> None:
    """Start a command and kill it after a moment, somewhere between its start and its end."""
    with cli.start(*words) as process:
        time.sleep(chance.uniform(0.02, 0.6))
        process.kill()


def states(cli: Cli) -> set[object]:
    return {one["state"] for one in _totals(cli)}


def _totals(cli: Cli) -> list[dict[str, int | str]]:
    with registry_of(cli) as registry:
        return [
            {"state": one.state.value, "count": one.count, "amount": one.amount}
            for one in registry.instructions.totals()
        ]


def test_kills_pay_nothing_twice_and_lose_nothing(home: IssuerDirectory, tmp_path: Path) -> None:
    cli, chance = owing(home, tmp_path), random.Random(7)
    kills = repeats(3, 40)
    for _ in range(kills):
        killed(cli, chance, "payout", "draw-up", BANK, "--by", "王芳")
        assert states(cli) in ({"waiting"}, {"batched"})  # all of it, or nothing
    if "waiting" in states(cli):
        cli.ok("payout", "draw-up", BANK, "--by", "王芳")
    with registry_of(cli) as registry:
        (batch,) = registry.bank_batches.page().items
    assert (batch.rows, batch.amount, batch.state) == (ROWS, ROWS * AMOUNT, BankBatchState.DRAFTED)
    for person in ("王芳", "李娜"):
        cli.ok("payout", "sign", batch.id, "--digest", batch.digest[:8], "--by", person)
    for _ in range(kills):
        killed(cli, chance, "payout", "file", batch.id, "-o", tmp_path / "file", "--by", "王芳")
    cli.ok("payout", "file", batch.id, "-o", tmp_path / "file", "--by", "王芳")
    bank, sent = bank_of(keystore_of(cli)), (tmp_path / "file").read_bytes()
    for _ in range(2):  # it is sent again after a crash
        bank.execute(sent)
    (tmp_path / "return").write_bytes(bank.answer(sent, DAY))
    for _ in range(kills):
        killed(cli, chance, "payout", "return", BANK, tmp_path / "return", "--by", "李娜")
        assert states(cli) in ({"batched"}, {"paid"})
    cli.ok("payout", "return", BANK, tmp_path / "return", "--by", "李娜")
    assert _totals(cli) == [{"state": InstructionState.PAID.value, "count": ROWS, "amount": ROWS * AMOUNT}]
    assert sum(bank.balances.values()) == ROWS * AMOUNT
    assert len(bank.paid) == ROWS
