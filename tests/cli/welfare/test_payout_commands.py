"""`membercard payout`: from an instruction to the bank's answer, each step by the person who does it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from registry.paying.instructions import PaymentKind, PaymentOrder, order
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.store import Registry
from simulators.issuer.payouts import PayoutBank
from terminal.keys import SoftwareKeystore
from terminal.secret import Secret
from tests.support.cli import PASSPHRASE, Cli, IssuerDirectory
from tests.support.programmes import HEAD, ONE_PRODUCT
from tests.support.registry.payouts import BANK, SECTION, bank_of

ACCOUNT = "6210971300000000018"
DAY = date(2026, 11, 24)


@pytest.fixture
def cli(home: IssuerDirectory, tmp_path: Path) -> Cli:
    """An issuer whose programme names a bank, and who owes a merchant 12.34 yuan for each of two statements."""
    issuer = home.copy(tmp_path / "home").cli
    benefit = f"  gift:\n    name: {{zh: 礼品, en: Gift}}\n    merchants: [shop]\n    counted: none\n    {ONE_PRODUCT}"
    head = HEAD.replace("benefits:\n", f"{SECTION % 'csv'}benefits:\n").replace('"110000"', '"130000"')
    (tmp_path / "own.yaml").write_text(head + benefit, "utf-8")
    issuer.publish_programme(tmp_path / "own.yaml")
    with Registry.open(f"sqlite:///{issuer.data}/membercard.db", keystore(issuer)) as registry:
        days = date(2026, 1, 1), date(2030, 1, 1)
        shop = NewMerchant("SHOP", "商户", *days, ("0101",), (NewOutlet("店"),), account=ACCOUNT)
        registry.merchants.put(shop, by="王芳")
        for change in registry.merchant_changes.page(state=ChangeState.WAITING).items:
            registry.merchant_changes.approve(change.number, by="李娜")
        context = registry.instructions._context
        with context.write() as conn:
            for number in (1, 2):
                wanted = PaymentOrder(PaymentKind.MERCHANT, f"statement/{number}", 1234, "结算", payee="SHOP")
                order(context, conn, wanted, by="王芳")
    return issuer


def keystore(cli: Cli) -> SoftwareKeystore:
    return SoftwareKeystore.unlock(cli.data / "keystore", Secret(PASSPHRASE.encode()))


def released(cli: Cli, number: int) -> None:
    digest = cli.ok("payout", "show", number, "--json").json["batch"]["digest"]
    for person in ("王芳", "李娜"):
        cli.ok("payout", "sign", number, "--digest", digest[:8], "--by", person)


def returned(cli: Cli, bank: PayoutBank, file: Path, to: Path) -> Path:
    bank.execute(file.read_bytes())
    to.write_bytes(bank.answer(file.read_bytes(), DAY))
    return to


def test_from_what_waits_to_what_the_bank_has_paid(cli: Cli, tmp_path: Path) -> None:
    assert "waiting: 2 instructions, 24.68 yuan" in cli.ok("payout", "list").out
    drawn = cli.ok("payout", "draw-up", BANK, "--by", "王芳").out
    assert "24.68" in drawn
    early = cli.run("payout", "file", 1, "-o", tmp_path / "early.csv", "--by", "王芳")
    assert "a file is made once two people have signed it" in early.complaint
    assert not (tmp_path / "early.csv").exists()
    digest = cli.ok("payout", "show", 1, "--json").json["batch"]["digest"]
    assert "a second person signs it next" in cli.ok("payout", "sign", 1, "--digest", digest[:8], "--by", "王芳").out
    assert "signatures of two people" in cli.run("payout", "sign", 1, "--digest", digest, "--by", "王芳").complaint
    assert "is not the one" in cli.run("payout", "sign", 1, "--digest", "0" * 8, "--by", "李娜").complaint
    assert "signed by two people" in cli.ok("payout", "sign", 1, "--digest", digest[:8], "--by", "李娜").out
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    for path in (first, second):
        cli.ok("payout", "file", 1, "-o", path, "--by", "王芳")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o077 == 0
    answer = returned(cli, bank_of(keystore(cli)), first, tmp_path / "answer.csv")
    assert "2 paid (24.68 yuan), 0 failed (0.00 yuan)" in cli.ok("payout", "return", BANK, answer, "--by", "李娜").out
    assert "nothing was changed" in cli.ok("payout", "return", BANK, answer, "--by", "李娜").out
    shown = cli.ok("payout", "show", 1).out
    assert ACCOUNT not in shown
    assert "answer.csv" in shown
    assert cli.ok("payout", "list", "--state", "paid", "--json").json[0]["outcome_on"] == "2026-11-24"


def test_what_the_bank_could_not_pay_is_paid_again_once(cli: Cli, tmp_path: Path) -> None:
    cli.ok("payout", "draw-up", BANK, "--by", "王芳")
    released(cli, 1)
    cli.ok("payout", "file", 1, "-o", tmp_path / "file.csv", "--by", "王芳")
    bank = bank_of(keystore(cli))
    bank.faults[ACCOUNT] = "账户已销户"
    answer = returned(cli, bank, tmp_path / "file.csv", tmp_path / "answer.csv")
    cut = tmp_path / "cut.csv"
    cut.write_bytes(answer.read_bytes()[:-9])
    assert cli.run("payout", "return", BANK, cut, "--by", "李娜").status == 1
    assert "0 paid (0.00 yuan), 2 failed (24.68 yuan)" in cli.ok("payout", "return", BANK, answer, "--by", "李娜").out
    again = ("payout", "reissue", 1, "--reason", "换了账户", "--by", "李娜")
    assert "instruction 3 waits for a batch; it repeats 1" in cli.ok(*again).out
    assert "was reissued before" in cli.run(*again).complaint
    assert "账户已销户" in cli.ok("payout", "list", "--state", "failed", env={"COLUMNS": "300"}).out
    cli.ok("payout", "draw-up", BANK, "--by", "王芳")
    assert "wait again" in cli.ok("payout", "discard", 2, "--reason", "重做", "--by", "李娜").out
    assert "instruction 3 is withdrawn" in cli.ok("payout", "withdraw", 3, "--reason", "停付", "--by", "李娜").out
